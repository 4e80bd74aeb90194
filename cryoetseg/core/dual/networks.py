"""The six networks of DUAL (spec C1, C5). The paper gives their roles and no layer; sizes are parameters here.

``D`` denoiser and ``G_s`` structural generator are U-Nets of one shape without normalisation: statistics of a single tile would amplify
empty tiles and make seams. ``G_n`` turns a code into a noise mask, ``E`` a tomogram into a code, ``D_t`` and ``D_v`` judge in real and
Fourier space.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import Tensor, nn
from torch.nn import functional as F

from ..models.shapes import check_sides
from .params import CODE_STRIDE

SLOPE = 0.2
LARGEST_BLOCK = 32  # side of the block of noise that one code makes


class UNet3d(nn.Module):
    """Volumes (batch, 1, z, y, x) to volumes; sides are multiples of ``stride``. Two convolutions a level, the last 1^3 and linear."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        pairs = list(zip(channels, channels[1:]))
        self.stride = 2 ** len(pairs)
        self.encoder = nn.ModuleList(
            nn.Sequential(_convolution(inputs, width), _convolution(width, width)) for inputs, width in zip((1, *channels[1:]), channels))
        self.shrink = nn.ModuleList(nn.Conv3d(fine, coarse, 2, stride=2) for fine, coarse in pairs)
        self.raise_ = nn.ModuleList(RaisingConvolution(coarse, fine) for fine, coarse in reversed(pairs))
        self.join = nn.ModuleList(_convolution(2 * fine, fine) for fine, _ in reversed(pairs))
        self.head = nn.Conv3d(channels[0], 1, 1)

    @property
    def reach(self) -> int:
        """Voxels around an output voxel that can change it; a multiple of ``stride``. Tiles that overlap by twice this are exact."""
        levels = len(self.shrink)
        inner = sum(2**level * (4 if level < levels else 2) for level in range(levels + 1))  # two convolutions down, two up
        return -(-(inner + self.stride - 1) // self.stride) * self.stride

    def forward(self, volumes: Tensor) -> Tensor:
        check_sides(volumes, self.stride)
        features, skips = self.encoder[0](volumes), []
        for shrink, level in zip(self.shrink, list(self.encoder)[1:]):
            skips.append(features)
            features = level(shrink(features))
        for raise_, join in zip(self.raise_, self.join):
            features = join(torch.cat([raise_(features), skips.pop()], dim=1))
        return self.head(features)


class RaisingConvolution(nn.Sequential):
    """Every voxel repeated to twice as many along each axis, a convolution of 3^3 and the activation.

    The first two are one transposed convolution with a step of 2: taps that see the same coarse voxel are added first, which leaves 8
    products for each voxel and pair of channels in place of 27.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(nn.Conv3d(inputs, outputs, 3, padding=1), nn.LeakyReLU(SLOPE))

    def forward(self, features: Tensor) -> Tensor:
        convolution, activation = cast("nn.Conv3d", self[0]), self[1]
        taps = F.avg_pool3d(convolution.weight, 2, stride=1, padding=1, divisor_override=1)  # the sum of each two neighbours, per axis
        raised = F.conv_transpose3d(features, taps.flip(2, 3, 4).transpose(0, 1), convolution.bias, stride=2, padding=1)
        return activation(raised)


class LinearFilter(nn.Module):
    """One kernel of (2 radius + 1)^3 voxels: what optics, wedge and weighting do to a density, or what best undoes it.

    The kernel is estimated, not trained: Adam moves thousands of tiny weights by one learning rate each, all in one direction, which
    drowns any filter in its first step. So its spectrum is made once and kept until the kernel changes.
    """

    kernel: Tensor

    def __init__(self, radius: int) -> None:
        super().__init__()
        self.radius = radius
        kernel = torch.zeros((2 * radius + 1,) * 3)
        kernel[radius, radius, radius] = 1.0
        self.register_buffer("kernel", kernel)
        self._spectrum: Tensor = torch.zeros(0)
        self._made_from: tuple[Tensor, int, tuple[int, ...]] = kernel, -1, ()

    def forward(self, volumes: Tensor) -> Tensor:
        # a direct convolution of one channel is ten times slower than this one by Fourier transforms
        with torch.autocast(volumes.device.type, enabled=False):
            padded = F.pad(volumes.float(), (self.radius,) * 6, mode="reflect")
            # as long as the volume, not longer by the kernel: what wraps around falls on the border that is cut off
            sides = tuple(next_fast_len(side, real=True) for side in padded.shape[2:])
            return FourierConvolution.apply(padded, self._spectrum_of(sides), sides, self.radius)

    def _spectrum_of(self, sides: tuple[int, ...]) -> Tensor:
        """The kernel's half spectrum for transforms of these ``sides``."""
        kernel, *state = self._made_from
        if kernel is not self.kernel or state != [self.kernel._version, sides]:  # torch counts the changes of a tensor
            self._spectrum, self._made_from = torch.fft.rfftn(self.kernel.float(), sides), (self.kernel, self.kernel._version, sides)
        return self._spectrum


class FourierConvolution(torch.autograd.Function):
    """Convolution with a fixed kernel, cut to the voxels that no border changes; its gradient is the correlation with the kernel.

    A function of its own because torch makes a complex transform of the gradient of a real one, which is twice the work.
    """

    @staticmethod
    def forward(context: Any, padded: Tensor, spectrum: Tensor, sides: tuple[int, ...], radius: int) -> Tensor:  # type: ignore[override]
        context.save_for_backward(spectrum)
        context.sides, context.radius, context.shape = sides, radius, padded.shape[2:]
        whole = torch.fft.irfftn(torch.fft.rfftn(padded, sides) * spectrum, sides)
        return whole[(..., *(slice(2 * radius, side) for side in padded.shape[2:]))]

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:  # type: ignore[override]
        (spectrum,) = context.saved_tensors
        placed = F.pad(gradient, (2 * context.radius, 0) * 3)
        whole = torch.fft.irfftn(torch.fft.rfftn(placed, context.sides) * spectrum.conj(), context.sides)
        return whole[(..., *(slice(side) for side in context.shape))], None, None, None


class FilteredUNet(nn.Module):
    """D or G_s: a U-Net, and beside it a linear filter when ``filter_radius`` is above 0."""

    def __init__(self, channels: Sequence[int], filter_radius: int) -> None:
        super().__init__()
        self.unet = UNet3d(channels)
        self.filter = LinearFilter(filter_radius) if filter_radius else None
        if self.filter is not None:
            self.silence()

    def start_from(self, kernel: np.ndarray) -> None:
        """Start as the linear filter with this kernel."""
        if self.filter is not None:
            self.filter.kernel.copy_(torch.from_numpy(kernel))
            self.silence()

    def silence(self) -> None:
        """Let the filter speak first: the U-Net starts at zero and learns what a filter cannot say."""
        nn.init.zeros_(self.unet.head.weight)
        nn.init.zeros_(self.unet.head.bias)  # type: ignore[arg-type]

    @property
    def stride(self) -> int:
        """Sides are multiples of this."""
        return self.unet.stride

    @property
    def reach(self) -> int:
        """As :attr:`UNet3d.reach`."""
        return max(self.unet.reach, 0 if self.filter is None else -(-self.filter.radius // self.stride) * self.stride)

    def forward(self, volumes: Tensor) -> Tensor:
        structure = self.unet(volumes)
        return structure if self.filter is None else structure.float() + self.filter(volumes)


class StructuralGenerator(FilteredUNet):
    """G_s, and with a filter also ``transfer``: what the optics do to a density before noise is added to it.

    The paper leaves all that to G_s behind the sum. But the contrast transfer starts near zero at low frequency and spares the noise:
    no filter of the sum can do that, and a denoiser trained without it trusts low frequencies too much.
    """

    def __init__(self, channels: Sequence[int], filter_radius: int) -> None:
        super().__init__(channels, filter_radius)
        self.transfer: nn.Module = LinearFilter(filter_radius) if filter_radius else nn.Identity()


class NoiseEncoder(nn.Module):
    """E: tomogram (batch, 1, s, s, s) to its noise code: (batch, length), or (batch, length, s/8, s/8, s/8) when ``spatial``."""

    def __init__(self, channels: Sequence[int], length: int, spatial: bool) -> None:
        super().__init__()
        widths = [1, *channels]
        self.body = nn.Sequential(*(_convolution(inputs, outputs, stride=2) for inputs, outputs in zip(widths, widths[1:])))
        self.head: nn.Module = (nn.Conv3d(widths[-1], length, 1) if spatial else
                                nn.Sequential(nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(widths[-1], length)))

    def forward(self, tomograms: Tensor) -> Tensor:
        return self.head(self.body(tomograms))


class NoiseDecoder(nn.Module):
    """G_n: noise code to a noise mask (batch, 1, block, block, block) of mean 0.

    With a mean of its own each block would be lighter or darker than its neighbours, which no permutation hides: power at the lowest
    frequencies, where tomograms hold next to none.
    """

    def __init__(self, channels: Sequence[int], length: int, spatial: bool, block: int) -> None:
        super().__init__()
        self.length, self.spatial, self.block = length, spatial, block
        self.base = block // CODE_STRIDE
        first = channels[0]
        self.open: nn.Module = (nn.Conv3d(length, first, 1) if spatial else
                                nn.Sequential(nn.Linear(length, first * self.base**3), nn.Unflatten(1, (first,) + (self.base,) * 3)))
        self.body = nn.ModuleList(RaisingConvolution(inputs, outputs) for inputs, outputs in zip(channels, channels[1:]))
        self.head = nn.Conv3d(channels[-1], 1, 3, padding=1, bias=False)

    def code_shape(self, batch: int) -> tuple[int, ...]:
        """Shape of ``batch`` codes."""
        return (batch, self.length, *(self.base,) * 3) if self.spatial else (batch, self.length)

    def forward(self, codes: Tensor) -> Tensor:
        features = self.open(codes)
        for layer in self.body:
            features = layer(features)
        masks = self.head(features)
        return masks - masks.mean(dim=(2, 3, 4), keepdim=True)

    @torch.no_grad()
    def calibrate(self, deviation: float, generator: torch.Generator) -> None:
        """Scale the last layer so that masks of random codes have this standard deviation."""
        masks = self(torch.randn(self.code_shape(8), generator=generator))
        self.head.weight.mul_(deviation / max(float(masks.std()), 1e-12))


class Discriminator(nn.Module):
    """D_t or D_v: patch logits of a real-space branch and of a Fourier branch, (batch, 1, n, n, n) each.

    The whole three-dimensional spectrum is judged; an average over angles would hide the missing wedge.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.spatial, self.spectral = _judge(channels), _judge(channels)

    def forward(self, volumes: Tensor) -> tuple[Tensor, Tensor]:
        return self.spatial(volumes), self.spectral(log_spectrum(volumes.float()))


def log_spectrum(volumes: Tensor) -> Tensor:
    """Standardised log(1 + |F|) of Hann-windowed volumes (batch, 1, z, y, x), zero frequency in the middle."""
    axes = [torch.hann_window(side, device=volumes.device) for side in volumes.shape[2:]]
    window = axes[0][:, None, None] * axes[1][:, None] * axes[2]
    spectrum = torch.fft.fftshift(torch.fft.fftn(volumes * window, dim=(2, 3, 4)), dim=(2, 3, 4))
    # not abs(): its gradient at an exact zero is undefined
    logs = torch.log1p(torch.sqrt(spectrum.real**2 + spectrum.imag**2 + 1e-8))
    mean, deviation = logs.mean(dim=(2, 3, 4), keepdim=True), logs.std(dim=(2, 3, 4), keepdim=True)
    return (logs - mean) / (deviation + 1e-6)


def channels_last(network: nn.Module) -> nn.Module:
    """The same network with its kernels in the order of memory that saves a processor a third of the time."""
    return network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]


def permute_voxels(masks: Tensor, order: Tensor) -> Tensor:
    """P of the forward equation: voxels of each mask in the order of ``order`` (uniform values in the shape of ``masks``).

    Makes the noise white and keeps its histogram.
    """
    places = order.flatten(1).argsort(dim=1)
    return masks.flatten(1).gather(1, places).view_as(masks)


def orthogonal_start(networks: Sequence[nn.Module]) -> None:
    """Orthogonal initial kernels (spec C4) and zero biases, drawn from torch's global generator.

    The gain is that of the leaky ReLU behind most layers; without it the output of a U-Net starts a hundred times too small.
    """
    gain = nn.init.calculate_gain("leaky_relu", SLOPE)
    for network in networks:
        for layer in network.modules():
            if isinstance(layer, (nn.Conv3d, nn.Linear)):
                nn.init.orthogonal_(layer.weight, gain)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)


def _judge(channels: Sequence[int]) -> nn.Sequential:
    widths = [1, *channels]
    layers: list[nn.Module] = []
    for inputs, outputs in zip(widths, widths[1:]):
        layers += [nn.utils.parametrizations.spectral_norm(nn.Conv3d(inputs, outputs, 4, stride=2, padding=1)), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers, nn.utils.parametrizations.spectral_norm(nn.Conv3d(widths[-1], 1, 3, padding=1)))


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv3d(inputs, outputs, 3, stride=stride, padding=1), nn.LeakyReLU(SLOPE))
