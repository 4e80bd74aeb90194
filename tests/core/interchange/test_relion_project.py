"""RELION 5 projects in and out: lists by starfile, places by RELION's own formula, files of RELION and WarpTools in the shared data."""
import os
from pathlib import Path

import numpy as np
import pytest
import starfile

from cryoetseg.core.commands.addresses import resolved
from cryoetseg.core.commands.running import input_file
from cryoetseg.core.interchange.relion_project import is_tomogram_list, plain_name, read_tomograms
from cryoetseg.core.particles.formats import read_particles, write_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.runtime.errors import InputError
from cryoetseg.core.volumes.io import write_volume

LIST = "Tomograms/job012/tomograms.star"


def test_the_list_tells_names_sizes_voxels_hand_and_tilts(relion_project):
    tomograms = read_tomograms(relion_project / LIST)
    assert (list(tomograms.tomograms), tomograms.root) == (["TS_01", "TS_02"], relion_project)
    tomogram = tomograms.tomograms["TS_02"]
    assert (tomogram.voxel_size, tomogram.pixel_size, tomogram.hand, tomogram.tilt_range) == (10.0, 2.5, -1.0, (-51.5, 57.5))
    assert tomogram.file == relion_project / "Tomograms/job012/tomograms/rec_TS_02.mrc"
    assert tomogram.optics["rlnVoltage"] == 300


def test_the_list_stands_for_its_tomograms_on_the_command_line(relion_project):
    inputs = [input_file(path) for path in resolved("tomograms", [relion_project / LIST])]
    assert [(item.tilt_series_id, item.voxel_size) for item in inputs] == [("TS_01", 10.0), ("TS_02", 10.0)]
    assert resolved("particles", [relion_project / LIST]) == [relion_project / LIST]
    one = resolved("tomogram", Path(f"relion:{relion_project / LIST}?*_02"))
    assert input_file(one).tilt_series_id == "TS_02"
    with pytest.raises(InputError, match="TS_01, TS_02"):
        resolved("tomogram", Path(f"relion:{relion_project / LIST}?none"))


def test_lists_of_relion_and_warptools(shared_data):
    relion = read_tomograms_without_files(shared_data / "metadata/relion5_project/tomo200528_tomograms.star")
    assert (relion["pixel_size"], relion["size"]) == (1.724, (2000, 4000, 4000))
    warp = read_tomograms(shared_data / "metadata/relion5_warptools/warptools_test_tomograms.star").tomograms["Unt_083.tomostar"]
    assert (warp.pixel_size, warp.size_px, warp.file) == (1.667, (1400, 6000, 4400), None)
    # third rows of its last and first projection: (0.9688, ., 0.2403) and (-0.7325, ., 0.6779)
    assert warp.tilt_range == pytest.approx((-76.07, 47.22), abs=0.02)
    assert is_tomogram_list(shared_data / "metadata/relion5_warptools/warptools_test_tomograms.star")
    assert not is_tomogram_list(shared_data / "metadata/relion5_warptools/warptools_test.star")


@pytest.mark.parametrize(("good", "bad", "column"), [
    (" -1.0 ", " -! ", "rlnTomoHand"), (" 4.0 ", " 4.04.0 ", "rlnTomoTomogramBinning"), (" 300.0 ", " nan ", "rlnVoltage"),
    (" 2.5 ", " x ", "rlnTomoTiltSeriesPixelSize")])
def test_a_damaged_row_names_its_column(relion_project, good, bad, column):
    path = relion_project / "Tomograms" / "job012" / "tomograms.star"
    path.write_text(path.read_text().replace(good, bad, 1))
    with pytest.raises(InputError, match=f"column {column}: row 1"):
        read_tomograms(path)


