"""Training DeepFinder's network, from arrays or as a job."""
from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...models.card import ModelCard, save_model
from ...models.deepfinder import DeepFinderNet
from ...runtime.errors import ParameterError
from ...runtime.job import Job, MethodOutcome, Output
from ...runtime.params import parameters_from
from ...runtime.seeds import numpy_generator, stream_seed
from ...training.engine import TrainingOutcome, train
from ...training.task import Metrics, Networks, Selection, Step, TrainingTask
from ..volumes import StudentVolume, open_student_volumes, volume_from_array
from .balls import BallLabels
from .clustering import object_sizes
from .data import BACKGROUND, check_classes, class_schedule, cut_patch, draw_patch, find_places, half_turns, split_block
from .losses import segmenter_loss
from .network import METHOD, NETWORK, with_first_weights
from .params import TrainSegmenterParameters

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainedSegmenter:
    """A network with its best weights, in evaluation mode, the card it was saved with in ``folder``, and how the training went."""

    network: DeepFinderNet
    card: ModelCard
    folder: Path
    outcome: TrainingOutcome
    warnings: tuple[str, ...] = ()


class SegmenterTask(TrainingTask):
    """Class-balanced patches as the training loop sees them. Volumes must have labels."""

    selection = Selection("dice", "max")

    def __init__(self, volumes: Sequence[StudentVolume], parameters: TrainSegmenterParameters, seed: int) -> None:
        self._parameters = parameters
        names = class_names(parameters)
        parts = [split_block(volume, parameters.held_out) for volume in volumes] if parameters.held_out else []
        self._training = [part for part, _ in parts] or list(volumes)
        self._held_out = [part for _, part in parts]
        self._places = find_places(self._training, numpy_generator(seed, "places"))
        self.classes, self.warnings = check_classes(self._places, names)
        self._schedule = class_schedule(self._places, parameters.patches_per_epoch, parameters.background_share)
        self._turns = half_turns(parameters.augmentation, parameters.tilt_axis)
        self._loss = segmenter_loss(parameters.loss)
        self._validation = self._validation_patches(seed)
        with torch.random.fork_rng():
            torch.manual_seed(stream_seed(seed, "first weights"))
            network = with_first_weights(DeepFinderNet(self.classes + 1))
        self.networks = {"segmenter": network.to(memory_format=torch.channels_last_3d)}  # type: ignore[call-overload]  # a tenth less time per step

    def items(self) -> int:
        return self._parameters.patches_per_epoch

    def item(self, index: int, generator: np.random.Generator) -> Mapping[str, np.ndarray]:
        p = self._parameters
        choice = draw_patch(self._places[int(self._schedule[index])], p.patch_px, p.jitter_px, self._turns, generator)
        voxels, labels = cut_patch(self._training, choice, p.patch_px, p.normalisation == "patch")
        return {"voxels": voxels, "labels": labels}

    def loss(self, networks: Networks, batch: Mapping[str, Tensor], step: Step) -> tuple[Tensor, Metrics]:
        voxels = batch["voxels"].contiguous(memory_format=torch.channels_last_3d)
        # overlaps and the weights of classes are those of the whole batch
        return self._loss(step.whole(networks["segmenter"](voxels).float()), step.whole(batch["labels"])), {}

    def validate(self, networks: Networks, generator: np.random.Generator) -> Mapping[str, float]:
        """Mean Dice over the classes, and their loss, on the same held-out patches each time; counts are pooled over the patches."""
        network = networks["segmenter"]
        device = next(network.parameters()).device
        counts, losses = np.zeros((self.classes + 1, self.classes + 1), np.int64), []
        for voxels, labels in self._validation:
            truth = torch.from_numpy(labels)[None].to(device)
            logits = network(torch.from_numpy(voxels)[None].to(device)).float()
            losses.append(float(self._loss(logits, truth)))
            pairs = truth[0, 0] * (self.classes + 1) + logits[0].argmax(0)
            counts += torch.bincount(pairs.flatten(), minlength=counts.size).reshape(counts.shape).cpu().numpy()
        return {"dice": mean_class_dice(counts), "loss": float(np.mean(losses))} if losses else {}

    def _validation_patches(self, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
        generator = numpy_generator(seed, "held-out patches")
        places = find_places(self._held_out, generator) if self._held_out else {}
        places = {value: found for value, found in places.items() if 0 < value <= self.classes}
        if not places:
            if self._held_out:
                self.warnings.append("the held-out blocks hold no label: the training is not validated and its last weights are used")
            return []
        p = self._parameters
        return [cut_patch(self._held_out, draw_patch(places[int(value)], p.patch_px, p.jitter_px, [(1, 1, 1)], generator), p.patch_px,
                          p.normalisation == "patch") for value in class_schedule(places, p.validation_patches, 0.0)]


def mean_class_dice(counts: np.ndarray) -> float:
    """Mean over the classes that occur in the truth, background left out, of 2 TP / (truth + predicted), from counts (truth, predicted)."""
    truth, predicted, both = counts.sum(1)[1:], counts.sum(0)[1:], np.diagonal(counts)[1:]
    return float(np.mean((2 * both / np.maximum(truth + predicted, 1))[truth > 0])) if (truth > 0).any() else 0.0


def class_names(parameters: TrainSegmenterParameters) -> list[str]:
    """The names given to the classes 1, 2, ...; raises :class:`ParameterError` for empty or doubled ones."""
    names = [name.strip() for name in parameters.class_names.split(",")] if parameters.class_names.strip() else []
    if len(set(names)) < len(names) or "" in names:
        raise ParameterError(f"class_names '{parameters.class_names}'", "different names with commas, such as ribosome,proteasome")
    return names


def train_segmenter(
    volumes: Sequence[tuple[Any, Any]], parameters: TrainSegmenterParameters, folder: str | Path, seed: int = 0, device: str = "auto",
    *, voxel_size: float,
) -> TrainedSegmenter:
    """Train on pairs (data, labels) and write a model to ``folder/model``; an interrupted training in ``folder`` goes on.

    ``data`` (z, y, x): grey values with bright particles, of any scale (they are standardised here); ``labels`` (z, y, x): whole
    numbers, 0 background, 1, 2, ... classes. Both are only read in pieces: memory maps do. ``voxel_size`` in Angstrom goes into the
    model's card. Raises ``InputError`` when labels or classes are missing.
    """
    opened = [volume_from_array(f"volume{number}", data, voxel_size, labels) for number, (data, labels) in enumerate(volumes)]
    return train_on_volumes(opened, parameters, folder, seed, device)


def train_on_volumes(
    volumes: Sequence[StudentVolume], parameters: TrainSegmenterParameters, folder: str | Path, seed: int = 0, device: str = "auto",
) -> TrainedSegmenter:
    """As :func:`train_segmenter`, on opened volumes with labels or particles."""
    folder = Path(folder)
    ready = [_with_balls(volume, parameters) for volume in volumes]
    task = SegmenterTask(ready, parameters, seed)
    for warning in task.warnings:
        logger.warning(warning)
    outcome = train(task, parameters, folder / "training", seed, device)
    outcome.load_best(task.networks)
    network = task.networks["segmenter"]
    card = save_model(folder / "model", network, _card(ready, task.classes, parameters, seed, outcome))
    notes = tuple(note for volume in volumes for note in volume.warnings)
    return TrainedSegmenter(network.eval(), card, folder / "model", outcome, (*notes, *task.warnings))  # type: ignore[arg-type]


def _with_balls(volume: StudentVolume, parameters: TrainSegmenterParameters) -> StudentVolume:
    """A volume with a particle list gets labels from it; diameters that the list does not state come from the parameters."""
    if volume.particles is None:
        return volume
    own = class_diameters(parameters)
    default = [own.get(value, parameters.particle_diameter) for value in volume.particles.class_id.tolist()]
    diameters = np.where(np.isfinite(volume.particles.diameters), volume.particles.diameters, default)
    return replace(volume, labels=BallLabels(replace(volume.particles, diameters=diameters), volume.data.shape))


def class_diameters(parameters: TrainSegmenterParameters) -> dict[int, float]:
    """Diameters in Angstrom of the classes 1, 2, ... as given; raises :class:`ParameterError` for what is no positive number."""
    try:
        values = [float(part) for part in parameters.class_diameters.split(",") if part.strip()]
    except ValueError as error:
        raise ParameterError(f"class_diameters '{parameters.class_diameters}'", "numbers with commas, such as 250,120") from error
    if any(not 0 < value < np.inf for value in values):
        raise ParameterError(f"class_diameters '{parameters.class_diameters}'", "positive numbers of Angstrom")
    return dict(enumerate(values, start=1))


def _card(volumes: Sequence[StudentVolume], classes: int, parameters: TrainSegmenterParameters, seed: int,
          outcome: TrainingOutcome) -> ModelCard:
    names = class_names(parameters) or _names_in_lists(volumes, classes)
    sizes = object_sizes([volume.labels for volume in volumes])
    return ModelCard(
        method=METHOD, network=NETWORK, network_parameters={"classes": classes + 1}, voxel_size=volumes[0].header.voxel_size,
        contrast="bright", normalisation="mean 0 and deviation 1 of the tomogram",
        classes={BACKGROUND: "background", **{value: names[value - 1] for value in range(1, classes + 1)}},
        training={"parameters": parameters.model_dump(mode="json"), "seed": seed, "volumes": [volume.name for volume in volumes],
                  "object_voxels": {str(value): size for value, size in sizes.items()}, **outcome.record()})


def _names_in_lists(volumes: Sequence[StudentVolume], classes: int) -> list[str]:
    known = {value: name for volume in volumes if volume.particles is not None for value, name in volume.particles.class_names.items()}
    return [known.get(value, f"class {value}") for value in range(1, classes + 1)]


def run(job: Job) -> MethodOutcome:
    """Train on the job's tomograms with their ``labels`` or ``particles`` and write a model folder."""
    parameters = parameters_from(TrainSegmenterParameters, job.parameters)
    needs = "labels" if job.inputs_of("labels") else "particles"
    volumes = open_student_volumes(job, needs=needs, resample_labels=parameters.resample_labels)  # type: ignore[arg-type]
    trained = train_on_volumes(volumes, parameters, job.output_folder, job.seed, job.device)
    outputs = [Output(kind="model", path="model", voxel_size=trained.card.voxel_size),
               Output(kind="figure", path="training/training_curve.png"), Output(kind="table", path="training/metrics.csv")]
    return MethodOutcome(outputs=outputs, metrics={**trained.outcome.record(), "classes": len(trained.card.classes) - 1},
                         warnings=list(trained.warnings))


