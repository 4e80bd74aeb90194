"""Whole simulated tomograms: the sanity tests of spec D2.12 and the options."""
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve
from scipy.spatial.transform import Rotation

from cryoetseg.core.particles.angles import to_matrices
from cryoetseg.core.simulation.apply import simulate
from cryoetseg.core.simulation.library import build_templates
from cryoetseg.core.simulation.packing import Body, render
from cryoetseg.core.simulation.params import SimulationParameters
from cryoetseg.core.simulation.tomogram import SimulatedTomogram


@pytest.fixture(scope="module")
def plain(tiny_values: dict) -> SimulatedTomogram:
    """A tiny tomogram of seed 7 without options."""
    return simulate(SimulationParameters(**tiny_values), 7)


def power(volume: np.ndarray) -> np.ndarray:
    """Power spectrum under a Hann window."""
    window = np.hanning(volume.shape[0])[:, None, None] * np.hanning(volume.shape[1])[:, None] * np.hanning(volume.shape[2])
    return np.abs(np.fft.fftn((volume - volume.mean()) * window)) ** 2


def frequencies(shape: tuple[int, ...]) -> list[np.ndarray]:
    return np.meshgrid(*(np.fft.fftfreq(side) for side in shape), indexing="ij")


def test_missing_wedge_is_empty(tomogram: SimulatedTomogram):
    kz, _, kx = frequencies(tomogram.clean.shape)
    beyond = np.degrees(np.arctan2(np.abs(kz), np.abs(kx))) - 60
    # a Hann window of n voxels blurs the border of the wedge by two Fourier voxels, 2 / n
    missing = (beyond > 0) & (np.hypot(kz, kx) * np.sin(np.deg2rad(beyond)) > 2 / tomogram.clean.shape[0])
    spectrum, model = power(tomogram.clean), power(tomogram.grand_model)
    assert spectrum[missing].sum() / spectrum.sum() < 0.02
    assert model[missing].sum() / model.sum() > 0.05


@pytest.mark.parametrize("snr", [0.3, 0.1, 0.05])
def test_snr_is_what_was_asked_for(snr: float, tiny_values: dict):
    made = simulate(SimulationParameters(**{**tiny_values, "snr": snr}), 2)
    noise = made.reconstruction - made.clean
    assert made.clean.var() / noise.var() == pytest.approx(snr, rel=0.1)
    assert made.snr == pytest.approx(snr, rel=1e-3)
    assert made.reconstruction.mean() == pytest.approx(0, abs=1e-4)
    assert made.reconstruction.std() == pytest.approx(1, abs=1e-4)
    assert 0 < made.projection_snr < 10 * snr


def test_snr_from_two_recordings_of_the_same_sample(tiny_values: dict):
    p = SimulationParameters(**{**tiny_values, "snr": 0.5, "half_maps": "frames", "size_y": 64, "size_x": 64})
    first, second = simulate(p, 3).half_maps
    correlation = np.corrcoef(first.ravel(), second.ravel())[0, 1]
    # each half has twice the noise variance of the whole: cc / (1 - cc) = snr / 2
    assert correlation / (1 - correlation) == pytest.approx(0.25, rel=0.1)


def test_halves_from_odd_and_even_tilts_average_to_the_whole(tiny_values: dict):
    made = simulate(SimulationParameters(**{**tiny_values, "half_maps": "tilts"}), 3)
    assert np.allclose((made.half_maps[0] + made.half_maps[1]) / 2, made.reconstruction, atol=1e-3)


def test_coordinates_and_angles_find_the_template_again(tomogram: SimulatedTomogram):
    table = tomogram.particles
    templates = build_templates(tomogram.parameters.particles, 10.0)
    errors = []
    for row, matrix in enumerate(to_matrices(table.angles)):
        body = render(templates[table.class_id[row] - 1], Rotation.from_matrix(matrix), np.zeros(3), 10.0)
        errors.append(offset_of_peak(tomogram.clean, body, table.zyx[row]))
    errors = np.array([error for error in errors if error is not None])
    assert len(errors) >= 5
    assert np.median(np.abs(errors), axis=0).max() < 0.25
    assert np.abs(errors.mean(axis=0)).max() < 0.25


