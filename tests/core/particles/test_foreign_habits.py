"""What other programs' lists hold beyond the textbook: other binnings, micrometres, unused fields, numbers for names."""
import struct

import emfile
import numpy as np
import pytest

from cryoetseg.core.particles.formats import read_particles, recognise, write_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.runtime.errors import InputError

PARTICLES = "\ndata_particles\n\nloop_\n"
CENTRED = PARTICLES + "".join(f"_rln{name}\n" for name in ("TomoName", "CenteredCoordinateXAngst", "CenteredCoordinateYAngst",
                                                           "CenteredCoordinateZAngst", "OpticsGroup"))
OPTICS = "data_optics\n\nloop_\n_rlnOpticsGroup\n_rlnTomoTiltSeriesPixelSize\n1 2.5\n"
TRUTH = [[11.0, 35.0, 65.0], [7.0, 28.0, 57.0]]  # (z, y, x) in the tomogram of 24 x 64 x 72 voxels of 10 A


def relion5_project(folder):
    (folder / "list.star").write_text(OPTICS + CENTRED + "TS_01 290 30 -10 1\nTS_01 210 -40 -50 1\n")
    (folder / "tomograms.star").write_text(
        "data_global\n\nloop_\n_rlnTomoName\n_rlnTomoTiltSeriesPixelSize\n_rlnTomoSizeX\n_rlnTomoSizeY\n_rlnTomoSizeZ\n"
        "TS_01 2.5 288 256 96\n")
    (folder / "set.star").write_text("data_\n\n_rlnTomoParticlesFile list.star\n_rlnTomoTomogramsFile tomograms.star\n")
    return folder


def test_relion5_counts_the_same_places_whatever_the_binning_and_the_route(tmp_path):
    """voxel = (Angstrom / pixel + size / 2) / binning, as RELION's own get_particle_poses has it."""
    folder = relion5_project(tmp_path)
    direct = read_particles(folder / "list.star", tomogram_shape=(24, 64, 72), tomogram_voxel_size=10.0)
    by_set = read_particles(folder / "set.star", tomogram_voxel_size=10.0)
    unbinned = read_particles(folder / "set.star")
    for table in (direct, by_set, unbinned.at_voxel_size(10.0), read_particles(folder / "set.star", voxel_size=10.0)):
        assert table.voxel_size == 10.0
        np.testing.assert_allclose(table.zyx, TRUTH, atol=1e-9)
    assert unbinned.voxel_size == 2.5
    np.testing.assert_allclose(unbinned.zyx, np.array(TRUTH) * 4)


def test_our_relion5_export_is_read_without_its_tomogram(tmp_path):
    table = ParticleTable.from_points(TRUTH, voxel_size=10.0, tilt_series_id=["a", "b"])
    write_particles(table, tmp_path / "list.star", format="relion5", tomogram_shape={"a": (24, 64, 72), "b": (25, 65, 71)})
    again = read_particles(tmp_path / "list.star")
    np.testing.assert_allclose(again.zyx, TRUTH, atol=1e-5)
    assert (again.voxel_size, again.tilt_series_ids()) == (10.0, ["a", "b"])


def test_pixels_of_the_tilt_series_scale_about_the_first_voxels_centre(tmp_path):
    (tmp_path / "relion4.star").write_text(
        "data_optics\n\nloop_\n_rlnOpticsGroup\n_rlnTomoTiltSeriesPixelSize\n1 2.5\n" + PARTICLES
        + "_rlnTomoName\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnCoordinateZ\n_rlnOpticsGroup\nTS_01 260 140 44 1\n")
    (tmp_path / "warp.star").write_text(PARTICLES + "_rlnTomoName\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnCoordinateZ\n_rlnPixelSize\n"
                                                    "TS_01.tomostar 130 70 22 5\n")
    for name in ("relion4.star", "warp.star"):
        np.testing.assert_allclose(read_particles(tmp_path / name, tomogram_voxel_size=10.0).zyx, TRUTH[:1])


def test_detector_pixels_are_micrometres_at_a_magnification(tmp_path):
    head = "data_\n\nloop_\n" + "".join(f"_rln{name}\n" for name in ("MicrographName", "CoordinateX", "CoordinateY", "CoordinateZ",
                                                                   "Magnification", "DetectorPixelSize"))
    for magnification, detector, expected in ((14000, 14, 10.0), (10000, 10, 10.0), (3846, 5, 1e4 * 5 / 3846)):
        (tmp_path / "list.star").write_text(head + f"TS_01 65 35 11 {magnification} {detector}\n")
        assert read_particles(tmp_path / "list.star").voxel_size == pytest.approx(expected)


