"""Names of tomograms and classes that look like numbers, keywords, comments or gaps survive every list that names them."""
import csv

import numpy as np
import pytest
import starfile

from cryoetseg.core.particles.formats import read_particles, write_particles
from cryoetseg.core.particles.star import read_blocks
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.runtime.errors import InputError

NAMES = ["data_001", "001", "1", "1.10", "1.1", "1e5", "_x", "#1", "a#b", "NA", "nan", "None", "null", "True", "O'Neil", 'say "x"',
         "loop_", "stop_", "save_me", "global_", "TS 01", " a", "a ", "-", "$x", "[1]", ";x", "a,b", "ä_β", "0x10", "1_000", "inf",
         "01e3", "a\u2009b"]
LOST_IN_STARFILE = {"nan", "O'Neil", "say \"x\""}  # starfile itself turns these into other values


def named(names) -> ParticleTable:
    return ParticleTable.from_points(np.arange(3.0 * len(names)).reshape(-1, 3), voxel_size=10.0, tilt_series_id=names, score=0.5,
                                     class_id=np.arange(1, len(names) + 1), class_names=dict(enumerate(names, start=1)))


@pytest.mark.parametrize("suffix", [".star", ".csv", ".tsv"])
@pytest.mark.parametrize("names", [NAMES, *[[name] for name in NAMES]], ids=lambda names: names[0] if len(names) == 1 else "all")
def test_names_survive_alone_and_together(names, suffix, tmp_path):
    path = tmp_path / f"list{suffix}"
    write_particles(named(names), path)
    again = read_particles(path)
    assert again.tilt_series_id.tolist() == names
    assert again.class_names == dict(enumerate(names, start=1))
    np.testing.assert_allclose(again.zyx, named(names).zyx)
    assert again.voxel_size == 10.0


def test_relion5_lists_keep_names(tmp_path):
    write_particles(named(NAMES), tmp_path / "list.star", format="relion5", tomogram_shape=(11, 20, 30))
    assert read_particles(tmp_path / "list.star").tilt_series_id.tolist() == NAMES


@pytest.mark.parametrize("name", sorted(set(NAMES) - LOST_IN_STARFILE))
def test_other_readers_find_the_same_names(name, tmp_path):
    write_particles(named([name, "other"]), tmp_path / "list.star")
    write_particles(named([name, "other"]), tmp_path / "list.csv")
    block = starfile.read(tmp_path / "list.star", parse_as_string=["rlnTomoName"])
    assert block["rlnTomoName"].tolist() == [name, "other"]
    with (tmp_path / "list.csv").open(newline="", encoding="utf-8") as stream:
        assert [row["tilt_series_id"] for row in csv.DictReader(stream)] == [name, "other"]


@pytest.mark.parametrize("name", ["a\nb", "a\tb", "both ' and \"", "a\u2028b", "a\rb"])
def test_names_that_a_star_file_cannot_hold_are_refused(name, tmp_path):
    with pytest.raises(InputError, match="cannot hold the name"):
        write_particles(named([name]), tmp_path / "list.star")
    assert not (tmp_path / "list.star").exists()


def test_a_csv_refuses_line_breaks(tmp_path):
    with pytest.raises(InputError, match="control character"):
        write_particles(named(["a\nb"]), tmp_path / "list.csv")


def test_unquoted_names_of_other_writers(tmp_path):
    """RELION quotes nothing: names that look like keywords stand bare in the rows."""
    path = tmp_path / "list.star"
    head = "data_particles\n\nloop_\n_rlnTomoName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\n_rlnCoordinateZ #4\n"
    path.write_text(head + "_x 1 2 3\ndata_001 1 2 3\nO'Neil_01 1 2 3\n001 1 2 3\n'a b' 1 2 3 # a remark\n\n# end\n")
    assert read_particles(path).tilt_series_id.tolist() == ["_x", "data_001", "O'Neil_01", "001", "a b"]


def test_star_agrees_with_starfile_on_ordinary_files(shared_data):
    for name in ("relion4/particles.star", "relion31/with_optics.star", "relion5_project/Tomograms_job_tomo_tomograms.star"):
        theirs = starfile.read(shared_data / "metadata" / name, always_dict=True)
        ours = read_blocks(shared_data / "metadata" / name)
        assert list(ours) == list(theirs)
        for block, table in theirs.items():
            assert list(ours[block].columns) == list(table.columns)
            for column in table.columns:
                if table[column].dtype.kind in "if":
                    np.testing.assert_array_equal(ours[block][column].astype(float), table[column])
                else:
                    assert ours[block][column].tolist() == table[column].tolist()


@pytest.mark.parametrize(("text", "words"), [
    ("data_a\nloop_\n_x\n_x\n1 2\n", "twice"), ("data_a\nloop_\n_x\n_y\n1\n", "line 5"), ("data_a\nloop_\n_x\n_y\n1 2 3\n", "line 5"),
    ("data_a\nloop_\n_x\n'1\n", "not closed"), ("data_a\n\ndata_a\n", "second block"), ("data_a\nx y z\n", "line 2")])
def test_what_is_no_star_file(text, words, tmp_path):
    (tmp_path / "bad.star").write_text(text)
    with pytest.raises(InputError, match=words):
        read_blocks(tmp_path / "bad.star")


def test_byte_order_marks_and_foreign_line_ends(tmp_path):
    head = "data_p\n\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnCoordinateZ\n1 2 3\n"
    for encoding in ("utf-8-sig", "utf-16"):
        for end in ("\n", "\r\n", "\r"):
            (tmp_path / "list.star").write_bytes(head.replace("\n", end).encode(encoding))
            assert read_particles(tmp_path / "list.star").zyx.tolist() == [[3.0, 2.0, 1.0]]
    (tmp_path / "list.coords").write_bytes("\ufeff1 10 20 30\n".encode())
    assert read_particles(tmp_path / "list.coords").zyx.tolist() == [[30.0, 20.0, 10.0]]
    (tmp_path / "list.csv").write_bytes("\ufeffx,y,z\n1,2,3\n".encode())
    assert read_particles(tmp_path / "list.csv").zyx.tolist() == [[3.0, 2.0, 1.0]]
