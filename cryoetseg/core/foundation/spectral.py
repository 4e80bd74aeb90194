"""Eigenvectors shared by the affinities of all layers, by a deterministic symmetric eigen-solver (after Zhang24, spec 1.4).

Each layer's affinity A becomes W = (A + A^T) / 2 and S = D^-1/2 W D^-1/2, is lifted to the finest grid by P with
P^T P = I, and the layers' weighted sum is solved for its leading eigenvectors. The sum is never built on the finest grid
for coarser layers: a product with it visits each grid's own matrix.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from ..runtime.errors import ParameterError
from .door import Affinity
from .krylov import leading_subspace

DENSE_BELOW = 256  # tokens; smaller problems go to the dense solver, a subspace of several blocks would fill them
DEGREE_FLOOR = 1e-8


@dataclass(frozen=True)
class _GridSum:
    """Sum of the normalised layers of one grid: ``matrix`` (m, m), and which of its tokens each of n fine tokens lies in.

    ``token_of`` (n,) names the token of each; ``members`` (m, most) are the fine tokens of each token, filled up with n. All lie on
    the device of the affinities.
    """

    matrix: torch.Tensor
    token_of: torch.Tensor
    members: torch.Tensor
    scale: torch.Tensor

    def product(self, x: torch.Tensor) -> torch.Tensor:
        """P S P^T x for a block of vectors (n, b) of n fine tokens. Sums run over ``members``: a GPU adds scattered values in no fixed
        order."""
        coarse = functional.pad(x, (0, 0, 0, 1))[self.members].sum(dim=1) * self.scale[:, None]
        return ((self.matrix @ coarse) * self.scale[:, None])[self.token_of]


def leading_eigenvectors(
    affinities: Sequence[Affinity],
    count: int = 12,
    border: int = 0,
    weights: Sequence[float] | None = None,
    seed: int = 0,
) -> np.ndarray:
    """The ``count`` leading eigenvectors of the layers' weighted sum.

    ``affinities`` are square, at least one on the finest grid, whose side every other side divides. ``border`` fine tokens along each
    side are left out before solving. Returns float32 (count, side, side), side = finest grid - 2 border, unit norm, by falling
    eigenvalue, sign fixed by :func:`orient`. The same affinities and ``seed`` give the same result.
    """
    side = max(affinity.grid for affinity in affinities)
    inner = side - 2 * border
    if inner < 2 or count > inner * inner - 1:
        raise ParameterError(f"{count} eigenvectors of a {inner} x {inner} token grid", "more tokens than eigenvectors",
                             "take fewer border tokens or fewer eigenvectors")
    sums = [_sum_grid(group, side, border) for group in _by_grid(affinities, weights)]
    vectors = _solve(sums, inner * inner, count, seed)
    return orient(vectors.T).reshape(count, inner, inner)


def orient(vectors: np.ndarray) -> np.ndarray:
    """Fix the free sign of eigenvectors (k, n): the third moment is not negative, the largest entry decides ties."""
    vectors = np.asarray(vectors, np.float32)
    skewness = (vectors.astype(np.float64) ** 3).sum(axis=1)
    peaks = vectors[np.arange(len(vectors)), np.abs(vectors).argmax(axis=1)]
    signs = np.where(np.abs(skewness) > 1e-9, np.sign(skewness), np.sign(peaks))
    return vectors * signs[:, None].astype(np.float32)


def subspace_overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Mean squared cosine between the spans of two sets of k vectors (k, n): 1 for equal spans, k / n for random ones."""
    bases = [np.linalg.qr(np.asarray(vectors, np.float64).reshape(len(vectors), -1).T)[0] for vectors in (first, second)]
    return float(np.square(bases[0].T @ bases[1]).sum() / len(first))


def dense_sum(affinities: Sequence[Affinity], border: int = 0, weights: Sequence[float] | None = None) -> np.ndarray:
    """The operator :func:`leading_eigenvectors` solves as one dense matrix (n, n): for checks and small grids."""
    side = max(affinity.grid for affinity in affinities)
    return _dense([_sum_grid(group, side, border) for group in _by_grid(affinities, weights)])


