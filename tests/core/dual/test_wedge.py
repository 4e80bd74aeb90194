"""Filling the wedge: geometry of the turn, what was measured stays, energy comes in."""
import numpy as np
import pytest
import torch

from cryoetseg.core.dual.data import StandardisedView
from cryoetseg.core.dual.model import DualNetworks, save_dual
from cryoetseg.core.dual.params import DualArchitecture, TrainWedgeParameters, WedgeArchitecture, WedgeParameters
from cryoetseg.core.dual.start import kernel_of
from cryoetseg.core.dual.wedge import amplitude_scale, density, fill, join, run, structure_scale, translation, turned_noise
from cryoetseg.core.dual.wedge_networks import WedgeNetworks
from cryoetseg.core.dual.wedge_train import TurnedView, WedgeTask
from cryoetseg.core.models.card import ModelCard
from cryoetseg.core.runtime.errors import ParameterError
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.runtime.params import parameters_from
from cryoetseg.core.volumes.io import open_volume, write_volume
from cryoetseg.core.volumes.wedge import measured_plane, missing_energy

SIZES_OF_DUAL = {"patch_px": 16, "denoiser_channels": "2,3", "generator_channels": "2,3", "noise_channels": "2,2,4", "filter_radius": 15,
                 "code_length": 4}
SIZES = {"fill_channels": "2,4", "cut_channels": "2,4", "judge_channels": "2,4", "filter_radius": 5, "patch_px": 16}


def wedged(seed=0, shape=(32, 40, 36), tilts=(-60, 60)):
    noise = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    plane = measured_plane(shape[0], shape[2], *tilts)
    return noise, np.fft.irfft2(np.fft.rfft2(noise, axes=(0, 2)) * plane[:, None], s=(shape[0], shape[2]), axes=(0, 2)).astype(np.float32)


def joined_with(guess, measured, tilts, softness):
    target = np.empty_like(measured)
    weights = measured_plane(measured.shape[0], measured.shape[2], *tilts, softness)
    join(measured, guess, np.zeros_like(measured), target, weights, amplitude_scale(measured, guess, weights))
    return target


def test_turned_views_are_rotations():
    volume = np.random.default_rng(0).normal(size=(5, 6, 7)).astype(np.float32)
    turned = TurnedView(volume)
    expected = np.rot90(volume, axes=(0, 2))
    assert turned.shape == expected.shape
    np.testing.assert_array_equal(turned[0:7, 0:6, 0:5], expected)
    np.testing.assert_array_equal(turned[2:5, 1:4, 1:5], expected[2:5, 1:4, 1:5])


@pytest.mark.parametrize("tilts", [(-60, 60), (-50, 70)])
def test_measured_coefficients_are_kept_and_the_wedge_is_filled(tilts):
    truth, measured = wedged(tilts=tilts)
    joined = joined_with(0.5 * truth, measured, tilts, softness=2.0)
    plane = measured_plane(32, 36, *tilts)
    before, after = (np.fft.rfft2(volume, axes=(0, 2))[:, :, :] * plane[:, None] for volume in (measured, joined))
    assert np.abs(after - before).max() < 1e-3 * np.abs(before).max()
    assert missing_energy(measured, *tilts) < 1e-6
    # the translation had half the amplitude; the rings of what is known bring it back
    hard = joined_with(0.5 * truth, measured, tilts, softness=0.0)
    np.testing.assert_allclose(hard, truth, atol=0.35)
    assert missing_energy(hard, *tilts) == pytest.approx(1.0, abs=0.15)


def test_untrained_networks_change_nothing():
    _, measured = wedged()
    view = StandardisedView(measured, "dark")
    pair = WedgeNetworks(WedgeArchitecture(**SIZES))
    target = np.empty_like(measured)
    p = WedgeParameters()
    fill(view, translation(pair, view, p, torch.device("cpu")), target, p)
    np.testing.assert_allclose(target, measured, atol=1e-2)


def test_strength_of_structure_is_told_in_spite_of_noise():
    structure, _ = wedged(seed=1)
    noise, _ = wedged(seed=2)
    plane = measured_plane(*structure.shape[::2], -60, 60)
    measured = np.fft.irfft2(np.fft.rfft2(3 * structure + 3 * noise, axes=(0, 2)) * plane[:, None], s=(32, 36), axes=(0, 2))
    assert np.median(structure_scale(measured, structure, plane)) == pytest.approx(3, rel=0.03)
    assert np.median(amplitude_scale(measured, structure, plane)) == pytest.approx(3 * 2**0.5, rel=0.03)


