"""Backbones by name or folder: which network stands behind the door."""
from __future__ import annotations

import torch

from .backbone_folder import STABLE_DIFFUSION, find_folder, network_class
from .door import Backbone
from .stable_diffusion import StableDiffusionBackbone
from .tiny import TinyBackbone


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
    backbone: Backbone
    if network_class(folder) == STABLE_DIFFUSION:
        backbone = StableDiffusionBackbone.load(folder, device, empty_prompt, noise_reach_nm)
    else:
        backbone = TinyBackbone.load(folder, device)
    backbone.step_seed = step_seed
    return backbone
