import tracemalloc

import numpy as np
import pytest
from scipy.special import expit
from skimage.filters import apply_hysteresis_threshold, threshold_otsu

from cryoetseg.core.foundation import separation
from cryoetseg.core.foundation.params import SegmentSlabsParameters
from cryoetseg.core.foundation.separation import SheetMap, above_both, bodies, contrast, large_pieces, map_sheets, otsu, separate
from cryoetseg.core.metrics import baselines
from cryoetseg.core.metrics.baselines import sheet_response
from cryoetseg.core.metrics.picking import match_points
from cryoetseg.core.volumes.streaming import z_slabs

SHAPE, VOXEL, DIAMETER_PX = (24, 72, 72), 20.0, 12.5
CENTRES = np.array([[12.2, 20.0, 40.1], [12.0, 50.2, 56.0], [10.0, 52.0, 36.2]])
PARAMETERS = SegmentSlabsParameters(particle_diameter=DIAMETER_PX * VOXEL, particle_threshold=2.0)
Z, Y, X = np.indices(SHAPE).astype(np.float32)


def plane(at, stop=SHAPE[1]):
    """A sheet of 60 Angstrom, ``stop`` voxels long along y."""
    return np.exp(-((X - at) ** 2) / (2 * 1.5**2)) * (stop > Y)


def balls(centres):
    distances = [np.sqrt((Z - z) ** 2 + (Y - y) ** 2 + (X - x) ** 2) for z, y, x in centres]
    return sum(expit(2 * (DIAMETER_PX / 2 - distance)) for distance in distances)


def noisy(volume):
    return (volume + 0.1 * np.random.default_rng(0).normal(size=SHAPE)).astype(np.float32)


def separated(truth, density, **changes):
    parameters = PARAMETERS.model_copy(update=changes)
    return separate(255 * noisy(np.clip(truth, 0, 1)), noisy(truth), noisy(density), VOXEL, parameters)


@pytest.fixture(scope="module")
def scene():
    truth = plane(12) + balls(CENTRES)
    return separated(truth, truth)


def test_planted_balls_are_particles_at_their_places_and_nothing_else_is(scene):
    _, particles = scene
    matches = match_points(particles.zyx, CENTRES, 1.0)
    assert len(particles.zyx) == len(CENTRES)
    assert len(matches.distance) == len(CENTRES)
    assert (particles.score > 2).all()


def test_a_planted_plane_is_membrane_and_balls_are_not(scene):
    membranes, _ = scene
    assert membranes[:, 4:-4, 12].mean() > 0.95
    assert membranes[:, :, 22:].sum() == 0
    assert membranes[np.abs(X - 12) > 4].sum() == 0


def test_a_row_of_touching_balls_is_no_membrane():
    row = balls([(12, y, 45) for y in np.arange(8, 70, DIAMETER_PX)])
    membranes, particles = separated(plane(12) + row, plane(12) + row)
    assert membranes[:, :, 36:54].sum() == 0
    assert len(particles.zyx) == 5


def test_a_flat_map_gives_nothing():
    flat = np.full(SHAPE, 0.3, np.float32)
    membranes, particles = separate(flat, flat, flat, VOXEL, PARAMETERS)
    assert not membranes.any()
    assert membranes.shape == SHAPE
    assert particles.zyx.shape == (0, 3)


@pytest.mark.parametrize(("extent", "stays"), [(600.0, True), (1400.0, False)])
def test_sheets_shorter_than_the_smallest_extent_are_dropped(extent, stays):
    sheet = plane(12) + plane(50, stop=44)  # 44 voxels of 20 A
    membranes, _ = separated(sheet, sheet, membrane_extent=extent)
    assert membranes[:, 4:-4, 12].mean() > 0.95
    assert membranes[:, 8:36, 46:54].any() == stays


def test_higher_threshold_keeps_fewer_particles():
    truth = balls(CENTRES[:2]) + 0.4 * balls(CENTRES[2:])
    counts = [len(separated(truth, truth, particle_threshold=threshold)[1].zyx) for threshold in (1.0, 7.0, 50.0)]
    assert counts[0] >= 3
    assert counts[1] == 2
    assert counts[2] == 0


def test_particles_keep_their_distance():
    close = [(12, 30, 40), (12, 36, 40)]
    _, near = separated(balls(close), balls(close), particle_spacing=0.3, particle_threshold=1.0)
    _, far = separated(balls(close), balls(close), particle_spacing=2.0, particle_threshold=1.0)
    distances = np.linalg.norm(far.zyx[:, None] - far.zyx[None], axis=-1) + 1e3 * np.eye(len(far.zyx))
    assert len(far.zyx) <= len(near.zyx)
    assert distances.min() > 2 * DIAMETER_PX


