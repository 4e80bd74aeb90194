"""Pyramids and labels of OME-Zarr, read by zarr alone."""
import numpy as np
import pytest
import zarr

from cryoetseg.core.runtime.errors import InputError
from cryoetseg.core.volumes import io
from cryoetseg.core.volumes.zarr_ngff_writer import create, halved, write_labels


def ramp(shape):
    """A volume whose value is its place along x, in Angstrom, so that a level that is off shows it."""
    return np.broadcast_to(np.arange(shape[2], dtype=np.float32) * 5.0, shape).copy()


def write(path, array, version="0.4"):
    with create(path, array.shape, array.dtype, 5.0, (10.0, 20.0, 30.0), version) as target:
        target[:] = array


@pytest.mark.parametrize(("version", "zarr_format"), [("0.4", 2), ("0.5", 3)])
def test_levels_lie_where_their_transformations_say(tmp_path, version, zarr_format):
    path = tmp_path / "t.zarr"
    write(path, ramp((20, 70, 200)), version)
    group = zarr.open_group(str(path), mode="r", zarr_format=zarr_format)
    image = (group.attrs["ome"] if version == "0.5" else group.attrs)["multiscales"][0]
    assert (group.attrs["ome"]["version"] if version == "0.5" else image["version"]) == version
    assert [group[item["path"]].shape for item in image["datasets"]] == [(20, 70, 200), (10, 35, 100), (5, 18, 50)]
    assert {axis["unit"] for axis in image["axes"]} == {"angstrom"}
    for item in image["datasets"]:
        scale, translation = (step[step["type"]] for step in item["coordinateTransformations"])
        data = group[item["path"]][:]
        np.testing.assert_allclose(data[0, 0] + 30.0, np.arange(data.shape[2]) * scale[2] + translation[2], atol=1e-3)
        assert group[item["path"]].chunks == tuple(min(64, size) for size in data.shape)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_reading_starts_at_the_level_asked_for(tmp_path, version):
    path = tmp_path / "t.zarr"
    write(path, ramp((20, 70, 200)), version)
    for asked, shape, origin in [(None, (20, 70, 200), 30.0), (10.0, (10, 35, 100), 32.5), (20.1, (5, 18, 50), 37.5)]:
        read, header = io.read_volume(path, asked)
        assert read.shape == header.shape == shape
        assert (header.voxel_size, header.origin[2]) == (asked or 5.0, origin)
        assert read[0, 0, 1] + 30.0 == pytest.approx(origin + header.shape[2] ** -1 * 200 * 5.0)
    # a size that no level has is a correction, as in other formats
    assert io.read_header(path, 7.0).shape == (20, 70, 200)


def test_halving_keeps_means_and_labels():
    values = np.arange(3 * 4 * 5, dtype=np.float32).reshape(3, 4, 5)
    assert halved(values)[0, 0, 0] == pytest.approx(values[:2, :2, :2].mean())
    assert halved(values).shape == (2, 2, 3)
    labels = np.zeros((4, 4, 4), dtype=np.int16)
    labels[:2, :2, :2] = 7
    labels[2, 2, :] = 300
    assert np.unique(halved(labels)).tolist() == [0, 7]
    assert halved(labels)[0, 0, 0] == 7


@pytest.mark.parametrize(("version", "zarr_format"), [("0.4", 2), ("0.5", 3)])
def test_masks_go_along_as_labels(tmp_path, version, zarr_format):
    path = tmp_path / "t.zarr"
    write(path, ramp((20, 70, 130)), version)
    mask = np.zeros((20, 70, 130), dtype=np.int8)
    mask[4:12, 8:30, 50:90], mask[14:] = 1, 2
    for name in ("membranes", "classes", "membranes"):  # the last replaces the first
        write_labels(path, name, mask, 5.0, (10.0, 20.0, 30.0), {1: "membrane", 2: "ice"})
    listed = zarr.open_group(str(path / "labels"), mode="r", zarr_format=zarr_format).attrs
    assert (listed["ome"] if version == "0.5" else listed)["labels"] == ["membranes", "classes"]
    group = zarr.open_group(str(path / "labels" / "membranes"), mode="r", zarr_format=zarr_format)
    described = (group.attrs["ome"] if version == "0.5" else group.attrs)["image-label"]
    assert described["source"] == {"image": "../../"}
    assert [item["label-value"] for item in described["colors"]] == [1, 2]
    np.testing.assert_array_equal(group["0"][:], mask)
    np.testing.assert_array_equal(group["1"][:], mask[::2, ::2, ::2])
    labels, header = io.read_labels(path / "labels" / "membranes")
    np.testing.assert_array_equal(labels, mask)
    assert (header.voxel_size, header.origin) == (5.0, (10.0, 20.0, 30.0))
    np.testing.assert_array_equal(io.read_volume(path)[0], ramp((20, 70, 130)))


def test_labels_need_an_image(tmp_path):
    with pytest.raises(InputError, match="no OME-Zarr image"):
        write_labels(tmp_path / "none.zarr", "m", np.zeros((2, 2, 2), np.int8), 5.0)
