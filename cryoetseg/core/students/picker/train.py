"""Training a particle picker from coordinates: anyone's picks, or pseudo-labels."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.card import ModelCard, read_card, save_model
from ...models.losses import picker_dice
from ...models.residual_unet3d import DIVISOR
from ...runtime.device import choose_device
from ...runtime.job import Job, MethodOutcome, Output, model_folder
from ...runtime.params import parameters_from
from ...runtime.seeds import numpy_generator
from ...training.engine import TrainingOutcome, train
from ...training.optimisers import adamw
from ...training.task import Metrics, Networks, Selection, Step, TrainingTask
from ..centres.model import NETWORK as CENTRES
from ..start import note_on_voxel_size, start_record
from ..volumes import StudentVolume, check_alike, open_student_volumes
from .apply import pick_volume
from .boxes import Boxes
from .clicks import run_from_centres
from .data import Crops, LabelledVolume, ParticleClasses, kept_apart, labelled_volume, particle_classes
from .model import NETWORK, PickerModel, build_network, picker_model
from .params import PickDeepetParameters, TrainPickerParameters
from .start import Start

ANY_HEIGHT = 1e-6  # in self-training the number of labels decides how many picks stay, not their height
CERTAIN = 20.0  # logit of a voxel that must not move the loss
FEWER_THAN_ALL = 0.6  # share of the slices below which a warning says that only these teach


class PickerTask(TrainingTask):
    """Weak labels around particles as the training loop sees them."""

    selection = Selection("validation_loss", "min")

    def __init__(
        self, crops: Crops, outputs: int, parameters: TrainPickerParameters, seed: int, judged: Crops | None = None, origin: str = ""
    ) -> None:
        """``judged`` gives the crops of validation, by default some of those that are learned; ``origin``: see the base class."""
        self.origin, self._judged = origin, judged or crops
        self._crops, self._outputs, self._parameters, self._seed = crops, outputs, parameters, seed
        self._dice = picker_dice(outputs)
        self._boxes = Boxes(crops, parameters)
        self.networks = {"picker": build_network(outputs, parameters.width, seed)}

    def items(self) -> int:
        return len(self._crops)

    def item(self, index: int, generator: np.random.Generator) -> Mapping[str, np.ndarray]:
        grey, labels = self._crops.draw(index, generator)
        return {"volume": grey, "labels": labels}

    def place(self, index: int, generator: np.random.Generator) -> Mapping[str, np.ndarray]:
        return self._boxes.place(index, generator) if self._boxes.fit else self.item(index, generator)

    def gather(self, places: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return self._boxes.crops(places) if self._boxes.fit else places

    def optimiser(self, turn: str, weights: list[torch.nn.Parameter], parameters: object) -> torch.optim.Optimizer:
        p = self._parameters
        return adamw(weights, lr=p.learning_rate, betas=(0.9, 0.99), weight_decay=p.weight_decay)  # DeepETPicker 2.4

    def loss(self, networks: Networks, batch: Mapping[str, Tensor], step: Step) -> tuple[Tensor, Metrics]:
        volume = batch["volume"].contiguous(memory_format=torch.channels_last_3d)
        # its sums run over the whole batch, and over as many voxels as are known in it
        return self._loss(step.whole(networks["picker"](volume)), step.whole(batch["labels"])), {}

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        known, target = labels >= 0, labels.clamp(min=0)
        logits = torch.where(known, logits, _sure_background(logits))
        dice = self._dice(logits, target.float() if self._outputs == 1 else target)
        if self._parameters.loss == "dice":
            return dice
        if self._outputs == 1:
            entropy = F.binary_cross_entropy_with_logits(logits, target.float(), reduction="none")
        else:
            entropy = F.cross_entropy(logits, target[:, 0], reduction="none")[:, None]
        return dice + (entropy * known).sum() / known.sum().clamp_min(1)

    def validate(self, networks: Networks, generator: np.random.Generator) -> Mapping[str, float]:
        """The loss on the same unmirrored crops each time."""
        return {"validation_loss": self.judged_loss(networks["picker"])} if self._parameters.validation_crops else {}

    @torch.no_grad()
    def judged_loss(self, network: torch.nn.Module) -> float:
        """Mean loss of crops that are always the same."""
        fixed = numpy_generator(self._seed, "validation crops")
        chosen = fixed.permutation(len(self._judged))[:self._parameters.validation_crops]
        device = next(network.parameters()).device
        losses = []
        for index in chosen:
            grey, labels = (torch.from_numpy(part)[None].to(device) for part in self._judged.draw(int(index), fixed, augmented=False))
            losses.append(float(self._loss(network(grey), labels)))
        return float(np.mean(losses))


def _sure_background(logits: Tensor) -> Tensor:
    """Logits that say background beyond doubt: such voxels add nothing to any sum of the Dice loss but the background's."""
    if logits.shape[1] == 1:
        return torch.full_like(logits, -CERTAIN)
    sure = torch.full_like(logits, -CERTAIN)
    sure[:, 0] = CERTAIN
    return sure


