"""Thresholds that move and clicks that correct, in windows, and the sets that their buttons write."""
import numpy as np
import pytest
from matplotlib.backend_bases import MouseEvent, NavigationToolbar2
from pyworkflow.object import Pointer
from scipion_environment import in_process
from tomo.constants import BOTTOM_LEFT_CORNER
from windows import clicked, latest, run_with

from cryoetseg.convert import fileOf, maskLike
from cryoetseg.core.volumes.io import write_volume
from cryoetseg.protocols import (
    ProtCryoEtSegCurateCoordinates,
    ProtCryoEtSegPickDog,
    ProtCryoEtSegSegmentMembranes,
    ProtCryoEtSegSelectByScore,
    ProtCryoEtSegSimulateTomograms,
    ProtCryoEtSegThresholdMembranes,
)
from cryoetseg.viewers import CryoEtSegMembranesViewer, CryoEtSegPicksViewer
from cryoetseg.viewers.curation_window import CurationWindow, textOf
from cryoetseg.viewers.slice_browser import Level, SliceBrowser
from cryoetseg.viewers.slice_stack import SliceStack, openArray


@pytest.fixture
def copies(project, sets, tmp_path):
    """Coordinates and probabilities of these tests alone, on tomograms that are an output of the project."""
    tomograms = type(sets.tomograms).create(str(tmp_path))
    tomograms.copyInfo(sets.tomograms)
    for item in sets.tomograms.iterItems():
        tomograms.append(item.clone())
    tomograms.write()
    source = run_with(project, ProtCryoEtSegSimulateTomograms, tomograms=tomograms)
    coordinates = type(sets.coordinates).create(str(tmp_path))
    coordinates.copyInfo(sets.coordinates)
    coordinates.setPrecedents(Pointer(source, extended="tomograms"))
    for item in sets.coordinates.iterItems():
        coordinates.append(item.clone())
    coordinates.write()
    probabilities = type(sets.masks).create(str(tmp_path))
    probabilities.setSamplingRate(10.0)
    for tomogram in [item.clone() for item in sets.tomograms.iterItems()]:
        values = np.zeros(tuple(reversed(tomogram.getDim())), np.float16)
        values[3], values[6] = 0.4, 0.8
        path = f"{tmp_path}/{tomogram.getTsId()}_probability.mrc"
        write_volume(path, values, 10.0)
        probabilities.append(maskLike(tomogram, path))
    probabilities.write()
    return coordinates, probabilities


def test_a_level_moves_the_mask_and_hands_over_its_value():
    values, written = np.linspace(0, 1, 4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6), []
    stack = SliceStack("TS_1", values, 10.0, values)
    level = Level("probability from", 0.01, 0.99, 0.5, True, lambda value: written.append(value) or "done")
    window = SliceBrowser([("TS_1", lambda: stack)], level=level)
    covered = []
    for value in (0.2, 0.5, 0.9):
        window.levelSlider.set_val(value)
        covered.append(sum(int(stack.plane("z", z).mask.sum()) for z in range(4)))
    assert covered == [int((values >= np.float32(value)).sum()) for value in (0.2, 0.5, 0.9)]
    assert [window.checks[name].ax.get_visible() for name in ("mask", "particles")] == [True, False]
    window.write()
    assert (written, window.told.get_text()) == ([pytest.approx(0.9)], "done")
    window.close()


def test_a_threshold_of_probabilities_writes_masks_without_the_network(project, sets, copies):
    run = run_with(project, ProtCryoEtSegSegmentMembranes, probabilities=copies[1])
    run.inTomos.set(sets.tomograms)
    viewer = CryoEtSegMembranesViewer(project=project)
    viewer.setProtocol(run)
    (window,) = viewer._getVisualizeDict()["showProbabilities"]()
    run.smallestComponent.set(0.0)
    window.levelSlider.set_val(0.3)
    with in_process(project):
        window.write()
    made = latest(project, ProtCryoEtSegThresholdMembranes)
    assert window.told.get_text() == "launched:\nmembranes from 0.3"
    assert made.inProbabilities.getObjValue().getObjId() == run.getObjId()
    assert made.membraneMasks.getSize() == 2
    for mask in made.membraneMasks.iterItems():
        array = openArray(fileOf(mask))
        assert [z for z in range(12) if array[z].any()] == [3, 6]
        assert mask.getVolName().endswith(f"{mask.getTsId()}.mrc")
    window.close()


