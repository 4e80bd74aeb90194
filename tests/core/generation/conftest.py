"""Two small tomograms with balls and shells in known places, dark as microscopes give them."""
import numpy as np
import pytest

from cryoetseg.core.particles.formats import write_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.runtime.job import InputFile
from cryoetseg.core.volumes.io import write_volume

SHAPE = (24, 64, 64)
VOXEL_SIZE = 10.0
CENTRES = np.array([[12, 8 + 16 * row, 8 + 16 * column] for row in range(4) for column in range(4)], dtype=float)
NAMES = {1: "shell", 2: "ball"}


def body(centre, kind):
    z, y, x = np.indices(SHAPE)
    distance = np.sqrt((z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2)
    return np.where((distance <= 5.5) & ((kind == 2) | (distance >= 3.0)), 4.0, 0.0)


@pytest.fixture(scope="session")
def scene(tmp_path_factory):
    """Inputs of a job: two tomograms, and one CSV list for both that names them."""
    folder = tmp_path_factory.mktemp("scene")
    kinds = np.tile([1, 2], 8)
    inputs = []
    for number in range(2):
        noise = np.random.default_rng(number).normal(size=SHAPE)
        volume = sum(body(centre, kind) for centre, kind in zip(CENTRES, kinds)) + 0.3 * noise
        write_volume(folder / f"tomo{number}.mrc", (50 - volume).astype(np.float32), VOXEL_SIZE)
        inputs.append(InputFile(path=str(folder / f"tomo{number}.mrc"), tilt_series_id=f"tomo{number}"))
    names = np.repeat(np.array(["tomo0", "tomo1"], dtype=object), len(CENTRES))
    table = ParticleTable.from_points(np.tile(CENTRES, (2, 1)), voxel_size=VOXEL_SIZE, tilt_series_id=names, class_id=np.tile(kinds, 2),
                                      class_names=NAMES)
    write_particles(table, folder / "list.csv")
    return [*inputs, InputFile(path=str(folder / "list.csv"), role="particles")]
