"""The door to all formats: round trips read by independent programs, bad input, labels, the shared real files."""
import resource
import subprocess
import sys

import emfile
import numpy as np
import pytest
import tifffile
import zarr

from cryoetseg.core.runtime.errors import InputError, OutputError, ParameterError
from cryoetseg.core.volumes import io

GEOMETRY = {"voxel_size": 13.4812, "origin": (-12.5, 0.25, 4000.0)}


def asymmetric(dtype="float32"):
    return (np.arange(4 * 5 * 6).reshape(4, 5, 6) % 113).astype(dtype)


def em_reader(path):
    header, data = emfile.read(path)
    return data, header["OBJ"] / 100


def tiff_reader(path):
    with tifffile.TiffFile(path) as file:
        metadata = file.imagej_metadata
        pixels, unit = file.pages[0].tags["XResolution"].value
        assert metadata["unit"] == "angstrom"
        assert unit / pixels == pytest.approx(metadata["spacing"], rel=1e-6)
        return file.asarray(), metadata["spacing"]


def zarr_reader(path):
    group = zarr.open_group(str(path), mode="r", zarr_format=2)
    image = group.attrs["multiscales"][0]
    assert [axis["name"] for axis in image["axes"]] == ["z", "y", "x"]
    assert (path / "0" / ".zarray").exists()
    return group["0"][:], image["datasets"][0]["coordinateTransformations"][0]["scale"][0]


@pytest.mark.parametrize(("suffix", "reader", "tolerance"), [("em", em_reader, 1e-3), ("tif", tiff_reader, 1e-6), ("zarr", zarr_reader, 0)])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "float16", "float32"])
def test_round_trip_and_independent_reader(tmp_path, suffix, reader, tolerance, dtype):
    path, array = tmp_path / f"v.{suffix}", asymmetric(dtype)
    for _ in range(2):  # the second write replaces the first
        io.write_volume(path, array, **GEOMETRY)
    data, voxel_size = reader(path)
    np.testing.assert_array_equal(data, array)
    assert voxel_size == pytest.approx(GEOMETRY["voxel_size"], rel=tolerance)
    read, header = io.read_volume(path)
    np.testing.assert_array_equal(read, array)
    assert header.voxel_size == pytest.approx(GEOMETRY["voxel_size"], rel=1e-6)
    assert header.origin == pytest.approx(GEOMETRY["origin"])
    assert header.voxel_size_is_known
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", ["mrc", "em", "tif", "zarr"])
def test_failed_write_keeps_the_earlier_file(tmp_path, suffix):
    path = tmp_path / f"v.{suffix}"
    io.write_volume(path, asymmetric(), **GEOMETRY)
    with pytest.raises(ZeroDivisionError), io.create_volume(path, (9, 9, 9), np.float32, 5.0) as target:
        target[0] = 1 / 0
    with pytest.raises(OutputError, match="NaN or infinite"):
        io.write_volume(path, np.full((9, 9, 9), np.inf), 5.0)
    np.testing.assert_array_equal(io.read_volume(path)[0], asymmetric())
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("suffix", ["mrc", "zarr"])
def test_killed_while_writing_keeps_the_earlier_file(tmp_path, suffix):
    path = tmp_path / f"v.{suffix}"
    io.write_volume(path, asymmetric(), **GEOMETRY)
    code = ("import os, sys\nfrom cryoetseg.core.volumes import io\n"
            "with io.create_volume(sys.argv[1], (9, 9, 9), 'f4', 5.0) as target:\n    target[:5] = 1\n    os.kill(os.getpid(), 9)")
    assert subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True).returncode == -9
    np.testing.assert_array_equal(io.read_volume(path)[0], asymmetric())


@pytest.mark.parametrize("suffix", ["mrc", "em", "tif", "zarr"])
def test_unwritable_folder_is_an_output_error(tmp_path, suffix):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write"):
        io.write_volume(tmp_path / "file" / f"v.{suffix}", asymmetric(), 5.0)


def test_full_disk_is_an_output_error_and_not_a_killed_process(tmp_path):
    """A file-size limit stands for the full disk: the space is asked for before the map is written."""
    code = ("import numpy as np, sys\nfrom cryoetseg.core.volumes import io\nfrom cryoetseg.core.runtime.errors import OutputError\n"
            "try:\n    io.write_volume(sys.argv[1], np.ones((16, 64, 64), 'f4'), 5.0)\nexcept OutputError as error:\n    print(error)\n")
    limit = 100_000
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "v.mrc")], capture_output=True, text=True,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    assert done.returncode == 0, done.stderr
    assert "cannot write" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("arguments", "words"), [
    ({"path": "v.xyz"}, "suffix"), ({"array": np.ones((4, 4))}, "three positive sizes"), ({"array": np.ones((2, 3, 4, 5))}, "three"),
    ({"voxel_size": 0}, "voxel_size"), ({"voxel_size": np.nan}, "voxel_size"), ({"array": np.ones((2, 3, 4), complex)}, "complex")])
