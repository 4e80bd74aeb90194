"""The one door to particle lists: every format in, every format out, by suffix and content."""
from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, get_args

from ..runtime.errors import InputError, ParameterError
from ..runtime.files import is_file
from . import coords, copick, cryolo, deepfinder, delimited, dynamo, em_motl, imod_model, numbers_file, portal, relion, stopgap
from .options import AxisOrder, ReadOptions, Shape, Unit
from .table import ParticleTable

Format = Literal["auto", "relion", "relion5", "stopgap", "dynamo", "em_motl", "coords", "xyz", "imod_points", "imod_model", "copick",
                 "csv", "deepfinder", "shrec", "cryolo", "portal"]
READERS: dict[str, Callable[[Path, ReadOptions], ParticleTable]] = {
    "relion": relion.read, "relion5": relion.read, "stopgap": stopgap.read, "dynamo": dynamo.read, "em_motl": em_motl.read,
    "coords": coords.read, "xyz": coords.read, "imod_points": coords.read_imod_points, "imod_model": imod_model.read,
    "copick": copick.read, "csv": delimited.read, "deepfinder": deepfinder.read_xml, "shrec": deepfinder.read_shrec,
    "cryolo": cryolo.read, "portal": portal.read,
}
WRITERS: dict[str, Callable[[ParticleTable, Path], None]] = {
    "relion": relion.write, "stopgap": stopgap.write, "dynamo": dynamo.write, "em_motl": em_motl.write, "coords": coords.write,
    "xyz": coords.write_xyz, "imod_points": coords.write_imod_points, "imod_model": imod_model.write, "copick": copick.write,
    "csv": delimited.write, "deepfinder": deepfinder.write_xml, "portal": portal.write,
}
SUFFIXES = {".star": "relion", ".tbl": "dynamo", ".em": "em_motl", ".coords": "coords", ".xyz": "xyz", ".txt": "xyz", ".mod": "imod_model",
            ".pts": "imod_points", ".point": "imod_points", ".points": "imod_points", ".json": "copick", ".csv": "csv", ".tsv": "csv",
            ".xml": "deepfinder", ".cbox": "cryolo", ".ndjson": "portal"}
NUMBERED = ("dynamo", "em_motl", "stopgap")  # they know tomograms by number
FIRST_BYTES = 4096
PathLike = str | os.PathLike[str]


def read_particles(
    path: PathLike, *, format: Format = "auto", voxel_size: float | None = None, tilt_series_id: str = "",
    tomogram_shape: Shape | Mapping[str, Shape] | None = None, tomogram_voxel_size: float | None = None, unit: Unit = "auto",
    axis_order: AxisOrder = "auto",
) -> ParticleTable:
    """Read a particle list of any supported format as 0-based voxel coordinates.

    ``voxel_size`` (Angstrom) is that of the coordinates and goes before the file's own; ``tilt_series_id`` names the tomogram where the
    file does not; ``tomogram_shape`` (z, y, x), one or by id, is needed for RELION 5 coordinates that count from the centre, in voxels
    of ``tomogram_voxel_size`` (Angstrom). With that size the table comes out in the tomogram's voxels, unless the file does not tell its
    own. ``unit`` and ``axis_order`` are for text that does not tell (see the formats' modules). Formats that number their tomograms get
    the names from ``STEM_tomograms.csv`` beside, where it is. Raises :class:`InputError` naming file and column.
    """
    path = Path(path)
    if not is_file(path):
        raise InputError(f"particle list {path} does not exist", "an existing file", "check the path")
    name = recognise(path) if format == "auto" else format
    if name not in READERS:
        raise ParameterError(f"format = {format!r}", ", ".join(get_args(Format)))
    table = READERS[name](path, ReadOptions(voxel_size, tilt_series_id, tomogram_shape, tomogram_voxel_size, unit, axis_order))
    if name in NUMBERED:
        table = numbers_file.named(table, path)
    return table.at_voxel_size(tomogram_voxel_size) if tomogram_voxel_size and table.voxel_size_is_known else table


def recognise(path: Path) -> str:
    """The format of a particle list, by its suffix, and by its first lines where a suffix serves several or none."""
    start = _first_bytes(path)
    if start.startswith(b"IMODV"):
        return "imod_model"
    name = SUFFIXES.get(path.suffix.lower(), "")
    if name == "relion" or (not name and b"\ndata_" in b"\n" + start):
        return "stopgap" if b"data_stopgap" in start else "relion"
    if name == "xyz":
        text = _whole_lines(start)
        return "shrec" if _starts_with_word(text) else "imod_points" if coords.is_imod_text(text) else "xyz"
    if name == "copick" and sum(line.startswith("{") for line in _whole_lines(start).split("\n")) > 1:
        return "portal"
    if not name:
        raise InputError(f"{path}: neither the suffix '{path.suffix}' nor the content tells a particle list", " ".join(SUFFIXES),
                         "rename the file or give its format")
    return name


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(FIRST_BYTES)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}", "a file this user may read") from error


def _whole_lines(start: bytes) -> str:
    """The text of the first bytes without a line that they cut."""
    text = start.decode("utf-8-sig", "replace").replace("\r", "\n")
    return text if len(start) < FIRST_BYTES else text.rpartition("\n")[0]


def _starts_with_word(text: str) -> bool:
    """Whether rows begin with a name such as 1bxn instead of a number, as those of SHREC."""
    rows = [line.split() for line in text.split("\n") if line.strip() and not line.startswith(("#", "%"))]
    return any(len(row) in (4, 7) and row[0].isalnum() and not row[0].isdigit() for row in rows)


def write_particles(table: ParticleTable, path: PathLike, *, format: Format = "auto",
                    tomogram_shape: Shape | dict[str, Shape] | None = None, tomogram_numbers: Mapping[str, int] | None = None,
                    tilt_series_pixel: float | None = None) -> None:
    """Write a particle list atomically, by suffix or ``format``; ``relion5`` needs ``tomogram_shape`` (z, y, x), one or by id,
    and for its optics ``tilt_series_pixel`` (Angstrom), by default the voxel size of the tomograms.

    Formats that know tomograms by number get those of ``tomogram_numbers``, else of :func:`.options.tomogram_numbers`, and
    ``STEM_tomograms.csv`` beside tells which is which. Raises :class:`OutputError` when it cannot be written and
    :class:`InputError` when the format cannot hold the table.
    """
    path = Path(path)
    name = SUFFIXES.get(path.suffix.lower(), "") if format == "auto" else format
    if name == "relion5":
        relion.write_centred(table, path, tomogram_shape, tilt_series_pixel)
    elif name in NUMBERED:
        WRITERS[name](numbers_file.numbered(table, path, tomogram_numbers), path)
    elif name in WRITERS:
        WRITERS[name](table, path)
    else:
        raise ParameterError(f"cannot write particles to {path}: '{name or path.suffix}' is no format that is written",
                             " ".join(SUFFIXES), "choose one of these suffixes")