def test_sheet_filter_answers_to_sheets_not_to_balls():
    strength = map_sheets(plane(12) + balls(CENTRES), VOXEL, PARAMETERS).joined
    assert strength[12, 36, 12] > 3 * strength[12, 20, 40]


def test_bodies_are_balls_of_the_diameter():
    mask = bodies(np.array([[12.0, 30.0, 30.0]]), 10.0, SHAPE)
    np.testing.assert_array_equal(mask, (Z - 12) ** 2 + (Y - 30) ** 2 + (X - 30) ** 2 <= 25)
    assert not bodies(np.zeros((0, 3)), 10.0, SHAPE).any()


def test_pieces_are_measured_within_the_slab_and_join_over_corners():
    mask = np.zeros((20, 20, 20), bool)
    mask[:, 2, 2] = True  # high but without extent in the slab
    mask[3, 10, 3:13] = True
    mask[4, 11, 13:17] = True  # touches by a corner: together 14 long and 2 wide
    kept = large_pieces(mask, 14.0)
    assert kept.sum() == 14
    assert not kept[:, 2, 2].any()
    assert not large_pieces(mask, 15.0).any()


def test_contrast_does_not_depend_on_scale_or_offset():
    truth = balls(CENTRES)
    np.testing.assert_allclose(contrast(truth * 50 + 300, 3.0), contrast(truth, 3.0), atol=1e-2)
    assert contrast(truth, 3.0).std() == pytest.approx(1, abs=1e-4)


def test_a_volume_is_separated_within_a_few_times_its_size(monkeypatch):
    monkeypatch.setattr(separation, "z_slabs", lambda shape: z_slabs(shape, limit=1 << 18))
    monkeypatch.setattr(baselines, "TILE", (8, 32, 32))
    volume = np.random.default_rng(0).normal(size=(32, 128, 128)).astype(np.float32)
    volume[:, :, 60:63] += 4
    tracemalloc.start()
    try:
        membranes, _ = separate(volume, volume, volume, VOXEL, PARAMETERS)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert membranes[:, 5:-5, 61].mean() > 0.9
    assert peak < 16 * volume.size


def test_slabs_change_neither_otsu_nor_hysteresis(monkeypatch):
    volume = map_sheets(noisy(plane(12) + balls(CENTRES)), VOXEL, PARAMETERS).joined
    monkeypatch.setattr(separation, "z_slabs", lambda shape: z_slabs(shape, limit=5 * volume[0].nbytes))
    centred = volume - 1
    assert otsu(centred) == threshold_otsu(centred)
    assert otsu(centred, positive=True) == threshold_otsu(centred[centred > 0])
    assert otsu(np.full((2, 3, 4), 7.0, np.float32)) == 7
    np.testing.assert_array_equal(above_both(volume, 0.5, 1.5), apply_hysteresis_threshold(volume, 0.5, 1.5))


def test_a_sheet_must_be_strong_somewhere():
    joined = np.zeros((3, 20, 20), np.float32)
    joined[1, 4], joined[1, 14], joined[1, 14, 9] = 1.5, 1.5, 2.5
    kept = SheetMap(joined, np.ones(joined.shape, bool)).pieces(1.0, 10, PARAMETERS)  # threshold 1.2, seed 2
    assert kept[1, 14].all()
    assert kept.sum() == 20


def test_the_core_is_narrower_than_the_answer_of_the_filter():
    sheet = noisy(plane(30))
    core = map_sheets(sheet, VOXEL, PARAMETERS).core
    assert core[:, 4:-4, 30].all()
    assert core.mean() < 0.1
    assert (sheet_response(sheet, PARAMETERS.membrane_scale / VOXEL) > 0).mean() > 0.4  # noise answers too


def test_what_lies_inside_a_particle_is_no_membrane():
    ball, sheet = balls([(12, 26, 50)]), plane(50, stop=33)  # 33 voxels: long enough for a membrane, too short for a wall
    membranes, particles = separated(sheet, ball, membrane_extent=300.0, particle_threshold=4.0)
    (centre,) = particles.zyx
    assert np.linalg.norm(centre - (12, 26, 50)) < 3
    assert not membranes[bodies(centre[None], DIAMETER_PX, SHAPE)].any()
    alone, _ = separated(sheet, ball, membrane_extent=300.0, particle_threshold=50.0)
    assert alone[12, 26, 48:53].any()


def test_what_only_the_density_shows_is_found():
    _, particles = separated(plane(12), balls(CENTRES))
    assert len(match_points(particles.zyx, CENTRES, 2.0).distance) == len(CENTRES)


@pytest.mark.parametrize(("spacing", "count"), [(0.75, 2), (1.6, 1)])
def test_of_two_particles_nearer_than_the_spacing_one_stays(spacing, count):
    pair = balls([(12, 20, 40), (12, 20 + 1.4 * DIAMETER_PX, 40)])
    _, particles = separated(pair, pair, particle_spacing=spacing)
    assert len(particles.zyx) == count