class TrainedPicker(NamedTuple):
    """The picker, how its last round went, and what a user should know of the start."""

    model: PickerModel
    outcome: TrainingOutcome
    notes: list[str]


def train_picker(
    volumes: Sequence[StudentVolume], parameters: TrainPickerParameters, folder: str | Path, seed: int = 0, device: str = "auto",
    start: Start | None = None,
) -> TrainedPicker:
    """Train on tomograms with particles; ``folder`` takes the checkpoints, from which an interrupted training goes on.

    With several ``rounds`` the picker's picks in the labelled slices, as many as there were labels, teach the next one; a list that
    is not complete cannot tell how many, and is learned in one. From ``start`` the picker takes its weights and stays as it is where the
    training makes it no better on the particles that were held out. Raises :class:`ParameterError` for a start of other classes.
    """
    check_alike(volumes)
    parameters = _sound_precision(parameters if start is None else parameters.model_copy(update={"width": start.model.width}))
    voxel_size = volumes[0].header.voxel_size
    classes = particle_classes([item.particles for item in volumes if item.particles is not None], voxel_size, parameters)
    labelled = [labelled_volume(volume, classes, parameters) for volume in volumes]
    judged = None
    if start is not None:
        start.check_classes(classes)
        labelled, apart = kept_apart(labelled, parameters.held_out, numpy_generator(seed, "held out"))
        judged = Crops(apart, classes, parameters)
    rounds = parameters.rounds if parameters.unclicked == "background" else 1
    for number in range(rounds):
        task = PickerTask(Crops(labelled, classes, parameters), classes.outputs, parameters, seed, judged, start.origin if start else "")
        if start is not None and number == 0:
            task.networks["picker"].load_state_dict(start.model.network.state_dict())
        outcome = train(task, parameters, Path(folder) / (f"round_{number + 1}" if number else "."), seed, device)
        outcome.load_best(task.networks)
        model = picker_model(task.networks["picker"], classes, voxel_size, parameters)
        if outcome.ended_by == "time limit":  # the next round learns from what this one will know at its end
            break
        if number + 1 < rounds:
            labelled = [_relabelled(item, model, classes, device) for item in labelled]
    if start is None:
        return TrainedPicker(model, outcome, [])
    better, note = start.unless_worse(model, task.judged_loss)
    return TrainedPicker(better, outcome, [*note_on_voxel_size(start.model.voxel_size, voxel_size), *note])


def _sound_precision(parameters: TrainPickerParameters) -> TrainPickerParameters:
    """float32 for small crops: on a coarsest grid of 2 voxels oneDNN's bfloat16 weight gradients are not finite now and then."""
    coarsest = parameters.patch_px // DIVISOR
    return parameters if coarsest > 2 else parameters.model_copy(update={"precision": "float32"})


