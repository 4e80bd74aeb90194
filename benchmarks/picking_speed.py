"""Speed of difference-of-Gaussians picking against scipy's filters on noise, and whether the picks are the same."""
from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import ndimage

from cryoetseg.core.picking.dog import RATIO, Picks, exclude_neighbours, local_maxima

EXCLUSION_SIGMAS = 3.0
COUNT = 500


def scipy_maxima(volume: np.ndarray, sigma: float) -> Picks:
    """The plain way: two Gaussian filters, a maximum filter, a comparison."""
    difference = ndimage.gaussian_filter(volume, sigma) - ndimage.gaussian_filter(volume, RATIO * sigma)
    points = np.argwhere(ndimage.maximum_filter(difference, 3) == difference)
    scores = difference[tuple(points.T)]
    order = np.argsort(-scores, kind="stable")
    return Picks(points[order].astype(np.float64), scores[order], np.zeros(points.shape))


def timed(function: Callable[[], Any], repeats: int) -> tuple[Any, float]:
    """The result and the best time of several runs in seconds."""
    best = np.inf
    for _ in range(repeats):
        start = time.perf_counter()
        result = function()
        best = min(best, time.perf_counter() - start)
    return result, best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256, help="edge of the cubic volume in voxels")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each, of which the fastest counts")
    parser.add_argument("--sigmas", type=float, nargs="+", default=[2.0, 2.6, 4.0, 8.0], help="sigma of the inner Gaussian in voxels")
    arguments = parser.parse_args()
    volume = np.random.default_rng(0).standard_normal((arguments.size,) * 3).astype(np.float32)
    rows = [f"{arguments.size}^3 float32, threads: {os.environ.get('OMP_NUM_THREADS', 'all')} of {os.cpu_count()} cores",
            f"{'sigma':>6} {'scipy [s]':>10} {'ours [s]':>9} {'ratio':>6} {'same picks':>11}"]
    for sigma in arguments.sigmas:
        ours, our_time = timed(lambda: local_maxima(volume, sigma), arguments.repeats)  # noqa: B023 - called at once
        plain, plain_time = timed(lambda: scipy_maxima(volume, sigma), arguments.repeats)  # noqa: B023 - called at once
        picks = [set(map(tuple, exclude_neighbours(peaks, EXCLUSION_SIGMAS * sigma, COUNT).points.tolist())) for peaks in (ours, plain)]
        same = f"{len(picks[0] & picks[1])}/{len(picks[1])}"
        rows.append(f"{sigma:6.1f} {plain_time:10.2f} {our_time:9.2f} {plain_time / our_time:6.1f} {same:>11}")
    sys.stdout.write("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