def test_rows_of_several_voxel_sizes_meet_in_the_first(tmp_path, caplog):
    (tmp_path / "list.csv").write_text("tilt_series_id,x,y,z,voxel_size\nA,100,100,50,10\nB,200,200,100,5\n")
    row = "1 1 1 0 0 0 0 0 0 0.3" + " 0" * 9 + " {} 0 1 0 {} {} {}" + " 0" * 9 + " {}" + " 0" * 6 + "\n"
    (tmp_path / "list.tbl").write_text(row.format(1, 101, 101, 51, 10) + row.format(2, 201, 201, 101, 5))
    (tmp_path / "list.star").write_text(PARTICLES + "_rlnTomoName\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnCoordinateZ\n_rlnPixelSize\n"
                                                    "A 100 100 50 10\nB 200 200 100 5\n")
    for suffix in ("csv", "tbl", "star"):
        table = read_particles(tmp_path / f"list.{suffix}")
        assert table.voxel_size == 10.0
        np.testing.assert_allclose(table.zyx, [[50, 100, 100], [49.75, 99.75, 99.75]])
        np.testing.assert_allclose(table.at_voxel_size(5.0).zyx[1], [100, 200, 200])
    assert caplog.text.count("several voxel sizes") == 3
    (tmp_path / "list.csv").write_text("x,y,z,voxel_size\n1,1,1,10\n1,1,1,5\n1,1,1,\n")
    with pytest.raises(InputError, match="none in row 3"):
        read_particles(tmp_path / "list.csv")


@pytest.mark.parametrize(("text", "kind"), [
    ("     1     1       65.50       35.50       11.00\n", "imod_points"), ("     1       65.50       35.50       11.00\n", "imod_points"),
    ("       65.50       35.50       11.00\n", "imod_points"), ("     1     1     66     36     11\n", "imod_points"),
    ("1 1 65.50 35.50 11.00\n", "imod_points"), ("1 1 66 36 11\n", "imod_points"), ("1 65 35 11 0.93\n", "xyz"), ("1 65 35 11 1\n", "xyz"),
    ("1 65.50 35.50 11.00\n", "imod_points"), ("  65.50  35.50  11.00\n", "imod_points"), ("65.50 35.25 11.00\n", "xyz"),
    ("1 65.5 35.5 11.0 0.93\n", "xyz"), ("65.5 35.5 11.0\n", "xyz"), ("1 65 35 11\n", "xyz"), ("1bxn 65 35 11\n", "shrec")])
def test_point_text_of_imod_is_told_from_other_text(text, kind, tmp_path):
    (tmp_path / "list.txt").write_text(text * 2)
    assert recognise(tmp_path / "list.txt") == kind
    if kind == "imod_points":
        x = 66 if "66" in text else 65.5
        np.testing.assert_allclose(read_particles(tmp_path / "list.txt").zyx[0, 2], x - 0.5)


def test_numbers_of_exported_tomograms_are_told_beside_and_read_back(tmp_path):
    for name in ("dynamo", "em_motl", "stopgap"):
        suffix = {"dynamo": "tbl", "em_motl": "em", "stopgap": "star"}[name]
        for tomogram in ("TS_03", "TS_07"):
            path = tmp_path / f"{tomogram}.{suffix}"
            write_particles(ParticleTable.from_points(TRUTH, tilt_series_id=tomogram), path, format=name)
            assert (tmp_path / f"{tomogram}_tomograms.csv").read_text() == f'"number","tilt_series_id"\n{int(tomogram[-1])},"{tomogram}"\n'
            assert read_particles(path).tilt_series_ids() == [tomogram]
            (tmp_path / f"{tomogram}_tomograms.csv").unlink()
            assert read_particles(path).tilt_series_ids() == [tomogram[-1]]
    write_particles(ParticleTable.from_points(TRUTH, tilt_series_id=["a", "b_1"]), tmp_path / "mixed.tbl")
    assert [row.split()[19] for row in (tmp_path / "mixed.tbl").read_text().splitlines()] == ["1", "2"]
    assert emfile.read(tmp_path / "TS_07.em")[1][0, 0, 4] == 7