def test_what_cannot_be_written(tmp_path, arguments, words):
    given = {"path": "v.mrc", "array": np.ones((2, 3, 4)), "voxel_size": 5.0, **arguments}
    with pytest.raises(OutputError, match=words):
        io.write_volume(tmp_path / given["path"], given["array"], given["voxel_size"])


def test_bool_and_double_arrays_are_narrowed(tmp_path):
    io.write_volume(tmp_path / "m.mrc", asymmetric() > 50, 5.0)
    assert io.read_header(tmp_path / "m.mrc").dtype == np.int8
    io.write_volume(tmp_path / "d.mrc", asymmetric("float64"), 5.0)
    assert io.read_header(tmp_path / "d.mrc").dtype == np.float32


@pytest.mark.parametrize("stated", [0.0, 1.0])
def test_unknown_voxel_size_warns_and_can_be_given(tmp_path, stated, caplog):
    path = tmp_path / "v.mrc"
    io.write_volume(path, asymmetric(), 1.0)
    if stated == 0:
        content = bytearray(path.read_bytes())
        content[40:52] = bytes(12)
        path.write_bytes(content)
    header = io.read_header(path)
    assert not header.voxel_size_is_known
    assert header.voxel_size == 1.0
    assert "voxel_size=" in header.warnings[0]
    assert "voxel_size=" in caplog.text
    given = io.read_header(path, voxel_size=8.7)
    assert (given.voxel_size, given.voxel_size_is_known, given.warnings) == (8.7, True, ())


def test_implausible_given_voxel_size(tmp_path):
    io.write_volume(tmp_path / "v.mrc", asymmetric(), 5.0)
    with pytest.raises(ParameterError, match="voxel_size"):
        io.read_header(tmp_path / "v.mrc", voxel_size=1000)


@pytest.mark.parametrize("suffix", ["mrc", "em", "tif", "zarr"])
def test_constant_volume_is_refused_but_may_be_a_mask(tmp_path, suffix):
    path = tmp_path / f"v.{suffix}"
    io.write_volume(path, np.zeros((3, 4, 5), np.int16), 5.0)
    with pytest.raises(InputError, match="every voxel has the value 0"):
        io.read_volume(path)
    assert not io.read_labels(path)[0].any()


def test_labels_keep_their_type_and_must_be_whole(tmp_path):
    io.write_volume(tmp_path / "l.mrc", asymmetric("int16"), 5.0)
    assert io.read_labels(tmp_path / "l.mrc")[0].dtype == np.int16
    io.write_volume(tmp_path / "f.mrc", asymmetric("float32"), 5.0)
    assert io.read_labels(tmp_path / "f.mrc")[0].dtype == np.int32
    io.write_volume(tmp_path / "p.mrc", asymmetric() / 7, 5.0)
    with pytest.raises(InputError, match="whole numbers"):
        io.read_labels(tmp_path / "p.mrc")


@pytest.mark.parametrize("name", ["missing.mrc", "missing.zarr", "missing.tif", "missing.em", "folder.mrc", "text.txt"])
def test_what_is_no_volume_file(tmp_path, name):
    if name.startswith("folder"):
        (tmp_path / name).mkdir()
    with pytest.raises(InputError, match=name):
        io.open_volume(tmp_path / name)


@pytest.mark.parametrize("suffix", ["em", "tif"])
def test_mutated_and_truncated_files_give_the_data_or_a_typed_error(tmp_path, suffix):
    path, rng, array = tmp_path / f"v.{suffix}", np.random.default_rng(5), asymmetric("float32")
    io.write_volume(path, array, **GEOMETRY)
    original, refused = path.read_bytes(), 0
    for number in range(250):
        content = bytearray(original)
        content[int(rng.integers(512 if suffix == "em" else 480))] ^= 1 << int(rng.integers(8))
        path.write_bytes(content if number % 3 else content[:int(rng.integers(len(content)))])
        try:
            data, header = io.read_volume(path)
        except (InputError, ParameterError):
            refused += 1
            continue
        assert data.shape == header.shape
    assert refused > 80


@pytest.mark.parametrize("metadata", [b"{", b"{}", b'{"multiscales": []}', b'{"multiscales": [{"datasets": [{"path": "nowhere"}]}]}'])
def test_damaged_zarr_metadata(tmp_path, metadata):
    path = tmp_path / "v.zarr"
    io.write_volume(path, asymmetric(), **GEOMETRY)
    (path / ".zattrs").write_bytes(metadata)
    with pytest.raises(InputError, match="multiscales"):
        io.read_volume(path)


