"""Names of volume files: the suffix that tells the format, two-fold where the file is compressed, and what is left without it."""
from __future__ import annotations

import os
from pathlib import Path

COMPRESSIONS = (".gz", ".bz2")


def volume_suffix(path: str | os.PathLike[str]) -> str:
    """The suffix in small letters: ``.mrc`` of TS_01.MRC, ``.mrc.gz`` of TS_01.mrc.gz."""
    path = Path(path)
    suffix = path.suffix.lower()
    if path.parent.name == "labels" and path.parent.parent.suffix.lower() == ".zarr":  # a mask within an OME-Zarr image
        return ".zarr"
    return path.with_suffix("").suffix.lower() + suffix if suffix in COMPRESSIONS else suffix


def volume_stem(path: str | os.PathLike[str]) -> str:
    """The name without that suffix: TS_01 of TS_01.mrc and of TS_01.mrc.gz."""
    path = Path(path)
    return path.with_suffix("").stem if path.suffix.lower() in COMPRESSIONS else path.stem
