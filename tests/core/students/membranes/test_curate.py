"""Membranes that a click points at: found across slabs, taken out, put in from the probabilities, and nothing else is changed."""
import numpy as np
import pytest

from cryoetseg.core.methods import run_job
from cryoetseg.core.runtime.errors import InputError, ParameterError
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.runtime.params import parameters_from
from cryoetseg.core.students.membranes import parts as parts_module
from cryoetseg.core.students.membranes.curate_params import CurateMembranesParameters, Place, places_in, places_text
from cryoetseg.core.students.membranes.parts import parts_beside, parts_of_mask
from cryoetseg.core.volumes.io import read_labels, write_volume

SHAPE = (8, 20, 24)  # z, y, x
UPRIGHT, FLAT, CORNER, WEAK = np.s_[:, 3:5, 2:20], np.s_[6, 10:18, 2:20], np.s_[7, 18, 20], np.s_[1, 10:18, 2:20]


@pytest.fixture
def mask():
    """A membrane that stands across all slices, one that lies, which a voxel continues over a corner."""
    values = np.zeros(SHAPE, np.int8)
    values[UPRIGHT] = values[FLAT] = values[CORNER] = 1
    return values


@pytest.fixture(params=[None, 20 * 24 * 4 * 3])
def slabs(request, monkeypatch):
    """Read at once, and in slabs of three slices."""
    if request.param is not None:
        monkeypatch.setattr(parts_module, "SLAB_BYTES", request.param)


@pytest.fixture
def probability(mask):
    values = np.where(mask, 0.8, 0.0).astype(np.float32)
    values[WEAK] = 0.3
    return values


def run(folder, mask, probability=None, **values):
    write_volume(folder / "mask.mrc", mask, 10.0)
    inputs = [InputFile(path=str(folder / "mask.mrc"), role="mask", tilt_series_id="TS_1")]
    if probability is not None:
        write_volume(folder / "probability.mrc", probability, 10.0)
        inputs.append(InputFile(path=str(folder / "probability.mrc"), role="probability", tilt_series_id="TS_1"))
    result = run_job(Job(method="curate-membranes", parameters=values, inputs=inputs, output_folder=str(folder / "out")))
    return read_labels(folder / "out" / "TS_1_membranes.mrc")[0], result


def test_each_membrane_is_a_part_also_across_slabs(mask, slabs):
    parts = parts_of_mask(mask)
    upright, flat = parts.at((7, 4, 19)), parts.at((6, 17, 19))
    assert parts.largest_number == 2
    assert {upright, flat} == {1, 2}
    assert parts.at((0, 3, 2)) == upright
    assert parts.at((7, 18, 20)) == flat  # over a corner
    assert parts.at((3, 12, 12)) is None
    for number, place in ((upright, UPRIGHT), (flat, FLAT)):
        covered = np.zeros(SHAPE, bool)
        covered[place] = True
        covered[CORNER] |= number == flat
        np.testing.assert_array_equal(parts.voxels_of([number]), np.flatnonzero(covered))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_plane_of_parts_is_that_of_the_mask(mask, axis, slabs):
    parts = parts_of_mask(mask)
    for index in range(SHAPE[axis]):
        np.testing.assert_array_equal(parts.plane(axis, index) > 0, np.take(mask, index, axis) > 0)


def test_a_click_beside_a_membrane_means_the_nearest_within_reach(mask):
    parts = parts_of_mask(mask)
    assert parts.at((2, 6.4, 10)) is None
    assert parts.at((2, 6.4, 10), reach=2) == parts.at((2, 4, 10))
    assert parts.at((2, 6.6, 10), reach=2) is None
    assert parts.at((7.4, 19, 23.4), reach=3.2) == parts.at((6, 17, 19))  # the box ends at the border


def test_numbers_of_a_mask_are_its_membranes(mask):
    mask[UPRIGHT], mask[FLAT] = 5, 3
    parts = parts_of_mask(mask)
    assert (parts.at((7, 4, 19)), parts.at((6, 17, 19)), parts.are_numbered) == (5, 3, True)


def test_what_the_probabilities_hold_beside_the_mask(mask, probability):
    assert parts_beside(probability, 0.25, mask).largest_number == 1
    assert parts_beside(probability, 0.35, mask).largest_number == 0


def test_one_membrane_is_taken_out_and_one_put_in(tmp_path, mask, probability):
    found, result = run(tmp_path, mask, probability, removed='[["TS_1", 10, 4, 2], ["TS_2", 10, 12, 6], ["TS_1", 3, 3, 7]]',
                        added='[["TS_1", 5, 11, 1]]')
    expected = mask.copy()
    expected[UPRIGHT], expected[WEAK] = 0, 1
    np.testing.assert_array_equal(found, expected)
    size = mask[UPRIGHT].size
    assert result.metrics["TS_1"] == {"taken_out": 1, "taken_out_A3": size * 1000.0, "put_in": 1, "put_in_A3": 8 * 18 * 1000.0}


def test_membranes_with_numbers_keep_them(tmp_path, mask, probability):
    mask[FLAT] = 2
    found, _ = run(tmp_path, mask.astype(np.int16), probability, removed='[["TS_1", 10, 4, 2]]', added='[["TS_1", 5, 11, 1]]')
    assert found.dtype == np.int16
    assert (set(np.unique(found[FLAT])), set(np.unique(found[WEAK])), set(np.unique(found[UPRIGHT]))) == ({2}, {3}, {0})


def test_nothing_clicked_changes_nothing_and_all_taken_out_is_told(tmp_path, mask):
    found, result = run(tmp_path, mask)
    np.testing.assert_array_equal(found, mask)
    assert result.warnings == []
    empty, result = run(tmp_path, mask, removed='[["TS_1", 10, 4, 2], ["TS_1", 10, 12, 6]]')
    assert not empty.any()
    assert "no membrane is left" in result.warnings[0]


@pytest.mark.parametrize(("values", "message"), [
    ({"removed": '[["TS_1", 1, 1, 1]]'}, "in no membrane of the mask"), ({"removed": '[["TS_1", 100, 1, 1]]'}, "in no membrane"),
    ({"removed": '[["TS_1", -3, 4, 2]]'}, "in no membrane"),
    ({"added": '[["TS_1", 5, 11, 1]]', "candidates_from": 0.4}, "in no membrane of what reaches a probability of 0.4"),
])
def test_a_place_in_no_membrane_is_refused(tmp_path, mask, probability, values, message):
    with pytest.raises(InputError, match=message):
        run(tmp_path, mask, probability, **values)


def test_putting_in_needs_the_probabilities_of_this_mask(tmp_path, mask, probability):
    with pytest.raises(InputError, match="there are no probabilities"):
        run(tmp_path, mask, added='[["TS_1", 5, 11, 1]]')
    with pytest.raises(InputError, match="voxels"):
        run(tmp_path, mask, probability[:, :-1], added='[["TS_1", 5, 11, 1]]')
    with pytest.raises(InputError, match="whole numbers"):
        run(tmp_path, probability)


@pytest.mark.parametrize("text", ["TS_1 1 2 3", "[[1, 2, 3, 4]]", '[["TS_1", 1, 2]]', '[["TS_1", 1, 2, 3, 4]]', "{}x", "3"])
def test_other_texts_are_refused(text):
    with pytest.raises(ParameterError, match="JSON such as"):
        parameters_from(CurateMembranesParameters, {"removed": text})


def test_places_are_read_as_they_are_written():
    places = [Place("a b", 1.0, 2.0, 3.5), Place('"', 0.0, 0.0, 0.0)]
    assert places_in(places_text(places)) == places
    assert places_text([]) == ""
