"""DeepFinder object lists (XML) and the particle lists of SHREC (text): class, three coordinates, three angles; 0-based voxels.

DeepFinder's x meant the first array axis (our z) in the lists released with it and the last axis since its version 1; its own writer
always prints decimals, so whole numbers tell the old lists. SHREC lists of 2019 and 2020 say z y x, those of 2021 x y z; the sample
is a slab, so the axis that spans less than half of the others is z. ``axis_order`` decides where this is not so.
"""
from __future__ import annotations

import logging
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from ..runtime.errors import InputError
from ..runtime.files import write_text
from ..runtime.provenance import origin_of
from .angles import from_motl, to_motl
from .options import AxisOrder, ReadOptions, integers, named_classes
from .table import UNKNOWN, ParticleTable
from .text_rows import as_numbers, read_rows

logger = logging.getLogger(__name__)
ATTRIBUTES = ["x", "y", "z", "class_label"]


def read_xml(path: Path, options: ReadOptions) -> ParticleTable:
    """Read an object list; cluster sizes become scores. Raises :class:`InputError` naming file and attribute."""
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError, ValueError, LookupError) as error:  # the latter for encodings that do not exist
        raise InputError(f"{path} is not readable XML: {error}", "a DeepFinder object list") from error
    if root.tag != "objlist":
        raise InputError(f"{path}: the XML holds <{root.tag}>", "<objlist>, a DeepFinder object list")
    objects = root.findall("object")
    words = [[_attribute(item, name, number, path) for name in ATTRIBUTES] for number, item in enumerate(objects, start=1)]
    table = as_numbers(words, path, (4,), "x, y, z, class_label")
    whole = not any("." in word for row in words for word in row[:3])
    points = _to_zyx(table[:, :3], options.axis_order if options.axis_order != "auto" else "zyx" if whole and words else "xyz", path)
    angles = [_numbers(objects, name, "0", path) for name in ("phi", "the", "psi")]
    oriented = any(item.get("phi") is not None for item in objects)
    return ParticleTable.from_points(
        points, voxel_size=options.voxel_size or UNKNOWN, class_id=integers(table[:, 3], "attribute class_label", path),
        tilt_series_id=[item.get("tomo_idx") or options.tilt_series_id for item in objects],
        score=_numbers(objects, "cluster_size", "nan", path), angles=from_motl(*angles) if oriented else 0.0)


def _attribute(item: ElementTree.Element, name: str, number: int, path: Path) -> str:
    value = item.get(name)
    if value is None:
        raise InputError(f"{path}: object {number} has no attribute {name}", "objects with " + ", ".join(ATTRIBUTES))
    return value


def _numbers(objects: list[ElementTree.Element], name: str, default: str, path: Path) -> np.ndarray:
    """An attribute that may be missing as numbers (n,); raises :class:`InputError` for other text."""
    values = []
    for number, item in enumerate(objects, start=1):
        text = item.get(name, default)
        try:
            values.append(float(text))
        except ValueError as error:
            raise InputError(f"{path}: object {number}: attribute {name} is '{text}'", "a number") from error
        if not np.isfinite(values[-1]) and text != default:
            raise InputError(f"{path}: object {number}: attribute {name} is '{text}'", "a finite number")
    return np.array(values, dtype=np.float64)


def read_shrec(path: Path, options: ReadOptions) -> ParticleTable:
    """Read a SHREC particle list; Euler angles are kept out because their convention differs between the years' editions."""
    rows, _ = read_rows(path)
    table = as_numbers([row[1:] for row in rows], path, (3, 6), "class x y z, or class x y z and three angles")
    class_id, names = named_classes(np.array([row[0] for row in rows], dtype=object))
    order: AxisOrder = options.axis_order if options.axis_order != "auto" else _slab_axis(table[:, :3])
    return ParticleTable.from_points(_to_zyx(table[:, :3], order, path), voxel_size=options.voxel_size or UNKNOWN,
                                     tilt_series_id=options.tilt_series_id, class_id=class_id, class_names=names)


def _slab_axis(points: np.ndarray) -> AxisOrder:
    extent = np.ptp(points, axis=0) if len(points) > 1 else np.ones(3)
    return "zyx" if 2 * extent[0] < extent[1:].min() else "xyz"


def _to_zyx(points: np.ndarray, order: AxisOrder, path: Path) -> np.ndarray:
    logger.info("%s: the columns called x y z are taken as %s", path, order)
    return points if order == "zyx" else points[:, ::-1]


def write_xml(table: ParticleTable, path: Path) -> None:
    """Write an object list of the present DeepFinder: x is the last axis, three decimals."""
    root = ElementTree.Element("objlist")
    for name, number, (z, y, x), phi, theta, psi in zip(table.tilt_series_id, table.class_id, table.zyx, *to_motl(table.angles)):
        attributes = {"tomo_idx": name} if name else {}
        values = {"x": x, "y": y, "z": z, "psi": psi, "phi": phi, "the": theta}
        attributes.update({"class_label": str(number), **{key: f"{value:.3f}" for key, value in values.items()}})
        ElementTree.SubElement(root, "object", attributes)
    ElementTree.indent(root)
    made = origin_of(path).replace("--", "-")
    write_text(path, (f"<!-- {made} -->\n" if made else "") + ElementTree.tostring(root, encoding="unicode") + "\n")