def offset_of_peak(volume: np.ndarray, body: Body, centre: np.ndarray, reach: int = 2) -> np.ndarray | None:
    """Where the correlation with a turned template peaks, relative to ``centre``; None at the volume's border."""
    voxel = np.round(centre).astype(int)
    start, stop = voxel + body.offset - reach, voxel + body.offset + body.density.shape + reach
    if (start < 0).any() or (stop > volume.shape).any():
        return None
    region = volume[tuple(slice(a, b) for a, b in zip(start, stop))]
    template = body.density - body.density.mean()
    scores = fftconvolve(region - region.mean(), template[::-1, ::-1, ::-1], "valid")
    peak = np.array(np.unravel_index(scores.argmax(), scores.shape))
    peak = np.clip(peak, 1, 2 * reach - 1)
    refined = []
    for axis, unit in enumerate(np.eye(3, dtype=int)):
        before, at, after = (scores[tuple(peak + step * unit)] for step in (-1, 0, 1))
        refined.append(peak[axis] + 0.5 * (before - after) / (before - 2 * at + after))
    return np.array(refined) - reach + voxel - centre


def test_only_the_right_angles_cover_the_instances(tomogram: SimulatedTomogram):
    template, table = build_templates("tric", 10.0)[0], tomogram.particles
    right, wrong = [], []
    for row in np.flatnonzero(table.class_id == 1):
        matrix, voxel = to_matrices(table.angles)[row], np.round(table.zyx[row]).astype(int)
        for scores, turned in ((right, matrix), (wrong, matrix @ Rotation.from_euler("x", 90, degrees=True).as_matrix())):
            body = render(template, Rotation.from_matrix(turned), table.zyx[row] - voxel, 10.0)
            instance = tomogram.instance_mask[body.box_at(voxel)] == row + 1
            if instance.shape == body.mask.shape:
                scores.append(2 * (instance & body.mask).sum() / (instance.sum() + body.mask.sum()))
    assert min(right) > 0.99
    assert max(wrong) < 0.85


def test_same_seed_same_tomogram_and_another_seed_another(tiny_values: dict, plain: SimulatedTomogram):
    p = SimulationParameters(**tiny_values)
    again, other = simulate(p, 7), simulate(p, 8)
    assert np.array_equal(plain.reconstruction, again.reconstruction)
    assert np.array_equal(plain.particles.zyx, again.particles.zyx)
    assert not np.array_equal(plain.instance_mask, other.instance_mask)


def test_noise_does_not_change_the_sample(tiny_values: dict, plain: SimulatedTomogram):
    quiet = simulate(SimulationParameters(**{**tiny_values, "snr": 10.0}), 7)
    assert np.array_equal(quiet.grand_model, plain.grand_model)
    assert np.corrcoef(quiet.clean.ravel(), plain.clean.ravel())[0, 1] > 0.9999


def test_radial_spectrum_falls_without_optics(tiny_values: dict):
    values = {**tiny_values, "optics": "none", "size_y": 64, "size_x": 64, "size_z": 40, "particles": "apoferritin, tric, ribosome_80s"}
    clean = simulate(SimulationParameters(**values), 4).clean
    k = np.sqrt(sum(axis**2 for axis in frequencies(clean.shape)))
    shells = (k * 16).astype(int)
    radial = np.bincount(shells.ravel(), power(clean).ravel()) / np.bincount(shells.ravel())
    assert (np.diff(np.log(radial[1:8])) < 0.05).all()


def test_particles_are_bright_in_memory(tomogram: SimulatedTomogram):
    smooth = gaussian_filter(tomogram.clean, 1.5)
    assert smooth[tomogram.class_mask == 1].mean() > smooth[tomogram.class_mask == 0].mean() + 0.1
    assert tomogram.grand_model[tomogram.class_mask == 1].mean() > 0.5
    middle = tomogram.images[tomogram.images.shape[0] // 2]
    column = tomogram.grand_model.sum(axis=0)
    assert np.corrcoef(gaussian_filter(middle, 2).ravel(), gaussian_filter(column, 2).ravel())[0, 1] < -0.1


@pytest.mark.parametrize("choice", [
    {"misalignment": 20.0, "tilt_angle_error": 0.5}, {"tilt_order": "sequential"}, {"tilt_min": -50.0, "tilt_max": 70.0},
    {"weighting": "ramp"}, {"noise_model": "poisson"}, {"ctf_correction": "phase_flip"}, {"particles": "none", "unresolved_density": 0.0},
])
def test_options_change_the_tomogram_and_keep_it_finite(choice: dict, tiny_values: dict, plain: SimulatedTomogram):
    made = simulate(SimulationParameters(**{**tiny_values, **choice}), 7)
    assert np.isfinite(made.reconstruction).all()
    assert not np.array_equal(made.reconstruction, plain.reconstruction)


@pytest.mark.parametrize("voxel_size", [5.0, 32.0])
def test_voxel_sizes_at_the_ends(voxel_size: float, tiny_values: dict):
    made = simulate(SimulationParameters(**{**tiny_values, "voxel_size": voxel_size, "size_z": 40, "occupancy": 0.3}), 6)
    assert np.isfinite(made.reconstruction).all()
    assert len(made.particles) > 0
