"""Tomograms of one name are told apart, and no name leads out of a folder."""

import pytest

from cryoetseg.core.runtime.errors import InputError
from cryoetseg.core.runtime.job import InputFile
from cryoetseg.core.runtime.names import distinct, file_stem, in_pairs, matching, series_key


def names(*paths, ids=()):
    items = [InputFile(path=path, tilt_series_id=name) for path, name in zip(paths, ids or [""] * len(paths))]
    return [item.tilt_series_id for item in distinct(items)]


def test_one_name_in_different_folders_takes_as_many_folders_as_tell_it_apart():
    assert names("/d/TS_01/rec.mrc", "/d/TS_02/rec.mrc") == ["TS_01_rec", "TS_02_rec"]
    assert names("/d/1/w/rec.mrc", "/d/2/w/rec.mrc", "/d/2/w/other.mrc") == ["1_w_rec", "2_w_rec", "other"]
    assert names("/d/TS_01/rec.mrc", "/d/TS_02/rec.mrc", ids=["a", "b"]) == ["a", "b"]
    assert names("/d/x/r.mrc", "/d/y/r.mrc", ids=["same", "same"]) == ["x_same", "y_same"]
    assert names("/d/TS_01.mrc.gz", "/d/TS_02.mrc") == ["TS_01", "TS_02"]


def test_names_that_become_one_file_are_told_apart_too():
    assert names("/d/x/1.mrc", "/d/y/2.mrc", ids=["a/b", "a_b"]) == ["x_a/b", "y_a_b"]


@pytest.mark.parametrize("paths", [["/d/r.mrc", "/d/r.mrc"], ["/d/r.mrc", "/d/r.em"], ["/d/r.mrc", "/d/e/../r.mrc"]])
def test_what_folders_cannot_tell_apart_is_refused(paths):
    with pytest.raises(InputError, match="told apart"):
        names(*paths)


@pytest.mark.parametrize(("name", "stem"), [
    ("TS_01", "TS_01"), ("../x", "_._x"), ("a/b\\c", "a_b_c"), (".hidden", "_hidden"), ("O'Neil", "O'Neil"), ("a\nb", "a_b"), ("", "_"),
    ("é" * 200, "é" * 90)])
def test_file_names_stay_in_their_folder(name, stem):
    assert file_stem(name) == stem


@pytest.mark.parametrize("name", ["TS_01", "TS_01.tomostar", "TS_01_10.00Apx", "TS_01_10.00Apx.mrc", "TS_01_rec", "TS_01_full_rec.mrc",
                                  "TS_01_10.00Apx_particles.star", "TS_01_bin4_rec"])  # fmt: skip
def test_what_programs_add_to_a_tilt_series_does_not_count(name):
    assert series_key(name) == "TS_01"
    assert matching(name, ["TS_02", "TS_01.tomostar", "TS_011"]) == ["TS_01.tomostar"]


def test_the_same_name_goes_before_a_similar_one():
    assert matching("TS_01", ["TS_01_rec", "TS_01"]) == ["TS_01"]
    assert matching("rec", ["rec.mrc", "other"]) == ["rec.mrc"]
    assert matching("TS_1", ["TS_01"]) == []


def test_pairs_go_by_names_where_these_tell_all_else_in_order():
    assert in_pairs(["TS_01", "TS_02"], ["TS_02_labels", "TS_01_labels"]) == [1, 0]
    assert in_pairs(["TS_01", "TS_02"], ["first", "second"]) == [0, 1]
    assert in_pairs(["TS_01_10.00Apx", "TS_02_10.00Apx"], ["TS_01", "TS_02"]) == [0, 1]
