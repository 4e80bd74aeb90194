"""Averages over mirrored tiles: which mirrors, and that each answer is mirrored back."""

import numpy as np
import pytest

from cryoetseg.core.inference.mirrors import VIEWS, averaged_over_mirrors

RAMPS = {axis: np.arange(4.0).reshape([4 if place == axis else 1 for place in range(3)]) * np.ones((4, 4, 4)) for axis in range(3)}


def first_slabs(tiles):
    """An answer that depends on the place in the tile alone: 1, 2, 4 in the first plane along z, y, x."""
    answer = sum(2**axis * (ramp == 0) for axis, ramp in RAMPS.items())
    return np.broadcast_to(answer, (len(tiles), 1, 4, 4, 4)).astype(np.float32)


@pytest.mark.parametrize(("views", "shares"), [(1, (1, 1, 1)), (2, (0.5, 0.5, 0.5)), (4, (1, 0.5, 0.5)), (8, (0.5, 0.5, 0.5))])
def test_an_answer_that_depends_on_the_place_is_shared_with_the_other_side(views, shares):
    found = averaged_over_mirrors(first_slabs, VIEWS[views])(np.zeros((2, 4, 4, 4), np.float32))
    wanted = sum(2**axis * (share * (ramp == 0) + (1 - share) * (ramp == 3)) for (axis, ramp), share in zip(RAMPS.items(), shares))
    np.testing.assert_allclose(found, np.broadcast_to(wanted, found.shape))


@pytest.mark.parametrize("views", [1, 2, 4, 8])
def test_what_depends_on_grey_values_alone_stays_where_it_is(views):
    tiles = np.random.default_rng(0).standard_normal((2, 4, 6, 8)).astype(np.float32)
    seen = []

    def function(copies):
        seen.append(copies)
        return copies[:, None] ** 3

    np.testing.assert_allclose(averaged_over_mirrors(function, VIEWS[views])(tiles)[:, 0], tiles**3, rtol=1e-6)
    assert len({copy.tobytes() for copy in seen}) == views
