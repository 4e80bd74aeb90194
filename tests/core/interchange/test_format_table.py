"""Every cell of the table in docs/user/formats.md: what is written is read by others, what others write is read."""
import json
import re
import struct
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import emfile
import imodmodel
import mrcfile
import numpy as np
import pandas as pd
import pytest
import starfile
import tifffile
import zarr
from eman_files import write_eman

from cryoetseg.core.particles.formats import read_particles, write_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.volumes.io import read_labels, read_volume, write_volume

ROOT = Path(__file__).resolve().parents[3]
# kinds of volumes; a probability is half precision, which EM and TIFF readers get as single
VOLUMES = {"tomogram": np.float32, "mask": np.int8, "probability": np.float16, "instances": np.int16}
VOXELS, CLASSES = [[1.25, 20.5, 3], [4, 5, 60.5], [7, 8, 9]], [1, 2, 2]  # z, y, x
NAMES = {1: "cluster one", 2: "cluster two"}
# cells whose tests stand elsewhere, because they need a whole project; a product that has a test of its own is named
ELSEWHERE = {
    "RELION 5 project": ("test_relion_project.py", {"r": "test_what_is_written_comes_back_to_the_voxel",
                                                    "w": "test_particles_are_what_relion_takes"}),
    "copick project": ("test_copick.py", {"r": "test_import_as_files", "w": "test_layout_of_a_written_project",
                                          "r instances": "test_instances_are_imported"}),
    "ChimeraX scene": ("test_chimerax.py", {"w": "test_the_scene_is_what_chimerax_understands",
                                            "w probability": "test_maps_of_probabilities_and_instances_are_surfaces",
                                            "w instances": "test_maps_of_probabilities_and_instances_are_surfaces"}),
    "crYOLO": ("../particles/test_boxes_and_annotations.py", {"r": "test_boxes_are_moved_to_their_middles"}),
    "safetensors and `card.json`": ("../models/test_card.py", dict.fromkeys("rw", "test_safetensors_alone_reads_and_writes_a_model")),
}  # fmt: skip


def table_rows():
    """The first row and the others, cell by cell."""
    lines = [line for line in (ROOT / "docs/user/formats.md").read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[:lines.index(next(
        line for line in lines if line.startswith("| address")))]]
    return head, rows


def cells():
    head, rows = table_rows()
    for name, *marks, _ in rows:
        for product, mark in zip(head[1:-1], marks):
            for way in mark:
                yield pytest.param(name, product, way, id=f"{name}: {product} {way}")


def plain_name(name):
    return re.sub(r" \(.*\)", "", name)


@pytest.mark.parametrize("row", [pytest.param(row, id=row[0]) for row in table_rows()[1]])
def test_the_named_reader_is_here_and_used(row):
    """A claim of the last column holds in the installation that runs the tests."""
    others = {"EMAN2 HDF": "../../eman_files.py", "OME-Zarr 0.4 and 0.5": "test_ome_zarr.py"}
    name = plain_name(row[0])
    file = ELSEWHERE[name][0] if name in ELSEWHERE else others.get(name, "")
    texts = [(Path(__file__).parent / place).read_text() for place in (Path(__file__).name, file) if place]
    named = re.findall(r"`(\w+)`", row[-1])
    assert named or row[-1] == "a file of crYOLO"
    for module in named:
        assert find_spec(module), f"{module} is not installed: pip install cryoetseg[all,dev] -c constraints.txt"
        assert any(re.search(rf"\b(import|from) {module}\b|\"{module}[.\"]", text.replace('f"', '"')) for text in texts), module


@pytest.mark.parametrize(("name", "product", "way"), cells())
def test_cell(name, product, way, tmp_path):
    plain = plain_name(name)
    if plain in ELSEWHERE:
        file, tests = ELSEWHERE[plain]
        named = tests.get(f"{way} {product}", tests[way])
        assert f"def {named}(" in (Path(__file__).parent / file).read_text()
    elif product in VOLUMES and plain in WRITERS | READERS:
        volume_cell(plain, product, way, tmp_path)
    else:
        list_cell(plain, product, way, tmp_path)


def content(product):
    values = np.arange(4 * 5 * 6).reshape(4, 5, 6)
    return {"tomogram": values / 7 - 3, "mask": values % 2, "probability": (values % 65) / 64, "instances": values * 9}[product].astype(
        VOLUMES[product])


def write_mrc(path, array):
    with mrcfile.new(path, compression={".gz": "gzip", ".bz2": "bzip2"}.get(path.suffix)) as file:
        file.set_data(array)
        file.set_volume()
        file.voxel_size = 10.0


def write_zarr(path, array):
    group = zarr.open_group(str(path), mode="w", zarr_format=3)
    group.create_array("s0", data=array)
    axes = [{"name": axis, "type": "space", "unit": "nanometer"} for axis in "zyx"]
    steps = [{"type": "scale", "scale": [1.0, 1.0, 1.0]}]
    datasets = [{"path": "s0", "coordinateTransformations": steps}]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}


def write_em(path, array):
    stored = array.astype(np.float32 if array.dtype.kind == "f" else np.int16)
    emfile.write(path, stored, overwrite=True)


def write_tiff(path, array):
    stored = array.astype({"float16": np.float32, "int8": np.uint8, "int16": np.uint16}.get(array.dtype.name, array.dtype))
    tifffile.imwrite(path, stored, imagej=True, resolution=(0.1, 0.1), metadata={"axes": "ZYX", "spacing": 10.0, "unit": "angstrom"})


def mrc_data(path):
    with mrcfile.open(path) as file:
        return file.data.copy()


