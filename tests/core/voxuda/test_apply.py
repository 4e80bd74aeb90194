"""Using a model: each subtomogram in its own grid, whole tomograms by windows, scores where the truth is known."""
import mrcfile
import numpy as np
import pytest
import torch
from torch import nn

from cryoetseg.core.methods import run_job
from cryoetseg.core.models.card import read_card
from cryoetseg.core.report.illustrate import illustrate
from cryoetseg.core.runtime.errors import InputError, JobError
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.volumes.io import write_volume
from cryoetseg.core.voxuda.apply import AS_IT_IS, SAME_WEDGE, VoxUdaModel, _unboxed, run, segment_subtomograms
from cryoetseg.core.voxuda.calibration import standardised_rows
from cryoetseg.core.voxuda.data import boxed
from cryoetseg.core.voxuda.network import VoxResNet
from cryoetseg.core.voxuda.params import TrainVoxUdaParameters
from cryoetseg.core.voxuda.pools import same_wedge
from cryoetseg.core.voxuda.train import save


class Threshold(nn.Module):
    """A network whose answer is known: foreground where the standardised voxel is above 1."""

    def forward(self, volumes):
        return 20 * (volumes - 1)


@pytest.fixture
def folder(tmp_path):
    save(VoxResNet(4), tmp_path / "model", TrainVoxUdaParameters(width=4, size=16), 10.0, {})
    return tmp_path / "model"


@pytest.fixture
def known(monkeypatch):
    """Model folders give a network with a known answer."""
    def load(path, build):
        return Threshold(), read_card(path)

    monkeypatch.setattr("cryoetseg.core.voxuda.apply.load_model", load)


def cube(side, ball, voxel_size=1.0):
    grid = np.stack(np.meshgrid(*[np.arange(side) - (side - 1) / 2] * 3, indexing="ij")) * voxel_size
    return (((grid**2).sum(axis=0) < ball**2) * 3 + np.random.default_rng(0).normal(size=(side,) * 3) * 0.05).astype(np.float32)


def job(folder, tmp_path, **inputs):
    files = [InputFile(path=str(path), role=role, contrast="dark") for role, path in inputs.items()]
    model = InputFile(path=str(folder), role="model")
    return Job(method="segment-subtomograms", inputs=[model, *files], output_folder=str(tmp_path / "out"), device="cpu")


