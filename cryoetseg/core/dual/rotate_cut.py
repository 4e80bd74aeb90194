"""Filling the missing wedge, taught by turned tomograms that lose a second wedge (IsoNet, Liu et al. 2022); no method of DUAL's.

A patch is turned so that its own wedge lies elsewhere, then loses what the tilt range would not have measured, and the network gives it
back. Coefficients in the turned patch's own wedge are not compared, as nobody knows them (DeepDeWedge, Wiedemann and Heckel 2024), so
that one round is enough. Turns are those of a cube: they move voxels and blur nothing.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations, product
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..runtime.seeds import numpy_generator
from ..training.optimisers import adamw
from ..training.params import TrainingParameters
from ..training.task import Metrics, Networks, Selection, Step, TrainingTask, Turn
from ..volumes.wedge import missing_cube
from .data import Domain, held_apart
from .networks import channels_last
from .params import TrainWedgeParameters
from .wedge_networks import WedgeNetworks

AXES = (2, 3, 4)
MOST_SHARED = 0.75  # of the wedge that a turn may leave where it was: a quarter turn about the beam leaves half, half turns nearly all


class CubeTurn(NamedTuple):
    """A turn of a cube onto itself: the order of its axes, and which of them are mirrored afterwards."""

    axes: tuple[int, ...]
    flipped: tuple[int, ...]

    def __call__(self, cube: np.ndarray) -> np.ndarray:
        """``cube`` (z, y, x), turned."""
        return np.flip(np.transpose(cube, self.axes), self.flipped)

    def of_spectrum(self, coefficients: np.ndarray) -> np.ndarray:
        """The same turn of what lies on the grid of ``np.fft.fftn``, where the mirror image of k is -k."""
        turned = np.transpose(coefficients, self.axes)
        for axis in self.flipped:
            turned = np.roll(np.flip(turned, axis), 1, axis)
        return turned


def cube_turns() -> list[CubeTurn]:
    """All 24 turns of a cube; mirror images, which would make other molecules, are not among them."""
    turns = []
    for axes in permutations(range(3)):
        for signs in product((1, -1), repeat=3):
            if np.linalg.det(np.eye(3)[list(axes)] * signs) > 0:
                turns.append(CubeTurn(axes, tuple(axis for axis in range(3) if signs[axis] < 0)))
    return turns


def moving_turns(missing: np.ndarray) -> list[CubeTurn]:
    """The turns that carry a good part of the wedge ``missing`` (side, side, side) to where it was measured."""
    return [turn for turn in cube_turns() if (missing & turn.of_spectrum(missing)).sum() <= MOST_SHARED * missing.sum()]


class RotateCutTask(TrainingTask):
    """Giving back a wedge that was cut away, as the training loop sees it. ``fill`` learns; ``cut`` is carried along for the model."""

    selection = Selection("score", "max")

    def __init__(self, measured: Domain, pair: WedgeNetworks, parameters: TrainWedgeParameters) -> None:
        self.parameters, self.pair = parameters, pair
        self.measured, self.judged = held_apart(measured)
        self.missing = missing_cube(parameters.patch_px, parameters.tilt_min, parameters.tilt_max)
        self.turns_of_cube = moving_turns(self.missing)
        self.known = torch.from_numpy(np.stack([~turn.of_spectrum(self.missing) for turn in self.turns_of_cube]))
        self.networks = {name: channels_last(getattr(pair, name)) for name in ("fill", "cut")}
        for weight in self.networks["cut"].parameters():
            weight.requires_grad_(False)
        self.warnings: list[str] = []

    def items(self) -> int:
        return len(self.measured)

    def item(self, index: int, generator: np.random.Generator) -> Mapping[str, np.ndarray]:
        return self._turned(self.measured, generator)

    def _turned(self, domain: Domain, generator: np.random.Generator) -> dict[str, np.ndarray]:
        patch = domain.cut(domain.random_place(generator))
        number = int(generator.integers(len(self.turns_of_cube)))
        return {"whole": np.ascontiguousarray(self.turns_of_cube[number](patch[0]))[None], "turn": np.asarray(number)}

    def turns(self) -> Sequence[Turn]:
        return [Turn("fill", ("fill",))]

    def averaged(self) -> Sequence[str]:
        return ("fill",)

    def optimiser(self, turn: str, weights: list[nn.Parameter], parameters: TrainingParameters) -> torch.optim.Optimizer:
        return adamw(weights, lr=parameters.learning_rate, weight_decay=parameters.weight_decay)

    def loss(self, networks: Networks, batch: Mapping[str, Tensor], step: Step) -> tuple[Tensor, Metrics]:
        """Mean squared error of the coefficients cut away, and of those left, as far as the turned patch has them itself."""
        inside, outside = self._compared(batch)
        error = torch.fft.fftn(networks["fill"](self.cut_away(batch["whole"])).float() - batch["whole"], dim=AXES, norm="ortho")
        power = error.real.square() + error.imag.square()
        given_back, kept = (power[where].mean() for where in (inside, outside))
        return given_back + kept, {"given_back_loss": given_back, "kept_loss": kept}

    def cut_away(self, volumes: Tensor) -> Tensor:
        """Volumes (batch, 1, side, side, side) without what the tilt range does not measure."""
        missing = torch.from_numpy(self.missing).to(volumes.device)
        return torch.fft.ifftn(torch.fft.fftn(volumes.float(), dim=AXES) * ~missing, dim=AXES).real

    def _compared(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Coefficients (batch, 1, side, side, side) that are known of the turned patches: those cut away, and those left."""
        known = self.known.to(batch["whole"].device)[batch["turn"]][:, None]
        missing = torch.from_numpy(self.missing).to(known.device)
        return known & missing, known & ~missing

    @torch.no_grad()
    def validate(self, networks: Networks, generator: np.random.Generator) -> Mapping[str, float]:
        """Correlation with what was cut away of patches that are not trained on, always the same ones."""
        rng, device = numpy_generator(0, "wedge validation"), next(networks["fill"].parameters()).device
        items = [self._turned(self.judged, rng) for _ in range(self.parameters.validation_patches)]
        batch = {name: torch.from_numpy(np.stack([item[name] for item in items])).to(device) for name in items[0]}
        inside, _ = self._compared(batch)
        found, true = (torch.fft.fftn(volumes.float(), dim=AXES)[inside]
                       for volumes in (networks["fill"](self.cut_away(batch["whole"])), batch["whole"]))
        common = float((found * true.conj()).real.sum())
        score = common / max(float(found.abs().square().sum().sqrt() * true.abs().square().sum().sqrt()), 1e-12)
        return {"given_back_correlation": score, "score": score}

