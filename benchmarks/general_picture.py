"""What the general models find in tomogram 171 as pictures: the first page's, one slice beside itself, and five slices from bottom to top.

    python benchmarks/general_picture.py RESULTS --out FOLDER

RESULTS is the folder of ``cryoetseg pipeline empiar11658_tomo171_31A.mrc --out RESULTS`` at its defaults.
"""
from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from traces import TRACES

from cryoetseg.core.particles.formats import read_particles
from cryoetseg.core.report.figures import draw_slice, new_figure, points_near, save_figure
from cryoetseg.core.volumes.io import read_labels, read_volume

TOMOGRAM = TRACES.parents[1] / "tomograms" / "empiar11658_tomo171_31A.mrc"
FIRST, FIVE = 64, (30, 47, 64, 81, 98)
BEST, REACH_PX = 800, 2.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    arguments = parser.parse_args()
    volume, header = read_volume(TOMOGRAM)
    mask, _ = read_labels(next(arguments.results.rglob("*_membranes.mrc")))
    picks = read_particles(next(arguments.results.rglob("*particles.star")), voxel_size=header.voxel_size).sorted_by_score()
    best = picks.select(np.arange(min(BEST, len(picks))))

    def overlay(axes: Any, z: int) -> None:
        near = np.abs(best.zyx[:, 0] - z) <= REACH_PX
        circles = best.diameters[near] / header.voxel_size
        draw_slice(axes, volume[z], mask[z] > 0, points_near(best.zyx, 0, z, REACH_PX), diameter_px=circles)

    first = new_figure(9.0, 4.6)
    left, right = first.subplots(1, 2)
    draw_slice(left, volume[FIRST], voxel_size=header.voxel_size)
    overlay(right, FIRST)
    save_figure(arguments.out / "general_tomo171.png", first)
    five = new_figure(12.0, 5.0)
    for column, z in zip(five.subplots(2, len(FIVE)).T, FIVE):
        draw_slice(column[0], volume[z], title=f"slice {z}", voxel_size=header.voxel_size if z == FIVE[0] else None)
        overlay(column[1], z)
    save_figure(arguments.out / "general_tomo171_five.png", five)


if __name__ == "__main__":
    main()
