"""The recipe of the general models: scenes, two trainings, calibration, and how the models do on scenes that taught nothing."""
from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...models.card import ModelCard, save_model
from ...models.membrane_unet3d import MembraneUNet3d
from ...models.shelf import model_folder as shelf_folder
from ...runtime.device import choose_device
from ...runtime.files import write_json
from ...runtime.job import Job, MethodOutcome, Output
from ...runtime.params import parameters_from
from ...students.centres.model import Calibration, CentreModel, centre_card
from ...students.membranes.network import CLASSES, METHOD, VOLUME_NETWORK, MembraneModel, load_membrane_model
from ...training.engine import TrainingOutcome, train
from ...training.params import TrainingParameters
from .border import best_border, move_border
from .calibration import fitted, scored_picks
from .draw import VOXEL_SIZES
from .judge import membrane_figures, particle_figures
from .membranes import GeneralMembraneTask, prepared, teaching
from .params import GeneralMembranesParameters, GeneralParticlesParameters, TrainGeneralParameters
from .particles import COARSEST, FINEST, GeneralParticleTask, at_scales
from .scenes import TracedMembranes, read_scene, write_scenes

logger = logging.getLogger(__name__)
WORKING_SIZES = (10.0, 12.5, 16.0, 20.0)  # A, voxel sizes at which the membrane network is shown tomograms
NAME = "general"


def run(job: Job) -> MethodOutcome:
    """Write ``membranes`` and ``particles``, two model folders; label volumes of real membranes come under the role ``traced``."""
    p = parameters_from(TrainGeneralParameters, job.parameters)
    folder = Path(job.output_folder)
    items = job.inputs_of("traced")
    traced = TracedMembranes(tuple(Path(item.path) for item in items), tuple(float(item.voxel_size or 0) for item in items))
    scenes = write_scenes(folder / "scenes", p.scenes, p.scene_seed, traced, p.processes, p.scene_px)
    outcome = MethodOutcome()
    if p.models != "particles":
        _train_membranes(job, p, scenes, outcome)
    if p.models != "membranes":
        _train_particles(job, p, scenes, outcome)
    write_json(folder / "held_out.json", outcome.metrics)
    outcome.outputs.append(Output(kind="table", path="held_out.json"))
    return outcome


def _train_membranes(job: Job, p: TrainGeneralParameters, scenes: Sequence[Path], outcome: MethodOutcome) -> None:
    chosen = GeneralMembranesParameters(iterations=p.membrane_iterations, minutes=p.minutes)
    cut, folder = len(scenes) - p.held_out, Path(job.output_folder)
    taught, held_out = ([prepared(scene, number) for number, scene in enumerate(teaching(map(read_scene, part)))]
                        for part in (scenes[:cut], scenes[cut:]))
    task = GeneralMembraneTask(taught, held_out, chosen, job.seed)
    trained = train(task, chosen, folder / "training_membranes", job.seed, job.device)
    trained.load_best(task.networks)
    card = ModelCard(
        name=NAME, method=METHOD, network=VOLUME_NETWORK, voxel_size=WORKING_SIZES[0], normalisation="volume", classes=CLASSES,
        network_parameters={"inputs": 1, "working_sizes": list(WORKING_SIZES), "coarsest": max(VOXEL_SIZES)},
        training=_record(job, p, chosen, trained), made_by=_command(job))
    model, device = MembraneModel(task.networks["unet"].eval(), card), choose_device(job.device)  # type: ignore[arg-type]
    border = best_border(map(read_scene, scenes[cut:]), model, device)
    move_border(model.network, border)  # type: ignore[arg-type]
    save_model(folder / "membranes", model.network, card.model_copy(update={"training": {**card.training, "border": border}}))
    outcome.metrics["membranes"] = membrane_figures(map(read_scene, scenes[cut:]), model, device)
    _note(trained, "membranes", folder, outcome)


def _train_particles(job: Job, p: TrainGeneralParameters, scenes: Sequence[Path], outcome: MethodOutcome) -> None:
    chosen = GeneralParticlesParameters(iterations=p.particle_iterations, minutes=p.minutes)
    cut, folder, device = len(scenes) - p.held_out, Path(job.output_folder), choose_device(job.device)
    taught, held_out = ([part for path in paths for part in at_scales(read_scene(path))] for paths in (scenes[:cut], scenes[cut:]))
    task = GeneralParticleTask(taught, held_out, chosen, job.seed, _trunk(folder))
    trained = train(task, chosen, folder / "training_particles", job.seed, job.device)
    trained.load_best(task.networks)
    del taught
    raw = CentreModel(task.networks["centres"].eval(), FINEST, COARSEST, Calibration())  # type: ignore[arg-type]
    picks = [scored_picks(read_scene(path), raw, device) for path in scenes[cut:]]
    model = CentreModel(raw.network, FINEST, COARSEST, fitted(picks))
    card = centre_card(model, _record(job, p, chosen, trained), name=NAME, made_by=_command(job))
    save_model(folder / "particles", model.network, card)
    outcome.metrics["particles"] = particle_figures(picks, model.calibration)
    _note(trained, "particles", folder, outcome)


def _trunk(folder: Path) -> MembraneUNet3d:
    """The network of membranes that this folder holds, else the shipped one."""
    trained = folder / "membranes"
    return load_membrane_model(trained if trained.is_dir() else shelf_folder(NAME, METHOD)).network  # type: ignore[return-value]


def _note(trained: TrainingOutcome, name: str, folder: Path, outcome: MethodOutcome) -> None:
    outcome.outputs += [Output(kind="model", path=name),
                        Output(kind="figure", path=str((trained.folder / "training_curve.png").relative_to(folder))),
                        Output(kind="table", path=str((trained.folder / "metrics.csv").relative_to(folder)))]
    if trained.ended_by == "time limit":
        outcome.warnings.append(f"the time limit ended the training of {name}; run it again to go on")


def _record(job: Job, p: TrainGeneralParameters, chosen: TrainingParameters, trained: TrainingOutcome) -> dict[str, Any]:
    return {**trained.record(), "scenes": p.scenes - p.held_out, "scene_seed": p.scene_seed, "seed": job.seed,
            "parameters": chosen.model_dump(mode="json")}


def _command(job: Job) -> str:
    given = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in sorted(job.parameters.items()))
    traced = " ".join(f"--traced {Path(item.path).name} --traced-voxel-size {item.voxel_size:g}" for item in job.inputs_of("traced"))
    return " ".join(f"cryoetseg train general --out FOLDER {given} {traced} --seed {job.seed}".split())
