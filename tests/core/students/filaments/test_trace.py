"""Axes of filaments on bodies whose middle lines are known."""
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from cryoetseg.core.students.filaments.trace import binned, longest_path, near_axes, thickened, trace_axes

VOXEL_SIZE = 16.0


def tube(line, shape, outer, inner=0.0):
    """Voxels between two distances from a line (n, 3), all in voxels."""
    middle = np.ones(shape, dtype=bool)
    places = np.rint(line).astype(int)
    middle[tuple(places[((places >= 0) & (places < shape)).all(axis=1)].T)] = False
    distance = distance_transform_edt(middle)
    return (distance <= outer) & (distance >= inner)


def straight(first, last):
    return np.linspace(first, last, 400)


def traced(mask, gap=260.0, smallest=800.0, spacing=80.0):
    return trace_axes(mask, VOXEL_SIZE, gap, smallest, spacing)


def farthest(axis, line):
    return np.linalg.norm(axis.zyx[:, None] - line[None], axis=2).min(axis=1).max()


def test_the_axis_of_a_hollow_tube_runs_through_its_middle_from_end_to_end():
    line = straight((15, 20, 10), (22, 60, 150))
    axis, = traced(tube(line, (40, 80, 160), 8, 6))
    assert farthest(replace(axis, zyx=axis.zyx[1:-1]), line) < 2  # the tube of this test ends in balls
    assert axis.length == pytest.approx(np.linalg.norm(line[-1] - line[0]) * VOXEL_SIZE, rel=0.12)
    along = (line[-1] - line[0]) / np.linalg.norm(line[-1] - line[0])
    assert (np.abs(axis.tangents @ along) > 0.98).all()
    assert axis.bend < 2e-4


def test_points_are_as_far_apart_as_asked():
    axis, = traced(tube(straight((20, 40, 10), (20, 40, 150)), (40, 80, 160), 2), spacing=120.0)
    steps = np.linalg.norm(np.diff(axis.zyx, axis=0), axis=1) * VOXEL_SIZE
    np.testing.assert_allclose(steps, 120, rtol=0.03)


def test_an_arc_has_the_curvature_of_its_circle():
    angle, radius = np.linspace(0.2, 1.9, 600), 70.0
    line = np.stack([np.full(600, 20.0), radius * np.sin(angle), 80 + radius * np.cos(angle)], axis=1)
    axis, = traced(tube(line, (40, 100, 160), 3))
    assert axis.bend == pytest.approx(1 / (radius * VOXEL_SIZE), rel=0.2)
    assert farthest(axis, line) < 2


def test_neighbours_stay_apart_unless_they_are_nearer_than_the_gap():
    pair = tube(straight((20, 30, 10), (20, 30, 150)), (40, 80, 160), 2) | tube(straight((20, 44, 10), (20, 44, 150)), (40, 80, 160), 2)
    assert len(traced(pair, gap=100.0)) == 2
    together, = traced(pair, gap=260.0)
    assert np.abs(together.zyx[2:-2, 1] - 37).max() < 2.5


def test_pieces_with_a_gap_are_one_filament_and_short_ones_are_none():
    whole = tube(straight((20, 40, 10), (20, 40, 150)), (40, 80, 160), 2)
    whole[..., 80:88] = False
    assert len(traced(whole)) == 1
    assert len(traced(whole, gap=60.0)) == 2
    assert traced(whole, smallest=3000.0) == []
    assert traced(np.zeros((20, 20, 20), dtype=bool)) == []


def test_a_branch_is_a_filament_of_its_own_and_the_longest_comes_first():
    fork = tube(straight((20, 40, 5), (20, 40, 155)), (40, 160, 160), 2) | tube(straight((20, 40, 80), (20, 110, 80)), (40, 160, 160), 2)
    first, second = traced(fork, gap=60.0)
    assert first.length > second.length
    assert np.ptp(first.zyx[:, 2]) > 130
    assert np.ptp(second.zyx[:, 1]) > 50


def test_the_longest_path_of_a_comb_is_its_back():
    back = np.stack([np.zeros(30, int), np.zeros(30, int), np.arange(30)], axis=1)
    tooth = np.stack([np.zeros(4, int), np.arange(1, 5), np.full(4, 15)], axis=1)
    path = longest_path(np.concatenate([tooth, back]))
    assert sorted(path[:, 2].tolist()) == list(range(30))


def test_bodies_grow_by_the_radius_also_beyond_the_faces():
    wall = np.zeros((8, 32, 8), dtype=bool)
    wall[:, 0] = True
    grown, reach = thickened(wall, 3.0)
    assert grown.shape == tuple(side + 2 * reach for side in wall.shape)
    assert np.flatnonzero(grown[4 + reach, :, 4 + reach]).tolist() == list(range(reach - 3, reach + 4))


def test_cells_count_by_the_share_that_is_filled():
    mask = np.zeros((4, 4, 9), dtype=bool)
    mask[0, 0, 0], mask[0:2, 0, 2] = True, True
    shares = binned(mask, 2)
    assert shares.shape == (2, 2, 4)
    assert shares[0, 0].tolist() == [1 / 8, 2 / 8, 0, 0]
    assert shares.sum() == 3 / 8


def test_thin_filaments_are_told_from_thick_ones_by_their_section():
    thick, thin = (tube(straight((20, y, 10), (20, y, 150)), (40, 80, 160), radius) for y, radius in ((20, 5), (60, 2)))
    axes = traced(thick | thin)
    sections = {round(axis.zyx[0, 1] / 20): axis.section for axis in axes}
    for number, body in ((1, thick), (3, thin)):
        assert sections[number] == pytest.approx(body[:, :, 80].sum() * VOXEL_SIZE**2, rel=0.1)
    kept, = trace_axes(thick | thin, VOXEL_SIZE, 260, 800, 80, smallest_section=10000)
    assert kept.zyx[0, 1] == pytest.approx(20, abs=1)


def test_the_mask_is_kept_about_the_axes_alone():
    mask = tube(straight((20, 40, 10), (20, 40, 150)), (40, 80, 160), 2)
    axes = traced(mask)
    mask[2:6, 2:6, 2:6] = True
    window = slice(1, 40)
    kept = near_axes(mask[window], axes, 8, window)
    assert not kept[:6, :8, :8].any()
    assert kept[19, 38:43, 60].sum() == mask[20, 38:43, 60].sum() > 0


def test_what_lies_far_from_an_axis_is_no_part_of_its_section():
    alone = tube(straight((20, 20, 10), (20, 20, 150)), (40, 160, 160), 3)
    beside = alone.copy()
    beside[14:26, 120:140, 60:80] = True  # a lump too short to have an axis
    (before,), (after,) = traced(alone), traced(beside)
    assert after.section == pytest.approx(before.section, rel=0.01)
