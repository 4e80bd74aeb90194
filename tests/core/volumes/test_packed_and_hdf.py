"""Packed MRC files and EMAN2's HDF: values against independent writers, and what damaged ones say."""
import bz2
import gzip

import mrcfile
import numpy as np
import pytest

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


def write_hdf(path, stored, compression=None, images=1, **attributes):
    h5py = pytest.importorskip("h5py", reason="h5py, which reads HDF, is not installed")
    with h5py.File(path, "w") as file:
        for number in range(images):
            node = file.create_group(f"MDF/images/{number}")
            node.create_dataset("image", data=stored, compression=compression)
            described = {"apix_x": 3.5, "apix_y": 3.5, "apix_z": 3.5, "origin_z": -7.0, **attributes}
            for name, value in described.items():
                node.attrs[f"EMAN.{name}"] = np.array([value])


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_hdf_of_eman(tmp_path, compression):
    write_hdf(tmp_path / "t.hdf", ARRAY, compression)
    read, header = io.read_volume(tmp_path / "t.hdf")
    np.testing.assert_array_equal(read, ARRAY)
    assert (header.shape, header.voxel_size, header.origin, header.format) == ((6, 5, 4), 3.5, (-7.0, 0, 0), "hdf")


def test_hdf_whose_bits_stand_for_a_range(tmp_path):
    """EMAN2 stores eight bits of a volume between -3 and 5 as 0 to 255."""
    values = np.linspace(-3, 5, 256).reshape(4, 8, 8)
    stored = np.rint((values + 3) / 8 * 255).astype(np.uint8)
    write_hdf(tmp_path / "t.hdf", stored, "gzip", stored_renderbits=8, stored_rendermin=-3.0, stored_rendermax=5.0)
    np.testing.assert_allclose(io.read_volume(tmp_path / "t.hdf")[0], values, atol=1e-5)


def test_hdf_that_is_no_single_volume(tmp_path):
    write_hdf(tmp_path / "stack.hdf", ARRAY, images=2)
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
