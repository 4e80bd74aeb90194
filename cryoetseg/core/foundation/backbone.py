"""The door behind which every backbone stands: a picture goes in, affinities between its tokens come out, layer by layer."""
from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from ..runtime.errors import WeightsError
from . import weights

EMBEDDED_FOLDER = Path(__file__).with_name("weights") / "cryoet_tiny"


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
    stretched slices, particles bright.
    """

    slices: int = 1
    name: str
    input_size_px: int
    tokens: int

    @abstractmethod
    def affinities(self, image: np.ndarray, voxel_size_nm: float, generator: torch.Generator, draws: int) -> list[Affinity]:
        """Affinities of ``image``, float32 (slices, input_size_px, input_size_px) in [0, 1] (no first axis for one slice), averaged
        over heads and ``draws``.

        ``voxel_size_nm`` is the tomogram's; ``generator`` gives every random number, so the same seed gives the same result.
        """

    def look(self, images: np.ndarray, generator: torch.Generator, draws: int) -> Look | None:
        """What the network sees in pictures (b, slices, h, w), or None where it hands out affinities only."""
        return None

    def head_passes(self, image: np.ndarray, voxel_size_nm: float, generator: torch.Generator) -> Iterator[list[Affinity]]:
        """Endless passes over ``image`` with fresh noise, heads kept apart: what the gradient solver draws from."""
        while True:
            passed = self.affinities(image, voxel_size_nm, generator, 1)
            yield [Affinity(affinity.matrix[None], affinity.grid, affinity.name) for affinity in passed]


def load_backbone(
    name_or_folder: str, weights_folder: str, device: torch.device, *, empty_prompt: str = "required", noise_reach_nm: float = 68.0
) -> Backbone:
    """Load the backbone called ``name_or_folder`` or kept in that folder; no network connection is opened.

    ``empty_prompt`` ('required' or 'zeros') and ``noise_reach_nm``, the length that over the voxel size gives the largest noise
    step, concern Stable Diffusion only. Raises :class:`WeightsError` that says how to get the weights when they are missing.
    """
    folder = find_folder(name_or_folder, weights_folder)
    network = _network_class(folder)
    if network == "UNet2DConditionModel":
        from .stable_diffusion import StableDiffusionBackbone

        return StableDiffusionBackbone.load(folder, device, empty_prompt, noise_reach_nm)
    if network == "UNet2DModel":
        from .tiny import TinyBackbone

        return TinyBackbone.load(folder, device)
    raise WeightsError(f"{folder} holds a network of class '{network}'", "UNet2DConditionModel (Stable Diffusion 1.x) or UNet2DModel",
                       "choose another backbone folder")


def find_folder(name_or_folder: str, weights_folder: str = "") -> Path:
    """The folder of a backbone: the shipped one, a fetched one, or the path itself."""
    if name_or_folder == "cryoet-tiny":
        return EMBEDDED_FOLDER
    if name_or_folder in weights.SOURCES:
        return weights.fetched_folder(name_or_folder, weights_folder)
    folder = Path(name_or_folder).expanduser()
    if not folder.is_dir():
        known = ", ".join(["cryoet-tiny", *weights.BACKBONES])
        raise WeightsError(f"backbone '{name_or_folder}' is neither a known name nor a folder", f"{known}, or a folder in diffusers format",
                           "check the name or the path")
    return folder


def _network_class(folder: Path) -> str:
    candidates = [folder / "unet" / "config.json", folder / "config.json"]
    for path in candidates:
        if path.is_file():
            try:
                return str(json.loads(path.read_text(encoding="utf-8")).get("_class_name", ""))
            except ValueError as error:
                raise WeightsError(f"{path} is damaged: {error}", "the JSON file diffusers wrote", "fetch the folder again") from error
    raise WeightsError(f"no network in {folder}", "unet/config.json or config.json in diffusers format",
                       "run 'cryoetseg weights fetch stable-diffusion-v1-4', or name the folder with the option backbone")
