"""One round of the membrane student's training as the training loop sees it."""
from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ...metrics.segmentation import dice_from_counts
from ...models.unet2d import DIVISOR
from ...training.optimisers import sgd
from ...training.params import TrainingParameters
from ...training.task import Metrics, Networks, Selection, Step, TrainingTask
from .augmentation import DRAWS, changed_grey, turned
from .data import LabelledTomogram
from .losses import shared_loss
from .network import build_network
from .params import TrainMembranesParameters
from .planes import Planes
from .validation import membrane_counts, padded

CROPS_PER_SLICE = 4  # what counts as one pass over a slice


class MembraneTask(TrainingTask):
    """Crops of labelled slices to membrane or not."""

    selection = Selection("validation_dice", "max")

    def __init__(self, tomograms: Sequence[LabelledTomogram], parameters: TrainMembranesParameters, seed: int, origin: str = "") -> None:
        self.origin = origin
        self._tomograms, self._parameters = list(tomograms), parameters
        widest = max(size for tomogram in self._tomograms for size in tomogram.volume.header.shape[1:])
        self._side = min(parameters.crop_px, padded(widest))
        self.smallest_batch = 2 if self._side == DIVISOR else 1
        self._slices = np.array([(number, z) for number, tomogram in enumerate(self._tomograms) for z in tomogram.training])
        shown = parameters.iterations * parameters.batch_size or parameters.epochs * self.items()
        self._planes = Planes(self._tomograms, self._side, self._reach(), shown)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.networks = {"unet": self._network()}

    def _network(self) -> nn.Module:
        return build_network(self._parameters.slices)

    def _reach(self) -> int:
        """How many slices beside a training slice its crops may show."""
        return self._parameters.slices // 2

    def items(self) -> int:
        return CROPS_PER_SLICE * len(self._slices)

    def item(self, index: int, generator: np.random.Generator) -> Mapping[str, np.ndarray]:
        place = {name: torch.from_numpy(drawn)[None] for name, drawn in self.place(index, generator).items()}
        return {name: made[0].numpy() for name, made in self.gather(place).items()}

    def place(self, index: int, generator: np.random.Generator) -> Mapping[str, np.ndarray]:
        number, z = self._slices[index % len(self._slices)]
        z, start = self._window(self._tomograms[number], int(z), generator)
        return self._placed(number, z - self._parameters.slices // 2, self._parameters.slices, [z], start, generator)

    def _placed(self, number: int, first: int, depth: int, target: list[int], start: Sequence[int],
                generator: np.random.Generator) -> dict[str, np.ndarray]:
        """A crop of ``depth`` slices, beyond the ends of the volume the last one again, with what is done to it drawn."""
        change = DRAWS[self._parameters.augmentation](generator)
        seen = np.arange(first, first + depth).clip(0, self._tomograms[number].view.shape[0] - 1).tolist()
        slices = (seen[::-1], target[::-1]) if change.mirror_z else (seen, target)
        return {**self._planes.place(number, *slices, start), **change.numbers(self._side, depth, generator)}

    def gather(self, places: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        grey, labels, weights = self._planes.crops(places)
        return {"image": turned(changed_grey(grey, places), places), "labels": turned(labels, places), "weights": turned(weights, places)}

    def _window(self, tomogram: LabelledTomogram, z: int, generator: np.random.Generator) -> tuple[int, list[int]]:
        """Slice and first voxel of a crop: around a membrane voxel, or elsewhere: where it may lie, or anywhere in slice ``z``.

        A crop lies where the tomogram shows sample, as far as that is wide enough: a border teaches nothing.
        """
        spans, side = tomogram.volume.sample_box[1:], self._side
        centred, places = generator.random() < self._parameters.foreground_crops, generator.random(2)
        around = tomogram.centres if centred and len(tomogram.centres) else tomogram.elsewhere
        if len(around):
            z, *voxel = (int(value) for value in around[generator.integers(len(around))])
            start = [middle - int(place * side) for middle, place in zip(voxel, places)]
        else:
            start = [span.start + int(place * (span.stop - span.start - side + 1)) for place, span in zip(places, spans)]
        return z, [max(span.start, min(first, span.stop - side)) for first, span in zip(start, spans)]

    def loss(self, networks: Networks, batch: Mapping[str, Tensor], step: Step) -> tuple[Tensor, Metrics]:
        logits = networks["unet"](batch["image"].contiguous(memory_format=torch.channels_last))
        return shared_loss(logits, batch["labels"], batch["weights"], step), {}

    def optimiser(self, turn: str, weights: list[nn.Parameter], parameters: TrainingParameters) -> torch.optim.Optimizer:
        if self._parameters.optimiser == "sgd":
            return sgd(weights, lr=parameters.learning_rate, momentum=0.9, weight_decay=parameters.weight_decay)
        return super().optimiser(turn, weights, parameters)

    @torch.no_grad()
    def validate(self, networks: Networks, generator: np.random.Generator) -> Mapping[str, float]:
        """Dice over the counting voxels of slices spread over the held-out blocks; nothing where these hold no membrane, because of a
        student that finds none it would say 1."""
        held_out = [tomogram.held_out for tomogram in self._tomograms]
        counts = membrane_counts(networks["unet"], self._parameters.slices, self._tomograms, held_out)
        return {"validation_dice": dice_from_counts(*counts)} if counts[0] + counts[2] else {}
