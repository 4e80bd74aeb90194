"""3 x 3 x 3 bilateral filters: the plain one, and Vox-UDA's, whose range kernel compares gradients (eq. 8 to 13, spec B5).

Everything hangs on the scale of the data: with the wrong one the filter is the identity or a box mean. So the range features are computed
on scaled data, and :func:`degeneracy` tells when the filter has become one of the two.
"""
from __future__ import annotations

import math
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from .params import RangeFeature, Scale

NEIGHBOURS = 27
IDENTITY_BELOW, BOX_ABOVE = 2.0, 26.5
SOBEL_SUM = 32.0  # a Sobel filter over this is the true gradient
# worked on at a time: so few that the temporaries stay in the processor's cache, or so many that a GPU is busy
BLOCK_VOXELS = (1 << 16, 1 << 27)
LEAST_EXPONENT = -60.0  # smaller weights would become denormal numbers, which cost a processor ten times as much
# one of each pair of opposite neighbours: their weights are equal
OFFSETS = [(z, y, x) for z in (-1, 0, 1) for y in (-1, 0, 1) for x in (-1, 0, 1) if (z, y, x) > (0, 0, 0)]


class Filtered(NamedTuple):
    """Filtered volumes in the unit of the input, and the mean weight of a voxel's 27 neighbours together (1: identity, 27: box mean), a
    scalar on their device."""

    volumes: Tensor
    weight_sum: Tensor


def bilateral(volumes: Tensor, domain_sigma: float = 120.0, range_sigma: float = 1.2, feature: RangeFeature = "intensity",
              scale: Scale = "z_score") -> Filtered:
    """Filter each volume of (..., z, y, x); beyond the border the nearest voxel counts.

    v'(p) = sum_q w v(q) / sum_q w with w = exp(-|p - q|^2 / (2 domain_sigma^2)) exp(-|g(p) - g(q)|^2 / (2 range_sigma^2)), distances in
    voxels. g is the scaled intensity (the plain filter) or a gradient: ``sobel32`` the true one, ``sobel`` 32 times that,
    ``laplacian_gradient`` the published gradient of the discrete Laplacian.
    """
    shape = volumes.shape
    plain = volumes.reshape(-1, *shape[-3:]).float()
    features = range_features(scaled(plain, scale), feature) / (math.sqrt(2) * range_sigma)
    result, weight_sum = _filtered(plain, features, domain_sigma)
    return Filtered(result.reshape(shape), weight_sum)


def degeneracy(weight_sum: float) -> str:
    """A warning where the filter has become the identity or a box mean; empty where it has not."""
    measured = f"(weight sum {weight_sum:.1f} of {NEIGHBOURS})"
    if weight_sum < IDENTITY_BELOW:
        return f"the bilateral filter changes nothing {measured}: raise the range sigma or change the range feature"
    if weight_sum > BOX_ABOVE:
        return f"the bilateral filter is a box mean {measured}: lower the range sigma or change the range feature"
    return ""


def scaled(volumes: Tensor, scale: Scale) -> Tensor:
    """Volumes (n, z, y, x), each to mean 0 and deviation 1, or to [0, 1]."""
    flat = volumes.flatten(1)
    if scale == "z_score":
        low, width = flat.mean(dim=1), flat.std(dim=1, correction=0)
    else:
        low = flat.amin(dim=1)
        width = flat.amax(dim=1) - low
    return (volumes - low[:, None, None, None]) / width.clamp(min=1e-12)[:, None, None, None]


def range_features(volumes: Tensor, feature: RangeFeature) -> Tensor:
    """What the range kernel compares: (n, components, z, y, x) of volumes (n, z, y, x)."""
    if feature == "intensity":
        return volumes[:, None]
    if feature == "laplacian_gradient":
        return torch.stack([_difference(_laplacian(volumes), axis) for axis in (1, 2, 3)], dim=1)
    return _sobel(volumes) / (SOBEL_SUM if feature == "sobel32" else 1.0)