def test_density_fills_the_wedge_and_leaves_what_was_measured():
    _, measured = wedged()
    model = DualNetworks(DualArchitecture(**SIZES_OF_DUAL))
    model.decoder.calibrate(1.0, torch.Generator().manual_seed(0))
    model.denoiser.filter.kernel.mul_(0.5)  # a denoiser that knows nothing of the wedge, at half the strength
    view, target = StandardisedView(measured, "dark"), np.empty_like(measured)
    p = WedgeParameters(noise=1.0)
    fill(view, density(model, view, p, 0, torch.device("cpu")), target, p)
    plane = measured_plane(32, 36, -60, 60)
    before, after = (np.fft.rfft2(volume, axes=(0, 2)) * plane[:, None] for volume in (measured, target))
    assert np.abs(after - before).max() < 1e-3 * np.abs(before).max()
    assert missing_energy(target, -60, 60) > 0.3  # by noise alone: this denoiser adds nothing


@pytest.mark.parametrize("voxel_size", [7.0, 13.0])
def test_measured_coefficients_are_kept_at_another_voxel_size(tmp_path, voxel_size):
    """Only what the model guesses is resampled: 28 to 45 % of what was measured changed when the joined volume was."""
    _, measured = wedged()
    torch.manual_seed(0)  # of the noise decoder's weights
    model = DualNetworks(DualArchitecture(**SIZES_OF_DUAL))
    model.decoder.calibrate(1.0, torch.Generator().manual_seed(0))
    card = ModelCard(method="dual", network="dual", network_parameters=model.shape.model_dump(), voxel_size=10.0, normalisation="x")
    save_dual(tmp_path / "model", model, card)
    write_volume(tmp_path / "t.mrc", measured, voxel_size)
    inputs = [InputFile(path=str(tmp_path / "model"), role="model"), InputFile(path=str(tmp_path / "t.mrc"), role="tomogram")]
    outcome = run(Job(method="fill-wedge", parameters={"noise": 1.0}, inputs=inputs, output_folder=str(tmp_path), device="cpu"))
    filled = np.array(open_volume(tmp_path / outcome.outputs[0].path).data)
    plane = measured_plane(32, 36, -60, 60)
    before, after = (np.fft.rfft2(volume, axes=(0, 2)) * plane[:, None] for volume in (measured, filled))
    assert np.abs(after - before).max() < 1e-5 * np.abs(before).max()
    assert missing_energy(filled, -60, 60) > 0.02
    assert bool(outcome.warnings) == (voxel_size > 10)


def test_noise_is_turned_out_of_its_own_wedge():
    _, measured = wedged(shape=(32, 40, 32))
    model = DualNetworks(DualArchitecture(**SIZES_OF_DUAL))
    model.generator.start_from(kernel_of(whole_plane(32)[:, None] * np.ones((32, 32, 32)), 15))
    noise = turned_noise(model, StandardisedView(measured, "dark"), WedgeParameters(noise=1.0), 0, torch.device("cpu"))
    turned_twice = np.rot90(noise[:, :, :], axes=(0, 2))
    assert noise.shape == measured.shape
    assert missing_energy(noise[:, :, :], -60, 60) > 1.2 > 0.2 > missing_energy(turned_twice, -60, 60)


def whole_plane(side):
    """1 where +-60 degrees measure, on the grid (z, x) of a whole transform."""
    z, x = np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None]
    return (np.abs(z) <= np.tan(np.radians(60)) * np.abs(x)).astype(float)


def test_cut_starts_by_taking_the_wedge_away():
    _, measured = wedged(shape=(48, 48, 48))
    task = WedgeTask([StandardisedView(measured, "bright")], ["a"], TrainWedgeParameters(**SIZES), seed=0)
    turned = np.ascontiguousarray(np.rot90(measured, axes=(0, 2)))
    with torch.no_grad():
        cut = task.pair.cut(torch.from_numpy(turned)[None, None])[0, 0].numpy()
    assert missing_energy(cut, -60, 60) < 0.3 * missing_energy(turned, -60, 60)


@pytest.mark.parametrize("tilts", [(0.0, 0.0), (-90.0, 90.0), (30.0, -30.0)])
def test_impossible_tilt_ranges(tilts):
    with pytest.raises(ParameterError, match="tilt range"):
        parameters_from(WedgeParameters, {"tilt_min": tilts[0], "tilt_max": tilts[1]})
