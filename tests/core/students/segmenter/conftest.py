import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for the phantom beside the tests

from three_shapes_phantom import QUICK, VOXEL, three_shapes

from cryoetseg.core.particles.formats import write_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.runtime.job import InputFile
from cryoetseg.core.students.segmenter.params import TrainSegmenterParameters
from cryoetseg.core.students.segmenter.train import train_segmenter
from cryoetseg.core.volumes.io import write_volume


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A segmenter that learned the three shapes from one small volume."""
    data, labels, _ = three_shapes(0)
    return train_segmenter([(data, labels)], TrainSegmenterParameters(**QUICK), tmp_path_factory.mktemp("training"), device="cpu",
                           voxel_size=VOXEL)


@pytest.fixture
def files(tmp_path):
    """Write the dark tomogram, the class volume and the particle list of a phantom; returns job inputs by role."""

    def write(seed, voxel_size=VOXEL, **changes):
        data, labels, centres = three_shapes(seed, **changes)
        write_volume(tmp_path / "t.mrc", -3 * data + 7, voxel_size)
        write_volume(tmp_path / "l.mrc", labels, voxel_size)
        points = np.array([centre for value in centres for centre in centres[value]])
        classes = np.array([value for value in centres for _ in centres[value]])
        write_particles(ParticleTable.from_points(points, voxel_size=voxel_size, tilt_series_id="t", class_id=classes), tmp_path / "p.star")
        return {role: InputFile(path=str(tmp_path / name), role=role, tilt_series_id="t", contrast="dark")
                for role, name in [("tomogram", "t.mrc"), ("labels", "l.mrc"), ("particles", "p.star")]}, labels, centres

    return write
