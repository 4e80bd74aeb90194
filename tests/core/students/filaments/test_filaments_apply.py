"""Filaments of tomograms by the shipped model: a simulated microtubule, noise, and a model that knows none."""
import mrcfile
import numpy as np
import pandas as pd
import pytest
import torch
from scipy.spatial import cKDTree

from cryoetseg.core.methods import run_job
from cryoetseg.core.models.card import ModelCard, save_model
from cryoetseg.core.models.membrane_unet3d import FILAMENT_OUTPUT, MEMBRANE_OUTPUT, OUTPUTS, filament_logit, membrane_logit
from cryoetseg.core.models.shelf import shipped_folder
from cryoetseg.core.particles.angles import to_matrices
from cryoetseg.core.particles.formats import read_particles
from cryoetseg.core.runtime.errors import WeightsError
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.simulation.apply import simulate
from cryoetseg.core.simulation.params import SimulationParameters
from cryoetseg.core.students.filaments.apply import write_mask
from cryoetseg.core.students.filaments.params import SegmentFilamentsParameters
from cryoetseg.core.students.filaments.trace import Axis
from cryoetseg.core.students.membranes.network import METHOD, build_network
from cryoetseg.core.volumes.io import write_volume

VOXEL_SIZE = 14.0
FREE = {"particles": "none", "occupancy": 0.0, "unresolved_density": 0.0, "vesicle_count": 0, "ellipsoid_count": 0, "tube_count": 0,
        "sheet_count": 0, "torus_count": 0, "actin_count": 0}


def job(path, out, model=None, **parameters):
    inputs = [InputFile(path=str(path), role="tomogram", contrast="bright"),
              InputFile(path=str(model or shipped_folder("general", "membranes")), role="model")]
    return Job(method="segment-filaments", parameters=parameters, inputs=inputs, output_folder=str(out), device="cpu")


@pytest.fixture(scope="module")
def microtubule(tmp_path_factory):
    """Result, its folder and the places of a microtubule (n, 3) in voxels."""
    folder = tmp_path_factory.mktemp("filaments")
    p = SimulationParameters(voxel_size=VOXEL_SIZE, size_z=40, size_y=112, size_x=112, snr=0.5, microtubule_count=1, filament_length=4000,
                             **FREE)
    made = simulate(p, 5)
    number = next(number for number, name in made.class_names.items() if name == "microtubule")
    write_volume(folder / "cell.mrc", made.reconstruction, VOXEL_SIZE)
    result = run_job(job(folder / "cell.mrc", folder / "out", smallest_length=600.0))
    return result, folder / "out", np.argwhere(made.class_mask == number)


def test_a_microtubule_is_one_filament_whose_axis_runs_inside_it(microtubule):
    result, folder, truth = microtubule
    assert result.metrics["filaments"] == 1
    points = read_particles(folder / "cell_filaments.star")
    distance = cKDTree(truth).query(points.zyx)[0] * VOXEL_SIZE
    assert distance.max() < 150
    far = cKDTree(points.zyx).query(truth)[0] * VOXEL_SIZE
    assert (far < 250).mean() > 0.8
    assert set(points.class_id) == {1}


def test_orientations_run_along_the_axis(microtubule):
    _, folder, _ = microtubule
    points = read_particles(folder / "cell_filaments.star")
    steps = np.diff(points.zyx, axis=0)
    steps /= np.linalg.norm(steps, axis=1, keepdims=True)
    along = to_matrices(points.angles)[:-1, ::-1, 2]  # z of the reference in the tomogram, as z, y, x
    assert (np.abs(np.einsum("ij,ij->i", along, steps)) > 0.95).all()


def test_mask_and_table_tell_of_the_same_filament(microtubule):
    result, folder, truth = microtubule
    with mrcfile.open(folder / "cell_filaments.mrc") as file:
        mask = file.data > 0
    assert (cKDTree(truth).query(np.argwhere(mask))[0] * VOXEL_SIZE < 80).mean() > 0.8
    assert result.metrics["cell"]["filament_fraction"] == pytest.approx(mask.mean())
    row, = pd.read_csv(folder / "cell_filaments.csv").to_dict("records")
    points = read_particles(folder / "cell_filaments.star")
    assert row["points"] == len(points)
    assert row["length_A"] == pytest.approx(80 * (len(points) - 1), abs=80)
    np.testing.assert_allclose([row["x_start_A"], row["z_start_A"]], (points.zyx[0, [2, 0]] + 0.5) * VOXEL_SIZE, rtol=1e-3)


def test_the_mask_ends_a_gap_beside_the_axes():
    """Two bars of the same probability: one about the axis, one three gaps away."""
    probability = np.zeros((8, 80, 60), np.float16)
    probability[3:5, 9:11], probability[3:5, 69:71] = 1, 1
    zyx = np.stack([np.full(20, 3.5), np.full(20, 9.5), np.linspace(0, 59, 20)], axis=1)
    axis = Axis(zyx, np.tile([0.0, 0.0, 1.0], (20, 1)), 590.0, 0.0)
    target = np.zeros(probability.shape, np.int8)
    voxels = write_mask(probability, [axis], SegmentFilamentsParameters(largest_gap=200.0, spacing=80.0), 10.0, target)
    assert target[3:5, 9:11].all()
    assert voxels == target.sum() == 2 * 2 * 60


def test_noise_holds_no_filament_and_a_word_says_so(tmp_path):
    write_volume(tmp_path / "noise.mrc", np.random.default_rng(0).standard_normal((40, 96, 96)).astype(np.float32), 12.0)
    result = run_job(job(tmp_path / "noise.mrc", tmp_path / "out"))
    assert result.metrics["filaments"] == 0
    assert any("no filament" in line for line in result.warnings)
    assert len(read_particles(tmp_path / "out" / "noise_filaments.star")) == 0
    assert not mrcfile.read(tmp_path / "out" / "noise_filaments.mrc").any()


def test_slices_outside_the_range_stay_empty(microtubule, tmp_path):
    _, folder, _ = microtubule
    run_job(job(folder.parent / "cell.mrc", tmp_path / "out", z_start=10, z_end=30, smallest_length=300.0))
    probability = mrcfile.read(tmp_path / "out" / "cell_filaments_probability.mrc")
    assert probability[10:30].any()
    assert not probability[:10].any()
    assert not probability[30:].any()


def test_a_model_of_membranes_alone_is_refused(tmp_path):
    card = ModelCard(method=METHOD, network="UNet2d", voxel_size=10.0, normalisation="volume", network_parameters={"inputs": 3})
    save_model(tmp_path / "model", build_network(3), card)
    write_volume(tmp_path / "noise.mrc", np.random.default_rng(0).standard_normal((16, 32, 32)).astype(np.float32), 12.0)
    with pytest.raises(WeightsError, match="membranes only"):
        run_job(job(tmp_path / "noise.mrc", tmp_path / "out", tmp_path / "model"))


def test_the_two_structures_and_background_share_one_softmax():
    answers = torch.randn(1, OUTPUTS, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    shares = torch.softmax(torch.cat([torch.zeros(1, 1, 4, 4, 4), answers], dim=1), dim=1)
    for logit, output in ((membrane_logit, MEMBRANE_OUTPUT), (filament_logit, FILAMENT_OUTPUT)):
        torch.testing.assert_close(logit(answers).sigmoid()[:, 0], shares[:, output + 1])
