"""The chains around DUAL end to end on small volumes: labels by simulation, comparison of denoisers, and the commands."""
import csv

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from cryoetseg.core.cli import main
from cryoetseg.core.dual.baselines import anisotropic_diffusion, best_baselines
from cryoetseg.core.dual.model import DualNetworks, save_dual
from cryoetseg.core.dual.params import DualArchitecture
from cryoetseg.core.methods import run_job
from cryoetseg.core.models.card import ModelCard
from cryoetseg.core.recipes.dual_chain.matching import largest_side, match_spectrum, wanted_spectrum
from cryoetseg.core.runtime.errors import JobError
from cryoetseg.core.runtime.files import read_json
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.volumes.io import open_volume, read_labels, write_volume

SMALL = {"patch_px": 16, "denoiser_channels": "2,2", "generator_channels": "2,2", "noise_channels": "2,2,2", "filter_radius": 2,
         "code_length": 2, "judge_channels": "2,2"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model with random weights, a density with its classes, a noisy tomogram of it."""
    folder = tmp_path_factory.mktemp("dual")
    torch.manual_seed(0)
    dual = DualNetworks(DualArchitecture(**SMALL))
    save_dual(folder / "model", dual, ModelCard(method="dual", network="dual", network_parameters=dual.shape.model_dump(), voxel_size=10.0,
                                                normalisation="x"))
    labels = np.zeros((24, 32, 32), np.int8)
    labels[8:14, 6:12, 6:12] = 1
    labels[8:14, 18:26, 18:26] = 2
    density = gaussian_filter((labels > 0).astype(np.float32), 1)
    noise = np.random.default_rng(0).normal(size=density.shape)
    write_volume(folder / "g.mrc", density, 10.0)
    write_volume(folder / "g_classes.mrc", labels, 10.0)
    write_volume(folder / "t.mrc", -(density + noise).astype(np.float32), 10.0)
    return folder


def test_labels_by_simulation(folder, tmp_path):
    inputs = [InputFile(path=str(folder / "model"), role="model"), InputFile(path=str(folder / "t.mrc"), tilt_series_id="t"),
              InputFile(path=str(folder / "g.mrc"), role="grand_model", contrast="bright"),
              InputFile(path=str(folder / "g_classes.mrc"), role="labels")]
    parameters = {"copies": 2, "iterations": 1, "batch_size": 1, "patch_px": 16, "held_out": 0.0, "jitter_px": 0}
    job = Job(method="transfer-dual", parameters=parameters, inputs=inputs, output_folder=str(tmp_path / "out"), device="cpu")
    result = run_job(job)
    first, second = result.outputs_of("synthetic_tomogram")
    assert (tmp_path / "out" / first.path).read_bytes() != (tmp_path / "out" / second.path).read_bytes()  # noise of its own
    assert first.path.startswith("matched/")
    made = [read_json(tmp_path / "out" / "synthetic" / f"draw{number}" / "result.json")["metrics"]["noise_shares"] for number in (1, 2)]
    assert all(0.3 <= share <= 1 for shares in made for share in shares)
    assert made[0] != made[1]
    (mask,) = result.outputs_of("class_mask")
    assert mask.tilt_series_id == "t"
    assert read_labels(tmp_path / "out" / mask.path)[0].shape == (24, 32, 32)
    with pytest.raises(JobError, match="1 grand models and 0 class masks"):
        run_job(job.model_copy(update={"inputs": inputs[:3], "output_folder": str(tmp_path / "other")}))


def test_a_matched_tomogram_has_the_spectrum_of_the_target_and_keeps_its_structure(tmp_path):
    rng = np.random.default_rng(0)
    coloured = [gaussian_filter(rng.normal(size=(32, 48, 48)), 0.7).astype(np.float32) for _ in range(2)]
    structure = gaussian_filter((rng.random((32, 48, 48)) > 0.99).astype(np.float32), 2)
    source = structure / structure.std() + 0.5 * rng.normal(size=structure.shape)
    targets = []
    for number, volume in enumerate(coloured):
        write_volume(tmp_path / f"t{number}.mrc", volume, 10.0)
        targets.append(InputFile(path=str(tmp_path / f"t{number}.mrc"), role="tomogram"))
    write_volume(tmp_path / "s.mrc", -source.astype(np.float32), 10.0)
    side = largest_side([(32, 48, 48), (33, 48, 48)])
    assert side == 32
    wanted = wanted_spectrum(targets, 10.0, tmp_path / "resampled", 0, side)
    match_spectrum(tmp_path / "s.mrc", wanted, tmp_path / "m.mrc", 0)
    made = -np.array(open_volume(tmp_path / "m.mrc").data)

    def radial(volume):
        power = np.abs(np.fft.fftn(volume / volume.std())) ** 2
        length = np.sqrt(sum(np.meshgrid(*(np.fft.fftfreq(n) ** 2 for n in volume.shape), indexing="ij")))
        return np.array([power[(length >= low) & (length < low + 0.1)].mean() for low in (0.05, 0.15, 0.25, 0.35)])

    np.testing.assert_allclose(radial(made) / radial(coloured[0]), 1, atol=0.35)
    assert np.abs(np.log(radial(source) / radial(coloured[0]))).max() > 1
    narrow = [gaussian_filter(volume, 2) for volume in (made, structure)]
    assert np.corrcoef(narrow[0].ravel(), narrow[1].ravel())[0, 1] > 0.8


def test_denoisers_are_compared(folder, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["dual", "evaluate", str(folder / "model"), str(folder / "t.mrc"), str(folder / "g.mrc"), "--out", str(tmp_path),
              "--restored", str(folder / "t.mrc"), "--device", "cpu"])
    assert stop.value.code == 0, capsys.readouterr().err
    with open(tmp_path / "denoisers.csv", encoding="utf-8") as stream:
        rows = {row["method"]: float(row["pearson"]) for row in csv.DictReader(stream)}
    assert set(rows) == {"none", "gaussian", "anisotropic diffusion", "non-local means", "t", "DUAL"}
    assert rows["gaussian"] > rows["none"] + 0.2
    assert rows["t"] == pytest.approx(rows["none"])


def test_commands_take_several_files_and_write_the_file_named(folder, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["dual", "denoise", str(folder / "model"), str(folder / "t.mrc"), "--out", str(tmp_path / "d.mrc"), "--device", "cpu"])
    assert stop.value.code == 0, capsys.readouterr().err
    assert (tmp_path / "d.mrc").exists()
    assert (tmp_path / "d" / "t_denoised_slices.png").exists()
    (tmp_path / "u.mrc").write_bytes((folder / "t.mrc").read_bytes())
    sizes = [word for name, value in SMALL.items() for word in ("--" + name.replace("_", "-"), str(value))]
    with pytest.raises(SystemExit) as stop:
        main(["dual", "train", "--noisy", str(folder / "t.mrc"), str(tmp_path / "u.mrc"), "--clean", str(folder / "g.mrc"), "--out",
              str(tmp_path / "m"), "--iterations", "1", "--batch-size", "1", "--validation-patches", "1", "--device", "cpu", *sizes])
    assert stop.value.code == 0, capsys.readouterr().err
    assert (tmp_path / "m" / "model" / "card.json").exists()


def test_diffusion_smooths_noise_keeps_edges_and_the_mean():
    step = np.zeros((8, 8, 8), np.float32)
    step[4:] = 10
    noisy = step + np.random.default_rng(0).normal(0, 0.3, step.shape).astype(np.float32)
    smooth = anisotropic_diffusion(noisy, 20, kappa=2.0)
    assert smooth.mean() == pytest.approx(noisy.mean(), abs=1e-4)
    assert smooth[1:3].std() < 0.5 * noisy[1:3].std()
    assert smooth[4].mean() - smooth[3].mean() > 9


def test_the_best_setting_of_each_baseline_is_taken():
    truth = gaussian_filter(np.random.default_rng(0).normal(size=(16, 16, 16)), 2)
    noisy = (truth / truth.std() + 2 * np.random.default_rng(1).normal(size=truth.shape)).astype(np.float32)
    best = best_baselines(noisy, truth)
    assert best["none"][1] is noisy
    assert best["gaussian"][0] in ("sigma 1.5 voxels", "sigma 2 voxels", "sigma 2.5 voxels")
