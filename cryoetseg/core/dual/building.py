"""The networks of DUAL at their start, and the forward equation (spec C2): what every training and every use shares."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ..runtime.seeds import numpy_generator, stream_seed, torch_generator
from ..training.task import Networks, Step
from .data import Domain
from .losses import correlation
from .model import DualNetworks, widths
from .networks import Discriminator, FilteredUNet, orthogonal_start, permute_voxels
from .params import DualArchitecture, TrainDualParameters
from .start import Halves, spectral_start

PATCHES_OF_SIGN = 8
UNUSED_HALVES = "half maps were given, but a random start does not look at the noise: take start spectrum"


def build_networks(parameters: TrainDualParameters, noisy: Domain, clean: Domain, seed: int,
                   halves: Halves | None = None) -> tuple[DualNetworks, tuple[str, ...]]:
    """The networks at their start, and what had to be guessed for it.

    Orthogonal kernels and, when asked for, filter and noise from the spectra of the two sets; else heads of the sign that keeps contrast.
    """
    shape = DualArchitecture(**parameters.model_dump(include=set(DualArchitecture.model_fields)))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        dual = DualNetworks(shape)
        orthogonal_start([dual])
    generator = numpy_generator(seed, "dual start")
    if parameters.start == "random":
        keep_contrast(dual.denoiser, noisy, generator)
        keep_contrast(dual.generator, clean, generator)
        return dual, (UNUSED_HALVES,) if halves else ()
    start = spectral_start(noisy, clean, shape.filter_radius, generator, halves)
    dual.denoiser.start_from(start.restoring)
    dual.generator.start_from(start.kernel)
    dual.generator.transfer.kernel.copy_(torch.from_numpy(start.transfer))  # type: ignore[operator, union-attr]
    dual.decoder.calibrate(start.noise, torch_generator(seed, "noise start"))
    return dual, start.warnings


@torch.no_grad()
def keep_contrast(network: FilteredUNet, domain: Domain, generator: np.random.Generator) -> None:
    """Turn the sign of a network's head where it starts with contrast upside down, which one random start in two does.

    A pair of networks that both invert closes the cycle just as well, and leaves that state for no loss but the adversarial ones.
    """
    patches = torch.from_numpy(np.stack([domain.cut(domain.random_place(generator)) for _ in range(PATCHES_OF_SIGN)]))
    if float(correlation(patches, network(patches).float()).mean()) < 0:
        network.unet.head.weight.neg_()
        network.unet.head.bias.neg_()  # type: ignore[union-attr]


def build_judges(names: Sequence[str], channels: str, seed: int) -> dict[str, nn.Module]:
    """Discriminators whose first weights depend on the seed alone."""
    with torch.random.fork_rng():
        torch.manual_seed(stream_seed(seed, "judges"))
        return {name: Discriminator(widths(channels)) for name in names}


def noisy_from(networks: Networks, density: Tensor, step: Step) -> Tensor:
    """t_f = G_s(v_r + P[G_n(z)]), z ~ N(0, I) (DUAL, forward equations)."""
    decoder = networks["decoder"]
    codes = step.normal(torch.zeros(decoder.code_shape(len(density)), device=density.device))  # type: ignore[operator]
    mask = decoder(codes).float()
    blocks = density.shape[2] // mask.shape[2]
    if blocks > 1:  # one code makes 32^3 voxels; larger patches repeat its histogram, the permutation hides the repetition
        mask = mask.repeat(1, 1, blocks, blocks, blocks)
    carried = networks["generator"].transfer(density)  # type: ignore[operator]
    return networks["generator"](carried + permute_voxels(mask, step.uniform(mask))).float()


def random_noise(decoder: nn.Module, count: int, side: int, generator: torch.Generator) -> Tensor:
    """Permuted noise masks (count, 1, side, side, side) of random codes, as in training."""
    device = next(decoder.parameters()).device
    codes = torch.randn(decoder.code_shape(count), generator=generator, device=device)  # type: ignore[operator]
    mask = decoder(codes).float()
    mask = mask.repeat(1, 1, *(side // mask.shape[2],) * 3)
    return permute_voxels(mask, torch.rand(mask.shape, generator=generator, device=device))
