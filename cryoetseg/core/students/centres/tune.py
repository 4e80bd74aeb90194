"""A few clicks: the network of centres learns the particles that a user clicked, and nothing where nobody looked.

Clicked places are particles. Everything else is unknown, except where the model that it starts from is sure of background, which must stay
background: otherwise a handful of clicks would teach that everything is a particle.
"""
from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...runtime.seeds import numpy_generator
from ...training.engine import TrainingOutcome, train
from ...training.task import Metrics, Networks, Selection, Step, TrainingTask
from ..picker.params import TrainPickerParameters
from ..volumes import StudentVolume
from .apply import BinnedView
from .losses import centre_loss
from .model import MEMBRANE_BOUND, CentreModel
from .targets import HEAT, LARGEST_PX, SMALLEST_PX, centre_targets

SIDE = 48  # voxels of a crop
BEST_PX = 10.0  # diameter in voxels at which particles are shown
SURE = 0.1  # probability below which the first model's background stays background
KNOWN_FROM = 0.05  # height of a hill from which a cell belongs to a clicked particle
FEWEST = 5  # fewer clicks than this all teach, and none judges
SLOWER = 8.0  # the learning rate is so much smaller than that of a training from nothing
USUAL_DIAMETER = 250.0
PASSES = 8  # crops of each click in an epoch


@dataclass(frozen=True)
class ClickedVolume:
    """A tomogram at the binning at which its clicks are shown: ``zyx`` (n, 3) and ``diameter`` (n,) in the view's voxels, ``bound``."""

    view: BinnedView
    zyx: np.ndarray
    diameter: np.ndarray
    bound: np.ndarray


@dataclass(frozen=True)
class Tuned:
    """The model to use, how the training went, and whether it is better than the start on the clicks held out (None: none were)."""

    model: CentreModel
    outcome: TrainingOutcome
    better: bool | None


def tune_centres(
    volumes: Sequence[StudentVolume], start: CentreModel, parameters: TrainPickerParameters, folder: str | Path, seed: int = 0,
    device: str = "auto", origin: str = "",
) -> Tuned:
    """Go on from ``start`` with the particles of ``volumes``; a model that is no better on the clicks held out is given up.

    ``origin`` tells the start from others, so that an interrupted training goes on from the same one only.
    """
    clicked = [clicked_volume(volume, start, parameters.particle_diameter) for volume in volumes]
    task = ClickTask(clicked, start, parameters.held_out, seed)
    task.origin = origin
    settings = parameters.model_copy(update={"learning_rate": parameters.learning_rate / SLOWER})
    before = task.validate({"centres": start.network}, np.random.default_rng(0)).get("validation_loss")
    outcome = train(task, settings, folder, seed, device)
    outcome.load_best(task.networks)
    better = None if before is None or outcome.best_value is None else outcome.best_value < before
    network = start.network if better is False else task.networks["centres"].eval()
    return Tuned(replace(start, network=network), outcome, better)  # type: ignore[arg-type]


def clicked_volume(volume: StudentVolume, start: CentreModel, diameter: float) -> ClickedVolume:
    """Particles of a volume at the binning that shows them about ten voxels wide; ``diameter`` in Angstrom, 0 takes the list's."""
    table, size = volume.particles, volume.header.voxel_size
    assert table is not None
    widths = np.full(len(table), diameter) if diameter else np.where(np.isfinite(table.diameters), table.diameters, USUAL_DIAMETER)
    middle = float(np.median(widths)) if len(widths) else USUAL_DIAMETER
    binning = min(start.binnings(size), key=lambda value: abs(np.log(middle / (size * value) / BEST_PX)))
    pixels = np.clip(widths / (size * binning), SMALLEST_PX, LARGEST_PX)
    zyx = (table.zyx + 0.5) / binning - 0.5
    return ClickedVolume(BinnedView(volume, binning), zyx, pixels, (table.class_id == MEMBRANE_BOUND).astype(np.float32))


