"""The door behind which every backbone stands: a picture goes in, affinities between its tokens come out, layer by layer."""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from ..runtime.seeds import torch_generator


@dataclass(frozen=True)
class Affinity:
    """How strongly each token of a square grid attends to each other in one layer.

    ``matrix`` is (n, n), or (heads, n, n) where heads are kept apart; not negative, row-stochastic or symmetric; float32.
    ``grid`` is the side of the token grid, n = grid * grid, tokens in row order. ``name`` says which layer.
    """

    matrix: torch.Tensor
    grid: int
    name: str


class Look(NamedTuple):
    """Features, float32 (b, c, tokens, tokens), and the network's own estimate of the middle slice, float32 (b, h, w), bright."""

    features: np.ndarray
    density: np.ndarray


class Backbone(ABC):
    """A frozen network that tells which parts of a picture belong together.

    ``slices`` is how many neighbouring slices it looks at. With 1 it takes prepared slabs (Uddin26 1.2); with more, stacks of
    stretched slices, particles bright. ``step_seed`` alone fixes the steps of the diffusion noise, so that they are the same for every
    picture; without it they are drawn with the noise.
    """

    slices: int = 1
    step_seed: int | None = None
    name: str
    input_size_px: int
    tokens: int

    @abstractmethod
    def affinities(self, image: np.ndarray, voxel_size_nm: float, generator: torch.Generator, draws: int) -> list[Affinity]:
        """Affinities of ``image``, float32 (slices, input_size_px, input_size_px) in [0, 1] (no first axis for one slice), averaged
        over heads and ``draws``.

        ``voxel_size_nm`` is the tomogram's; ``generator`` gives every random number, so the same seed gives the same result.
        """

    def steps_from(self, generator: torch.Generator) -> torch.Generator:
        """Where the noise steps of one picture come from, whose noise comes from ``generator``."""
        return generator if self.step_seed is None else torch_generator(self.step_seed, "noise steps")

    def look(self, images: np.ndarray, generator: torch.Generator, draws: int) -> Look | None:
        """What the network sees in pictures (b, slices, h, w), or None where it hands out affinities only."""
        return None

    def head_passes(self, image: np.ndarray, voxel_size_nm: float, generator: torch.Generator) -> Iterator[list[Affinity]]:
        """Endless passes over ``image`` with fresh noise, heads kept apart: what the gradient solver draws from."""
        while True:
            passed = self.affinities(image, voxel_size_nm, generator, 1)
            yield [Affinity(affinity.matrix[None], affinity.grid, affinity.name) for affinity in passed]
