"""Plots of scores from runs of the evaluations."""
import pytest

from cryoetseg.protocols import ProtCryoEtSegEvaluatePicking, ProtCryoEtSegEvaluateSegmentation
from cryoetseg.viewers import CryoEtSegEvaluationViewer

SCORES = {"TS_1": {"f1": 0.5, "precision": 0.4, "recall": 0.8, "classes": {}}, "TS_2": {"f1": 0.7, "precision": 0.6, "recall": 0.9}}


class FinishedPicking(ProtCryoEtSegEvaluatePicking):
    """An evaluation whose results are given, as those of other runs are read from their files."""

    scores, curves = SCORES, {"TS_1": {"recall": [0.4, 0.8], "precision": [0.5, 0.4]}}

    def getScores(self):
        return self.scores

    def getCurves(self):
        return self.curves


@pytest.fixture
def viewer(project):
    def show(run):
        made = CryoEtSegEvaluationViewer(project=project)
        made.setProtocol(run)
        return made

    return show


def test_bars_hold_the_main_scores_and_their_means(viewer):
    table = viewer(FinishedPicking()).barTable()
    assert table["TS_1"] == {"F1": 0.5, "precision": 0.4, "recall": 0.8}
    assert table["mean of 2"] == pytest.approx({"F1": 0.6, "precision": 0.5, "recall": 0.85})


def test_with_many_tomograms_only_the_mean_is_drawn(viewer):
    run = FinishedPicking()
    run.scores = {f"TS_{number}": SCORES["TS_1"] for number in range(20)}
    assert list(viewer(run).barTable()) == ["mean of 20"]


def test_plots_are_drawn(viewer):
    made = viewer(FinishedPicking())
    for name, labels in (("showBars", 3), ("showCurve", 1)):
        (view,) = made._getVisualizeDict()[name](name)
        assert len(view.figure.axes[0].get_legend().get_texts()) == labels
        view.close()


def test_without_scores_a_message_says_so(viewer):
    run = FinishedPicking()
    run.curves = {}
    (view,) = viewer(run)._curves()
    assert "no curve" in view.getMessage()


def test_masks_have_no_curve(viewer):
    assert not hasattr(viewer(ProtCryoEtSegEvaluateSegmentation()), "showCurve")
    assert hasattr(viewer(FinishedPicking()), "showCurve")
