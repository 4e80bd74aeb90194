"""Headers of IMOD and of older programs: bytes stored with 128 subtracted, origins of the other sign, what is promised and missing."""
import struct

import mrcfile
import numpy as np
import pytest

from cryoetseg.core.metrics.apply import run
from cryoetseg.core.runtime.errors import InputError
from cryoetseg.core.runtime.job import Job
from cryoetseg.core.volumes import io

STAMP = 1146047817
MASK = (np.arange(4 * 5 * 6).reshape(4, 5, 6) % 7 < 2).astype(np.uint8)


def mrc(path, data, *, statistics=(0, -1, -2), flags=None, nversion=0, nsymbt=0, origin=(0, 0, 0), ispg=1, mz=None):
    """A header written field by field after mrc_format.txt of IMOD; ``data`` (z, y, x) as it lies in the file."""
    nz, ny, nx = data.shape
    head = bytearray(1024)
    struct.pack_into("<4i", head, 0, nx, ny, nz, {"u1": 0, "i1": 0, "f4": 2}[data.dtype.str[1:]])
    struct.pack_into("<3i3f3f3i3f2i", head, 28, nx, ny, mz or nz, nx * 10, ny * 10, (mz or nz) * 10, 90, 90, 90, 1, 2, 3, *statistics, ispg,
                     nsymbt)
    struct.pack_into("<i", head, 108, nversion)
    if flags is not None:
        struct.pack_into("<2i", head, 152, STAMP, flags)
    struct.pack_into("<3f4s4s", head, 196, *origin, b"MAP ", b"DD\0\0")
    path.write_bytes(bytes(head) + data.tobytes())
    return path


@pytest.mark.parametrize("statistics", [(-128, -127, -127.5), (0, 1, 0.3), (0, 0, 0), (0, -1, -2)])
def test_bytes_that_imod_stores_shifted(tmp_path, statistics):
    path = mrc(tmp_path / "mask.mrc", (MASK - np.uint8(128)).view(np.int8), statistics=statistics, flags=1)
    labels, header = io.read_labels(path)
    np.testing.assert_array_equal(labels, MASK)
    assert header.dtype == np.uint8
    volume, _ = io.read_volume(path)
    np.testing.assert_array_equal(volume, MASK)
    opened = io.open_labels(path).data
    np.testing.assert_array_equal(opened[1:3, ::2, 4], MASK[1:3, ::2, 4])
    np.testing.assert_array_equal(np.asarray(opened), MASK)


def test_the_header_of_imod_around_bytes_of_another_program(tmp_path):
    """What ``mrcfile`` leaves when a mask is put into a file of IMOD: its stamp and flags stay, the statistics are the new ones."""
    path = mrc(tmp_path / "mask.mrc", (MASK - np.uint8(128)).view(np.int8), flags=1)
    with mrcfile.open(path, mode="r+") as file:
        file.set_data(MASK.astype(np.int8))
    labels, header = io.read_labels(path)
    np.testing.assert_array_equal(labels, MASK)
    assert "contradicts dmin, dmax: 0 to 1" in header.warnings[0]


def test_a_shifted_mask_scores_as_the_same_mask(tmp_path):
    io.write_volume(tmp_path / "found.mrc", MASK, 10.0)
    mrc(tmp_path / "truth.mrc", (MASK - np.uint8(128)).view(np.int8), flags=1)
    inputs = [{"path": str(tmp_path / f"{role}.mrc"), "role": name} for role, name in (("found", "predicted"), ("truth", "truth"))]
    job = Job(method="evaluate-segmentation", parameters={"bootstrap_repeats": 0}, inputs=inputs, output_folder=str(tmp_path / "out"))
    assert run(job).metrics["dice"] == 1.0


@pytest.mark.parametrize("statistics", [(0, 0, 0), (0, -1, -2)])
@pytest.mark.parametrize(("values", "expected"), [
    (np.random.default_rng(0).normal(128, 20, (4, 20, 20)).astype("u1"), "unsigned"),
    (np.random.default_rng(0).normal(0, 20, (4, 20, 20)).astype("i1"), "signed"),
    (MASK * np.uint8(255), "unsigned"), (MASK, "unsigned"), (MASK * np.uint8(200), "unsigned")])
