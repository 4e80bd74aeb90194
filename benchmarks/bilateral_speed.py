"""Speed of the 3 x 3 x 3 bilateral filters on noise, beside the floors of memory and of the exponentials measured on the same machine."""
from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from cryoetseg.core.voxuda.bilateral import OFFSETS, bilateral

FILTERS = {"bilateral (intensity)": "intensity", "improved (true gradient)": "sobel32",
           "improved (published gradient)": "laplacian_gradient"}
COPIED_ELEMENTS = 1 << 26  # 256 MiB, which no cache holds


def best(function: Callable[[], Any], repeats: int) -> float:
    """The shortest of several runs in seconds."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=64, help="edge of the cubic volume in voxels")
    parser.add_argument("--repeats", type=int, default=10, help="runs of each, of which the fastest counts")
    arguments = parser.parse_args()
    volume = torch.randn((arguments.size,) * 3, generator=torch.Generator().manual_seed(0))
    source, target = torch.ones(COPIED_ELEMENTS), torch.empty(COPIED_ELEMENTS)
    bandwidth = 2 * 4 * COPIED_ELEMENTS / best(lambda: target.copy_(source), 3)
    weights, result = torch.randn(1 << 16), torch.empty(1 << 16)
    exponential = best(lambda: torch.exp(weights, out=result), 50) / len(weights)
    floor = 2 * 4 * volume.numel() / bandwidth
    rows = [f"{arguments.size}^3 float32, threads: {os.environ.get('OMP_NUM_THREADS', 'all')} of {os.cpu_count()} cores, "
            f"copy {bandwidth / 1e9:.1f} GB/s",
            f"{'memory floor (read and write once)':38} {1e3 * floor:8.3f} ms",
            f"{'floor of the exponentials (13 a voxel)':38} {1e3 * exponential * len(OFFSETS) * volume.numel():8.3f} ms"]
    for name, feature in FILTERS.items():
        seconds = best(lambda: bilateral(volume, feature=feature), arguments.repeats)  # noqa: B023 - called at once
        rows.append(f"{name:38} {1e3 * seconds:8.3f} ms   {seconds / floor:6.0f} x the memory floor")
    sys.stdout.write("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