def test_damaged_and_missing_zarr_chunks(tmp_path, caplog):
    path = tmp_path / "v.zarr"
    io.write_volume(path, asymmetric(), **GEOMETRY)
    volume = io.open_volume(path)
    chunk = next(file for file in (path / "0").rglob("0") if file.is_file())
    content = chunk.read_bytes()
    chunk.write_bytes(content[:len(content) // 2])
    with pytest.raises(InputError, match="chunk cannot be read"):
        io.read_volume(path)
    with pytest.raises(InputError, match="chunk cannot be read"):  # met later, as when a disk fails
        volume.data[1:2]
    chunk.unlink()
    with pytest.raises(InputError, match="every voxel"):
        io.read_volume(path)
    assert "1 of 1 chunks are not there" in caplog.text


def test_zarr_of_format_3_with_other_units_and_global_scale(tmp_path):
    group = zarr.open_group(str(tmp_path / "v.zarr"), mode="w", zarr_format=3)
    array = group.create_array("fine", shape=(4, 5, 6), dtype="f4", chunks=(2, 2, 2))
    array[:] = asymmetric()
    axes = [{"name": name, "type": "space", "unit": "nanometer"} for name in "zyx"]
    level = {"path": "fine", "coordinateTransformations": [{"type": "scale", "scale": [0.5] * 3},
                                                           {"type": "translation", "translation": [1.0, 2.0, 3.0]}]}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": [level], "coordinateTransformations": [
        {"type": "scale", "scale": [2.0] * 3}]}]}
    data, header = io.read_volume(tmp_path / "v.zarr")
    np.testing.assert_array_equal(data, asymmetric())
    assert header.voxel_size == 10.0
    assert header.origin == (20.0, 40.0, 60.0)


def test_zarr_with_channels_is_refused(tmp_path):
    group = zarr.open_group(str(tmp_path / "v.zarr"), mode="w", zarr_format=2)
    group.create_array("0", shape=(2, 4, 5, 6), dtype="f4")
    group.attrs["multiscales"] = [{"axes": ["c", "z", "y", "x"], "datasets": [{"path": "0"}]}]
    with pytest.raises(InputError, match="axes"):
        io.read_volume(tmp_path / "v.zarr")


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_ome_tiff(tmp_path, compression):
    tifffile.imwrite(tmp_path / "v.tif", asymmetric("uint8"), ome=True, compression=compression,
                     metadata={"axes": "ZYX", "PhysicalSizeX": 1.5, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 1.5,
                               "PhysicalSizeYUnit": "nm", "PhysicalSizeZ": 1.5, "PhysicalSizeZUnit": "nm"})
    data, header = io.read_volume(tmp_path / "v.tif")
    np.testing.assert_array_equal(data, asymmetric())
    assert header.voxel_size == 15.0


@pytest.mark.parametrize(("array", "words"), [(np.ones((5, 6), "u1"), "2D"), (np.ones((2, 3, 5, 6), "f4"), "4 dimensions"),
                                              (np.ones((5, 6, 3), "u1"), "colour"), (np.ones((4, 5, 6), "f8"), "float64")])
def test_tiff_that_is_no_volume(tmp_path, array, words):
    tifffile.imwrite(tmp_path / "v.tif", array, photometric="rgb" if array.shape[-1] == 3 else "minisblack")
    with pytest.raises(InputError, match=words):
        io.read_volume(tmp_path / "v.tif")


NOT_VOLUMES = {"ribosome_motl.em", "sarscov2_TS_001.133.tif", "sarscov2_TS_001.133_ground_truth.tif"}


def test_every_shared_volume_is_read(shared_data):
    files = [file for suffix in ("mrc", "map", "mrcs", "em", "tif") for file in sorted(shared_data.rglob(f"*.{suffix}"))]
    assert len(files) > 60
    for file in files:
        if file.name in NOT_VOLUMES:
            with pytest.raises(InputError, match="2D"):
                io.read_header(file)
            continue
        volume = io.open_volume(file)
        assert volume.data.shape == volume.header.shape
        assert volume.header.voxel_size_is_known or volume.header.warnings


@pytest.mark.parametrize(("name", "shape", "voxel_size"), [
    ("tomograms/empiar11658_tomo171_31A.mrc", (128, 256, 256), 31.36), ("tomograms/microtubule_13pf.tif", (36, 206, 94), 10.52),
    ("templates/desmosome_emd1703_6A.map", (46, 65, 46), 6.0), ("annotations/presynapse_vesicle_labels.mrc", (60, 155, 155), 16.84),
    ("subtomograms/relion5_2dstack/Unt_083_12.00A_000001.mrcs", (37, 32, 32), 12.0)])
def test_shared_headers(shared_data, name, shape, voxel_size):
    header = io.read_header(shared_data / name)
    assert header.shape == shape
    assert header.voxel_size == pytest.approx(voxel_size, rel=1e-4)


def test_tiff_and_mrc_of_the_same_tomogram_agree(shared_data):
    tiff, _ = io.read_volume(shared_data / "tomograms/microtubule_13pf.tif")
    mrc, _ = io.read_volume(shared_data / "tomograms/microtubule_13pf_10.52A.mrc")
    np.testing.assert_array_equal(tiff, mrc)
