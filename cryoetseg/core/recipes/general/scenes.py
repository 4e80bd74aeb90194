"""Simulating the training scenes: several processes, resumable, each scene a volume, its classes, its particles and a record."""
from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...particles.formats import read_particles, write_particles
from ...particles.table import ParticleTable
from ...runtime.files import write_json
from ...runtime.progress import track
from ...runtime.seeds import numpy_generator, stream_seed
from ...runtime.workers import in_processes
from ...simulation.apply import simulate
from ...simulation.finishing import finish
from ...simulation.library import Template, build_template, build_templates
from ...simulation.membranes import Surface
from ...simulation.random_molecules import random_molecule
from ...simulation.tomogram import SimulatedTomogram
from ...simulation.traced import cut_labels, traced_surface
from ...volumes.io import open_labels, open_volume, write_volume
from .draw import SIDE, SceneDraw, draw_scene

BACKGROUND, MEMBRANE, FILAMENT, FOREIGN = range(4)
FREE, MEMBRANE_BOUND = 1, 2
PARTICLE_KINDS = {FREE: "free", MEMBRANE_BOUND: "membrane protein"}
CLASS_OF = {"actin": FILAMENT, "microtubule": FILAMENT, "gold": FOREIGN, "contamination": FOREIGN, "carbon": FOREIGN}


class TracedMembranes(NamedTuple):
    """Label volumes of real membranes, whose shapes some scenes take, and their voxel sizes in Angstrom."""

    paths: tuple[Path, ...] = ()
    voxel_sizes: tuple[float, ...] = ()


NO_SHAPES = TracedMembranes()


class Scene(NamedTuple):
    """A written scene. ``volume`` (z, y, x) has bright particles; ``classes`` holds :data:`BACKGROUND` to :data:`FOREIGN`;
    ``particles`` have class :data:`FREE` or :data:`MEMBRANE_BOUND` and gyration diameters in Angstrom."""

    name: str
    volume: np.ndarray
    classes: np.ndarray
    particles: ParticleTable
    voxel_size: float
    record: dict[str, object]


def write_scenes(folder: Path, count: int, seed: int, traced: TracedMembranes = NO_SHAPES, processes: int = 1,
                 side: int = SIDE) -> list[Path]:
    """Simulate the scenes that ``folder`` does not hold yet; returns their volumes."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{draw_scene(number, seed).parameters.name}.mrc" for number in range(count)]
    missing = [(number, path, seed, traced, side) for number, path in enumerate(paths) if not path.exists()]
    for _ in track(in_processes(_write, missing, processes), "training scenes", total=len(missing)):
        pass
    return paths


def read_scene(path: Path) -> Scene:
    """A scene that :func:`write_scenes` wrote."""
    volume, labels = open_volume(path), open_labels(_classes_path(path))
    record = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return Scene(path.stem, np.asarray(volume.data), np.asarray(labels.data), read_particles(_particles_path(path)),
                 volume.header.voxel_size, record)


def _write(task: tuple[int, Path, int, TracedMembranes, int]) -> None:
    """Simulate one scene; its volume is written last, so that a scene that is there is whole."""
    number, path, seed, traced, side = task
    draw = draw_scene(number, seed, side)
    tomogram, templates = simulated(draw, seed, traced)
    write_volume(_classes_path(path), scene_classes(tomogram), draw.parameters.voxel_size)
    write_particles(scene_particles(tomogram, templates), _particles_path(path))
    write_json(path.with_suffix(".json"), {"seed": seed, "kind": draw.kind, "finishing": draw.finishing._asdict(), "snr": tomogram.snr,
                                           **draw.parameters.model_dump()})
    write_volume(path, finish(tomogram.reconstruction, draw.finishing).astype(np.float16), draw.parameters.voxel_size)


def simulated(draw: SceneDraw, seed: int, traced: TracedMembranes = NO_SHAPES) -> tuple[SimulatedTomogram, list[Template]]:
    """The tomogram of a draw before it is finished, and the random molecules in it."""
    p = draw.parameters
    extra = [build_template(random_molecule(number, seed), p.voxel_size) for number in draw.random_molecules]
    surfaces = _traced(draw, seed, traced) if draw.traced_membranes and traced.paths else []
    return simulate(p, stream_seed(seed, "sample", draw.number) % 2**31, extra, surfaces=surfaces), extra


def _traced(draw: SceneDraw, seed: int, traced: TracedMembranes) -> list[Surface]:
    p = draw.parameters
    extent = [side * p.voxel_size for side in (p.size_z, p.size_y, p.size_x)]
    cut = cut_labels(traced.paths, extent, traced.voxel_sizes, p.voxel_size,
                     numpy_generator(seed, "traced membranes", draw.number))
    return [traced_surface(*cut)] if cut is not None else []


def scene_classes(tomogram: SimulatedTomogram) -> np.ndarray:
    """int8 (z, y, x): membrane, filament and foreign bodies; everything else, particles too, is background."""
    number_of = {name: number for number, name in tomogram.class_names.items()}
    classes = np.zeros(tomogram.class_mask.shape, dtype=np.int8)
    for name, value in CLASS_OF.items():
        classes[tomogram.class_mask == number_of[name]] = value
    classes[tomogram.membrane_mask > 0] = MEMBRANE
    return classes


def scene_particles(tomogram: SimulatedTomogram, extra: Sequence[Template]) -> ParticleTable:
    """All particles as free or membrane-bound, with the diameter of the ball of their radius of gyration."""
    templates = build_templates(tomogram.parameters.particles, tomogram.parameters.voxel_size, extra)
    table = tomogram.particles
    kinds = np.array([MEMBRANE_BOUND if item.placement == "membrane" else FREE for item in templates] or [FREE])
    diameters = np.array([item.gyration_diameter for item in templates] or [0.0])
    row = table.class_id - 1 if len(table) else np.zeros(0, dtype=int)
    return ParticleTable.from_points(
        table.zyx, voxel_size=table.voxel_size, class_id=kinds[row], diameters=diameters[row], class_names=PARTICLE_KINDS,
        tilt_series_id=tomogram.parameters.name)


def _classes_path(path: Path) -> Path:
    return path.with_name(f"{path.stem}_classes.mrc")


def _particles_path(path: Path) -> Path:
    return path.with_name(f"{path.stem}_particles.star")