def write_hdf(path, array):
    """EMAN2's e2proc3d.py packs integers into bits and leaves other values single."""
    write_eman(path, array, 12 if array.dtype.kind == "i" else 0, apix_x=10.0, apix_y=10.0, apix_z=10.0)


# suffix, writer of others, reader of others
WRITERS = {"MRC": (".mrc", write_mrc), "MRC, packed": (".mrc.gz", write_mrc), "EM": (".em", write_em), "TIFF": (".tif", write_tiff),
           "OME-Zarr 0.4 and 0.5": (".zarr", write_zarr), "EMAN2 HDF": (".hdf", write_hdf)}
READERS = {"MRC": mrc_data, "EM": lambda path: emfile.read(path)[1], "TIFF": tifffile.imread,
           "OME-Zarr 0.4 and 0.5": lambda path: zarr.open_group(str(path), mode="r")["0"][:]}


def volume_cell(name, product, way, folder):
    suffix, write = WRITERS[name]
    path, array = folder / f"v{suffix}", content(product)
    if way == "w":
        write_volume(path, array, 10.0)
        np.testing.assert_array_equal(READERS[name](path), array)
        return
    write(path, array)
    read, header = read_labels(path) if product in ("mask", "instances") else read_volume(path)
    np.testing.assert_array_equal(read, array)
    if name != "EM":  # emfile alone leaves it out; test_io.py has it
        assert header.voxel_size == pytest.approx(10.0)


def table(product):
    several = product != "picks"
    return ParticleTable.from_points(VOXELS, voxel_size=10.0, tilt_series_id="1", class_id=CLASSES if several else 1,
                                     class_names=NAMES if product == "clusters" else {})


def star_rows(path, columns, shift=0.0):
    rows = next(iter(starfile.read(path, always_dict=True).values()))
    return rows[columns].to_numpy() - shift, rows.get("rlnClassNumber", rows.get("class")).tolist(), rows.get("rlnParticleName")


def stopgap(path):
    rows = next(iter(starfile.read(path, always_dict=True).values()))
    return np.stack([rows[f"orig_{axis}"] + rows[f"{axis}_shift"] - 1 for axis in "xyz"], 1), rows["class"].tolist(), None


def dynamo(path):
    rows = np.loadtxt(path, ndmin=2)  # columns 4-6 shifts, 22 class, 24-26 position from 1
    return rows[:, 23:26] + rows[:, 3:6] - 1, rows[:, 21].tolist(), None


def motive_list(path):
    rows = emfile.read(path)[1].reshape(-1, 20)  # 8-10 position from 1, 11-13 shifts, 20 class
    return rows[:, 7:10] + rows[:, 10:13] - 1, rows[:, 19].tolist(), None


def model(path):
    """Objects and contours by the byte places of IMOD's manual, and by imodmodel."""
    data, points, classes, at, objects = path.read_bytes(), [], [], 240, 0
    while data[at:at + 4] != b"IEOF":
        if data[at:at + 4] == b"OBJT":
            objects, at = objects + 1, at + 4 + 176
        else:
            assert data[at:at + 4] == b"CONT"
            (count,) = struct.unpack_from(">i", data, at + 4)
            points += np.frombuffer(data, ">f4", 3 * count, at + 20).reshape(-1, 3).tolist()
            classes, at = classes + [objects] * count, at + 20 + 12 * count
    others = imodmodel.read(path)
    np.testing.assert_allclose(others[["x", "y", "z"]], points)
    assert (others["object_id"] + 1).tolist() == classes
    return np.array(points) - [0.5, 0.5, 0], classes, None


def xml(path):
    rows = ElementTree.parse(path).getroot().findall("object")
    return np.array([[float(row.get(axis)) for axis in "xyz"] for row in rows]), [int(row.get("class_label")) for row in rows], None


def coords(path):
    rows = np.loadtxt(path, ndmin=2)
    return rows[:, 1:4], rows[:, 0].tolist(), None


def portal(path):
    rows = [json.loads(line)["location"] for line in path.read_text().splitlines()]
    return np.array([[row[axis] for axis in "xyz"] for row in rows]), [1] * len(rows), None


def csv(path):
    rows = pd.read_csv(path)
    return rows[["x", "y", "z"]].to_numpy(), rows["class_id"].tolist(), rows["class_name"]


LISTS = {
    "RELION STAR": (".star", "relion", lambda path: star_rows(path, [f"rlnCoordinate{axis}" for axis in "XYZ"])),
    "STOPGAP": (".star", "stopgap", stopgap), "Dynamo": (".tbl", "dynamo", dynamo), "EM": (".em", "em_motl", motive_list),
    "IMOD model": (".mod", "imod_model", model), "DeepETPicker": (".coords", "coords", coords), "DeepFinder": (".xml", "deepfinder", xml),
    "CryoET data portal": (".ndjson", "portal", portal), "CSV": (".csv", "csv", csv),
}  # fmt: skip


def list_cell(name, product, way, folder):
    suffix, style, read = LISTS[name]
    path = folder / f"list{suffix}"
    write_particles(table(product), path, format=style)
    places, classes, names = read(path)
    np.testing.assert_allclose(places[:, ::-1], VOXELS, atol=2e-3)
    assert classes == ([1, 1, 1] if product == "picks" else CLASSES)
    assert product != "clusters" or names.tolist() == [NAMES[number] for number in CLASSES]
    if way == "r":  # files of the programs themselves are read in test_foreign_files.py; here what the other reader confirmed comes back
        again = read_particles(path)
        np.testing.assert_allclose(again.zyx, VOXELS, atol=2e-3)
        assert again.class_id.tolist() == classes
        assert product != "clusters" or [again.class_names[number] for number in again.class_id] == [NAMES[number] for number in CLASSES]
