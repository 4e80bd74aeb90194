"""From pictures to canvases: one map of structures per slab, dark on bright, with the eigenimages it was merged from."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..runtime.errors import ParameterError
from ..runtime.progress import track
from ..runtime.seeds import numpy_generator, torch_generator
from .aggregation import Aggregation, aggregate, enlarge
from .door import Backbone, Look
from .eigenbasis import EigenBasis, fit_basis
from .eigenimages import WHITE, eigenimages
from .frames import Frame
from .params import SegmentSlabsParameters
from .pictures import Pictures
from .projection import Projection, fit_projection, token_intensity
from .slabs import minmax
from .solvers import picture_eigenvectors

FIT_SLABS = 8  # slabs, evenly spread, from which the joint eigenvectors are computed
FIT_TOKENS = 200_000


@dataclass(frozen=True)
class SlabCanvas:
    """Canvas (y, x) float32 in [0, 255] of slab ``z``, the density (y, x) the backbone sees or else the picture itself, bright;
    eigenimages (k, h, w) of the whole slab or its first window, and the record."""

    z: int
    canvas: np.ndarray
    density: np.ndarray
    eigenimages: np.ndarray
    record: dict[str, Any]


@dataclass(frozen=True)
class CanvasPlan:
    """Everything the canvases of one tomogram are made with; ``voxel_size`` in Angstrom."""

    pictures: Pictures
    frame: Frame
    backbone: Backbone
    voxel_size: float
    parameters: SegmentSlabsParameters
    seed: int

    def generator(self, z: int) -> torch.Generator:
        """The random numbers of slab ``z``, whichever slabs came before."""
        return torch_generator(self.seed, "slab", z)


def slab_canvases(plan: CanvasPlan, slabs: Sequence[int]) -> Iterator[SlabCanvas]:
    """Canvases of ``slabs``, in order, by the solver the parameters name; raises :class:`ParameterError` when it cannot be had."""
    solver = plan.parameters.solver
    has_features = gives_features(plan.backbone)
    if solver == "joint" and not has_features:
        raise ParameterError(f"solver 'joint' with backbone '{plan.backbone.name}', which gives no features", "solver eigen or gradient")
    if solver == "joint" or (solver == "auto" and has_features):
        return _joint_canvases(plan, slabs)
    return (_tiled_canvas(plan, z) for z in track(slabs, "slabs"))


def gives_features(backbone: Backbone) -> bool:
    """Whether ``backbone`` shows what it sees, so that all slabs can be solved at once."""
    return type(backbone).look is not Backbone.look


def _joint_canvases(plan: CanvasPlan, slabs: Sequence[int]) -> Iterator[SlabCanvas]:
    sample = [slabs[index] for index in np.unique(np.linspace(0, len(slabs) - 1, min(FIT_SLABS, len(slabs))).astype(int))]
    features, intensity = _fit_tokens(plan, sample)
    basis = fit_basis(features, min(plan.parameters.eigenvectors, features.shape[1]))
    projection = fit_projection(basis.maps(features)[:, : plan.parameters.eigenimages], intensity)
    return (_joint_canvas(plan, basis, projection, z) for z in track(slabs, "slabs"))


def _fit_tokens(plan: CanvasPlan, sample: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, c) and grey values (n,) of tokens drawn from all of the ``sample`` slabs, in the order they were drawn.

    They are drawn before anything is looked at, so that of each slab no more than the drawn ones is kept.
    """
    a_slab = len(plan.frame.windows) * (plan.backbone.tokens - 2 * plan.frame.border_tokens) ** 2
    chosen = numpy_generator(plan.seed, "fit").permutation(len(sample) * a_slab)[:FIT_TOKENS]
    features, intensity = np.empty((len(chosen), 0), np.float32), np.empty(len(chosen), np.float32)
    for number, z in enumerate(track(sample, "fitting eigenvectors")):
        here = np.flatnonzero(chosen // a_slab == number)
        seen = _flat(_look(plan, z).features)
        if not features.size:
            features = np.empty((len(chosen), seen.shape[1]), seen.dtype)
        features[here] = seen[chosen[here] % a_slab]
        intensity[here] = _window_intensity(plan, z).ravel()[chosen[here] % a_slab]
    return features, intensity


def _joint_canvas(plan: CanvasPlan, basis: EigenBasis, projection: Projection, z: int) -> SlabCanvas:
    features, density = _look(plan, z)
    side = features.shape[-1]
    seen = plan.frame.blend(list(density))
    maps = basis.maps(_flat(features))[:, : plan.parameters.eigenimages].reshape(len(features), side, side, -1)
    whole = np.stack([plan.frame.blend(list(maps[..., index])) for index in range(maps.shape[-1])])
    small = np.stack([minmax(image, WHITE) for image in eigen_preview(projection.dark(whole))])
    if plan.parameters.aggregation == "projection":
        return SlabCanvas(z, projection.canvas(whole), seen, small, projection.record(small))
    merged = aggregate(eigenimages(whole, plan.parameters), plan.parameters)
    return SlabCanvas(z, merged.canvas, seen, small, merged.record())


def eigen_preview(images: np.ndarray) -> np.ndarray:
    """Eigenimages (k, y, x) at half the size, enough to look at, with the sharpest half percent clipped."""
    low, high = np.percentile(images, (0.5, 99.5), axis=(1, 2), keepdims=True)
    return np.clip(images, low, high)[:, ::2, ::2]


def _look(plan: CanvasPlan, z: int) -> Look:
    """What the backbone sees in the windows of slab ``z``, without their borders."""
    seen = plan.backbone.look(plan.pictures.of_slab(z), plan.generator(z), plan.parameters.draws)
    assert seen is not None  # asked before
    tokens, pixels = seen.features.shape[-1], seen.density.shape[-1]
    border = plan.frame.border_tokens
    inner, wide = slice(border, tokens - border), slice(border * pixels // tokens, pixels - border * pixels // tokens)
    return Look(seen.features[:, :, inner, inner], seen.density[:, wide, wide])


def _window_intensity(plan: CanvasPlan, z: int) -> np.ndarray:
    """Local grey value of every token of every window (windows, tokens, tokens)."""
    image = plan.pictures.intensity(z)
    tokens = plan.backbone.tokens - 2 * plan.frame.border_tokens
    return np.stack([token_intensity(image, window, tokens) for window in plan.frame.windows])


def _flat(features: np.ndarray) -> np.ndarray:
    return np.moveaxis(features, 1, -1).reshape(-1, features.shape[1])


def _tiled_canvas(plan: CanvasPlan, z: int) -> SlabCanvas:
    """Each window solved by itself: as published, or projected on the picture, which also settles signs from tile to tile."""
    border, generator = plan.frame.border_tokens, plan.generator(z)
    parameters = plan.parameters
    vectors = [picture_eigenvectors(plan.backbone, picture, plan.voxel_size, border, parameters, generator)
               for picture in plan.pictures.of_slab(z)]
    if parameters.aggregation == "greedy":
        merged = [aggregate(eigenimages(one, parameters), parameters) for one in vectors]
        canvas = plan.frame.blend([_enlarged(one, plan.backbone.input_size_px, parameters) for one in merged])
        return SlabCanvas(z, canvas, plan.pictures.intensity(z), eigenimages(vectors[0], parameters), merged[0].record())
    maps = np.stack(vectors)[:, : parameters.eigenimages]
    projections = [fit_projection(_flat(one[None]), token.ravel()) for one, token in zip(maps, _window_intensity(plan, z))]
    structure = plan.frame.blend([projection.structure(one) for projection, one in zip(projections, maps)])
    small = np.stack([minmax(image, WHITE) for image in projections[0].dark(maps[0])])
    canvas = (WHITE * (1 - np.clip(structure, 0, 1))).astype(np.float32)
    return SlabCanvas(z, canvas, plan.pictures.intensity(z), small, projections[0].record(small))


def _enlarged(merged: Aggregation, side: int, parameters: SegmentSlabsParameters) -> np.ndarray:
    return enlarge(merged.canvas, side, parameters)


