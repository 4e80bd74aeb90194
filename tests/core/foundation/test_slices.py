import numpy as np
import pytest

from cryoetseg.core.foundation.params import SegmentSlabsParameters
from cryoetseg.core.foundation.slices import separate_slices

SMALL_DISCS = np.array([[60.0, 70.0], [180.0, 190.0]])  # further apart than the published 32 pixels


def canvas(side, discs, radius, walls=()):
    """Dark discs and dark vertical walls on a light ground."""
    y, x = np.indices((side, side)).astype(float)
    image = np.full((side, side), 220.0)
    for row, column in discs:
        image[(y - row) ** 2 + (x - column) ** 2 <= radius**2] = 20
    for column in walls:
        image[:, column - 1:column + 2] = 20
    return image.astype(np.float32)


def test_the_published_way_runs_and_thinning_keeps_the_first():
    parameters = SegmentSlabsParameters.published(splitter="watershed")
    stack = np.stack([canvas(512, SMALL_DISCS, 2.5)] * 2)
    membranes, particles = separate_slices(stack, [30, 31], 20.0, parameters)
    assert membranes.shape == stack.shape
    np.testing.assert_allclose(particles.zyx[np.argsort(particles.zyx[:, 1])], np.column_stack([[0, 0], SMALL_DISCS]), atol=0.6)


@pytest.fixture(scope="module")
def scale_aware():
    parameters = SegmentSlabsParameters(particle_diameter=240.0, membrane_dilation_px=0)
    stack = np.stack([canvas(96, [(30, 60), (70, 70)], 6, walls=(15,))] * 5)
    return {step: separate_slices(stack, range(10, 10 + 5 * step, step), 20.0, parameters) for step in (1, 2)}


def test_walls_are_membrane_and_discs_are_particles(scale_aware):
    membranes, particles = scale_aware[1]
    assert membranes[2, 10:-10, 15].all()
    assert not membranes[:, :, 40:].any()
    np.testing.assert_allclose(particles.zyx[np.argsort(particles.zyx[:, 1])], [[2, 30, 60], [2, 70, 70]], atol=0.5)


def test_particle_z_counts_places_in_the_stack_whatever_the_step(scale_aware):
    np.testing.assert_allclose(scale_aware[2][1].zyx[:, 0], 2, atol=0.01)


def test_a_particle_shows_in_fewer_slabs_that_lie_apart():
    parameters = SegmentSlabsParameters(particle_diameter=240.0, slab_correction=False)
    empty, seen = canvas(96, [], 6), canvas(96, [(30, 60)], 6)
    found = {step: len(separate_slices(np.stack([empty, seen, seen, empty]), range(10, 10 + 4 * step, step), 20.0, parameters)[1].zyx)
             for step in (1, 2)}
    assert found == {1: 0, 2: 1}


def test_the_published_thinning_counts_places_too():
    parameters = SegmentSlabsParameters.published(splitter="watershed", slab_correction=False)
    empty = np.full((512, 512), 220.0, np.float32)
    stack = np.stack([empty, canvas(512, SMALL_DISCS, 2.5)])
    _, particles = separate_slices(stack, [30, 34], 20.0, parameters)
    np.testing.assert_allclose(particles.zyx[:, 0], [1, 1])


def test_nothing_on_the_canvas_gives_nothing():
    membranes, particles = separate_slices(np.full((2, 64, 64), 255, np.float32), [0, 1], 20.0, SegmentSlabsParameters())
    assert not membranes.any()
    assert particles.zyx.shape == (0, 3)


@pytest.mark.parametrize(("apart", "kept"), [(12, 1), (13, 2)])
def test_the_published_thinning_reaches_15_nm_rounded_up(apart, kept):
    parameters = SegmentSlabsParameters.published(splitter="watershed", slab_correction=False)
    stack = np.stack([canvas(512, SMALL_DISCS[:1], 2.5)] * 2)
    _, particles = separate_slices(stack, [30, 30 + apart], 13.48, parameters)  # 11.1 voxels
    assert len(particles.zyx) == kept


def test_the_published_32_pixels_are_counted_within_a_quadrant():
    parameters = SegmentSlabsParameters.published(splitter="watershed", slab_correction=False)
    across, within = [(100, 250), (100, 262)], [(400, 350), (400, 362)]  # 24 pixels of the frame apart; the seam lies at 256
    _, particles = separate_slices(canvas(512, across + within, 2.5)[None], [0], 20.0, parameters)
    np.testing.assert_allclose(particles.zyx[np.argsort(particles.zyx[:, 2])][:, 1:], across, atol=0.6)


def test_membranes_grow_also_where_gaps_are_not_closed():
    parameters = SegmentSlabsParameters(particle_diameter=240.0, membrane_closing=False, membrane_dilation_px=2)
    stack = canvas(96, [], 6, walls=(48,))[None]
    grown, thin = (separate_slices(stack, [0], 20.0, parameters.model_copy(update={"membrane_dilation_px": width}))[0] for width in (2, 0))
    assert grown[0, 48].sum() == thin[0, 48].sum() + 4
