"""Whole volumes: no result depends on tiles, seeds decide the noise, every voxel size comes back to its own grid."""
import numpy as np
import pytest
import torch

from cryoetseg.core.dual.apply import denoise, run_convert, run_denoise, run_simulate, simulate
from cryoetseg.core.dual.data import StandardisedView
from cryoetseg.core.dual.model import load_dual, save_dual
from cryoetseg.core.dual.noise import NoiseField, NoisyDensity
from cryoetseg.core.models.card import ModelCard
from cryoetseg.core.runtime.errors import InputError, WeightsError
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.volumes.io import open_volume, write_volume

CPU = torch.device("cpu")


@pytest.fixture
def tomogram():
    return np.random.default_rng(0).normal(5, 3, (18, 33, 28)).astype(np.float32)


@pytest.fixture
def folder(dual, tmp_path):
    card = ModelCard(method="train-dual", network="dual", network_parameters=dual.shape.model_dump(), voxel_size=10.0, normalisation="x")
    save_dual(tmp_path / "model", dual, card)
    return tmp_path


def job(folder, method, name, role="tomogram", looks="dark", **parameters):
    inputs = [InputFile(path=str(folder / "model"), role="model"), InputFile(path=str(folder / name), role=role, contrast=looks)]
    return Job(method=method, parameters=parameters, inputs=inputs, output_folder=str(folder), device="cpu")


@pytest.mark.parametrize("convert", ["denoise", "simulate"])
def test_results_do_not_depend_on_the_tile(dual, tomogram, convert):
    view, results = StandardisedView(tomogram, "dark"), []
    for tile in (16, 40):
        target = np.empty(view.shape, np.float32)
        if convert == "denoise":
            denoise(dual, view, target, tile, CPU)
        else:
            simulate(dual, view, target, 7, tile, CPU)
        results.append(target)
    assert results[0].std() > 0
    for other in results[1:]:
        np.testing.assert_allclose(other, results[0], atol=1e-3 * results[0].std())


def test_denoising_keeps_scale_and_contrast_of_the_file(dual, tomogram):
    results = []
    for volume, contrast in ((tomogram, "bright"), (-2 * tomogram + 1, "dark")):
        view = StandardisedView(volume, contrast)
        target = np.empty(view.shape, np.float32)
        denoise(dual, view, target, 96, CPU)
        results.append(target)
    np.testing.assert_allclose(results[1], -2 * results[0] + 1, atol=1e-3)


def test_noise_field_is_one_for_the_whole_volume(dual):
    field, again, other = (NoiseField(dual.decoder, seed, CPU) for seed in (1, 1, 2))
    whole = field.window((slice(0, 20), slice(0, 40), slice(0, 33)))
    part = again.window((slice(5, 20), slice(13, 27), slice(10, 33)))
    np.testing.assert_array_equal(part, whole[5:, 13:27, 10:])
    assert not np.array_equal(other.window((slice(0, 20), slice(0, 40), slice(0, 33))), whole)
    white = whole - whole.mean()
    assert abs((white[:, 1:] * white[:, :-1]).mean() / white.var()) < 0.1


def test_noise_field_is_white_across_its_blocks(dual):
    side = 96
    field = NoiseField(dual.decoder, 3, CPU).window((slice(0, side),) * 3)
    power = np.abs(np.fft.fftn(field)) ** 2 / field.size / field.var()
    axis = np.fft.fftfreq(side) * side
    slow = (np.abs(axis[:, None, None]) < 3) & (np.abs(axis[:, None]) < 3) & (np.abs(axis) < 3)  # slower than a block of 32
    assert power[slow].mean() < 1.3


def test_two_seeds_simulate_differently_and_one_seed_alike(dual, tomogram):
    view, results = StandardisedView(tomogram, "bright"), []
    for seed in (1, 1, 2):
        target = np.empty(view.shape, np.float32)
        simulate(dual, view, target, seed, 96, CPU)
        results.append(target)
    np.testing.assert_array_equal(results[0], results[1])
    assert np.abs(results[2] - results[0]).mean() > 0.01 * results[0].std()