def _by_grid(affinities: Sequence[Affinity], weights: Sequence[float] | None) -> list[list[tuple[Affinity, float]]]:
    weights = [1.0] * len(affinities) if weights is None else list(weights)
    if len(weights) != len(affinities):
        raise ParameterError(f"{len(weights)} layer weights for {len(affinities)} layers", "one weight a layer")
    groups: dict[int, list[tuple[Affinity, float]]] = {}
    for affinity, weight in zip(affinities, weights):
        groups.setdefault(affinity.grid, []).append((affinity, weight))
    return [groups[grid] for grid in sorted(groups, reverse=True)]


def _sum_grid(group: list[tuple[Affinity, float]], side: int, border: int) -> _GridSum:
    """Restrict the layers of one grid to the tokens that reach inside the border, normalise and add them."""
    grid = group[0][0].grid
    if side % grid:
        raise ParameterError(f"token grids of {side} and {grid} a side", "a finest grid that all others divide")
    along = np.arange(border, side - border) * grid // side
    kept, position = np.unique(along, return_inverse=True)
    token_of = (position[:, None] * len(kept) + position[None, :]).ravel()
    tokens = torch.from_numpy((kept[:, None] * grid + kept[None, :]).ravel())
    total = _added(group, tokens if len(tokens) < grid * grid else None)
    # columns of P have unit norm, also where the border cuts a coarse token
    scale = 1.0 / np.sqrt(np.bincount(token_of, minlength=len(tokens))).astype(np.float32)
    lifting = (torch.from_numpy(part).to(total.device) for part in (token_of, _members(token_of, len(tokens)), scale))
    return _GridSum(total, *lifting)


def _members(token_of: np.ndarray, count: int) -> np.ndarray:
    """The fine tokens (count, most) of each of ``count`` tokens, filled up with the number of fine tokens."""
    order, sizes = np.argsort(token_of, kind="stable"), np.bincount(token_of, minlength=count)
    place = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    members = np.full((count, sizes.max()), len(token_of))
    members[token_of[order], place] = order
    return members


def _added(group: list[tuple[Affinity, float]], tokens: torch.Tensor | None) -> torch.Tensor:
    """Weighted sum over layers of S = D^-1/2 W D^-1/2. The scaled A are added first and made symmetric once: the same sum."""
    first = group[0][0].matrix
    count = first.shape[-1] if tokens is None else len(tokens)
    total = torch.zeros(count, count, device=first.device)
    for affinity, weight in group:
        matrix = affinity.matrix.mean(dim=0) if affinity.matrix.ndim == 3 else affinity.matrix
        if tokens is not None:
            index = tokens.to(matrix.device)
            matrix = matrix[index][:, index]
        matrix = matrix.float()
        root = ((matrix.sum(dim=0) + matrix.sum(dim=1)) / 2).clamp_min(DEGREE_FLOOR).rsqrt()
        total.addcmul_(matrix * root[:, None], root[None, :], value=weight)
    return (total + total.T) / 2


def _solve(sums: list[_GridSum], tokens: int, count: int, seed: int) -> np.ndarray:
    if tokens < DENSE_BELOW or count > tokens // 4:
        return np.linalg.eigh(_dense(sums))[1][:, ::-1][:, :count]

    def product(block: torch.Tensor) -> torch.Tensor:
        return torch.stack([grid.product(block) for grid in sums]).sum(dim=0)

    return leading_subspace(product, tokens, count, sums[0].matrix.device, seed).cpu().numpy()


def _dense(sums: list[_GridSum]) -> np.ndarray:
    total = np.zeros((len(sums[0].token_of),) * 2, np.float64)
    for grid in sums:
        token_of = grid.token_of.cpu().numpy()
        total += (grid.matrix * grid.scale[:, None] * grid.scale[None, :]).cpu().numpy()[token_of][:, token_of]
    return total
