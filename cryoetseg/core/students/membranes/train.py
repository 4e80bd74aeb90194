"""Training the membrane student: from labels, then in rounds of self-training from its own confident answers."""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...models.card import ModelCard, save_model
from ...runtime.device import choose_device
from ...runtime.files import atomic_path
from ...runtime.job import Job, MethodOutcome, Output
from ...runtime.params import parameters_from
from ...runtime.seeds import stream_seed
from ...training.engine import TrainingOutcome, train
from ...volumes.streaming import temporary_volume
from ..start import note_on_voxel_size, start_record
from ..volumes import StudentVolume, open_student_volumes
from .apply import membrane_probability
from .components import without_small_components
from .data import MEMBRANE_FROM, LabelledTomogram, ProbabilityTargets, open_labelled
from .judge import forgotten, lost_membranes, not_worse_than
from .network import CLASSES, METHOD, NETWORK, MembraneModel, load_membrane_model
from .params import SegmentMembranesParameters, TrainMembranesParameters
from .task import MembraneTask
from .volume_task import VolumeMembraneTask, at_working_size


@dataclass(frozen=True)
class TrainedMembranes:
    """The student, how each round went, and what a user should know."""

    model: MembraneModel
    rounds: list[TrainingOutcome]
    warnings: list[str]


def run(job: Job) -> MethodOutcome:
    """Train on the job's tomograms and ``labels``, tomograms that hold nothing (role ``empty``) beside them, from random weights or those
    of the model with the role ``start``, and write the model folder ``model``."""
    parameters = parameters_from(TrainMembranesParameters, job.parameters)
    volumes = open_student_volumes(job, needs="labels", resample_labels=parameters.resample_labels, takes_empty=True)
    start = load_membrane_model(job.input_of("start").path) if job.inputs_of("start") else None
    folder = Path(job.output_folder)
    trained = train_membranes(volumes, parameters, folder / "training", job.seed, job.device, start)
    save_model(folder / "model", trained.model.network, trained.model.card)
    last = trained.rounds[-1]
    outputs = [Output(kind="model", path="model", voxel_size=trained.model.card.voxel_size)]
    for kind, path in (("figure", last.folder / "training_curve.png"), ("table", last.folder / "metrics.csv")):
        outputs.append(Output(kind=kind, path=str(path.relative_to(folder))))
    return MethodOutcome(outputs=outputs, metrics=last.record(), warnings=trained.warnings)


def train_membranes(
    volumes: Sequence[StudentVolume], parameters: TrainMembranesParameters, folder: str | Path, seed: int = 0, device: str = "auto",
    start: MembraneModel | None = None,
) -> TrainedMembranes:
    """Train on ``volumes`` with labels; an interrupted training in ``folder`` goes on where it stopped.

    From ``start`` the student takes its weights and what its network wants to see; it stays as it is where the training makes it no
    better on what was held out. A round of self-training that forgets most of the membranes ends the training before it.
    """
    folder = Path(folder)
    notes = note_on_voxel_size(start.card.voxel_size, volumes[0].header.voxel_size) if start and not start.is_volumetric else []
    parameters = parameters if start is None else _as_seen_by(start, parameters)
    if start is not None and start.is_volumetric:
        volumes, parameters = at_working_size(volumes, start, parameters)
    labelled = tomograms = open_labelled(volumes, parameters)
    rounds: list[TrainingOutcome] = []
    model = start
    task_of = VolumeMembraneTask if start is not None and start.is_volumetric else MembraneTask
    for number in range(1 + (parameters.rounds if parameters.unpainted == "background" else 0)):
        here = folder / f"round_{number + 1}"
        if number:
            assert model is not None
            relabelled = [_relabelled(tomogram, model, parameters, here, device) for tomogram in labelled]
            if lost := lost_membranes(tomograms, relabelled):
                notes.append(f"round {number + 1} of self-training was left out: {lost}")
                break
            tomograms = relabelled
        task = task_of(tomograms, parameters, stream_seed(seed, "weights", number), start.card.sha256 if start else "")
        if model is not None:  # goes on from what it knows: half the steps of a fresh start
            task.networks["unet"].load_state_dict(model.network.state_dict())
        outcome = train(task, parameters, here, stream_seed(seed, "round", number), device)
        outcome.load_best(task.networks)
        made = MembraneModel(task.networks["unet"].eval(), _card(volumes, parameters, [*rounds, outcome], seed, start))  # type: ignore[arg-type]
        if number and model is not None and (lost := forgotten(model, made, labelled)):
            notes.append(f"round {number + 1} of self-training was dropped: {lost}")
            break
        model, rounds = made, [*rounds, outcome]
        if outcome.ended_by == "time limit":
            break
    assert model is not None
    if start is not None:
        model, note = not_worse_than(start, model, labelled)
        notes += note
    return TrainedMembranes(model, rounds, [*_warnings(volumes, labelled, parameters, rounds), *notes])