@pytest.mark.parametrize("name", ["gone.star", "n" * 300])
@pytest.mark.parametrize("column", ["rlnTomoParticlesFile", "rlnTomoTomogramsFile"])
def test_a_set_that_names_what_is_not_there_is_refused(tmp_path, name, column):
    (tmp_path / "list.star").write_text("data_particles\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnCoordinateZ\n1 2 3\n")
    named = {"rlnTomoParticlesFile": "list.star", column: name}
    (tmp_path / "set.star").write_text("data_\n" + "".join(f"_{key} {value}\n" for key, value in named.items()))
    with pytest.raises(InputError, match="does not exist in its folder or above"):
        read_particles(tmp_path / "set.star")


@pytest.mark.parametrize("rows", [[], ["[0.1,-0.9,0.02,0]"], ["[0,0,1,0]", "[0.1,-0.9,x,0]"], ["[0,1]"], ["?"]])
def test_projections_that_older_lists_hold_are_whole_or_refused(tmp_path, rows):
    (tmp_path / "tomograms.star").write_text(
        "data_global\nloop_\n_rlnTomoName\n_rlnTomoTiltSeriesPixelSize\n_rlnTomoSizeX\n_rlnTomoSizeY\n_rlnTomoSizeZ\nTS_1 2.5 72 64 24\n"
        "\ndata_TS_1\nloop_\n_rlnTomoProjZ\n_rlnVoltage\n" + "".join(f"{row} 300\n" for row in rows))
    if rows in ([], ["[0.1,-0.9,0.02,0]"]):
        tilts = read_tomograms(tmp_path / "tomograms.star").tomograms["TS_1"].tilt_range
        assert tilts == (pytest.approx((-78.69, -78.69), abs=0.01) if rows else None)
        return
    with pytest.raises(InputError, match="column rlnTomoProjZ holds"):
        read_tomograms(tmp_path / "tomograms.star")


def read_tomograms_without_files(path):
    """The tomograms of that project are not here, which is said by name."""
    with pytest.raises(InputError, match="rec_tomo200528_100"):
        read_tomograms(path)
    row = starfile.read(path).iloc[0]
    return {"pixel_size": row["rlnTomoTiltSeriesPixelSize"], "size": (row["rlnTomoSizeZ"], row["rlnTomoSizeY"], row["rlnTomoSizeX"])}


def test_reconstructions_of_warptools_are_found_beside_the_list(tmp_path):
    (tmp_path / "reconstruction").mkdir()
    write_volume(tmp_path / "reconstruction" / "TS_1_12.00Apx.mrc", np.arange(27, dtype=np.float32).reshape(3, 3, 3), 12.0)
    (tmp_path / "t.star").write_text("data_global\n\nloop_\n_rlnTomoName #1\n_rlnTomoSizeX #2\n_rlnTomoSizeY #3\n_rlnTomoSizeZ #4\n"
                                     "_rlnTomoTiltSeriesPixelSize #5\nTS_1.tomostar 18 18 18 2.0\nTS_10.tomostar 18 18 18 2.0\n")
    tomograms = read_tomograms(tmp_path / "t.star")
    assert (tomograms.tomograms["TS_1.tomostar"].voxel_size, tomograms.tomograms["TS_10.tomostar"].file) == (12.0, None)
    assert tomograms.known("TS_1_12.00Apx").name == "TS_1.tomostar"
    with pytest.raises(InputError, match="no reconstruction"):
        resolved("tomograms", [tmp_path / "t.star"])


@pytest.mark.parametrize("name", ["TS_01", "TS_01.tomostar", "rec_TS_01", "TS_01_10.00Apx", "rec_TS_01_10.00Apx", "TS_01_rec", "TS_01_Vol"])
def test_what_programs_add_to_names(name):
    assert plain_name(name) == "TS_01"


