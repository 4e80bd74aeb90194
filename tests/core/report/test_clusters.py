"""Pictures of clusters: colours that agree, no place for members that are not there, no curve of a handful of particles."""
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from cryoetseg.core.report.clusters import FEWEST_FOR_A_CURVE, colour_of, draw_counts, draw_gallery


@pytest.fixture
def counted():
    names = ["all", "unsure", "1", "2"]
    counts = pd.DataFrame({"cluster": names, "particles": [100, 50, 45, FEWEST_FOR_A_CURVE - 1], "per_um3": [10.0, 5.0, 4.5, 0.5]})
    neighbours = pd.DataFrame({"cluster": names, "from_A": 0, "to_A": 100, "times_chance": 1.0})
    figure = Figure()
    draw_counts(figure, counts, neighbours, pd.DataFrame())
    return figure.axes


def test_kinds_of_few_particles_have_a_bar_and_no_curve(counted):
    bars, curves, _ = counted
    assert [label.get_text() for label in bars.get_yticklabels()] == ["unsure", "1", "2"]
    assert {line.get_label() for line in curves.lines if not line.get_label().startswith("_")} == {"all", "1"}


def test_a_kind_has_one_colour_in_all_pictures(counted):
    from matplotlib.colors import to_rgba

    bars, curves, _ = counted
    (line,) = [line for line in curves.lines if line.get_label() == "1"]
    assert bars.patches[1].get_facecolor() == to_rgba(line.get_color()) == to_rgba(colour_of(1))


def test_members_that_are_not_there_leave_no_black_square():
    boxes = np.ones((2, 3, 4, 4, 4))
    boxes[1, 2] = 0
    figure = Figure()
    draw_gallery(figure, [1, 2], boxes, [10, 1], 10.0)
    assert [len(axes.images) for axes in figure.axes] == [1] * 9 + [0]
