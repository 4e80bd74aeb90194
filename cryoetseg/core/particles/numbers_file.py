"""Which tomogram has which number in lists that know tomograms by number: ``STEM_tomograms.csv`` beside the list.

Two columns, ``number`` and ``tilt_series_id``. Written where names are no numbers, and read back so that names survive.
"""
from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..runtime.errors import InputError
from ..runtime.files import write_text
from .options import tomogram_numbers
from .table import ParticleTable
from .text_rows import read_text

HEADER = ["number", "tilt_series_id"]


def beside(path: Path) -> Path:
    """The file of numbers that belongs to a list."""
    return path.with_name(f"{path.stem}_tomograms.csv")


def numbered(table: ParticleTable, path: Path, numbers: Mapping[str, int] | None) -> ParticleTable:
    """The table with numbers in place of names; writes which is which beside ``path`` where they differ."""
    names = table.tilt_series_ids()
    own = tomogram_numbers(names)
    order = {name: numbers.get(name, own[name]) if numbers else own[name] for name in names}
    if any(name != str(number) for name, number in order.items()):
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        writer.writerows([HEADER, *([number, name] for name, number in order.items())])
        write_text(beside(path), text.getvalue())
    elif beside(path).is_file():
        beside(path).unlink()  # of an earlier list of this name
    return replace(table, tilt_series_id=np.array([str(order[name]) for name in table.tilt_series_id], dtype=object))


def named(table: ParticleTable, path: Path) -> ParticleTable:
    """The table with the names that the file beside ``path`` tells; numbers that it lacks stay. Raises :class:`InputError` when damaged."""
    file = beside(path)
    if not file.is_file():
        return table
    try:
        header, *rows = [row for row in csv.reader(io.StringIO(read_text(file)), strict=True) if row]
        if header != HEADER:
            raise ValueError(f"its columns are {', '.join(header)}")
        names = dict(rows)  # type: ignore[arg-type]
    except (csv.Error, ValueError) as error:
        raise InputError(f"{file} does not tell the numbers of tomograms: {error}", "columns " + " and ".join(HEADER),
                         "remove it, or write the list again") from error
    return replace(table, tilt_series_id=np.array([names.get(number, number) for number in table.tilt_series_id], dtype=object))