def _relabelled(item: LabelledVolume, model: PickerModel, classes: ParticleClasses, device: str) -> LabelledVolume:
    """The picker's own best picks in the labelled slices, as many of them as there were labels that taught."""
    if item.empty:
        return item
    first, last = item.z_range
    part = replace(item.volume, data=item.volume.part((slice(first, last),)))
    wanted = PickDeepetParameters(count=int((~item.doubtful).sum()), height_threshold=ANY_HEIGHT)
    picks = pick_volume(part, model, wanted, choose_device(device)).table
    zyx = np.rint(picks.shifted((first, 0, 0)).zyx).astype(np.int64)
    value = np.searchsorted(classes.numbers, picks.class_id) + 1
    return LabelledVolume(item.volume, zyx, value, np.zeros(len(zyx), dtype=bool), item.z_range)


def run(job: Job) -> MethodOutcome:
    """Train on the job's tomograms (role ``tomogram``) and particle lists (role ``particles``), tomograms that hold nothing (role
    ``empty``) beside them, from random weights or those of the model with the role ``start``; writes ``model`` and the curve."""
    parameters = parameters_from(TrainPickerParameters, job.parameters)
    volumes = open_student_volumes(job, needs="particles", takes_empty=True)
    if job.inputs_of("start") and (card := read_card(model_folder(job.input_of("start").path))).network == CENTRES:
        return run_from_centres(job, volumes, parameters, card)
    start = Start.load(job.input_of("start").path) if job.inputs_of("start") else None
    folder = Path(job.output_folder)
    trained = train_picker(volumes, parameters, folder / "training", job.seed, job.device, start)
    model, outcome = trained.model, trained.outcome
    save_model(folder / "model", model.network, _card(job, model, volumes, outcome, start))
    metrics = {**outcome.record(), "particles": sum(len(volume.particles or ()) for volume in volumes),
               "label_diameter_px": list(model.labels_px), "weights": sum(weight.numel() for weight in model.network.parameters())}
    last = Path(outcome.folder).relative_to(folder)
    return MethodOutcome(
        outputs=[Output(kind="model", path="model", voxel_size=model.voxel_size),
                 Output(kind="figure", path=str(last / "training_curve.png")), Output(kind="table", path=str(last / "metrics.csv"))],
        metrics=metrics, warnings=[*_warnings(volumes, model, parameters), *trained.notes])


def _card(
    job: Job, model: PickerModel, volumes: Sequence[StudentVolume], outcome: TrainingOutcome, start: Start | None = None
) -> ModelCard:
    record = {**outcome.record(), **model.record(), "tomograms": [volume.name for volume in volumes], "seed": job.seed,
              "parameters": job.parameters, **({"start": start_record(start.card)} if start else {})}
    return ModelCard(
        method="picker", network=NETWORK, network_parameters={"outputs": model.outputs, "width": model.width},
        voxel_size=model.voxel_size, contrast="bright", normalisation="whole tomogram: mean 0, deviation 1",
        classes=dict(zip(model.numbers, model.names)), training=record)


def _warnings(volumes: Sequence[StudentVolume], model: PickerModel, parameters: TrainPickerParameters) -> list[str]:
    warnings = [warning for volume in volumes for warning in volume.warnings]
    for volume in volumes:
        classes = ParticleClasses(model.numbers, model.names, model.diameters, model.labels_px)
        first, last = labelled_volume(volume, classes, parameters).z_range
        if not parameters.z_end and last - first < FEWER_THAN_ALL * volume.header.shape[0]:
            warnings.append(f"{volume.name}: only slices {first}:{last} teach, those the listed particles reach; the list is taken to be "
                            "complete there. Name the first and the last labelled slice for others")
    smallest = min(model.diameters) / model.voxel_size
    if smallest < 6:
        warnings.append(f"the smallest particles are {smallest:.1f} voxels wide: train on a finer tomogram (20 to 30 voxels are advised)")
    return warnings