def test_less_noise_is_so_much_less_of_the_same(dual, tomogram):
    empty, results = np.zeros(tomogram.shape, np.float32), []
    for strength in (1.0, 0.25):
        noisy = NoisyDensity(empty, dual.generator.transfer, dual.decoder, 3, CPU, strength)
        results.append(noisy[0:18, 0:33, 0:28])
    np.testing.assert_allclose(results[1], 0.25 * results[0], atol=1e-6)


@pytest.mark.parametrize("voxel_size", [10.0, 7.0, 15.0])
def test_files_of_any_voxel_size_come_back_on_their_grid(folder, voxel_size):
    volume = np.random.default_rng(0).normal(size=(40, 42, 44)).astype(np.float32)
    write_volume(folder / "t.mrc", volume, voxel_size, (1.0, 2.0, 3.0))
    (output,) = run_denoise(job(folder, "denoise-dual", "t.mrc")).outputs
    header = open_volume(folder / output.path).header
    assert header.shape == volume.shape
    assert header.voxel_size == pytest.approx(voxel_size)
    assert sorted(path.name for path in folder.glob(".*")) == []


def test_simulate_and_convert_write_what_they_are_asked_for(folder, tomogram):
    write_volume(folder / "g.mrc", tomogram, 10.0)
    (dark,) = run_simulate(job(folder, "simulate-dual", "g.mrc", "grand_model", "bright")).outputs
    dark = np.array(open_volume(folder / dark.path).data)
    (bright,) = run_simulate(job(folder, "simulate-dual", "g.mrc", "grand_model", "bright", contrast="bright")).outputs
    np.testing.assert_allclose(np.array(open_volume(folder / bright.path).data), -dark)
    outcome = run_simulate(job(folder, "simulate-dual", "g.mrc", "grand_model", "bright", least_noise=0.2))
    (share,) = outcome.metrics["noise_shares"]
    assert 0.2 < share < 1
    assert np.array(open_volume(folder / outcome.outputs[0].path).data).std() < dark.std()
    (noisy,) = run_convert(job(folder, "convert-dual", "g.mrc", looks="bright", direction="to_noisy")).outputs
    # one reads the file plainly, the other cleaned: mean and deviation agree to single precision
    np.testing.assert_allclose(np.array(open_volume(folder / noisy.path).data), -dark, atol=2e-5)
    (clean,) = run_convert(job(folder, "convert-dual", "g.mrc", direction="to_clean")).outputs
    (denoised,) = run_denoise(job(folder, "denoise-dual", "g.mrc")).outputs
    np.testing.assert_array_equal(open_volume(folder / clean.path).data, open_volume(folder / denoised.path).data)


def test_bad_input(folder, dual):
    write_volume(folder / "tiny.mrc", np.random.default_rng(0).normal(size=(8, 40, 40)).astype(np.float32), 10.0)
    with pytest.raises(InputError, match=r"tiny\.mrc has \(8, 40, 40\)"):
        run_denoise(job(folder, "denoise-dual", "tiny.mrc"))
    with pytest.raises(WeightsError):
        load_dual(folder / "elsewhere", CPU)


def test_no_window_of_a_transferred_density_shows(dual):
    rng = np.random.default_rng(0)
    dual.generator.transfer.kernel.copy_(torch.from_numpy(rng.normal(size=(7, 7, 7)).astype(np.float32)))
    noisy = NoisyDensity(rng.normal(size=(20, 24, 28)).astype(np.float32), dual.generator.transfer, dual.decoder, 0, CPU)
    whole = noisy[0:20, 0:24, 0:28]
    for window in np.s_[2:9, 0:24, 5:6], np.s_[0:4, 20:24, 10:28], np.s_[8:12, 8:16, 8:16]:
        np.testing.assert_allclose(noisy[window], whole[window], atol=1e-4)