def _sobel(volumes: Tensor) -> Tensor:
    """Differences along one axis, weights 1 2 1 along the others, for z, y and x: (n, 3, z, y, x)."""
    return torch.stack([_smooth(_smooth(_difference(volumes, axis), axis % 3 + 1), (axis + 1) % 3 + 1)
                        for axis in (1, 2, 3)], dim=1)


def _laplacian(volumes: Tensor) -> Tensor:
    """Sum of the six face neighbours less six times the voxel."""
    return sum((before + after for before, after in (_neighbours(volumes, axis) for axis in (1, 2, 3))), -6 * volumes)


def _difference(volumes: Tensor, axis: int) -> Tensor:
    before, after = _neighbours(volumes, axis)
    return after - before


def _smooth(volumes: Tensor, axis: int) -> Tensor:
    before, after = _neighbours(volumes, axis)
    return before + 2 * volumes + after


def _neighbours(volumes: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """The voxels before and after along ``axis`` (1 to 3), edges repeated."""
    size = volumes.shape[axis]
    padded = torch.cat([volumes.narrow(axis, 0, 1), volumes, volumes.narrow(axis, size - 1, 1)], dim=axis)
    return padded.narrow(axis, 0, size), padded.narrow(axis, 2, size)


def _filtered(volumes: Tensor, features: Tensor, domain_sigma: float) -> tuple[Tensor, Tensor]:
    """Volumes (n, z, y, x) with their features (n, components, z, y, x), in blocks of volumes or of planes; also the mean weight sum."""
    count, depth, height, width = volumes.shape
    values, compared = _padded(volumes[:, None])[:, 0], _padded(features)
    result, total = torch.empty_like(volumes), torch.zeros((), device=volumes.device)
    voxels = BLOCK_VOXELS[volumes.device.type == "cuda"]
    planes = min(depth, max(1, voxels // ((height + 2) * (width + 2)) - 2))
    together = max(1, voxels // ((planes + 2) * (height + 2) * (width + 2)))
    for volume, first in product(range(0, count, together), range(0, depth, planes)):
        some, part = slice(volume, volume + together), slice(first, first + planes + 2)
        sums, weights = _block(values[some, part], compared[some, :, part], domain_sigma)
        inner = (slice(None), *(slice(1, -1),) * 3)
        torch.div(sums[inner], weights[inner], out=result[some, first:first + planes])
        total += weights[inner].sum()
    return result, total / max(1, volumes.numel())


def _padded(channels: Tensor) -> Tensor:
    return F.pad(channels, (1,) * 6, mode="replicate")


def _block(values: Tensor, compared: Tensor, domain_sigma: float) -> tuple[Tensor, Tensor]:
    """Weighted sums and weights of a padded block (n, z, y, x) with its features (n, components, z, y, x).

    The block is worked on as one line, where a neighbour is a fixed step away. At its border the steps lead to wrong voxels, but only
    padding lies there, and it is cut off afterwards.
    """
    _, _, height, width = shape = values.shape
    values = values.reshape(-1)
    lines = [component.reshape(-1) for component in compared.unbind(1)]
    sums, weights = values.clone(), torch.ones_like(values)
    difference, exponent = torch.empty_like(values), torch.empty_like(values)
    for offset in OFFSETS:
        step = (offset[0] * height + offset[1]) * width + offset[2]
        near, far = slice(0, -step), slice(step, None)
        d, w = difference[near], exponent[near]
        torch.sub(lines[0][near], lines[0][far], out=d)
        torch.mul(d, d, out=w).neg_()
        for component in lines[1:]:
            torch.sub(component[near], component[far], out=d)
            w.addcmul_(d, d, value=-1)
        w.clamp_(min=LEAST_EXPONENT).exp_()
        domain = math.exp(-sum(axis * axis for axis in offset) / (2 * domain_sigma**2))
        sums[near].addcmul_(w, values[far], value=domain)
        sums[far].addcmul_(w, values[near], value=domain)
        weights[near].add_(w, alpha=domain)
        weights[far].add_(w, alpha=domain)
    return sums.view(shape), weights.view(shape)
