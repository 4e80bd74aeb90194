"""Backbones by name or folder: which network stands behind the door."""
from __future__ import annotations

import json
from pathlib import Path

import torch

from ..models.shelf import shipped_folder, shipped_names
from ..runtime.errors import WeightsError
from . import weights
from .door import Backbone
from .stable_diffusion import StableDiffusionBackbone
from .tiny import TinyBackbone

METHOD = "train-backbone"


def load_backbone(
    name_or_folder: str, weights_folder: str, device: torch.device, *, empty_prompt: str = "required", noise_reach_nm: float = 68.0,
    step_seed: int | None = None,
) -> Backbone:
    """Load the backbone called ``name_or_folder`` or kept in that folder; no network connection is opened.

    ``empty_prompt`` ('required' or 'zeros') and ``noise_reach_nm``, the length that over the voxel size gives the largest noise
    step, concern Stable Diffusion only; ``step_seed`` fixes the noise steps for all pictures. Raises :class:`WeightsError` that says how
    to get the weights when they are missing.
    """
    folder = find_folder(name_or_folder, weights_folder)
    network = _network_class(folder)
    backbone: Backbone
    if network == "UNet2DConditionModel":
        backbone = StableDiffusionBackbone.load(folder, device, empty_prompt, noise_reach_nm)
    elif network == "UNet2DModel":
        backbone = TinyBackbone.load(folder, device)
    else:
        raise WeightsError(f"{folder} holds a network of class '{network}'", "UNet2DConditionModel (Stable Diffusion 1.x) or UNet2DModel",
                           "choose another backbone folder")
    backbone.step_seed = step_seed
    return backbone


def find_folder(name_or_folder: str, weights_folder: str = "") -> Path:
    """The folder of a backbone: the shipped one, a fetched one, or the path itself."""
    shipped = shipped_names(METHOD)
    if name_or_folder in shipped:
        return shipped_folder(name_or_folder, METHOD)
    if name_or_folder in weights.SOURCES:
        return weights.fetched_folder(name_or_folder, weights_folder)
    folder = Path(name_or_folder).expanduser()
    if not folder.is_dir():
        known = ", ".join([*shipped, *weights.BACKBONES])
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
