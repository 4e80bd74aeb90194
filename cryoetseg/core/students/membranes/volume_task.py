"""Going on with a network that sees volumes: crops of several slices, of which only the labelled ones count."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ...models.membrane_unet3d import MembraneUNet3d, membrane_logit
from ...training.task import Metrics, Networks, Step
from ..scale import at_model_scale
from ..volumes import StudentVolume, nearest_labels
from .losses import shared_loss
from .network import MembraneModel, build_volume_network
from .params import TrainMembranesParameters
from .task import MembraneTask

DEPTH = 32  # slices of a crop


class VolumeMembraneTask(MembraneTask):
    """Crops of :data:`DEPTH` slices around labelled ones to membrane or not."""

    def _network(self) -> MembraneUNet3d:
        return build_volume_network()

    def _reach(self) -> int:
        return DEPTH

    def place(self, index: int, generator: np.random.Generator) -> Mapping[str, np.ndarray]:
        number, z = self._slices[index % len(self._slices)]
        z, start = self._window(self._tomograms[number], int(z), generator)
        first = z - int(generator.integers(DEPTH))
        return self._placed(number, first, DEPTH, [*range(first, first + DEPTH)], start, generator)

    def gather(self, places: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return {name: volumes[:, None] for name, volumes in super().gather(places).items()}

    def loss(self, networks: Networks, batch: Mapping[str, Tensor], step: Step) -> tuple[Tensor, Metrics]:
        logits = membrane_logit(networks["unet"](batch["image"].contiguous(memory_format=torch.channels_last_3d)))[:, 0]
        n, z, y, x = logits.shape
        two = torch.stack([torch.zeros_like(logits), logits], dim=1).reshape(n, 2, z * y, x)
        labels, weights = (batch[name].reshape(n, 1, z * y, x) for name in ("labels", "weights"))
        return shared_loss(two, labels, weights, step), {}


def at_working_size(
    volumes: Sequence[StudentVolume], model: MembraneModel, parameters: TrainMembranesParameters
) -> tuple[list[StudentVolume], TrainMembranesParameters]:
    """The volumes with their labels at the voxel size at which ``model`` is shown them (of several the one nearest to their own), and
    the parameters with slices counted there and as many steps as a network needs that knows membranes already."""
    own = volumes[0].header.voxel_size
    size = min(model.working_sizes(own), key=lambda one: abs(np.log(one / own)))
    scaled = [_scaled(volume, size) for volume in volumes]
    factor = volumes[0].header.voxel_size / scaled[0].header.voxel_size
    first, last = round(parameters.z_start * factor), min(round(parameters.z_end * factor), scaled[0].header.shape[0])
    steps = min(parameters.iterations or parameters.tuning_iterations, parameters.tuning_iterations)
    return scaled, parameters.model_copy(update={"z_start": first, "z_end": last, "iterations": steps})


def _scaled(volume: StudentVolume, size: float) -> StudentVolume:
    scaled, _ = at_model_scale(volume, size)
    if scaled is volume:
        return volume
    factor = scaled.header.voxel_size / volume.header.voxel_size
    return replace(scaled, labels=nearest_labels(volume.labels, scaled.header.shape, (factor,) * 3))