def test_bytes_whose_statistics_are_not_set_are_told_by_their_values(tmp_path, statistics, values, expected):
    path = mrc(tmp_path / "v.mrc", values, statistics=statistics)
    labels, header = io.read_labels(path)
    np.testing.assert_array_equal(labels, values)
    assert "not set" in header.warnings[0]
    if values.max() > 127 or expected == "signed":
        assert header.dtype == {"unsigned": np.uint8, "signed": np.int8}[expected]


@pytest.mark.parametrize(("flags", "nversion", "sign"), [(0, 0, -1), (1, 0, -1), (4, 0, 1), (0, 20140, 1), (None, 0, 1), (None, 20141, 1)])
def test_sign_of_the_origin(tmp_path, flags, nversion, sign):
    path = mrc(tmp_path / "v.mrc", MASK.astype("f4"), flags=flags, nversion=nversion, origin=(-1000, -500, 60))
    header = io.read_header(path)
    assert header.origin == (60 * sign, -500 * sign, -1000 * sign)
    io.write_volume(tmp_path / "result.mrc", MASK, header.voxel_size, header.origin)
    with mrcfile.open(tmp_path / "result.mrc", header_only=True) as file:  # the standard's sign, and said so
        assert file.header.nversion >= 20140
        assert [float(file.header.origin[axis]) for axis in "xyz"] == [-1000 * sign, -500 * sign, 60 * sign]


def test_an_extended_header_that_is_not_there(tmp_path):
    path = mrc(tmp_path / "v.mrc", MASK.astype("f4"), nsymbt=1024)
    volume, header = io.read_volume(path)
    np.testing.assert_array_equal(volume, MASK)
    assert "nsymbt" in header.warnings[0]
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(InputError, match="file length"):
        io.read_volume(path)


def test_bytes_of_two_voxels_and_stacks_of_images_are_refused_by_name(tmp_path):
    with pytest.raises(InputError, match="four bits"):
        io.read_volume(mrc(tmp_path / "v.mrc", MASK[:, :, :3], flags=16))
    with pytest.raises(InputError, match="stack of 4 images"):
        io.read_volume(mrc(tmp_path / "v.mrc", MASK.astype("f4"), ispg=0, mz=1))
    with mrcfile.new(tmp_path / "series.mrc", MASK.astype("f4"), overwrite=True) as file:
        file.set_image_stack()
    with pytest.raises(InputError, match="stack of 4 images"):
        io.read_header(tmp_path / "series.mrc")


def test_labels_whose_header_calls_them_images_are_read(tmp_path):
    labels = io.open_labels(mrc(tmp_path / "labels.mrc", MASK.astype("f4"), ispg=0, mz=1), 12.0)
    np.testing.assert_array_equal(labels.data, MASK)
    assert labels.header.voxel_size == 12.0


@pytest.mark.parametrize(("truth", "words"), [
    (np.zeros_like(MASK, np.int8), ["empty"]), (MASK.astype(np.int8) - 1, ["empty", "down to -1"])])
def test_an_empty_or_negative_truth_is_said(tmp_path, truth, words):
    io.write_volume(tmp_path / "found.mrc", MASK, 10.0)
    io.write_volume(tmp_path / "truth.mrc", truth, 10.0)
    inputs = [{"path": str(tmp_path / f"{role}.mrc"), "role": name} for role, name in (("found", "predicted"), ("truth", "truth"))]
    job = Job(method="evaluate-segmentation", parameters={"bootstrap_repeats": 0}, inputs=inputs, output_folder=str(tmp_path / "out"))
    warnings = run(job).warnings
    assert [word in text for word, text in zip(words, warnings, strict=True)] == [True] * len(words)


def test_a_mask_that_holds_nothing_is_not_suspected(tmp_path):
    io.write_volume(tmp_path / "empty.mrc", np.zeros((4, 8, 8), np.int8), 10.0)
    assert not io.read_header(tmp_path / "empty.mrc").warnings