class ClickTask(TrainingTask):
    """Crops around clicks; what the first model is sure of outside them is kept."""

    selection = Selection("validation_loss", "min")

    def __init__(self, volumes: Sequence[ClickedVolume], start: CentreModel, held_out: float, seed: int) -> None:
        """``held_out`` is the share of the clicks that judge."""
        self._volumes, self._seed = list(volumes), seed
        self._first = copy.deepcopy(start.network).eval().requires_grad_(False)
        self.networks = {"centres": copy.deepcopy(start.network)}
        places = [(number, row) for number, item in enumerate(volumes) for row in range(len(item.zyx))]
        order = numpy_generator(seed, "held-out clicks").permutation(len(places))
        count = round(held_out * len(places)) if len(places) >= FEWEST else 0
        self._held_out = [places[index] for index in order[:count]]
        self._taught = [places[index] for index in order[count:]]

    def items(self) -> int:
        return PASSES * len(self._taught)

    def item(self, index: int, generator: np.random.Generator) -> Mapping[str, np.ndarray]:
        number, row = self._taught[index % len(self._taught)]
        hidden = {place for place in self._held_out if place[0] == number}
        shift = generator.uniform(-SIDE / 4, SIDE / 4, size=3)
        crop = self._crop(number, self._volumes[number].zyx[row] + shift, {other for _, other in hidden})
        return _mirrored(crop, generator)

    def _crop(self, number: int, middle: np.ndarray, hidden: set[int]) -> dict[str, np.ndarray]:
        """Grey values and targets; ``hidden`` rows are as unknown as places that nobody clicked."""
        item = self._volumes[number]
        corner = np.rint(middle - (SIDE - 1) / 2).astype(int)
        grey = _read(item.view, corner)
        shown = np.array([row not in hidden for row in range(len(item.zyx))], dtype=bool)
        targets = centre_targets(item.zyx[shown] - corner, item.diameter[shown], item.bound[shown], (SIDE,) * 3)
        known = (targets.heat >= KNOWN_FROM).astype(np.float32)
        return {"volume": grey[None], **asdict(replace(targets, weight=targets.weight * known))}

    def loss(self, networks: Networks, batch: Mapping[str, Tensor], step: Step | None) -> tuple[Tensor, Metrics]:
        volume = batch["volume"].contiguous(memory_format=torch.channels_last_3d)
        with torch.no_grad():
            background = self._first.to(volume.device)(volume)[:, HEAT].sigmoid() < SURE
        weight = torch.maximum(batch["weight"], background.to(batch["weight"].dtype) * (batch["heat"] < KNOWN_FROM))
        answer, target = networks["centres"](volume), {**batch, "weight": weight}
        if step is None:
            return centre_loss(answer, target)
        # each part is a mean over the centres of the whole batch
        return centre_loss(step.whole(answer), {name: step.whole(values) for name, values in target.items() if name != "volume"})

    @torch.no_grad()
    def validate(self, networks: Networks, generator: np.random.Generator) -> Mapping[str, float]:
        """The loss on crops around the clicks held out; nothing where none is."""
        losses = []
        device = next(networks["centres"].parameters()).device
        for number, row in self._held_out:
            crop = self._crop(number, self._volumes[number].zyx[row], set())
            batch = {name: torch.from_numpy(array)[None].to(device) for name, array in crop.items()}
            losses.append(float(self.loss(networks, batch, None)[0]))
        return {"validation_loss": float(np.mean(losses))} if losses else {}


def _read(view: BinnedView, corner: np.ndarray) -> np.ndarray:
    """A cube of the view; outside the tomogram 0, its mean."""
    block = np.zeros((SIDE,) * 3, np.float32)
    first, last = np.maximum(corner, 0), np.minimum(corner + SIDE, view.shape)
    if (last > first).all():
        inside = tuple(slice(a - c, b - c) for a, b, c in zip(first, last, corner))
        block[inside] = view[tuple(slice(int(a), int(b)) for a, b in zip(first, last))]
    return block


def _mirrored(crop: dict[str, np.ndarray], generator: np.random.Generator) -> dict[str, np.ndarray]:
    """All arrays of a crop mirrored along the same axes and turned by the same quarter turns about the beam."""
    axes = tuple(int(axis) - 3 for axis in np.flatnonzero(generator.random(3) < 0.5))
    quarters = int(generator.integers(4))
    return {name: np.ascontiguousarray(np.rot90(np.flip(array, axes), quarters, axes=(-2, -1))) for name, array in crop.items()}