def test_the_saved_network_is_the_loaded_one(tmp_path):
    torch.manual_seed(1)
    network = VoxResNet(4).eval()
    save(network, tmp_path / "m", TrainVoxUdaParameters(width=4, size=16), 10.0, {})
    volume = torch.randn(1, 1, 16, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(VoxUdaModel(tmp_path / "m", "cpu").network(volume), network(volume))


def test_the_mean_is_over_the_pictures_of_training_each_turned_back(folder, monkeypatch):
    class Sloped(nn.Module):
        """Another answer at every place."""

        def forward(self, volumes):
            return volumes * torch.linspace(-2, 3, 16**3).reshape(16, 16, 16)

    monkeypatch.setattr("cryoetseg.core.voxuda.apply.load_model", lambda path, build: (Sloped(), read_card(path)))
    windows = standardised_rows(np.random.default_rng(0).normal(size=(3, 16, 16, 16))).astype(np.float32)
    volumes, logits = torch.from_numpy(windows)[:, None], []
    for turn in range(4):
        turns = torch.full((3,), turn)
        logits.append(same_wedge(Sloped()(same_wedge(volumes, turns)), turns))
    for pictures, expected in ((SAME_WEDGE, torch.stack(logits).mean(dim=0)), (AS_IT_IS, logits[0])):
        found = VoxUdaModel(folder, "cpu", pictures).probabilities(windows)
        torch.testing.assert_close(torch.from_numpy(found), expected[:, 0].sigmoid(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("shape", [(16, 16, 16), (10, 10, 10), (24, 20, 13)])
def test_the_middle_comes_back_where_it_was(shape):
    volume = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    back = _unboxed(boxed(volume, 16, fill=0.0), shape)
    assert back.shape == shape
    inner = tuple(slice(max(0, (n - 16) // 2), max(0, (n - 16) // 2) + min(n, 16)) for n in shape)
    assert back[inner] == pytest.approx(volume[inner])


@pytest.mark.parametrize(("side", "voxel_size"), [(16, 10.0), (32, 5.0), (12, 20.0)])
def test_masks_are_in_the_grid_of_the_subtomogram(folder, known, side, voxel_size):
    volume = cube(side, 50.0, voxel_size)
    (probability,) = segment_subtomograms([volume], voxel_size, VoxUdaModel(folder, "cpu"))
    assert probability.shape == volume.shape
    mask, truth = probability > 0.5, volume > 1.5
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.8


def test_a_job_segments_and_scores_subtomograms(folder, known, tmp_path):
    for number in range(3):
        write_volume(tmp_path / "in" / f"s{number}.mrc", -cube(16, 5), 10.0)
        write_volume(tmp_path / "in" / f"s{number}_mask.mrc", (cube(16, 5) > 1.5).astype(np.int8), 10.0)
    outcome = run(job(folder, tmp_path, subtomogram=tmp_path / "in"))
    assert outcome.metrics["scores"]["dice"] == pytest.approx(1, abs=0.01)
    assert [output.kind for output in outcome.outputs] == ["mask", "probability"] * 3
    written = mrcfile.read(tmp_path / "out" / "s0_mask.mrc")
    assert (written.dtype, written.max()) == (np.int8, 1)


@pytest.mark.parametrize(("mirrored", "pictures"), [(False, AS_IT_IS), (True, SAME_WEDGE)])
def test_a_job_answers_with_the_mean_over_mirror_images_where_asked(folder, tmp_path, mirrored, pictures):
    write_volume(tmp_path / "s.mrc", -cube(16, 5), 10.0)
    asked = job(folder, tmp_path, subtomogram=tmp_path / "s.mrc")
    run(asked.model_copy(update={"parameters": {"mirrored": mirrored}}))
    (expected,) = segment_subtomograms([cube(16, 5)], 10.0, VoxUdaModel(folder, "cpu", pictures))
    np.testing.assert_allclose(mrcfile.read(tmp_path / "out" / "s_probability.mrc"), expected, atol=1e-3)


@pytest.mark.parametrize("voxel_size", [10.0, 5.0])
def test_a_job_slides_over_a_tomogram(folder, known, tmp_path, voxel_size):
    tomogram = np.full((20, 40, 44), 0.0, np.float32)
    tomogram[4:16, 14:26, 14:26] -= cube(12, 5)
    write_volume(tmp_path / "t.mrc", tomogram, voxel_size)
    outcome = run_job(job(folder, tmp_path, tomogram=tmp_path / "t.mrc"), illustrate)
    assert {output.tilt_series_id for output in outcome.outputs if output.kind != "figure"} == {"t"}
    assert [output.path for output in outcome.outputs_of("figure")] == ["t_overview.png"]
    mask, truth = mrcfile.read(tmp_path / "out" / "t_mask.mrc") > 0, tomogram < -1.5
    assert mask.shape == tomogram.shape
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.75
    assert outcome.metrics["t"]["foreground_share"] == pytest.approx(mask.mean())


def test_windows_over_a_tomogram_end_where_its_sample_does(folder, known, tmp_path):
    noise = np.random.default_rng(1).normal(0, 0.05, (24, 40, 44)).astype(np.float32)
    noise[6:18, 14:26, 14:26] -= cube(12, 5)
    framed = np.full((40, 80, 84), 9.0, np.float32)
    framed[8:32, 20:60, 20:64] = noise
    for name, volume in (("alone", noise[:, 1:-1, 1:-1]), ("framed", framed)):
        write_volume(tmp_path / f"{name}.mrc", volume, 10.0)
        run(job(folder, tmp_path, tomogram=tmp_path / f"{name}.mrc"))
    alone, found = (mrcfile.read(tmp_path / "out" / f"{name}_probability.mrc").astype(float) for name in ("alone", "framed"))
    np.testing.assert_allclose(found[8:32, 21:59, 21:63], alone, atol=0.02)
    assert found.sum() == pytest.approx(found[8:32, 21:59, 21:63].sum())
    assert (alone > 0.5).any()


def test_nothing_to_do_and_foreign_sets_are_told(folder, tmp_path):
    with pytest.raises(JobError, match="0 subtomograms and 0 tomograms"):
        run(job(folder, tmp_path))
    for number, side in enumerate((16, 18)):
        write_volume(tmp_path / "mixed" / f"s{number}.mrc", cube(side, 5), 10.0)
    with pytest.raises(InputError, match="differ in size"):
        run(job(folder, tmp_path, subtomogram=tmp_path / "mixed"))
