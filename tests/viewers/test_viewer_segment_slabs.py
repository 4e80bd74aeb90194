"""The window of a segmentation: what is shown of the run's files."""
import json

import numpy as np
import pytest
from pyworkflow.object import Pointer

from cryoetseg.core.runtime.job import Output
from cryoetseg.protocols import ProtCryoEtSegSegmentSlabs
from cryoetseg.viewers import CryoEtSegSegmentSlabsViewer
from cryoetseg.viewers.eigenimage_browser import EigenimageBrowser

RECORD = {
    "base": 1, "fell_back": False, "contours": [3, 2, 9], "diversities": [5.0, 7.0, 4.0],
    "rounds": [{"eigenimage": 0, "ssim": 0.5, "psnr": 11.0, "contours": 4, "diversity": 7.5}],
}


def write_slabs(path, slabs=(4, 6, 8)):
    generator = np.random.default_rng(0)
    np.savez_compressed(path, z=np.array(slabs), eigenimages=generator.integers(0, 255, (len(slabs), 3, 8, 8), dtype=np.uint8),
                        canvases=np.zeros((len(slabs), 16, 16), np.uint8), records=np.array(json.dumps([RECORD] * len(slabs))))
    return str(path)


class Finished(ProtCryoEtSegSegmentSlabs):
    """A segmentation whose outputs are the small sets of these tests."""

    folder = ""

    def iterOutputAttributes(self, *classes, **options):
        yield "coordinates", self.coordinates

    def getResultFiles(self):
        return dict.fromkeys(("TS_1", "TS_2"), f"{self.folder}/result.json")

    def _readResult(self, tsId):
        class Result:
            def outputs_of(self, kind):
                return [Output(kind=kind, path="slabs.npz")]

        return Result()


@pytest.fixture
def viewer(project, sets, tmp_path):
    run = Finished()
    write_slabs(tmp_path / "slabs.npz")
    run.folder = str(tmp_path)
    run.inTomos = Pointer(sets.tomograms)
    run.membraneMasks, run.coordinates = sets.masks, sets.coordinates
    made = CryoEtSegSegmentSlabsViewer(project=project)
    made.setProtocol(run)
    return made


def test_the_window_tells_which_eigenimages_were_merged_and_why(tmp_path):
    path = write_slabs(tmp_path / "slabs.npz")
    window = EigenimageBrowser([("TS_1", path), ("TS_2", path)])
    titles = " ".join(axes.get_title() for axes in window.panels.axes)
    assert "base: highest diversity" in titles
    assert "SSIM 0.50" in titles
    assert "diversity 4.0, contours 9" in titles
    assert "not merged" in titles
    assert window.slider.valtext.get_text() == "z = 6"
    window.slider.set_val(2)
    assert window.slider.valtext.get_text() == "z = 8"
    window.open(3)
    assert window.label.get_text().startswith("TS_2")
    window.close()


def test_every_plot_opens(viewer):
    for name, action in viewer._getVisualizeDict().items():
        (view,) = action(name)
        assert view.figure.axes or view.figure.subfigs
        view.close()


def test_slabs_have_what_picks_have(viewer):
    of_picks = {"showSlices", "showCuration", "showScores", "showScatter"}
    assert of_picks | {"showResults", "showEigenimages", "showMembranes"} == set(viewer._getVisualizeDict())


def test_the_threshold_that_moves_leaves_candidates_out(viewer):
    (browser,) = viewer._results()
    browser.slider.set_val(7)
    assert len(browser.stack.plane("z", 7).points) == 2
    browser.levelSlider.set_val(0.5)
    assert len(browser.stack.plane("z", 7).points) == 1
    assert "1 particles" in browser.axes.get_title()
    browser.close()


def test_a_run_without_results_says_so(project, sets):
    run = ProtCryoEtSegSegmentSlabs()
    run.inTomos = Pointer(sets.tomograms)
    made = CryoEtSegSegmentSlabsViewer(project=project)
    made.setProtocol(run)
    for action in (made._slices, made._scores, made._results, made._curation, made._scatter):
        (view,) = action()
        assert view.getMessage()
