"""The tomogram of the tour: one that is named, or a small simulated one."""
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

VOXEL_SIZE, SLICES = 13.48, "16:24"  # of the simulated tomogram
SAMPLE = ["--voxel-size", str(VOXEL_SIZE), "--size-z", "40", "--size-y", "128", "--size-x", "128", "--snr", "0.3", "--seed", "7",
          "--particles", "ribosome_80s:3, proteasome_26s, tric", "--vesicle-count", "2", "--sheet-count", "0", "--actin-count", "1"]


class Sample(NamedTuple):
    """The tomogram of the tour: where it is, its voxel size in Angstrom, the slices to segment."""

    file: Path
    voxel_size: float
    slices: str


def simulated(folder: Path) -> Sample:
    """A small simulated tomogram, kept from an earlier tour."""
    if not (folder / "tour.mrc").is_file():
        command = [str(Path(sys.executable).parent / "cryoetseg"), "simulate", str(folder), "--name", "tour", *SAMPLE]
        subprocess.run(command, check=True)
    return Sample(folder / "tour.mrc", VOXEL_SIZE, SLICES)