@pytest.fixture
def exported(relion_project, tmp_path, command):
    """Two lists of picks in voxels of the tomograms, one under the name of its file, written for the project."""
    first = ParticleTable.from_points([[11, 35, 65], [7, 28, 57]], voxel_size=10.0, tilt_series_id="TS_01", class_id=[1, 2],
                                      angles=[[10, 20, 30], [0, 90, 0]], score=[0.5, 0.25])
    second = ParticleTable.from_points([[12.25, 32, 36]], voxel_size=10.0, tilt_series_id="rec_TS_02", score=[1.0])
    write_particles(first, tmp_path / "a.star")
    write_particles(second, tmp_path / "b.csv")
    command("export", "relion", "--particles", tmp_path / "a.star", "--particles", tmp_path / "b.csv", "--project", relion_project / LIST,
            "--out", relion_project / "Picks" / "cryoetseg")
    return relion_project / "Picks" / "cryoetseg"


def test_particles_are_what_relion_takes(exported, relion_project):
    blocks = starfile.read(exported / "particles.star")
    optics, particles = blocks["optics"], blocks["particles"]
    # ParticleSet::read asks for these
    assert set(optics.columns) == {"rlnOpticsGroup", "rlnOpticsGroupName", "rlnVoltage", "rlnSphericalAberration", "rlnAmplitudeContrast",
                                   "rlnTomoTiltSeriesPixelSize"}
    assert optics["rlnTomoTiltSeriesPixelSize"].tolist() == [2.5, 2.5]
    assert particles["rlnTomoName"].tolist() == ["TS_01", "TS_01", "TS_02"]
    assert particles["rlnOpticsGroup"].tolist() == [1, 1, 2]
    assert particles["rlnTomoParticleName"].tolist() == ["TS_01/1", "TS_01/2", "TS_02/1"]
    assert particles["rlnClassNumber"].tolist() == [1, 2, 1]
    # RELION: pixel of the tilt series = centred / pixel size + size / 2, and a voxel is four of them
    centred = particles[[f"rlnCenteredCoordinate{axis}Angst" for axis in "XYZ"]].to_numpy()
    pixels = centred / 2.5 + np.array([288, 256, 96]) / 2
    np.testing.assert_allclose(pixels / 4, [[65, 35, 11], [57, 28, 7], [36, 32, 12.25]], atol=1e-5)
    np.testing.assert_allclose(particles[["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"]].to_numpy()[0], [10, 20, 30])


def test_the_optimisation_set_names_files_from_the_project_folder(exported, relion_project):
    names = starfile.read(exported / "optimisation_set.star", always_dict=True)["optimisation_set"].iloc[0]
    assert names["rlnTomoParticlesFile"] == os.path.join("Picks", "cryoetseg", "particles.star")
    assert names["rlnTomoTomogramsFile"] == LIST
    for name in names:
        assert (relion_project / name).is_file()
    assert list(read_tomograms(exported / "optimisation_set.star").tomograms) == ["TS_01", "TS_02"]


def test_particles_outside_and_unknown_tomograms_are_refused(relion_project, tmp_path, command):
    write_particles(ParticleTable.from_points([[11, 35, 90]], voxel_size=10.0, tilt_series_id="TS_01"), tmp_path / "far.star")
    words = ["export", "relion", "--project", relion_project / LIST, "--out", tmp_path / "o", "--particles"]
    told = command(*words, tmp_path / "far.star", code=2)
    assert "outside the tomogram" in told
    assert not (tmp_path / "o" / "particles.star").exists()
    write_particles(ParticleTable.from_points([[1, 2, 3]], voxel_size=10.0, tilt_series_id="other"), tmp_path / "other.star")
    assert "other" in command(*words, tmp_path / "other.star", code=8)


def test_what_is_written_comes_back_to_the_voxel(exported, relion_project, tmp_path, command):
    command("export", "copick", relion_project / LIST, "--particles", exported / "particles.star", "--relion", relion_project / LIST,
            "--out", tmp_path / "copick")
    import json

    (picks,) = (tmp_path / "copick").glob("data/ExperimentRuns/TS_02/Picks/*.json")
    assert json.loads(picks.read_text())["points"][0]["location"] == pytest.approx({"x": 360, "y": 320, "z": 122.5}, abs=1e-4)
