"""Rows of numbers in plain text, with errors that name file, line and column."""
from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ..runtime.errors import InputError

SEPARATORS = re.compile(r"[,\s]+")


def read_rows(path: Path) -> tuple[list[list[str]], list[str]]:
    """Words of each line that is neither empty nor a comment, and the comments. Raises :class:`InputError`."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as text: {error}", "a particle list in plain text") from error
    words = [SEPARATORS.split(line.strip()) for line in lines if line.strip() and not line.lstrip().startswith(("#", "%"))]
    return words, [line.lstrip(" #%") for line in lines if line.lstrip().startswith(("#", "%"))]


def as_numbers(rows: list[list[str]], path: Path, widths: tuple[int, ...] | range, names: str) -> np.ndarray:
    """Rows as a float64 table; every row needs the same number of columns, one of ``widths``."""
    width = len(rows[0]) if rows else min(widths)
    for number, row in enumerate(rows, start=1):
        if len(row) != width or width not in widths:
            raise InputError(f"{path}: row {number} has {len(row)} columns", f"{names} in every row")
        for column, word in enumerate(row, start=1):
            if not _is_finite(word):
                raise InputError(f"{path}: row {number}, column {column} holds '{word}'", f"numbers: {names}")
    return np.array(rows, dtype=np.float64).reshape(len(rows), width)


def _is_finite(word: str) -> bool:
    try:
        return bool(np.isfinite(float(word)))
    except ValueError:
        return False
