"""Generated against real particles as a job: a table by class, spectra and profiles."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..runtime.errors import InputError
from ..runtime.files import atomic_path, read_json, write_json, write_text
from ..runtime.job import Job, MethodOutcome, Output
from ..runtime.params import parameters_from
from ..runtime.seeds import torch_generator
from ..volumes.contrast import particles_bright
from ..volumes.io import read_volume
from . import comparison
from .data import Particles, open_particles, standard
from .diffusion import clean_from_answer
from .model import Generator, load_generator
from .params import EvaluateGenerationParameters

COLUMNS = ("count", "correlation_own", "correlation_best_other", "best_class", "fsc_half_angstrom", "spectrum_deviation",
           "spectrum_shells_over_25", "nearest_training", "nearest_training_of_real", "pair_correlation", "pair_correlation_real")
ERROR_ITEMS, ERROR_BATCH = 64, 8
LEAST_TO_COMPARE = 1


@dataclass(frozen=True)
class Generated:
    """Generated cubes (n, z, y, x), bright and standardised, with numbers of ``classes``, and their list."""

    cubes: np.ndarray
    kinds: np.ndarray
    classes: list[str]
    record: dict[str, Any]


def read_generated(path: str | Path) -> Generated:
    """Read a list that sampling wrote, named by itself or by its folder; raises ``InputError``."""
    path = Path(path)
    if path.is_dir():
        found = sorted(item for item in path.glob("*.json") if item.name not in ("job.json", "result.json"))
        if len(found) != 1:
            raise InputError(f"{path} holds {len(found)} lists (.json)", "one list of generated subtomograms", "name the list itself")
        path = found[0]
    record = read_json(path)
    rows = record.get("subtomograms")
    if not isinstance(rows, list) or not rows:
        raise InputError(f"{path} lists no subtomograms", "a list that generate sample wrote")
    classes = sorted({row["class"] for row in rows})
    cubes = [standard(particles_bright(read_volume(path.parent / row["file"])[0], record["contrast"])) for row in rows]
    return Generated(np.stack(cubes), np.array([classes.index(row["class"]) for row in rows]), classes, record)


def compare(generated: Generated, real: np.ndarray, kinds: np.ndarray, training: tuple[np.ndarray, np.ndarray], voxel_size: float,
            parameters: EvaluateGenerationParameters) -> dict[str, dict[str, Any]]:
    """The table: one row a class. ``kinds`` (of ``real`` and in ``training``) are numbers of ``generated.classes``.

    ``correlation_own`` is that of the mean generated with the mean real cube of the class, ``correlation_best_other`` the largest
    with another class; ``nearest_training`` the largest correlation of any sample with a training cube (1 is a copy) and
    ``nearest_training_of_real`` the same for the real cubes; pair correlations tell how alike the cubes of a class are.
    """
    names = generated.classes
    means = comparison.mean_cubes(generated.cubes, generated.kinds, len(names))
    real_means = comparison.mean_cubes(real, kinds, len(names))
    table = comparison.correlations(means, real_means)
    rows: dict[str, dict[str, Any]] = {}
    for number, name in enumerate(names):
        own, known = generated.cubes[generated.kinds == number], real[kinds == number]
        trained = training[0][training[1] == number]
        power, real_power = comparison.radial_power(own), comparison.radial_power(known)
        deviation, shells = comparison.largest_deviation(power, real_power, parameters.least_power)
        rows[name] = {
            "count": len(own), "correlation_own": float(table[number, number]),
            "correlation_best_other": float(np.delete(table[number], number).max(initial=-1)),
            "best_class": names[int(table[number].argmax())],
            "fsc_half_angstrom": comparison.means_resolution(means[number], real_means[number], voxel_size),
            "spectrum_deviation": deviation, "spectrum_shells_over_25": shells,
            "nearest_training": float(comparison.nearest(own, trained).max()),
            "nearest_training_of_real": float(comparison.nearest(known, trained).max()) if training[0] is not real else float("nan"),
            "pair_correlation": comparison.mean_pair_correlation(own, parameters.largest_pairs),
            "pair_correlation_real": comparison.mean_pair_correlation(known, parameters.largest_pairs),
            "power": power.tolist(), "power_real": real_power.tolist(),
            "profile": comparison.radial_profile(means[number]).tolist(),
            "profile_real": comparison.radial_profile(real_means[number]).tolist(),
        }
    return rows


def clean_errors(generator: Generator, cubes: np.ndarray, kinds: Sequence[int], positions: np.ndarray) -> dict[str, float]:
    """Mean squared error of the clean volume on real cubes, at noise steps spread evenly, beside the bound of the schedule alone."""
    scheduler, count = generator.schedule.training(), min(ERROR_ITEMS, len(cubes))
    rows = np.linspace(0, len(cubes) - 1, count).round().astype(int)
    steps = torch.arange(count) * generator.schedule.steps // count
    hot, sign = torch.eye(len(generator.classes)), 1 if generator.contrast == "bright" else -1
    errors = []
    for start in range(0, count, ERROR_BATCH):
        part, at = rows[start : start + ERROR_BATCH], steps[start : start + ERROR_BATCH]
        clean = sign * torch.from_numpy(cubes[part])[:, None]
        noise = torch.randn(clean.shape, generator=torch_generator(0, "clean errors", start))
        noisy = scheduler.add_noise(clean, noise, at)
        with torch.no_grad():
            answer = generator.network(noisy, at, hot[[kinds[row] for row in part]], torch.from_numpy(positions[part]))
        errors.append((clean_from_answer(scheduler, answer, noisy, at) - clean).square().mean(dim=(1, 2, 3, 4)))
    return {"clean_error": float(torch.cat(errors).mean()), "schedule_bound": generator.schedule.bound()}


def run(job: Job) -> MethodOutcome:
    """Compare the list under role ``generated`` with real particles (``tomogram``, ``particles``).

    Memorisation is looked for in the same particles, or in those under the roles ``training_tomogram`` and ``training_particles``
    where the real ones were not trained on. A ``model`` adds its errors. Writes ``scores.json``, ``scores.csv`` and ``means.npz``.
    """
    p = parameters_from(EvaluateGenerationParameters, job.parameters)
    lists = job.inputs_of("generated")
    if len(lists) != 1:
        raise InputError(f"{len(lists)} inputs have the role 'generated'", "one list of generated subtomograms")
    generated = read_generated(lists[0].path)
    box = generated.cubes.shape[-1]
    particles = _of_classes(open_particles(job, LEAST_TO_COMPARE), generated.classes)
    real = particles.patches(box, p.padding)
    trained = _training(job, generated.classes)
    training = (real, particles.kinds) if trained is None else (trained.patches(box, p.padding), trained.kinds)
    size = particles.sources[0].voxel_size
    rows = compare(generated, real, particles.kinds, training, size, p)
    metrics: dict[str, Any] = {**_summary(rows), **_hollow(rows, p.hollow_class)}
    for item in job.inputs_of("model"):
        generator = load_generator(item.path)
        metrics |= clean_errors(generator, real, [generator.classes.index(generated.classes[kind]) for kind in particles.kinds],
                                particles.positions())
    folder = Path(job.output_folder)
    write_json(folder / "scores.json", {"voxel_size": size, "by_class": rows, **metrics})
    write_text(folder / "scores.csv", _csv(rows))
    _write_means(folder / "means.npz", generated, real, particles.kinds)
    outputs = [Output(kind="table", path="scores.csv"), Output(kind="report", path="scores.json"), Output(kind="means", path="means.npz")]
    return MethodOutcome(outputs=outputs, metrics=metrics)


def _of_classes(particles: Particles, classes: list[str]) -> Particles:
    """Particles of ``classes`` alone, numbered in their order; raises ``InputError`` when one has none."""
    absent = [name for name in classes if name not in particles.classes]
    if absent:
        raise InputError(f"no real particles of {', '.join(absent)}", "lists with: " + ", ".join(classes),
                         "the lists have " + ", ".join(particles.classes))
    numbers = np.array([classes.index(name) if name in classes else -1 for name in particles.classes])
    kinds = numbers[particles.kinds]
    chosen = particles.select(kinds >= 0)
    return Particles(chosen.sources, chosen.source, chosen.centres, kinds[kinds >= 0], classes)


def _training(job: Job, classes: list[str]) -> Particles | None:
    renamed = [item.model_copy(update={"role": item.role.removeprefix("training_")}) for item in job.inputs
               if item.role.startswith("training_")]
    return _of_classes(open_particles(job.model_copy(update={"inputs": renamed}), LEAST_TO_COMPARE), classes) if renamed else None


def _summary(rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {"classes": len(rows), "classes_nearest_to_themselves": sum(row["best_class"] == name for name, row in rows.items()),
            "largest_spectrum_deviation": max(row["spectrum_deviation"] for row in rows.values()),
            "nearest_training": max(row["nearest_training"] for row in rows.values())}


def _hollow(rows: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    chosen = name or next((item for item in rows if "ferritin" in item.lower()), "")
    if chosen not in rows:
        return {}
    profiles = (np.array(rows[chosen][key]) for key in ("profile", "profile_real"))
    made, real = (comparison.hollowness(profile) for profile in profiles)
    return {"hollow_class": chosen, "hollowness": made, "hollowness_real": real}


def _csv(rows: dict[str, dict[str, Any]]) -> str:
    lines = ["class," + ",".join(COLUMNS)]
    for name, row in rows.items():
        lines.append(",".join([name, *(f"{row[key]:.4f}" if isinstance(row[key], float) else str(row[key]) for key in COLUMNS)]))
    return "\n".join(lines) + "\n"


def _write_means(path: Path, generated: Generated, real: np.ndarray, kinds: np.ndarray) -> None:
    """Mean cubes and one example of each class, real and generated, for figures."""
    count = len(generated.classes)
    arrays = {
        "mean": comparison.mean_cubes(generated.cubes, generated.kinds, count), "mean_real": comparison.mean_cubes(real, kinds, count),
        "example": np.stack([generated.cubes[generated.kinds == number][0] for number in range(count)]),
        "example_real": np.stack([real[kinds == number][0] for number in range(count)]),
    }
    with atomic_path(path) as part:
        np.savez_compressed(part, classes=np.array(generated.classes), **arrays)  # type: ignore[arg-type]
