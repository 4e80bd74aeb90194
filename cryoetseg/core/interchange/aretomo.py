"""The output folder of AreTomo3: TiltSeries_Metrics.csv as the list of tomograms, NAME_Vol.mrc beside it (AreTomo3, CTsMetrics.cpp).

The column Pix_Size(A) there is that of the tilt series; a tomogram's voxel size, which the option -AtBin decides, is in its header.
"""
from __future__ import annotations

import csv
from pathlib import Path

from ..runtime.errors import InputError
from ..runtime.files import is_file

NAME, STACK, VOLUME = "Tilt_Series", ".mrc", "_Vol.mrc"


def is_tomogram_list(path: Path) -> bool:
    """Whether a CSV file is AreTomo3's list of tilt series."""
    with path.open(encoding="utf-8", errors="replace") as stream:
        return stream.readline().startswith(f"{NAME},")


def read_tomograms(path: Path) -> dict[str, Path]:
    """The tomogram of each tilt series, by its name; a series that was done again counts once. Raises :class:`InputError`."""
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as stream:
            names = [str(row[NAME]).strip().removesuffix(STACK) for row in csv.DictReader(stream)]
    except (OSError, csv.Error, KeyError) as error:
        raise InputError(f"{path} cannot be read as a list of tilt series: {error}", f"AreTomo3's table, whose first column is {NAME}",
                         "copy it again") from error
    found = {name: path.absolute().parent / f"{name}{VOLUME}" for name in names}
    missing = [name for name, file in found.items() if not is_file(file)]
    if missing or not found:
        raise InputError(f"{path} lists {len(found)} tilt series, of which {len(missing)} have no tomogram: {', '.join(missing[:5])}",
                         f"NAME{VOLUME} of each beside it", "name the tomograms themselves")
    return found
