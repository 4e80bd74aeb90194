"""A very small Stable Diffusion of the right architecture with random weights, and affinities with a known answer."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file

from cryoetseg.core.foundation.door import Affinity

WIDTH = 16


@pytest.fixture
def tiny_unet() -> UNet2DConditionModel:
    """Down, middle and up stages with self- and cross-attention; 4 self-attention layers on grids of 8, 4, 8 and 8."""
    torch.manual_seed(0)
    return UNet2DConditionModel(
        sample_size=8, block_out_channels=(32, 64), layers_per_block=1, cross_attention_dim=WIDTH, attention_head_dim=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    ).eval()


@pytest.fixture
def tiny_vae() -> AutoencoderKL:
    """Encoder that halves the picture."""
    torch.manual_seed(1)
    return AutoencoderKL(
        block_out_channels=(32, 64), latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    ).eval()


@pytest.fixture
def sd_folder(tmp_path: Path, tiny_unet: UNet2DConditionModel, tiny_vae: AutoencoderKL) -> Path:
    """A Stable Diffusion in diffusers format with an embedding of the empty prompt."""
    folder = tmp_path / "sd"
    tiny_unet.save_pretrained(folder / "unet")
    tiny_vae.save_pretrained(folder / "vae")
    save_file({"empty_prompt": torch.randn(77, WIDTH)}, folder / "empty_prompt.safetensors")
    return folder


@pytest.fixture
def block_affinity() -> Callable[..., Affinity]:
    """Maker of row-stochastic affinities whose tokens attend to their own horizontal stripe, with a little noise."""

    def make(grid: int, stripes: int, noise: float = 0.01, name: str = "up", seed: int = 0) -> Affinity:
        stripe = (torch.arange(grid) * stripes // grid)[:, None].expand(grid, grid).reshape(-1)
        noisy = (stripe[:, None] == stripe).float() + noise * torch.rand(grid**2, grid**2, generator=torch.Generator().manual_seed(seed))
        return Affinity(noisy / noisy.sum(dim=1, keepdim=True), grid, name)

    return make


@pytest.fixture
def stripes() -> Callable[[int, int], np.ndarray]:
    """Maker of indicators (k, grid * grid) of the stripes of ``block_affinity``."""
    return lambda grid, count: np.repeat(np.eye(count), grid * grid // count, axis=1)
