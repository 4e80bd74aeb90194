"""Round trips and half-voxel conventions of every written particle format."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoetseg.core.particles.angles import to_matrices
from cryoetseg.core.particles.formats import SUFFIXES, WRITERS, read_particles, write_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.runtime.errors import InputError, ParameterError

SUFFIX_OF = {name: suffix for suffix, name in reversed(SUFFIXES.items())} | {"stopgap": ".star", "shrec": ".txt"}
ORIENTED = {"relion", "stopgap", "dynamo", "em_motl", "copick", "csv", "deepfinder"}
SCORED = {"relion", "stopgap", "dynamo", "em_motl", "copick", "csv", "coords"}
OFF_CENTRE = np.array([[3.25, 17.5, 120.125], [0.0, 0.0, 0.0], [511.75, 2.0, 9.5]])
TILTED = np.array([[10.0, 20.0, 30.0], [-170.0, 90.0, 5.0], [0.0, 0.0, 45.0]])


def off_centre_table() -> ParticleTable:
    return ParticleTable.from_points(OFF_CENTRE, voxel_size=13.48, tilt_series_id="7", class_id=1, score=[0.9, 0.5, 0.25], angles=TILTED)


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_off_centre_points_survive_a_round_trip(name, tmp_path):
    path = tmp_path / f"list{SUFFIX_OF[name]}"
    table = off_centre_table()
    write_particles(table, path, format=name)
    again = read_particles(path, format=name)
    assert np.abs(again.zyx - table.zyx).max() < 0.01
    np.testing.assert_array_equal(again.class_id, table.class_id)
    if name in ORIENTED:
        np.testing.assert_allclose(to_matrices(again.angles), to_matrices(table.angles), atol=1e-3)
    if name in SCORED:
        np.testing.assert_allclose(again.score, table.score, atol=1e-5)


points = st.lists(st.tuples(*[st.floats(0, 4000, width=32)] * 3), min_size=1, max_size=5)
angles = st.tuples(st.floats(-180, 180), st.floats(0, 180), st.floats(-180, 180))


@given(name=st.sampled_from(sorted(WRITERS)), zyx=points, orientation=angles, voxel_size=st.floats(1.0, 40.0))
@settings(max_examples=60, deadline=None)
def test_any_position_and_orientation_survives(name, zyx, orientation, voxel_size, tmp_path_factory):
    path = tmp_path_factory.mktemp("particles") / f"list{SUFFIX_OF[name]}"
    table = ParticleTable.from_points(zyx, voxel_size=voxel_size, tilt_series_id="3", score=0.5, angles=orientation)
    write_particles(table, path, format=name)
    again = read_particles(path, format=name, voxel_size=voxel_size)
    assert np.abs(again.zyx - table.zyx).max() < 0.01
    if name in ORIENTED:
        np.testing.assert_allclose(to_matrices(again.angles), to_matrices(table.angles), atol=1e-3)


@pytest.mark.parametrize(("name", "first_numbers"), [
    ("dynamo", lambda text: [float(word) for word in text.split()[23:26]]),
    ("imod_points", lambda text: [float(word) for word in text.split()[2:5]]),
    ("xyz", lambda text: [float(word) for word in text.split()[:3]]),
    ("coords", lambda text: [float(word) for word in text.split()[1:4]]),
])
def test_half_voxel_conventions_on_disk(name, first_numbers, tmp_path):
    """The centre of the first voxel: 1 in Dynamo, (0.5, 0.5, 0) in IMOD's model coordinates, 0 elsewhere."""
    expected = {"dynamo": [1, 1, 1], "imod_points": [0.5, 0.5, 0]}.get(name, [0, 0, 0])
    path = tmp_path / f"list{SUFFIX_OF[name]}"
    write_particles(ParticleTable.from_points([[0, 0, 0]]), path, format=name)
    assert first_numbers(path.read_text()) == expected


@pytest.mark.parametrize("name", ["relion", "dynamo", "coords", "csv", "copick", "deepfinder", "imod_model", "stopgap", "xyz"])
def test_an_empty_list_survives(name, tmp_path):
    path = tmp_path / f"none{SUFFIX_OF[name]}"
    write_particles(ParticleTable.from_points(np.zeros((0, 3)), voxel_size=10.0), path, format=name)
    assert len(read_particles(path, format=name)) == 0


