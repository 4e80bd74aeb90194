"""Volumes in HDF as EMAN2 writes and reads them: by HdfIO2, Renderer and EMUtil in libEM/io/hdfio2.cpp, renderer.h and emutil.cpp."""
from pathlib import Path

import h5py
import numpy as np

TRANSFORM = np.dtype([(f"{row}{column}", "<f4") for row in range(3) for column in range(4)])


def write_eman(path: Path, values: np.ndarray, bits: int | None = None, images: int = 1, **described: float) -> None:
    """Write ``values`` (z, y, x) ``images`` times, as float32 and plain, or with ``bits`` packed as 2**bits numbers (0: as float32).

    ``described`` replaces the attributes for voxel size (apix_x, ...) and origin, which are numbers of 4 bytes, one each.
    """
    with h5py.File(path, "w") as file:
        group = file.create_group("MDF/images")
        group.attrs["imageid_max"] = np.array([images - 1], np.int32)
        for number in range(images):
            node = group.create_group(str(number))
            _write_attributes(node, values, described)
            if bits is None:
                node.create_dataset("image", data=values.astype(np.float32))
            else:
                _write_packed(node, values.astype(np.float32), bits)


def _write_attributes(node: h5py.Group, values: np.ndarray, described: dict[str, float]) -> None:
    places = {"apix_x": 3.5, "apix_y": 3.5, "apix_z": 3.5, "origin_x": 0.0, "origin_y": 0.0, "origin_z": 0.0}
    for name, value in {**places, "mean": float(values.mean()), **described}.items():
        node.attrs[f"EMAN.{name}"] = np.array([value], np.float32)
    for name, size in zip(("nz", "ny", "nx"), values.shape):
        node.attrs[f"EMAN.{name}"] = np.array([size], np.int32)
    node.attrs["EMAN.is_complex_ri"] = np.array([ord("T")], np.int8)  # a truth value
    node.attrs["EMAN.HostEndian"] = np.bytes_("little\0")
    identity = np.zeros(1, TRANSFORM)
    identity["00"] = identity["11"] = identity["22"] = 1
    node.attrs["EMAN.xform.align3d"] = identity


def _write_packed(node: h5py.Group, values: np.ndarray, bits: int) -> None:
    """Chunks of eight rows, deflated; with ``bits`` whole numbers for a range, which is told.

    The range is that of the values, but where these are whole and few enough they are stored as they are (EMUtil::getRenderMinMax).
    """
    low, high, top = values.min(), values.max(), np.float32(2**bits - 1)
    if bits:
        high = low + top if (values == np.rint(values)).all() and high - low <= top else high
        scaled = (values - low) / (high - low) * top if high > low else np.zeros_like(values)
        values = np.rint(scaled).astype(np.uint8 if bits <= 8 else np.uint16)
    node.create_dataset("image", data=values, chunks=(1, min(8, values.shape[1]), values.shape[2]), compression="gzip", compression_opts=1)
    if bits:
        for name, value in {"rendermin": low, "rendermax": high}.items():
            node.attrs[f"EMAN.stored_{name}"] = np.array([value], np.float32)
        for name, number in {"renderbits": bits, "truncated": 0}.items():
            node.attrs[f"EMAN.stored_{name}"] = np.array([number], np.int32)


def read_eman(path: Path) -> np.ndarray:
    """HdfIO2::read_data of the first image: everything becomes float32, and what is told in bits goes back to its range."""
    with h5py.File(path) as file:
        node = file["MDF/images/0"]
        data, told = node["image"][:].astype(np.float32), {name: value[0] for name, value in node.attrs.items() if "stored_" in name}
    if told.get("EMAN.stored_renderbits", 0) > 0:
        low, high = told["EMAN.stored_rendermin"], told["EMAN.stored_rendermax"]
        data = data / np.float32(2**told["EMAN.stored_renderbits"] - 1) * (high - low) + low
    return data
