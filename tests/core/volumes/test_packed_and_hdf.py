"""Packed MRC files and EMAN2's HDF: values against independent writers, and what damaged ones say."""
import bz2
import gzip

import mrcfile
import numpy as np
import pytest
from eman_files import read_eman, write_eman

from cryoetseg.core.runtime.errors import InputError, OutputError
from cryoetseg.core.volumes import io
from cryoetseg.core.volumes.names import volume_stem, volume_suffix

ARRAY = (np.arange(6 * 5 * 4).reshape(6, 5, 4) % 101).astype(np.float32)


def write_packed(path, array=ARRAY):
    """mrcfile packs by itself."""
    with mrcfile.new(path, compression={".gz": "gzip", ".bz2": "bzip2"}[path.suffix]) as file:
        file.set_data(array)
        file.set_volume()
        file.voxel_size = 7.84
        file.header.origin.z = 3.5


@pytest.mark.parametrize("name", ["TS_01.mrc.gz", "TS_01.mrc.bz2", "TS_01.rec.gz", "TS_01.MAP.gz"])
def test_packed_volumes_read_as_what_was_packed(tmp_path, name):
    path = tmp_path / name
    write_packed(path)
    read, header = io.read_volume(path)
    np.testing.assert_array_equal(read, ARRAY)
    assert (header.voxel_size, header.origin, header.path) == (pytest.approx(7.84), (3.5, 0, 0), path)
    assert (volume_stem(path), io.FORMATS[volume_suffix(path)]) == ("TS_01", "compressed")
    assert [item.name for item in tmp_path.iterdir()] == [name]


def test_a_repacked_volume_is_read_again(tmp_path):
    path = tmp_path / "v.mrc.gz"
    write_packed(path)
    first = io.open_volume(path).data
    for number in range(6):  # more files than copies are kept
        write_packed(tmp_path / f"other{number}.mrc.gz", ARRAY + number)
        assert io.read_volume(tmp_path / f"other{number}.mrc.gz")[0][0, 0, 0] == number
    path.unlink()
    write_packed(path, ARRAY[:5] * 2)
    np.testing.assert_array_equal(io.read_volume(path)[0], ARRAY[:5] * 2)
    np.testing.assert_array_equal(first, ARRAY)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_damaged_packed_files_say_so_by_their_own_name(tmp_path, pack):
    suffix = ".mrc.gz" if pack is gzip.compress else ".mrc.bz2"
    content = tmp_path / "plain.mrc"
    io.write_volume(content, ARRAY, 5.0)
    packed = pack(content.read_bytes())
    for name, data in {"cut": packed[:-20], "text": b"no archive", "short": pack(content.read_bytes()[:1100])}.items():
        path = tmp_path / f"{name}{suffix}"
        path.write_bytes(data)
        with pytest.raises(InputError) as caught:
            io.read_volume(path)
        assert str(path) in str(caught.value)
        assert "cryoetseg_" not in str(caught.value)


def test_packed_and_hdf_volumes_are_not_written(tmp_path):
    for name in ("v.mrc.gz", "v.hdf"):
        with pytest.raises(OutputError, match="no volume format that is written"):
            io.write_volume(tmp_path / name, ARRAY, 5.0)
        assert not (tmp_path / name).exists()


@pytest.mark.parametrize("bits", [None, 0, 5, 8, 12, 16])
def test_hdf_of_eman(tmp_path, bits):
    """Values to the last bit as EMAN2 gives them back, plain, packed, and in bits of a range."""
    write_eman(tmp_path / "t.hdf", ARRAY / 7 - 3, bits, origin_z=-7.0)
    read, header = io.read_volume(tmp_path / "t.hdf")
    np.testing.assert_allclose(read, read_eman(tmp_path / "t.hdf"), rtol=1e-6, atol=1e-6)
    assert bits not in (None, 0, 16) or np.allclose(read, ARRAY / 7 - 3, atol=2e-4)
    assert (header.shape, header.voxel_size, header.origin, header.format) == ((6, 5, 4), 3.5, (-7.0, 0, 0), "hdf")


@pytest.mark.parametrize("highest", [0, 1, 2, 6, 120, 255])
def test_labels_in_bits_are_whole_numbers(tmp_path, highest):
    labels = np.arange(3 * 10 * 10).reshape(3, 10, 10) % (highest + 1)
    write_eman(tmp_path / "t.hdf", labels, 8)
    np.testing.assert_array_equal(io.read_labels(tmp_path / "t.hdf")[0], labels)


def test_a_range_of_one_value_is_that_value(tmp_path):
    """EMAN2 takes the range as told, although it is no range."""
    write_eman(tmp_path / "t.hdf", np.full((3, 4, 5), 4.5), 8)
    assert read_eman(tmp_path / "t.hdf").max() == 4.5
    np.testing.assert_array_equal(io.open_labels(tmp_path / "t.hdf").data, 4.5)


def test_hdf_that_is_no_single_volume(tmp_path):
    write_eman(tmp_path / "stack.hdf", ARRAY, images=2)
    with pytest.raises(InputError, match="2 images"):
        io.read_volume(tmp_path / "stack.hdf")
    (tmp_path / "text.hdf").write_text("no HDF")
    with pytest.raises(InputError, match="e2proc3d"):
        io.read_volume(tmp_path / "text.hdf")


def test_hdf_without_h5py_says_how_to_convert(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    (tmp_path / "t.hdf").write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(InputError, match="newstack"):
        io.read_volume(tmp_path / "t.hdf")
