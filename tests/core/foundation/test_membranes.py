import numpy as np

from cryoetseg.core.foundation.membranes import classify_pieces, drop_small_pieces, refine_membranes
from cryoetseg.core.foundation.params import FilterParameters

Y, X = np.mgrid[:160, :160]
BARE = FilterParameters(membrane_dilation_px=0, membrane_area=0.0)


def test_closing_bridges_a_one_pixel_gap_and_leaves_the_border():
    mask = np.abs(Y - 80) <= 1
    broken = mask & (X != 50)
    refined = refine_membranes(broken, 10.0, BARE)
    assert refined[80, 50]
    assert refined[80, 0]
    assert np.array_equal(refine_membranes(broken, 10.0, BARE.model_copy(update={"membrane_closing": False})), broken)


def test_small_pieces_go_by_physical_area():
    mask = (np.abs(Y - 80) <= 1) | ((np.abs(Y - 20) < 5) & (np.abs(X - 20) < 5))
    refined = refine_membranes(mask, 10.0, FilterParameters(membrane_area=10000.0, membrane_dilation_px=0))
    assert not refined[20, 20]
    assert refined[80, 80]
    assert refine_membranes(mask, 20.0, FilterParameters(membrane_area=10000.0, membrane_dilation_px=0))[20, 20]


def test_dilation_grows_by_one_pixel():
    line = Y == 80
    assert refine_membranes(line, 10.0, FilterParameters(membrane_area=0.0)).sum() == 3 * 160


def test_pieces_touching_at_corners_count_together():
    diagonal = np.eye(50, dtype=bool)
    assert drop_small_pieces(diagonal, 40).sum() == 50
    assert drop_small_pieces(diagonal, 60).sum() == 0


def test_pieces_are_sorted_by_shape():
    ring = np.abs(np.hypot(Y - 40, X - 40) - 20) <= 1.5
    filament = np.abs(Y - 100) <= 2
    arc = (np.abs(np.hypot(Y - 160, X - 80) - 45) <= 2) & (Y < 150)
    speck = (Y < 4) & (X > 150)
    labels, shapes = classify_pieces(ring | filament | arc | speck)
    assert shapes[labels[40, 20]] == "round"
    assert shapes[labels[100, 80]] == "straight"
    assert shapes[labels[115, 80]] == "curved"
    assert shapes[labels[1, 158]] == "small"
