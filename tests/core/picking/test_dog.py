"""Difference-of-Gaussians picking against scipy and against known truth."""
import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.distance import pdist

from cryoetseg.core.metrics.picking import precision_recall_f1, recall_at
from cryoetseg.core.picking.dog import Picks, difference_of_gaussians, exclude_neighbours, local_maxima, response, sigma_for_diameter
from cryoetseg.core.runtime.errors import ParameterError


def noise(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def scipy_maxima(volume, sigma):
    smooth = ndimage.gaussian_filter(volume.astype(np.float64), sigma) - ndimage.gaussian_filter(volume.astype(np.float64), 1.1 * sigma)
    return smooth, set(map(tuple, np.argwhere(ndimage.maximum_filter(smooth, 3) == smooth)))


@pytest.mark.parametrize(("shape", "sigma", "tile"), [
    ((40, 48, 56), 1.5, 256), ((40, 48, 56), 1.5, 16), ((33, 17, 50), 2.6, 20), ((5, 40, 30), 4.0, 64), ((1, 30, 40), 2.0, 64),
    ((3, 3, 3), 2.0, 2),
])
def test_picks_are_those_of_scipy_for_any_tiling(shape, sigma, tile):
    volume = noise(shape) + 100  # an offset must not cost precision
    smooth, expected = scipy_maxima(volume, sigma)
    peaks = local_maxima(volume, sigma, tile=tile)
    assert set(map(tuple, peaks.points.astype(int))) == expected
    np.testing.assert_allclose(peaks.scores, smooth[tuple(peaks.points.astype(int).T)], atol=1e-5)
    assert (np.diff(peaks.scores) <= 0).all()


def test_response_in_a_window_is_that_of_the_whole():
    volume = noise((24, 30, 28), 3)
    whole, _ = scipy_maxima(volume, 2.0)
    np.testing.assert_allclose(response(volume, [(3, 20), (0, 30), (11, 12)], 2.0), whole[3:20, :, 11:12], atol=1e-5)


def test_offsets_lead_to_centres_between_voxels():
    centre = np.array([12.3, 15.8, 9.5])
    squares = sum((grid - place) ** 2 for grid, place in zip(np.ogrid[:25, :30, :20], centre))
    for tile in (256, 16):  # also with a top at the edge of a tile
        best = local_maxima(np.exp(-squares / (2 * 2.5**2)), 2.5, tile=tile).of(slice(1))
        np.testing.assert_allclose(best.points + best.offsets, centre[None], atol=0.02)
        assert np.abs(best.offsets).max() > 0.2


def test_exclusion_is_greedy_euclidean_and_strict():
    peaks = Picks(np.array([[0, 0, 0], [0, 0, 4], [0, 3, 4], [0, 0, 9.0]]), np.array([4.0, 3, 2, 1]), np.zeros((4, 3)))
    assert exclude_neighbours(peaks, 5).points.tolist() == [[0, 0, 0], [0, 3, 4], [0, 0, 9]]  # at exactly 5: kept
    assert len(exclude_neighbours(peaks, 5.1).points) == 2
    assert len(exclude_neighbours(peaks, 0).points) == 4
    assert len(exclude_neighbours(peaks, 0, count=2).points) == 2


def test_threshold_between_weakest_and_strongest():
    volume = noise((32, 32, 32))
    every = difference_of_gaussians(volume, 2.0, exclusion_px=5)
    assert pdist(every.points).min() >= 5
    level = every.scores[-1] + 3 * (every.scores[0] - every.scores[-1]) / 20
    kept = difference_of_gaussians(volume, 2.0, exclusion_px=5, threshold=3)
    assert len(kept.points) == (every.scores >= level).sum()
    assert len(difference_of_gaussians(volume, 2.0, exclusion_px=5, threshold=3, count=4).points) == 4


def blob_field(generator, shape, diameter_px, count):
    """Balls of one size, none nearer to another than 1.3 diameters, and their centres."""
    centres: list[np.ndarray] = []
    while len(centres) < count:
        centre = generator.uniform(diameter_px, np.array(shape) - diameter_px)
        if all(np.linalg.norm(centre - other) > 1.3 * diameter_px for other in centres):
            centres.append(centre)
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    volume = sum(np.clip(diameter_px / 2 + 0.5 - np.linalg.norm(grid - centre, axis=-1), 0, 1) for centre in centres)
    return volume.astype(np.float32), np.array(centres)


def test_field_of_28_nm_blobs_without_noise():
    """Spec F2: sigma 8 nm, exclusion 24 nm, hits within 8 nm; here with voxels of 2 nm."""
    volume, centres = blob_field(np.random.default_rng(1), (70, 70, 70), 14.0, 14)
    picks = difference_of_gaussians(volume, 4.0, exclusion_px=12, count=14)
    assert precision_recall_f1(picks.points, centres, 4.0).f1 > 0.95
    assert np.allclose(sigma_for_diameter(277.0), 79.96, atol=0.01)


def test_real_ribosomes_are_recalled_as_published(shared_data):
    import mrcfile

    from cryoetseg.core.particles.formats import read_particles

    volume = -mrcfile.read(shared_data / "tomograms/empiar11658_tomo171_31A.mrc").astype(np.float32)
    truth = read_particles(shared_data / "annotations/empiar11658_tomo171_ribosomes.star").zyx
    picks = difference_of_gaussians(volume, 2.6, exclusion_px=7, count=800)
    np.testing.assert_allclose(recall_at(picks.points, truth, 4, [268, 500, 800]), [0.384, 0.612, 0.869], atol=0.005)


def test_impossible_sigma_is_refused():
    with pytest.raises(ParameterError, match="sigma"):
        local_maxima(noise((8, 8, 8)), 0.0)
