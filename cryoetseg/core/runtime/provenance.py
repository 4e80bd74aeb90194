"""Which inputs an output was made from, for formats that can hold a line of text beside their data.

The record (result.json) tells all; this line goes along when a file is copied away from it. It holds no date and no folder, so that
the same job gives the same bytes.
"""
from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple

from ... import __version__

DIGITS = 16  # of a SHA-256: enough to tell files apart, short enough for a label of 80 letters
LONGEST_NAME = 24


class _Making(NamedTuple):
    """A job at work: its method and the SHA-256 of its inputs by path."""

    method: str
    checksums: Mapping[str, str]


_making: ContextVar[_Making | None] = ContextVar("making", default=None)


@contextmanager
def making(method: str, checksums: Mapping[str, str]) -> Iterator[None]:
    """Everything written in this block says that ``method`` made it from these inputs (SHA-256 by path)."""
    token = _making.set(_Making(method, dict(checksums)))
    try:
        yield
    finally:
        _making.reset(token)


def origin_of(output: Path) -> str:
    """Method and input of an output, at most 80 letters; empty outside of a job.

    Of several inputs it is the one whose name begins the output's, else all of them together by one checksum.
    """
    job = _making.get()
    if job is None:
        return ""
    made = f"{job.method} {__version__}"
    named = [path for path in job.checksums if output.name.startswith(Path(path).stem)] or list(job.checksums)[len(job.checksums) != 1:1]
    chosen = max(named, key=lambda path: len(Path(path).stem), default="")
    if chosen:
        return f"{made} of {Path(chosen).name[:LONGEST_NAME]} sha256:{job.checksums[chosen][:DIGITS]}"[:80]
    if not job.checksums:
        return made[:80]
    together = hashlib.sha256("\n".join(sorted(job.checksums.values())).encode()).hexdigest()
    return f"{made} of {len(job.checksums)} inputs sha256:{together[:DIGITS]}"[:80]
