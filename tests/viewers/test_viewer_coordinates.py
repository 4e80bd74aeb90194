"""Windows of picks: slices, scores with a threshold, three dimensions with membranes."""
import importlib
import inspect
import pkgutil

import numpy as np
import pytest
import pyworkflow
from pyworkflow.object import Pointer
from pyworkflow.viewer import DESKTOP_TKINTER, View

from cryoetseg import protocols, viewers
from cryoetseg.convert import Particle, coordinatesOf, maskLike
from cryoetseg.core.volumes.io import write_volume
from cryoetseg.objects import CryoEtSegModel
from cryoetseg.protocols import ProtCryoEtSegImportCopick, ProtCryoEtSegPickDog, ProtCryoEtSegSegmentMembranes
from cryoetseg.viewers import CryoEtSegMembranesViewer, CryoEtSegPicksViewer, CryoEtSegResultViewer, CryoEtSegScatterViewer
from cryoetseg.viewers.cluster_window import ClusterWindow
from cryoetseg.viewers.curation_window import CurationWindow
from cryoetseg.viewers.scatter_browser import ScatterBrowser
from cryoetseg.viewers.score_window import ScoreWindow
from cryoetseg.viewers.slice_stack import stackOf


class Picked(ProtCryoEtSegPickDog):
    """A run whose output is the small set of these tests."""

    def iterOutputAttributes(self, *classes, **options):
        yield "coordinates", self.coordinates


@pytest.fixture
def viewer(project, sets):
    run = Picked()
    run.coordinates = sets.coordinates
    made = CryoEtSegPicksViewer(project=project)
    made.setProtocol(run)
    return made


def test_every_plot_of_picks_opens(viewer):
    for name, action in viewer._getVisualizeDict().items():
        (view,) = action(name)
        assert view.figure.axes
        view.close()


def test_a_run_without_picks_says_so(project):
    made = CryoEtSegPicksViewer(project=project)
    made.setProtocol(ProtCryoEtSegPickDog())
    for action in made._getVisualizeDict().values():
        (view,) = action()
        assert view.getMessage()


def test_the_threshold_counts_what_would_be_written():
    chosen = []
    window = ScoreWindow([0.1, 0.9, 0.5, 0.4], lambda threshold: chosen.append(threshold) or "done")
    window.slider.set_val(0.45)
    assert window.button.label.get_text() == "Write a set of 2"
    assert window.axes.get_title().startswith("2 of 4")
    window.choose()
    assert (chosen, window.told.get_text()) == ([pytest.approx(0.45)], "done")
    window.close()


def test_one_score_alone_can_be_shown():
    window = ScoreWindow([0.5], str)
    assert window.button.label.get_text() == "Write a set of 1"
    window.close()


def test_particles_and_membranes_stand_where_they_are(sets):
    window = ScatterBrowser(sets.coordinates, sets.masks)
    membranes, particles = window.axes.collections
    np.testing.assert_allclose(np.array(particles._offsets3d).T, [[14, 8, 5], [20, 15, 9]], atol=1e-3)  # voxels of 1 nm
    assert set(membranes._offsets3d[2]) == {6.0}
    assert window.axes.get_title() == "TS_1  (1 of 2)"
    window.open(1)
    assert window.axes.get_title() == "TS_2  (2 of 2)"
    window.close()


def test_coordinates_of_any_plugin_have_the_picture(project, sets):
    (window,) = CryoEtSegScatterViewer(project=project)._visualize(sets.coordinates)
    assert len(window.axes.collections) == 1
    window.close()


