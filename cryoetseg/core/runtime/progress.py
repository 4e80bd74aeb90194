"""Progress of everything that takes over two seconds, on standard error with the time left."""
from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def track(iterable: Iterable[Item], description: str, total: int | None = None) -> Iterator[Item]:
    """Yield the items of ``iterable``; after two seconds show how many are done and the time left.

    In a terminal one line is kept up to date; in a log file a line appears every ten seconds.
    """
    in_terminal = sys.stderr.isatty()
    yield from tqdm(
        iterable,
        desc=description,
        total=total,
        delay=2,
        mininterval=0.2 if in_terminal else 10,
        file=sys.stderr,
        ascii=not in_terminal,
        leave=True,
    )