def _as_seen_by(start: MembraneModel, parameters: TrainMembranesParameters) -> TrainMembranesParameters:
    """The parameters with what the network of ``start`` was made for."""
    normalisation, smoothing = start.preparation
    return parameters.model_copy(update={"slices": start.slices, "normalisation": normalisation, "smoothing_px": smoothing})


def _relabelled(
    tomogram: LabelledTomogram, model: MembraneModel, parameters: TrainMembranesParameters, folder: Path, device: str,
) -> LabelledTomogram:
    """The tomogram with the student's probability as its target, made once and kept in ``folder`` for a training that goes on; that
    of one that holds nothing is known."""
    if tomogram.empty:
        return tomogram
    path = folder / f"{tomogram.volume.name}_targets.npy"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        slices = [*tomogram.training, *tomogram.held_out]
        with atomic_path(path) as part:
            target = np.lib.format.open_memmap(part, "w+", np.float16, tomogram.volume.header.shape)
            membrane_probability(tomogram.volume, model, target, (min(slices), max(slices) + 1),
                                 SegmentMembranesParameters(test_flips=True), choose_device(device))
            _clear_small_components(target, parameters.smallest_component / tomogram.volume.header.voxel_size**3)
            target.flush()
    return replace(tomogram, targets=ProbabilityTargets(np.load(path, mmap_mode="r"), parameters.confidence))


def _clear_small_components(probability: np.ndarray, minimum_voxels: float) -> None:
    """Make background of what the student took for membrane in pieces too small to be one: particles, mostly."""
    kept = temporary_volume(probability.shape, np.int8)
    without_small_components(probability, MEMBRANE_FROM, math.ceil(minimum_voxels), kept)
    for plane, mask in zip(probability, kept):
        plane[(plane >= MEMBRANE_FROM) & (mask == 0)] = 0


def _card(
    volumes: Sequence[StudentVolume], parameters: TrainMembranesParameters, rounds: Sequence[TrainingOutcome], seed: int,
    start: MembraneModel | None = None,
) -> ModelCard:
    record: dict[str, Any] = {
        "parameters": parameters.model_dump(mode="json"), "seed": seed, "rounds": [outcome.record() for outcome in rounds],
        "tomograms": [volume.name for volume in volumes], **({"start": start_record(start.card)} if start else {})}
    return ModelCard(
        method=METHOD, network=start.card.network if start else NETWORK,
        network_parameters={"inputs": parameters.slices, "smoothing_px": parameters.smoothing_px},
        voxel_size=float(np.mean([volume.header.voxel_size for volume in volumes])), normalisation=parameters.normalisation,
        classes=CLASSES, training=record)


def _warnings(
    volumes: Sequence[StudentVolume], tomograms: Sequence[LabelledTomogram], parameters: TrainMembranesParameters,
    rounds: Sequence[TrainingOutcome],
) -> list[str]:
    warnings = [text for volume in volumes for text in volume.warnings]
    for tomogram in tomograms:
        used = np.concatenate([tomogram.training, tomogram.held_out])
        if tomogram.empty:
            continue
        if not parameters.z_end and len(used) and (used.min() > 0 or used.max() + 1 < tomogram.volume.header.shape[0]):
            warnings.append(f"{tomogram.volume.name}: only the slices {used.min()}:{used.max() + 1} hold labels; the others were not taken "
                            "as background (naming the first and the last labelled slice does otherwise)")
        if not len(tomogram.held_out):
            warnings.append(f"{tomogram.volume.name}: too few labelled slices to hold some out; the last weights are used")
    if rounds[-1].ended_by == "time limit":
        warnings.append("the time limit ended the training; run it again to go on")
    return warnings