def test_probabilities_are_cut_and_masks_are_not(project, sets, tmp_path):
    tomogram = sets.tomograms.getFirstItem().clone()
    values = np.zeros(tuple(reversed(tomogram.getDim())), np.float16)
    values[3], values[6] = 0.4, 0.8
    write_volume(tmp_path / "probability.mrc", values, 10.0)
    for cut, slices in ((0.5, {6}), (0.3, {3, 6})):
        stack = stackOf(tomogram, str(tmp_path / "probability.mrc"), cut=cut)
        assert {z for z in range(12) if stack.plane("z", z).mask.any()} == slices
    assert stack.start("z") in (3, 6)
    probabilities = type(sets.masks).create(str(tmp_path))
    probabilities.setSamplingRate(10.0)
    probabilities.append(maskLike(tomogram, str(tmp_path / "probability.mrc")))
    probabilities.write()
    run = ProtCryoEtSegSegmentMembranes()
    run.inTomos, run.membraneMasks, run.probabilities = Pointer(sets.tomograms), sets.masks, probabilities
    made = CryoEtSegMembranesViewer(project=project)
    made.setProtocol(run)
    for name, tomograms in (("showMasks", 2), ("showProbabilities", 1)):
        (browser,) = made._getVisualizeDict()[name](name)
        assert len(browser.entries) == tomograms
        browser.close()


def test_particles_are_as_large_as_their_diameters_in_both_pictures(project, sets, tmp_path):
    """Twice the diameter is four times the marker; in slices the circle is the diameter."""
    sized = type(sets.coordinates).create(str(tmp_path))
    sized.copyInfo(sets.coordinates)
    sized.setPrecedents(sets.tomograms)
    tomogram = sets.tomograms.getFirstItem().clone()
    for item in coordinatesOf([Particle(6.0, 8.0, 5.0, diameter=10.0), Particle(20.0, 12.0, 5.0, diameter=20.0)], tomogram):
        sized.append(item)
    sized.write()
    window = ScatterBrowser(sized)
    small, large = window.axes.collections[0].get_sizes()
    assert large == pytest.approx(4 * small)
    window.close()
    stack = stackOf(tomogram, coordinates=sized)
    assert stack.plane("z", 5).diameters.tolist() == [1.0, 2.0]
    clicks = CurationWindow(sized, lambda removed, added: "")
    clicks.slider.set_val(5)
    clicks.click(12, 20.9)  # within the large one
    clicks.click(8, 6.9)  # beside the small one
    assert (len(clicks.removed), len(clicks.added)) == (1, 1)
    clicks.close()


@pytest.mark.parametrize("name", sorted(protocols.__all__))
def test_every_protocol_has_something_to_show(project, name):
    """Of the run itself, or of the model that it puts out."""
    domain = pyworkflow.Config.getDomain()
    made = getattr(protocols, name)
    outputs = [output for output in (made._possibleOutputs or {}).values() if output is CryoEtSegModel]
    found = [viewer for target in (made, *outputs) for viewer in domain.findViewers(target.__name__, DESKTOP_TKINTER)]
    assert any(viewer.__module__.startswith("cryoetseg.") for viewer in found)


def test_results_are_shown_on_their_tomograms(project, sets):
    class Imported(ProtCryoEtSegImportCopick):
        def iterOutputAttributes(self, outputClass=None, *classes, **options):
            made = {"tomograms": sets.tomograms, "masks": sets.masks, "coordinates": sets.coordinates}
            return ((name, output) for name, output in made.items() if isinstance(output, outputClass))

    (window,) = CryoEtSegResultViewer(project=project)._visualize(Imported())
    assert [name for name, _ in window.entries] == ["TS_1", "TS_2"]
    assert window.stack.mask is not None
    assert len(window.stack.points) == 2
    window.close()
    (message,) = CryoEtSegResultViewer(project=project)._visualize(ProtCryoEtSegImportCopick())
    assert "Not yet" in message.getMessage()


def test_the_height_of_a_flat_tomogram_is_named_within_the_window(sets):
    window = ScatterBrowser(sets.coordinates)
    window.axes.set_box_aspect((128, 128, 40))
    window.figure.canvas.draw()
    assert window.axes.zaxis.label.get_window_extent().x1 < window.figure.bbox.width
    window.close()


def test_every_window_opens_as_scipion_opens_it():
    """Scipion calls ``show()``; a window that needs more of it, or means something else by it, would never be seen."""
    windows = [made for module in pkgutil.iter_modules(viewers.__path__)
               for made in vars(importlib.import_module(f"cryoetseg.viewers.{module.name}")).values()
               if isinstance(made, type) and issubclass(made, View)]
    assert ClusterWindow in windows
    for made in windows:
        inspect.signature(made.show).bind(None)
