"""How fast a job will be: ``python -m cryoetseg.core.probe job.json`` runs its method for some seconds on a piece of its tomogram.

One line of JSON comes out: ``{"voxels": 884736, "seconds": 2.9}``. Nothing is written but a temporary folder.
"""
from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from .methods import run_job
from .runtime.errors import JobError
from .runtime.job import InputFile, Job, read_job
from .volumes.io import open_volume, write_volume

SIDES = (48, 64, 96, 128, 192, 256)  # voxels of the pieces, one after the other until one takes long enough
SECONDS = 2.0  # a piece that takes as long tells the rate; shorter ones tell how long programs take to start
WHOLE = {"z_auto": False, "z_start": 0, "z_end": 0}  # all slices of the piece


class Probe(NamedTuple):
    """A piece of so many voxels took so many seconds."""

    voxels: int
    seconds: float


def probe(job: Job, sides: Sequence[int] = SIDES, least: float = SECONDS) -> Probe:
    """Time the job on pieces from the middle of its tomogram, larger ones until one takes ``least`` seconds or is all of it.

    The first piece, in which libraries and networks are loaded, counts only where it is all of the tomogram. Raises :class:`JobError`
    for a job without exactly one tomogram, and whatever the method raises.
    """
    tomograms = job.inputs_of("tomogram")
    if len(tomograms) != 1:
        raise JobError(f"{len(tomograms)} inputs have the role 'tomogram'", "a job of one tomogram")
    volume = open_volume(tomograms[0].path, tomograms[0].voxel_size)
    timed: list[Probe] = []
    for side in sides:
        piece = _middle(volume.data, side)
        timed.append(_timed(job, tomograms[0], piece, volume.header.voxel_size))
        if (len(timed) > 1 and timed[-1].seconds >= least) or piece.size == np.prod(volume.header.shape):
            break
    return timed[-1]


def _middle(data: Any, side: int) -> np.ndarray:
    """A piece (z, y, x) of at most ``side`` voxels along each axis from the middle of a volume."""
    first = [max(0, (size - side) // 2) for size in data.shape]
    return np.asarray(data[tuple(slice(start, start + side) for start in first)])


def _timed(job: Job, tomogram: InputFile, piece: np.ndarray, voxel_size: float) -> Probe:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "piece.mrc"
        write_volume(path, piece, voxel_size)
        inputs = [item.model_copy(update={"path": str(path)}) if item == tomogram else item for item in job.inputs]
        parameters = {name: WHOLE.get(name, value) for name, value in job.parameters.items()}
        result = run_job(job.model_copy(update={"inputs": inputs, "parameters": parameters, "output_folder": str(Path(folder) / "out")}))
        return Probe(int(piece.size), result.seconds)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(probe(read_job(sys.argv[1]))._asdict()) + "\n")