def test_csv_and_relion_keep_names_classes_and_unknown_scores(tmp_path):
    table = ParticleTable.from_points(OFF_CENTRE, voxel_size=10.0, tilt_series_id=["TS 1", "b", "b"], class_id=[2, 1, 2],
                                      class_names={1: "ribosome 80S", 2: "p97"})
    for suffix in (".star", ".csv", ".tsv"):
        write_particles(table, tmp_path / f"list{suffix}")
        again = read_particles(tmp_path / f"list{suffix}")
        assert again.tilt_series_id.tolist() == ["TS 1", "b", "b"]
        assert again.class_id.tolist() == [2, 1, 2]
        assert again.class_names == table.class_names
        assert again.voxel_size == 10.0
        assert not again.has_scores
        assert np.isnan(again.diameters).all()


@pytest.mark.parametrize("suffix", [".star", ".csv", ".tsv"])
def test_lists_keep_the_diameters_that_a_picker_is_trained_with(tmp_path, suffix):
    table = ParticleTable.from_points(OFF_CENTRE, voxel_size=10.0, diameters=[120.0, 250.5, 80.0])
    write_particles(table, tmp_path / f"list{suffix}")
    assert read_particles(tmp_path / f"list{suffix}").diameters.tolist() == [120.0, 250.5, 80.0]


def test_foreign_csv_in_angstrom_with_named_types(tmp_path):
    path = tmp_path / "picks.csv"
    path.write_text("id,experiment,particle_type,x,y,z\n0,TS_5_4,ribosome,100,200,300\n1,TS_5_4,apo-ferritin,10,20,30\n")
    table = read_particles(path, voxel_size=10.0, unit="angstrom")
    assert table.zyx[0].tolist() == [30.0, 20.0, 10.0]
    assert table.class_names == {1: "apo-ferritin", 2: "ribosome"}
    assert table.tilt_series_ids() == ["TS_5_4"]


@pytest.mark.parametrize(("name", "content", "mentions"), [
    ("bad.star", "data_particles\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n_rlnCoordinateZ #3\n1 two 3\n", "rlnCoordinateY"),
    ("bad.star", "data_particles\n\nloop_\n_rlnMicrographName #1\na\n", "rlnCoordinateX"),
    ("bad.star", "nothing here\n", "data_"),
    ("bad.tbl", "1 2 3\n", "columns"),
    ("bad.coords", "1 2 3\n4 5\n", "row 2"),
    ("bad.coords", "1 2 nan\n", "column 3"),
    ("bad.coords", "10 20 5 0.5\n30 12 7 1\n", "scores"),
    ("bad.txt", "10 20 5 0.5 7\n30 12 7 -0.9 8\n", "scores"),
    ("bad.coords", "".join(f"{x} 20 5 1\n" for x in range(101)), "101 different"),
    ("bad.csv", "x,y\n1,2\n", "z"),
    ("bad.csv", "x,y,z\n1,2,q\n", "column z"),
    ("bad.json", "{\"points\": [{\"location\": {\"x\": 1}}]}", "point 0"),
    ("bad.json", "[", "JSON"),
    ("bad.xml", "<objlist><object x='1' y='2' z='3'/></objlist>", "class_label"),
    ("bad.xml", "<objlist>", "XML"),
    ("bad.mod", "IMODV1.2", "damaged"),
    ("bad.em", "x", "EM"),
    ("bad.unknown", "1 2 3", "suffix"),
])
def test_bad_files_give_one_typed_error_that_names_the_place(name, content, mentions, tmp_path):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(InputError, match=mentions) as caught:
        read_particles(path)
    assert name in str(caught.value)


def test_truncated_model_is_refused(tmp_path):
    write_particles(off_centre_table(), tmp_path / "points.mod")
    data = (tmp_path / "points.mod").read_bytes()
    (tmp_path / "cut.mod").write_bytes(data[:-10])
    with pytest.raises(InputError, match="damaged"):
        read_particles(tmp_path / "cut.mod")


def test_missing_file_and_unknown_format(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_particles(tmp_path / "none.star")
    with pytest.raises(ParameterError, match="no format"):
        write_particles(off_centre_table(), tmp_path / "list.docx")
    assert not (tmp_path / "list.docx").exists()
