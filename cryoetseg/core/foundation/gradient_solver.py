"""The published spectral solver: eigenvectors drawn by a small network, fitted to one head at a time (Uddin26 1.4, after Zhang24).

Under-converged on purpose or not, its look is partly the method's; kept for fidelity. The parameters change only every
``gradient_accumulation`` iterations, so within one such window all iterations on the same affinities have the same gradient:
it is computed once and counted, which is exact and turns 2000 evaluations into a few hundred.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from .door import Affinity
from .params import SpectralParameters
from .spectral import orient

WIDTH = 128
LOSS_WEIGHT = 2.0
REPLAYED_STAGES = ("mid", "up")


class EigenvectorNetwork(nn.Module):
    """A learnable 1 x ``width`` x side x side tensor through two convolutions to ``count`` maps, a softmax over maps per token."""

    def __init__(self, count: int, side: int, width: int = WIDTH) -> None:
        super().__init__()
        self.seed = nn.Parameter(torch.randn(1, width, side, side))
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, count, 3, padding=1),
        )

    def forward(self) -> torch.Tensor:
        """Positive maps (count, side, side) that sum to 1 in every token; batch norm over this batch of one, as published."""
        return self.layers(self.seed).softmax(dim=1)[0]


@dataclass(frozen=True)
class GradientRecord:
    """What a solve used and reached: network passes, mean eigenvalue and mean squared overlap of the last step."""

    passes: int
    eigenvalue: float
    orthogonality: float


def fitted_eigenvectors(
    passes: Iterator[Sequence[Affinity]], side: int, parameters: SpectralParameters, generator: torch.Generator, width: int = WIDTH
) -> tuple[np.ndarray, GradientRecord]:
    """Fit eigenvectors to affinities (heads, n, n) of one picture drawn from ``passes``; the finest grid has ``side`` tokens a side.

    Returns float32 (eigenvectors, side, side), unit norm, by falling singular value, sign fixed by :func:`orient`. Random numbers
    come from ``generator`` only.
    """
    device = torch.device("cpu")
    network, optimiser, stored = None, None, None
    passed, history = 0, (0.0, 0.0)
    for window in _windows(parameters, generator):
        batches: list[tuple[Sequence[Affinity], int]] = []
        for fresh, repeats in window:
            if fresh:
                affinities = next(passes)
                passed += 1
                batches.append((affinities, 1))
                stored = replayed(affinities)
            if repeats:
                assert stored is not None  # the first iteration is always fresh
                batches.append((stored, repeats))
        if network is None:
            device = batches[0][0][0].matrix.device
            network = _seeded_network(parameters.eigenvectors, side, width, generator, device)
            optimiser = torch.optim.Adam(network.parameters(), lr=parameters.gradient_learning_rate)
        history = _step(network, optimiser, batches)  # type: ignore[arg-type]
    assert network is not None
    return _orthogonal(network), GradientRecord(passed, *history)


def replayed(affinities: Sequence[Affinity]) -> Sequence[Affinity]:
    """What the replay buffer keeps of a pass: its middle and up layers, all layers where names tell no stage."""
    kept = [affinity for affinity in affinities if affinity.name.startswith(REPLAYED_STAGES)]
    return kept or affinities


def spectral_loss(maps: torch.Tensor, affinities: Sequence[Affinity]) -> tuple[torch.Tensor, float, float]:
    """2 mean |lambda - 1| over (layer, head, map) + 2 mean overlap^2 over (layer, pair of maps), for ``maps`` (k, side, side).

    lambda = z^T A z with z pooled to the layer's grid and of unit norm (Uddin26 1.4). Returns the loss and the means of lambda and
    of the squared overlaps.
    """
    eigenvalues, overlaps = [], []
    for grid in {affinity.grid for affinity in affinities}:
        z = F.normalize(F.adaptive_avg_pool2d(maps[None], grid)[0].flatten(1), dim=1)
        layers = [affinity for affinity in affinities if affinity.grid == grid]
        off_diagonal = (z @ z.T)[~torch.eye(len(z), dtype=torch.bool, device=z.device)]
        overlaps += [off_diagonal.square()] * len(layers)
        eigenvalues += [torch.einsum("kn,hnm,km->hk", z, layer.matrix, z).flatten() for layer in layers]
    values, squares = torch.cat(eigenvalues), torch.cat(overlaps)
    loss = LOSS_WEIGHT * (values - 1).abs().mean() + LOSS_WEIGHT * squares.mean()
    return loss, float(values.detach().mean()), float(squares.detach().mean())


def _windows(parameters: SpectralParameters, generator: torch.Generator) -> Iterator[list[tuple[bool, int]]]:
    """Per optimiser step, runs of iterations: whether one starts with a fresh pass, and how many replays follow."""
    draws = torch.rand(parameters.gradient_iterations, generator=generator, device=generator.device).tolist()
    fresh = [index == 0 or draw >= parameters.replay_probability for index, draw in enumerate(draws)]
    for first in range(0, len(fresh), parameters.gradient_accumulation):
        runs: list[tuple[bool, int]] = []
        for is_fresh in fresh[first:first + parameters.gradient_accumulation]:
            if is_fresh or not runs:
                runs.append((is_fresh, 0 if is_fresh else 1))
            else:
                runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        yield runs


def _step(
    network: EigenvectorNetwork, optimiser: torch.optim.Optimizer, batches: list[tuple[Sequence[Affinity], int]]
) -> tuple[float, float]:
    optimiser.zero_grad()
    maps = network()
    proxy = maps.detach().requires_grad_()  # gradients of all batches meet here, the network is gone through once
    for affinities, repeats in batches:
        loss, eigenvalue, orthogonality = spectral_loss(proxy, affinities)
        (loss * repeats).backward()
    maps.backward(proxy.grad)
    optimiser.step()
    return eigenvalue, orthogonality


def _seeded_network(count: int, side: int, width: int, generator: torch.Generator, device: torch.device) -> EigenvectorNetwork:
    """A network whose start depends on ``generator`` alone, the process' own random state left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator, device=generator.device)))
        return EigenvectorNetwork(count, side, width).to(device).train()


@torch.no_grad()
def _orthogonal(network: EigenvectorNetwork) -> np.ndarray:
    """Left singular vectors of the maps, each of unit length over tokens (Uddin26 1.4)."""
    maps = network()
    rows = F.normalize(maps.flatten(1), dim=1).T.double().cpu().numpy()
    left = np.linalg.svd(rows, full_matrices=False)[0]
    return orient(left.T).reshape(maps.shape)
