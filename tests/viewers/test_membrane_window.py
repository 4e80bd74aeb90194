"""Membranes taken out and put in by clicks, and the set that the button writes."""
import mrcfile
import numpy as np
import pytest
from pyworkflow.object import Pointer
from scipion_environment import in_process
from windows import clicked, latest, run_with

from cryoetseg.convert import fileOf, maskLike
from cryoetseg.core.volumes.io import write_volume
from cryoetseg.protocols import ProtCryoEtSegCurateMembranes, ProtCryoEtSegMeasureMembranes, ProtCryoEtSegSegmentMembranes
from cryoetseg.viewers import CryoEtSegMembraneCurationViewer, CryoEtSegMembranesViewer

LYING, UPRIGHT, WEAK = np.s_[6, 4:10, 2:20], np.s_[2:10, 14:16, 2:20], np.s_[6, 4:10, 22:27]


@pytest.fixture
def run(project, sets, tmp_path):
    """A finished segmentation: two membranes in each tomogram, and a third that only the probabilities hold."""
    masks, probabilities = type(sets.masks).create(str(tmp_path)), type(sets.masks).create(str(tmp_path), suffix="maps")
    for item in (masks, probabilities):
        item.setSamplingRate(10.0)
    for tomogram in [item.clone() for item in sets.tomograms.iterItems()]:
        mask = np.zeros(tuple(reversed(tomogram.getDim())), np.int8)
        mask[LYING] = mask[UPRIGHT] = 1
        values = np.where(mask, 0.9, 0.0).astype(np.float16)
        values[WEAK] = 0.35
        for made, name, array in ((masks, "mask", mask), (probabilities, "map", values)):
            path = f"{tmp_path}/{tomogram.getTsId()}_{name}.mrc"
            write_volume(path, array, 10.0)
            made.append(maskLike(tomogram, path))
    for item in (masks, probabilities):
        item.write()
    return run_with(project, ProtCryoEtSegSegmentMembranes, membraneMasks=masks, probabilities=probabilities)


def viewer_of(project, run):
    made = CryoEtSegMembranesViewer(project=project)
    made.setProtocol(run)
    return made


def drawn(window):
    """The labels over the shown slice."""
    return window.axes.images[1].get_array().filled(-1) + 1


def test_clicks_take_out_and_put_in_and_the_result_is_a_new_set(project, run):
    (window,) = viewer_of(project, run)._curation()
    assert int(window.slider.val) == 6
    clicked(window, 15, 10)  # on the upright membrane
    clicked(window, 6, 24)  # on what only the probabilities hold
    window.open(1)
    clicked(window, 11.5, 5)  # beside the lying membrane
    assert [place[:1] + place[3:] for place in window.removed] == [("TS_1", 6.0), ("TS_2", 6.0)]
    assert [tuple(place) for place in window.added] == [("TS_1", 24.0, 6.0, 6.0)]
    window.open(0)
    picture = drawn(window)
    assert [set(np.unique(picture[place[1:]])) for place in (LYING, WEAK)] == [{1}, {4}]
    assert set(np.unique(picture[14:16, 2:20])) == {2}
    with in_process(project):
        window.write()
    assert window.told.get_text() == "launched: 2 out, 1 in"
    made = latest(project, ProtCryoEtSegCurateMembranes)
    assert made.inMasks.getObjValue().getObjId() == made.inProbabilities.getObjValue().getObjId() == run.getObjId()
    found = {mask.getTsId(): (mrcfile.read(fileOf(mask)), mask.getVolName()) for mask in made.curatedMasks.iterItems()}
    expected = np.zeros(found["TS_1"][0].shape, np.int8)
    expected[LYING] = expected[WEAK] = 1
    np.testing.assert_array_equal(found["TS_1"][0], expected)
    expected[:] = 0
    expected[UPRIGHT] = 1
    np.testing.assert_array_equal(found["TS_2"][0], expected)
    assert all(tomogram.endswith(f"{tsId}.mrc") for tsId, (_, tomogram) in found.items())
    assert "TS_1: *1* membrane (288 nm³) taken out and *1* (30 nm³) put in by hand." in made.summary()
    assert "2 membranes were taken out of the masks and 1 put in from what had a probability of 0.25" in made._methods()[0]
    assert run.membraneMasks.getSize() == 2  # the input stays
    window.close()
    (again,) = viewer_of(project, made)._curation()  # and goes on from there
    assert set(np.unique(drawn(again))) == {0, 1, 3}
    again.close()


def test_a_second_click_takes_the_first_back(project, run):
    (window,) = viewer_of(project, run)._curation()
    for _ in range(2):
        clicked(window, 15, 10)
        clicked(window, 6, 24)
    clicked(window, 1, 1)  # on nothing
    assert (window.removed, window.added) == ([], [])
    window.write()
    assert window.told.get_text() == "nothing was clicked"
    window.close()


def test_clicks_mean_the_same_along_every_axis(project, run):
    (window,) = viewer_of(project, run)._curation()
    window.turn("x")
    window.slider.set_val(10)
    clicked(window, 5, 14)  # z, y
    window.turn("y")
    window.slider.set_val(14)
    assert set(np.unique(drawn(window)[2:10, 2:20])) == {2}
    window.close()


def test_what_may_be_put_in_begins_where_the_form_says(project, run):
    viewer = viewer_of(project, run)
    viewer.candidatesFrom.set(0.4)
    (window,) = viewer._curation()
    assert set(np.unique(drawn(window))) == {0, 1}
    clicked(window, 6, 24)
    assert window.added == []
    window.close()


def test_masks_of_any_program_can_be_corrected_and_probabilities_not(project, run):
    viewer = CryoEtSegMembraneCurationViewer(project=project)
    (window,) = viewer._visualize(run.membraneMasks)
    clicked(window, 15, 10)
    assert len(window.removed) == 1
    window.close()
    (message,) = viewer._visualize(run.probabilities)
    assert "real numbers" in message.getMessage()


def test_each_membrane_that_was_measured_has_its_colour(project, sets, run, tmp_path):
    numbers = np.zeros((12, 20, 28), np.int16)
    numbers[LYING], numbers[UPRIGHT] = 1, 2
    write_volume(tmp_path / "numbers.mrc", numbers, 10.0)
    instances = type(sets.masks).create(str(tmp_path), suffix="numbers")
    instances.setSamplingRate(10.0)
    instances.append(maskLike(sets.tomograms.getFirstItem().clone(), str(tmp_path / "numbers.mrc")))
    instances.write()
    viewer = viewer_of(project, run_with(project, ProtCryoEtSegMeasureMembranes, membraneInstances=instances))
    (window,) = viewer._browse()
    picture = window.axes.images[1]
    first, second = (picture.cmap(picture.norm(drawn(window)[place] - 1)) for place in ((6, 10), (15, 10)))
    assert first != second
    window.close()


@pytest.mark.parametrize(("values", "message"), [
    ({"removed": "TS_1 1 2 3"}, "JSON"), ({"removed": '[["TS_9", 4, 2, 3]]'}, "lies in no mask"),
    ({"added": '[["TS_1", 4, 40, 3]]'}, "lies in no mask"), ({"added": '[["TS_1", 4, 2, 3]]'}, "*Probabilities* has nothing"),
    ({"removed": '[["TS_1", 4, 2, 3]]'}, ""),
])
def test_what_is_typed_is_checked(run, values, message):
    made = ProtCryoEtSegCurateMembranes(**values)
    made.inMasks = Pointer(run, extended="membraneMasks")
    errors = made._validate()
    assert len(errors) == bool(message), errors
    assert message in "".join(errors)