def test_motive_lists_of_big_endian_machines_and_with_nan_in_unused_fields(tmp_path):
    write_particles(ParticleTable.from_points(TRUTH, tilt_series_id="4", score=0.5), tmp_path / "little.em")
    content = (tmp_path / "little.em").read_bytes()
    rows = np.frombuffer(content, "<f4", offset=512).reshape(2, 20).copy()
    rows[:, 1] = np.nan  # not used
    (tmp_path / "nan.em").write_bytes(content[:512] + rows.tobytes())
    head = b"\x05" + content[1:4] + struct.pack(">3i", 20, 2, 1) + content[16:512]
    (tmp_path / "big.em").write_bytes(head + rows.astype(">f4").tobytes())
    for name in ("little.em", "nan.em", "big.em"):
        table = read_particles(tmp_path / name)
        np.testing.assert_allclose(table.zyx, TRUTH)
        assert table.score.tolist() == [0.5, 0.5]
    rows[1, 7] = np.nan
    (tmp_path / "bad.em").write_bytes(content[:512] + rows.tobytes())
    with pytest.raises(InputError, match="particle 2, field 8"):
        read_particles(tmp_path / "bad.em")


@pytest.mark.parametrize(("word", "score"), [("0.3+0i", 0.3), ("nan", np.nan), ("0.3+2i", np.nan)])
def test_dynamo_tables_with_odd_scores(word, score, tmp_path):
    row = "1 1 1 0 0 0 0 0 0 {} nan 0 0 0 0 0 0 0 0 1 0 1 0 100 200 50" + " 0" * 16 + "\n"
    (tmp_path / "list.tbl").write_text(row.format(word))
    table = read_particles(tmp_path / "list.tbl")
    assert table.zyx.tolist() == [[49.0, 199.0, 99.0]]
    np.testing.assert_equal(table.score[0], score)


def test_annotations_by_lines_under_a_name_for_picks(tmp_path):
    (tmp_path / "points.json").write_text('{"type":"point","location":{"x":1.0,"y":2.0,"z":3.0}}\n' * 2)
    assert read_particles(tmp_path / "points.json").zyx.tolist() == [[3.0, 2.0, 1.0]] * 2


@pytest.mark.parametrize(("name", "content", "words"), [
    ("a.json", '{"points": [], "voxel_spacing": -1}', "voxel_spacing"), ("a.json", '{"points": [], "voxel_spacing": "x"}', "voxel_spacing"),
    ("a.json", '{"points": [], "run_name": ["a"]}', "run_name"), ("a.json", "[" * 100_000, "JSON"),
    ("a.json", '{"points": [{"location": {"x": 1, "y": 1, "z": 1}, "score": {}}]}', "point 0"),
    ("a.csv", "x,y,z,class_id\n1,2,3,1e30\n", "class_id"), ("a.csv", "x,y,z,class_id\n1,2,3,1.5\n", "class_id"),
    ("a.csv", "x,y,z,x\n1,2,3,4\n", "twice"), ("a.csv", "x,y,z,voxel_size\n1,2,3,-4\n", "voxel_size"),
    ("a.xml", "<objlist><object x='1' y='2' z='3' class_label='1' phi='q'/></objlist>", "phi"),
    ("a.xml", "<objlist><object x='1' y='2' z='3' class_label='1' cluster_size=''/></objlist>", "cluster_size"),
    ("a.star", "data_\n\nloop_\n_rlnTomoName\n_rlnTomoImportParticleFile\nTS_01 picks.star\n", "picks.star"),
    ("a.star", PARTICLES + "_rlnCoordinateX\n_rlnCoordinateX\n1 2\n", "twice")])
def test_nonsense_is_refused_by_name(name, content, words, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=words):
        read_particles(tmp_path / name)


def test_an_unknown_unit_of_a_model_is_refused(tmp_path):
    write_particles(ParticleTable.from_points(TRUTH, voxel_size=10.0), tmp_path / "points.mod")
    content = bytearray((tmp_path / "points.mod").read_bytes())
    struct.pack_into(">i", content, 8 + 128 + 84, 2_000_000)
    (tmp_path / "points.mod").write_bytes(content)
    with pytest.raises(InputError, match="unit code"):
        read_particles(tmp_path / "points.mod")


def test_our_own_lists_scale_as_boxes(tmp_path):
    """A list written at one voxel size serves a tomogram of another: this program's own rule, outer faces together."""
    write_particles(ParticleTable.from_points([[4.0, 8.0, 12.0]], voxel_size=5.0), tmp_path / "list.csv")
    np.testing.assert_allclose(read_particles(tmp_path / "list.csv", tomogram_voxel_size=10.0).zyx, [[1.75, 3.75, 5.75]])
