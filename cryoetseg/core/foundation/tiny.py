"""``cryoet-tiny``: a small diffusion UNet on slabs, and how its features become affinities.

The network is a diffusers ``UNet2DModel`` on neighbouring slices folded 2 x 2 into channels, so that its finest feature map is the
token grid. It was trained to give the true density of a simulated slab from a picture with diffusion noise (``train.py``), so its
features tell structure from noise; which structure is which is left to the spectral step.
"""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import DDPMScheduler, UNet2DModel
from torch import Tensor, nn
from torch.nn import functional as F

from ..runtime.errors import WeightsError
from ..runtime.files import read_json
from .door import Affinity, Backbone, Look

FOLD = 2  # voxels along y and x that share one token
ANSWER = "answer"
PICTURES_AT_ONCE, ON_A_GPU = 16, 256  # through the network: activations of one picture take 13 MB
LARGEST_NOISE_STEP = 50  # above it features lose the faint structures of a tomogram


def fold(pictures: Tensor) -> Tensor:
    """Slices (b, s, h, w) as channels of the token grid (b, 4 s, h / 2, w / 2); exactly undone by :func:`unfold`."""
    return F.pixel_unshuffle(pictures, FOLD)


def unfold(tokens: Tensor) -> Tensor:
    """The inverse of :func:`fold`."""
    return F.pixel_shuffle(tokens, FOLD)


def build_network(channels: Sequence[int], slices: int, tile_px: int = 128) -> UNet2DModel:
    """A UNet for folded tiles of ``slices`` neighbouring slices: convolutions above, self-attention on the coarsest grid."""
    coarse = len(channels) - 1
    return UNet2DModel(
        sample_size=tile_px // FOLD,
        in_channels=slices * FOLD**2,
        out_channels=slices * FOLD**2,
        block_out_channels=tuple(channels),
        layers_per_block=1,
        down_block_types=("DownBlock2D",) * coarse + ("AttnDownBlock2D",),
        up_block_types=("AttnUpBlock2D",) + ("UpBlock2D",) * coarse,
        norm_num_groups=16,
        attention_head_dim=32,
    )


def noise_schedule() -> DDPMScheduler:
    """Stable Diffusion's noise levels, with the clean picture as the network's answer."""
    return DDPMScheduler(num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
                         prediction_type="sample", clip_sample=False)


