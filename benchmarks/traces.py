"""Scoring membranes of tomogram 171 (EMPIAR-11658) against traces by eye, as the test data's README says.

    python benchmarks/traces.py MASK.mrc

Recall is the share of traced voxels, ten voxels off the border, that have a mask voxel within two voxels in their slice; precision the
share of mask voxels within two voxels of a trace, without those in doubtful places that no trace is near.
"""
from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import mrcfile
import numpy as np
from scipy.ndimage import distance_transform_edt

from cryoetseg.core.volumes.io import read_labels

TRACES = Path(__file__).resolve().parents[2] / "shared" / "data" / "annotations" / "empiar11658_tomo171_membrane_traces.mrc.gz"
NOT_TRACED, TRACE, DOUBTFUL = -1, 1, 2
REACH, BORDER = 2.0, 10


class TraceScores(NamedTuple):
    """Of all traced slices together."""

    f1: float
    recall: float
    precision: float


def read_traces(path: Path = TRACES) -> np.ndarray:
    """The traces (z, y, x): 1 trace, 2 doubtful, 0 background, -1 in slices that were not traced."""
    with mrcfile.open(path, permissive=True) as file:  # opens packed files too
        return np.array(file.data)


def trace_scores(mask: np.ndarray, traces: np.ndarray) -> TraceScores:
    """Scores of a mask (z, y, x) in the traced slices."""
    reached, traced, right, called = 0, 0, 0, 0
    for z in np.flatnonzero((traces != NOT_TRACED).any(axis=(1, 2))):
        trace, found = traces[z] == TRACE, mask[z] > 0
        inner = np.zeros_like(trace)
        inner[BORDER:-BORDER, BORDER:-BORDER] = True
        to_trace = distance_transform_edt(~trace)
        to_mask = distance_transform_edt(~found) if found.any() else np.full(trace.shape, np.inf)
        reached += int(np.count_nonzero(to_mask[trace & inner] <= REACH))
        traced += int(np.count_nonzero(trace & inner))
        counted = found & ~((traces[z] == DOUBTFUL) & (to_trace > REACH))
        right += int(np.count_nonzero(to_trace[counted] <= REACH))
        called += int(np.count_nonzero(counted))
    recall, precision = reached / max(traced, 1), right / max(called, 1)
    return TraceScores(2 * recall * precision / max(recall + precision, 1e-9), recall, precision)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mask", type=Path)
    scores = trace_scores(read_labels(parser.parse_args().mask)[0], read_traces())
    print(f"F1 {scores.f1:.3f}, recall {scores.recall:.3f}, precision {scores.precision:.3f}")


if __name__ == "__main__":
    main()
