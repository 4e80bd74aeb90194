"""Stable Diffusion 1.x as a backbone: self-attention of its UNet on lightly noised latents of the picture (Uddin26 1.3)."""
from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
from safetensors.torch import load_file
from torch import nn

from ..runtime.device import autocast_dtype
from ..runtime.errors import WeightsError
from .attention import AttentionSink, HeadAttention, MeanAttention, recorded_attention
from .door import Affinity, Backbone

logger = logging.getLogger(__name__)

LATENT_SCALE = 0.18215
PROMPT_TOKENS = 77
NOISE_REACH_NM = 68.0
DRAWS_A_BATCH = 4
EMPTY_PROMPT_FILE = "empty_prompt.safetensors"


def noise_max_t(voxel_size_nm: float, reach_nm: float = NOISE_REACH_NM, last: int = 999) -> int:
    """Largest noise step for a voxel size: int(68 // nm), 50 at 1.348 nm (Uddin26 1.3); never beyond the schedule."""
    return min(last, int(reach_nm // voxel_size_nm))


def noise_schedule() -> PNDMScheduler:
    """Stable Diffusion's schedule, used for its alpha_bar and for adding noise only."""
    return PNDMScheduler(num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")


class StableDiffusionBackbone(Backbone):
    """Frozen VAE encoder and UNet of a Stable Diffusion 1.x folder in diffusers format.

    ``prompt`` is the embedding of the empty prompt, (77, width of the cross-attention). :meth:`load` takes bfloat16 where the
    device multiplies it natively, else float32; attention is always averaged in float32. ``passes`` counts the UNet's.
    """

    def __init__(
        self, unet: Any, vae: Any, prompt: torch.Tensor, device: torch.device, name: str, noise_reach_nm: float = NOISE_REACH_NM
    ) -> None:
        self._device, self._dtype = device, unet.dtype
        self._unet = _frozen(unet, device)
        self._vae = _frozen(vae, device).to(memory_format=torch.channels_last)  # a third faster on processors
        self._prompt = prompt.to(device, self._dtype)[None]
        self._schedule: Any = noise_schedule()
        self._noise_reach_nm = noise_reach_nm
        self.name = name
        self.tokens = int(unet.config.sample_size)
        self.input_size_px = self.tokens * 2 ** (len(vae.config.block_out_channels) - 1)
        self.passes = 0

    @classmethod
    def load(cls, folder: Path, device: torch.device, empty_prompt: str = "required",
             noise_reach_nm: float = NOISE_REACH_NM) -> StableDiffusionBackbone:
        """Load from ``folder`` without a network connection; raises :class:`WeightsError` that names what is missing."""
        unet = _load_network(UNet2DConditionModel, folder, "unet", autocast_dtype(device))
        vae = _load_network(AutoencoderKL, folder, "vae", autocast_dtype(device))
        prompt = empty_prompt_embedding(folder, unet.config.cross_attention_dim, empty_prompt)
        return cls(unet, vae, prompt, device, folder.name, noise_reach_nm)

    def affinities(self, image: np.ndarray, voxel_size_nm: float, generator: torch.Generator, draws: int) -> list[Affinity]:
        """16 matrices for Stable Diffusion 1.x, averaged over heads and ``draws`` of noise and noise step."""
        latent, sink, steps_from = self._encode(image, generator), MeanAttention(), self.steps_from(generator)
        for first in range(0, draws, DRAWS_A_BATCH):
            count = min(DRAWS_A_BATCH, draws - first)
            self._pass(latent, self._noise_steps(voxel_size_nm, count, steps_from), generator, sink)
        return sink.affinities()

    def head_passes(self, image: np.ndarray, voxel_size_nm: float, generator: torch.Generator) -> Iterator[list[Affinity]]:
        """One pass a step with the heads apart, the latent sampled once for all of them (Uddin26 1.3)."""
        latent, steps_from = self._encode(image, generator), self.steps_from(generator)
        while True:
            sink = HeadAttention()
            self._pass(latent, self._noise_steps(voxel_size_nm, 1, steps_from), generator, sink)
            yield sink.affinities()

    @torch.no_grad()
    def _encode(self, image: np.ndarray, generator: torch.Generator) -> torch.Tensor:
        """A sample of the VAE's posterior, not its mode, times 0.18215."""
        grey = torch.from_numpy(np.ascontiguousarray(image, np.float32)).to(self._device, self._dtype)
        rgb = (grey.expand(1, 3, *grey.shape) * 2 - 1).contiguous(memory_format=torch.channels_last)
        posterior = self._vae.encode(rgb).latent_dist
        return (posterior.mean + posterior.std * self._noise(posterior.mean.shape, generator)) * LATENT_SCALE

    def _noise_steps(self, voxel_size_nm: float, count: int, generator: torch.Generator) -> torch.Tensor:
        return torch.randint(0, noise_max_t(voxel_size_nm, self._noise_reach_nm) + 1, (count,), generator=generator).to(self._device)

    @torch.no_grad()
    def _pass(self, latent: torch.Tensor, steps: torch.Tensor, generator: torch.Generator, sink: AttentionSink) -> None:
        """One pass of the UNet over a noisy copy of ``latent`` for each of ``steps``."""
        latents = latent.expand(len(steps), -1, -1, -1)
        noisy = self._noised(latents, self._noise(latents.shape, generator), steps)
        self.passes += len(steps)
        with recorded_attention(self._unet, sink):
            self._unet(noisy, steps, encoder_hidden_states=self._prompt.expand(len(steps), -1, -1))

    def _noised(self, latents: torch.Tensor, noise: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
        """Latents with the noise of ``steps``, mixed in float32: bfloat16 rounds what small steps keep to 1 and adds no noise."""
        return self._schedule.add_noise(latents.float(), noise.float(), steps).to(latents.dtype)

    def _noise(self, shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
        """Gaussian noise drawn where the generator lives, so that the device does not change the numbers."""
        return torch.randn(shape, generator=generator, device=generator.device).to(self._device, self._dtype)


def empty_prompt_embedding(folder: Path, width: int, choice: str = "required") -> torch.Tensor:
    """Embedding (77, ``width``) of the empty prompt, float32: stored in the folder, or made by the folder's text encoder.

    ``choice`` 'zeros' replaces it on purpose; otherwise a folder with neither raises :class:`WeightsError`.
    """
    if choice == "zeros":
        return torch.zeros(PROMPT_TOKENS, width)
    if (folder / EMPTY_PROMPT_FILE).is_file():
        return load_file(folder / EMPTY_PROMPT_FILE)["empty_prompt"]
    if (folder / "text_encoder").is_dir() and (folder / "tokenizer").is_dir():
        return _encode_empty_prompt(folder)
    raise WeightsError(f"{folder} has no embedding of the empty prompt", f"{EMPTY_PROMPT_FILE}, or the folders text_encoder and tokenizer",
                       "run 'cryoetseg weights fetch stable-diffusion-v1-4', or choose empty_prompt = zeros on purpose")


@torch.no_grad()
def _encode_empty_prompt(folder: Path) -> torch.Tensor:
    from transformers import CLIPTextModel, CLIPTokenizer

    try:
        tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
        encoder = CLIPTextModel.from_pretrained(folder / "text_encoder", local_files_only=True, use_safetensors=True)
    except (OSError, ValueError) as error:
        raise _incomplete(folder, "text_encoder", error) from error
    tokens = tokenizer("", padding="max_length", max_length=PROMPT_TOKENS, return_tensors="pt")
    return encoder(tokens.input_ids).last_hidden_state[0].float()


def _load_network(kind: Any, folder: Path, part: str, dtype: torch.dtype) -> Any:
    try:
        return kind.from_pretrained(folder, subfolder=part, local_files_only=True, use_safetensors=True, torch_dtype=dtype)
    except (OSError, ValueError, RuntimeError) as error:
        raise _incomplete(folder, part, error) from error


def _incomplete(folder: Path, part: str, error: Exception) -> WeightsError:
    return WeightsError(f"cannot load {folder / part}: {str(error).splitlines()[0]}",
                        "a Stable Diffusion 1.x folder in diffusers format with safetensors",
                        "run 'cryoetseg weights fetch stable-diffusion-v1-4', or name another folder")


def _frozen(network: nn.Module, device: torch.device) -> Any:
    return network.to(device).eval().requires_grad_(False)
