"""The slabs a segmentation kept for viewing: which eigenimages there were, which were merged into the canvas, and why.

Also imported by Scipion's own interpreter: valid Python 3.8, numpy only.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Union

import numpy as np

from ..runtime.errors import InputError


class Slab(NamedTuple):
    """One slab: its z, its eigenimages (k, h, w) and canvas (y, x) from 0 to 255, and the record of the merging."""

    z: int
    eigenimages: np.ndarray
    canvas: np.ndarray
    record: Dict[str, Any]


def read_slabs(path: Union[str, Path]) -> List[Slab]:
    """The slabs that a run kept for viewing, by ascending z; raises :class:`InputError` for a file that is not theirs."""
    try:
        with np.load(path, allow_pickle=False) as content:
            records = json.loads(str(content["records"]))
            kept = zip(content["z"], content["eigenimages"], content["canvases"], records)
            return [Slab(int(z), images, canvas, record) for z, images, canvas, record in kept]
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(f"cannot read the eigenimages {path}: {error}", "the file of a finished segmentation") from error
