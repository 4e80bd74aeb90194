"""The line that says what an output was made from, in every format that has room for it, read by other readers."""
from xml.etree import ElementTree

import mrcfile
import numpy as np
import pytest
import starfile
import tifffile
import zarr

from cryoetseg.core.methods import run_job
from cryoetseg.core.particles.formats import WRITERS, read_particles, write_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.runtime.job import InputFile, Job, MethodOutcome
from cryoetseg.core.runtime.provenance import making, origin_of
from cryoetseg.core.runtime.record import recorded_run
from cryoetseg.core.volumes.io import FORMATS, READ_ONLY, read_volume, write_volume

SUM = {"/data/TS_01.mrc": "a" * 64, "/data/TS_01_b.mrc": "b" * 64, "/data/other.star": "c" * 64}


def test_outside_of_a_job_nothing_is_claimed(tmp_path):
    assert origin_of(tmp_path / "x.mrc") == ""
    write_volume(tmp_path / "x.mrc", np.arange(8, dtype=np.float32).reshape(2, 2, 2), 10.0)
    with mrcfile.open(tmp_path / "x.mrc") as file:
        assert [label.strip() for label in file.get_labels()] == [file.get_labels()[0]]


@pytest.mark.parametrize(("name", "expected"), [
    ("TS_01_b_membranes.mrc", "of TS_01_b.mrc sha256:" + "b" * 16), ("TS_01_membranes.mrc", "of TS_01.mrc sha256:" + "a" * 16),
    ("particles.star", "of 3 inputs sha256:")])
def test_the_input_whose_name_begins_the_outputs(tmp_path, name, expected):
    with making("segment-membranes", SUM):
        assert expected in origin_of(tmp_path / name)
        assert len(origin_of(tmp_path / name)) <= 80
    assert origin_of(tmp_path / name) == ""


@pytest.fixture
def made(tmp_path):
    """Outputs of one recorded run in all formats with room for the line, and the line."""
    write_volume(tmp_path / "TS_01.mrc", np.arange(8, dtype=np.float32).reshape(2, 2, 2), 10.0)
    out, lines = tmp_path / "out", []

    def method(job):
        for suffix in ("mrc", "tif", "zarr"):
            write_volume(out / f"TS_01_mask.{suffix}", np.arange(8, dtype=np.int8).reshape(2, 2, 2), 10.0)
        for suffix in ("star", "mod", "xml"):
            write_particles(ParticleTable.from_points([[1, 2, 3]], voxel_size=10.0), out / f"TS_01.{suffix}")
        lines.append(origin_of(out / "TS_01.star"))
        return MethodOutcome()

    result = recorded_run(Job(method="m", inputs=[InputFile(path=str(tmp_path / "TS_01.mrc"))], output_folder=str(out)), method)
    assert result.sha256[str(tmp_path / "TS_01.mrc")][:16] in lines[0]
    return out, lines[0]


def test_volumes_carry_it(made):
    out, line = made
    with mrcfile.open(out / "TS_01_mask.mrc") as file:
        assert file.get_labels()[1] == line
    assert mrcfile.validate(out / "TS_01_mask.mrc")
    with tifffile.TiffFile(out / "TS_01_mask.tif") as file:
        assert file.imagej_metadata["made_by"] == line
    assert zarr.open_group(str(out / "TS_01_mask.zarr"), mode="r").attrs["multiscales"][0]["metadata"]["made_by"] == line


def test_lists_carry_it_and_are_read_as_before(made):
    out, line = made
    assert (out / "TS_01.star").read_text().startswith(f"# {line}\n")
    assert len(starfile.read(out / "TS_01.star")) == 1
    assert line.encode() in (out / "TS_01.mod").read_bytes()[8:136]
    assert line in (out / "TS_01.xml").read_text().splitlines()[0]
    for suffix in ("star", "mod", "xml"):
        assert read_particles(out / f"TS_01.{suffix}").zyx.tolist() == [[1, 2, 3]]


# formats that are rows of numbers and nothing else, or objects whose fields their programs fix
WITHOUT_ROOM = ("dynamo", "coords", "xyz", "imod_points", "csv", "portal")


@pytest.mark.parametrize("name", WRITERS)
def test_every_list_that_can_hold_it_does(name, tmp_path):
    table = ParticleTable.from_points([[1, 2, 3]], voxel_size=10.0, tilt_series_id="1")
    with making("pick", SUM):
        write_particles(table, tmp_path / "TS_01.list", format=name)
        line = origin_of(tmp_path / "TS_01.list")
    assert (line.encode() in (tmp_path / "TS_01.list").read_bytes()) == (name not in WITHOUT_ROOM)
    assert read_particles(tmp_path / "TS_01.list", format=name, voxel_size=10.0).zyx.tolist() == [[1, 2, 3]]


@pytest.mark.parametrize("suffix", [suffix for suffix, name in FORMATS.items() if name not in READ_ONLY])
def test_every_volume_holds_it(suffix, tmp_path):
    path, array = tmp_path / f"TS_01{suffix}", np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    with making("segment-membranes", SUM):
        write_volume(path, array, 10.0, (1.0, 2.0, 3.0))
        line = origin_of(path)
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    assert any(line.encode() in file.read_bytes() for file in files)
    read, header = read_volume(path)
    np.testing.assert_array_equal(read, array)
    assert (header.voxel_size, header.origin) == (10.0, (1.0, 2.0, 3.0))


@pytest.mark.parametrize("suffix", [".cxc", ".cmm"])
def test_scenes_hold_it(suffix, tmp_path):
    write_volume(tmp_path / "TS_01.mrc", np.arange(60, dtype=np.float32).reshape(3, 4, 5), 10.0)
    write_particles(ParticleTable.from_points([[1, 2, 3]], voxel_size=10.0, tilt_series_id="TS_01"), tmp_path / "TS_01.star")
    inputs = [InputFile(path=str(tmp_path / f"TS_01.{end}"), role=role, tilt_series_id="TS_01")
              for end, role in (("mrc", "tomogram"), ("star", "particles"))]
    result = run_job(Job(method="export-chimerax", inputs=inputs, output_folder=str(tmp_path / "out")))
    (file,) = (tmp_path / "out").glob(f"*{suffix}")
    assert any(f"sha256:{value[:16]}" in file.read_text() for value in result.sha256.values())
    assert suffix == ".cxc" or ElementTree.fromstring(file.read_text()).tag == "marker_set"