class TinyBackbone(Backbone):
    """A frozen small diffusion UNet. Pictures are (slices, h, w) or (h, w), float32 in [0, 1], particles bright."""

    def __init__(self, network: UNet2DModel, device: torch.device, name: str = "cryoet-tiny") -> None:
        self.name = name
        self._device = device
        self.network = network.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)
        self._schedule = noise_schedule()
        self.slices = int(network.config.in_channels) // FOLD**2
        self.tokens = int(network.config.sample_size)
        self.input_size_px = self.tokens * FOLD

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> TinyBackbone:
        """Load a folder in diffusers format, ``unet/`` inside or the network itself; raises :class:`WeightsError` when damaged."""
        source = folder / "unet" if (folder / "unet").is_dir() else folder
        try:
            network, loading = UNet2DModel.from_pretrained(source, local_files_only=True, use_safetensors=True, torch_dtype=torch.float32,
                                                           output_loading_info=True)
        except (OSError, ValueError, RuntimeError, TypeError) as error:
            raise _damaged(folder, str(error)) from error
        if loading["missing_keys"]:  # diffusers would go on with random weights
            raise _damaged(folder, f"no weights for {', '.join(loading['missing_keys'][:3])}")
        if not isinstance(network.config.sample_size, int):
            raise _damaged(folder, f"config.json names the sample_size {network.config.sample_size}")
        card = folder / "card.json"
        name = str(read_json(card).get("name", folder.name)) if card.is_file() else folder.name
        return cls(network, device, name)

    def affinities(self, image: np.ndarray, voxel_size_nm: float, generator: torch.Generator, draws: int) -> list[Affinity]:
        """Cosine affinities (1 + cos) / 2 of the features of each tapped layer, float32 (tokens^2, tokens^2)."""
        layers = self.layer_features(np.asarray(image)[None], generator, draws)
        return [Affinity(_cosine_affinity(features[0]), features.shape[-1], name) for name, features in layers.items()]

    def look(self, images: np.ndarray, generator: torch.Generator, draws: int) -> Look:
        """Features of the finest decoder level, which separate best on simulated truth, and the denoised middle slice."""
        layers = self._averaged_passes(images, generator, draws)
        density = unfold(layers.pop(ANSWER))[:, self.slices // 2]
        return Look(list(layers.values())[-1].cpu().numpy(), density.cpu().numpy())

    def layer_features(self, images: np.ndarray, generator: torch.Generator, draws: int) -> dict[str, Tensor]:
        """Feature maps (b, c, g, g) of the tapped layers, averaged over ``draws`` noise draws at steps up to 50."""
        layers = self._averaged_passes(images, generator, draws)
        del layers[ANSWER]
        return layers

    def _averaged_passes(self, images: np.ndarray, generator: torch.Generator, draws: int) -> dict[str, Tensor]:
        pictures = self._as_input(images)
        total: dict[str, Tensor] = {}
        steps = self.steps_from(generator)
        for _ in range(draws):
            step = torch.randint(LARGEST_NOISE_STEP + 1, (1,), generator=steps).to(self._device)
            noise = torch.randn(pictures.shape, generator=generator).to(self._device)
            for name, features in self._pass(self._schedule.add_noise(pictures, noise, step), step).items():
                total[name] = total[name] + features / draws if name in total else features / draws
        return total

    def _pass(self, noisy: Tensor, step: Tensor) -> dict[str, Tensor]:
        """The tapped layers of all pictures, which go through the network a few at a time."""
        parts = [self._one_pass(part, step) for part in noisy.split(ON_A_GPU if noisy.is_cuda else PICTURES_AT_ONCE)]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def _as_input(self, images: np.ndarray) -> Tensor:
        if images.ndim == 3:
            images = np.repeat(images[:, None], self.slices, axis=1)
        return torch.from_numpy(np.ascontiguousarray(images, np.float32)).to(self._device) * 2 - 1

    @torch.no_grad()
    def _one_pass(self, noisy: Tensor, step: Tensor) -> dict[str, Tensor]:
        kept: dict[str, Tensor] = {}
        handles = [module.register_forward_hook(_keep(kept, name)) for name, module in self._taps().items()]
        try:
            kept[ANSWER] = self.network(fold(noisy).contiguous(memory_format=torch.channels_last), step).sample
        finally:
            for handle in handles:
                handle.remove()
        return kept

    def _taps(self) -> dict[str, nn.Module]:
        """The last two decoder levels; below them a token sees the tile's border, whose padding makes eigenvectors of its own."""
        levels = list(enumerate(self.network.up_blocks))[-2:]
        return {f"up{index}": block.resnets[-1] for index, block in levels}


def unit_length(features: Tensor) -> Tensor:
    """Features (b, c, h, w) centred over the picture and scaled to unit length in each token."""
    return F.normalize(features - features.mean(dim=(2, 3), keepdim=True), dim=1)


def _damaged(folder: Path, reason: str) -> WeightsError:
    return WeightsError(f"cannot load the backbone in {folder}: {reason}", "config.json and diffusion_pytorch_model.safetensors",
                        "train it again with 'cryoetseg train backbone', or reinstall the package")


def _cosine_affinity(features: Tensor) -> Tensor:
    tokens = unit_length(features[None])[0].flatten(1)
    return (1 + tokens.T @ tokens).float() / 2


def _keep(kept: dict[str, Tensor], name: str):  # type: ignore[no-untyped-def]
    def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        kept[name] = output

    return hook