def test_masks_are_no_probabilities(project, sets):
    run = ProtCryoEtSegThresholdMembranes()
    run.inProbabilities = Pointer(sets.masks)
    assert "whole numbers" in run._validateInputs()[0]


@pytest.fixture
def picked(project, copies):
    run = run_with(project, ProtCryoEtSegPickDog, coordinates=copies[0])
    viewer = CryoEtSegPicksViewer(project=project)
    viewer.setProtocol(run)
    return viewer


def test_a_threshold_of_scores_writes_a_selection(project, picked):
    (window,) = picked._slices()
    window.levelSlider.set_val(0.5)
    with in_process(project):
        window.write()
    assert latest(project, ProtCryoEtSegSelectByScore).selected.getSize() == 2
    window.close()


def test_other_buttons_and_clicks_while_zooming_mean_no_place(picked):
    (window,) = picked._curation()
    window.slider.set_val(5)
    canvas = window.figure.canvas
    x, y = window.axes.transData.transform((4, 14))
    canvas.callbacks.process("button_press_event", MouseEvent("button_press_event", canvas, x, y, 3))
    toolbar = NavigationToolbar2(canvas)
    toolbar.zoom()
    clicked(window, 14, 4)
    assert (window.removed, window.added) == (set(), [])
    toolbar.zoom()
    clicked(window, 14, 4)
    assert len(window.added) == 1
    window.close()


def test_clicks_take_away_and_add_and_the_result_is_a_new_set(project, picked):
    before = picked.coordinates().getSize()
    (window,) = picked._curation()
    window.slider.set_val(5)
    clicked(window, 8, 14)  # on the particle at (14, 8, 5)
    clicked(window, 14, 4)  # beside all
    assert (len(window.removed), window.added) == (1, [("TS_1", 4.0, 14.0, 5.0, 1)])
    with in_process(project):
        window.write()
    run = latest(project, ProtCryoEtSegCurateCoordinates)
    found = [(item.getTomoId(), *np.round(item.getPosition(BOTTOM_LEFT_CORNER), 1)) for item in run.curated.iterCoordinates()]
    assert run.curated.getSize() == before == 4
    assert ("TS_1", 14.0, 8.0, 5.0) not in found
    assert ("TS_1", 4.0, 14.0, 5.0) in found
    assert ("TS_2", 14.0, 8.0, 5.0) in found
    assert "*1* coordinate taken away and *1* added by hand" in run.summary()[0]
    assert picked.coordinates().getSize() == before  # the input stays
    window.close()


def test_a_second_click_takes_the_first_back(sets):
    window = CurationWindow(sets.coordinates, lambda removed, added: "")
    window.slider.set_val(5)
    for _ in range(2):
        clicked(window, 8, 14)
        clicked(window, 14, 4)
    assert (window.removed, window.added) == (set(), [])
    assert textOf([]) == ""
    window.close()


@pytest.mark.parametrize(("values", "message"), [
    ({"removed": "one"}, "whole numbers"), ({"removed": "999"}, "999 is no coordinate"), ({"added": "TS_1 1 2 3"}, "JSON"),
    ({"added": '[["TS_1", 400, 2, 3, 1]]'}, "lies in no tomogram"), ({"added": '[["TS_9", 4, 2, 3, 1]]'}, "lies in no tomogram"),
    ({"removed": "1", "added": '[["TS_1", 4, 2, 3, 1]]'}, ""),
])
def test_what_is_typed_is_checked(sets, values, message):
    run = ProtCryoEtSegCurateCoordinates(**values)
    run.inCoordinates = Pointer(sets.coordinates)
    errors = run._validate()
    assert len(errors) == bool(message)
    assert message in "".join(errors)
