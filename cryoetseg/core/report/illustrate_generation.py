"""The figures of generated particles and of their comparison with real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..runtime.files import read_json
from ..runtime.job import Result
from ..volumes.contrast import particles_bright
from ..volumes.io import read_volume

EXAMPLES = 3  # generated cubes shown of each class


def draw_generated(result: Result, folder: Path) -> list[str]:
    """The first subtomograms of each class in three planes."""
    record = read_json(folder / result.outputs_of("report")[0].path)
    by_class: dict[str, list[np.ndarray]] = {}
    for row in record["subtomograms"]:
        cubes = by_class.setdefault(row["class"], [])
        if len(cubes) < EXAMPLES:
            cubes.append(particles_bright(read_volume(folder / row["file"])[0], record["contrast"]))
    shown = min(len(cubes) for cubes in by_class.values())
    columns = {f"sample {number + 1}": [cubes[number] for cubes in by_class.values()] for number in range(shown)}
    return [_montage(folder, list(by_class), columns)]


def draw_scores(result: Result, folder: Path) -> list[str]:
    """Examples and means beside the real ones, spectra by class, and the profile of the hollow class."""
    from .figures import new_figure, save_figure
    from .generation import draw_profiles, draw_spectra, spectra_of_scores

    scores = read_json(folder / result.outputs_of("report")[0].path)
    with np.load(folder / result.outputs_of("means")[0].path) as arrays:
        headings = {"generated": "example", "real": "example_real", "mean generated": "mean", "mean real": "mean_real"}
        names = [_montage(folder, arrays["classes"].tolist(), {heading: arrays[key] for heading, key in headings.items()})]
    spectra = new_figure(9.0, 2.6 * -(-len(scores["by_class"]) // 3))
    draw_spectra(spectra, spectra_of_scores(scores), scores["voxel_size"])
    save_figure(folder / "spectra.png", spectra)
    names.append("spectra.png")
    if "hollow_class" in scores:
        profile, row = new_figure(5.0, 3.5), scores["by_class"][scores["hollow_class"]]
        draw_profiles(profile.add_subplot(), {"generated": row["profile"], "real": row["profile_real"]}, scores["voxel_size"])
        save_figure(folder / "profile.png", profile)
        names.append("profile.png")
    return names


def _montage(folder: Path, classes: list[str], columns: dict[str, Any]) -> str:
    from .figures import new_figure, save_figure
    from .generation import draw_montage, montage_size

    figure = new_figure(*montage_size(len(classes), len(columns)))
    draw_montage(figure, classes, columns)
    save_figure(folder / "montage.png", figure)
    return "montage.png"
