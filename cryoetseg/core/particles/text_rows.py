"""Plain text and rows of numbers in it, with errors that name file, line and column."""
from __future__ import annotations

import codecs
import re
from collections.abc import Collection
from pathlib import Path

import numpy as np

from ..runtime.errors import InputError

SEPARATORS = re.compile(r"[,\s]+")
LINE_END = re.compile(r"\r\n|\n|\r")  # str.splitlines also breaks names at characters that are no ends of lines


def read_text(path: Path) -> str:
    """A text file in UTF-8, or in UTF-16 where it begins with that byte order mark; the mark is left off. Raises :class:`InputError`."""
    try:
        content = path.read_bytes()
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as text: {error}", "a particle list in plain text, in UTF-8",
                         "check that it is the particle list") from error
    if "\0" in text:
        raise InputError(f"{path} holds bytes of value 0", "a particle list in plain text", "check that it is the particle list")
    return text


def read_rows(path: Path) -> tuple[list[list[str]], list[str]]:
    """Words of each line that is neither empty nor a comment, and the comments. Raises :class:`InputError`."""
    lines = LINE_END.split(read_text(path))
    words = [SEPARATORS.split(line.strip()) for line in lines if line.strip() and not line.lstrip().startswith(("#", "%"))]
    return words, [line.lstrip(" #%") for line in lines if line.lstrip().startswith(("#", "%"))]


def as_numbers(rows: list[list[str]], path: Path, widths: tuple[int, ...] | range, names: str,
               used: Collection[int] | None = None) -> np.ndarray:
    """Rows as a float64 table; every row needs the same number of columns, one of ``widths``.

    Only the columns ``used`` (default: all) must hold finite numbers; others may hold what programs leave there.
    """
    width = len(rows[0]) if rows else min(widths)
    table = np.full((len(rows), width), np.nan)
    for number, row in enumerate(rows):
        if len(row) != width or width not in widths:
            raise InputError(f"{path}: row {number + 1} has {len(row)} columns", f"{names} in every row")
        table[number] = [_number(word) for word in row]
    bad = ~np.isfinite(table)
    if used is not None:
        bad[:, [column for column in range(width) if column not in used]] = False
    if bad.any():
        row_number, column = (int(index) for index in np.argwhere(bad)[0])
        raise InputError(f"{path}: row {row_number + 1}, column {column + 1} holds '{rows[row_number][column]}'", f"numbers: {names}")
    return table


def _number(word: str) -> float:
    """The number a word says; Matlab writes real numbers as 0.3+0i too. NaN for other words."""
    try:
        return float(word)
    except ValueError:
        pass
    try:
        value = complex(word.replace("i", "j"))
    except ValueError:
        return np.nan
    return value.real if value.imag == 0 else np.nan
