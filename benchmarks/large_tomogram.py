"""Memory and time on a tomogram of 1000 x 960 x 928 voxels, float32 (3.3 GiB), and whether tiles leave seams.

    python benchmarks/large_tomogram.py --out FOLDER --small TOMOGRAM [--membranes MODEL] [--picker MODEL] [--segmenter MODEL]
                                        [--shape Z Y X] [--slabs FIRST END [--slab-step N]]

The tomogram is made of copies of a small one side by side. Each step runs as a program of its own, as Scipion runs it; the table
shows its largest resident memory and its time per million voxels. Seams: the result is compared with that of a tomogram
of 2 x 2 x 2 copies only, whose tiles lie elsewhere, in the copy that both hold inside.
"""
from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np

from cryoetseg.core.methods import parameters_model
from cryoetseg.core.models.shelf import model_folder
from cryoetseg.core.runtime.job import InputFile, Job, Result, read_result, write_job
from cryoetseg.core.volumes.io import create_volume, open_labels, open_volume, read_volume

SHAPE = (1000, 960, 928)
LIMIT_GIB, SLABS_GIB = 1.5, 4.0


def write_copies(small: Path, target: Path, shape: tuple[int, int, int]) -> Path:
    """Fill a volume of ``shape`` with copies of ``small``, slice by slice."""
    tomogram, header = read_volume(small)
    indices = [np.arange(size) % period for size, period in zip(shape[1:], tomogram.shape[1:])]
    with create_volume(target, shape, np.float32, header.voxel_size) as volume:
        for z in range(shape[0]):
            volume[z] = tomogram[z % len(tomogram)][np.ix_(*indices)]
    return target


def run_program(method: str, inputs: list[InputFile], folder: Path, **parameters: object) -> Result:
    """Run one job in a fresh process, so that its memory is its own."""
    defaults = parameters_model(method)(**parameters).model_dump(mode="json")
    write_job(folder / "job.json", Job(method=method, parameters=defaults, inputs=inputs, output_folder=str(folder)))
    subprocess.run([sys.executable, "-m", "cryoetseg.core", str(folder / "job.json")], check=True)
    return read_result(folder / "result.json")


def seam_difference(large: Path, small: Path, period: tuple[int, ...], margin: int) -> float:
    """Share of voxels that differ in the second copy along each axis, ``margin`` voxels inside."""
    inside = tuple(slice(size, min(2 * size, total) - margin) for size, total in zip(period, open_labels(small).data.shape))
    first, second = (np.asarray(open_labels(path).data[inside]) > 0 for path in (large, small))
    return float((first != second).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--small", type=Path, required=True, help="the tomogram whose copies are joined")
    parser.add_argument("--shape", type=int, nargs=3, default=SHAPE)
    for model in ("membranes", "picker", "segmenter"):
        parser.add_argument(f"--{model}", help="a shipped model by name, or the folder of a trained one")
    parser.add_argument("--slabs", type=int, nargs=2, help="slices that segment slabs works on")
    parser.add_argument("--slab-step", type=int, default=1, help="distance between two slabs; what lies between is interpolated, which "
                        "takes as much memory in less time")
    arguments = parser.parse_args()
    shape = tuple(arguments.shape)
    period = open_volume(arguments.small).header.shape
    large = write_copies(arguments.small, arguments.out / "large.mrc", shape)
    few = write_copies(arguments.small, arguments.out / "few.mrc", tuple(min(2 * size, total) for size, total in zip(period, shape)))
    steps = {"pick-dog": ("", None), "segment-membranes": ("membranes", arguments.membranes), "pick-deepet": ("picker", arguments.picker),
             "segment-classes": ("segmenter", arguments.segmenter)}
    print(f"{'step':20}{'peak GiB':>10}{'limit':>8}{'seconds':>10}{'s / Mvoxel':>12}{'seams':>10}")
    chosen: dict[str, dict[str, int]] = {}
    if arguments.slabs:
        steps["segment-slabs"] = ("", None)
        chosen["segment-slabs"] = {"z_start": arguments.slabs[0], "z_end": arguments.slabs[1], "z_step": arguments.slab_step}
    for method, (kind, model) in steps.items():
        if model is None and kind:
            continue
        inputs = [] if model is None else [InputFile(path=str(model_folder(model, kind).absolute()), role="model")]
        results = [run_program(method, [*inputs, InputFile(path=str(path.absolute()), tilt_series_id=path.stem, contrast="dark")],
                               arguments.out / method / path.stem, **chosen.get(method, {})) for path in (large, few)]
        masks = [Path(result.job["output_folder"]) / output.path for result in results
                 for output in result.outputs if output.kind in ("membrane_mask", "class_mask")]
        seams = f"{seam_difference(masks[0], masks[-1], period, 16):10.2e}" if masks else f"{'-':>10}"
        gib = results[0].peak_memory_bytes / 2**30
        limit = SLABS_GIB if method in chosen else LIMIT_GIB
        print(f"{method:20}{gib:10.2f}{limit:8.1f}{results[0].seconds:10.0f}{results[0].seconds / np.prod(shape) * 1e6:12.3f}{seams}",
              flush=True)


if __name__ == "__main__":
    main()
