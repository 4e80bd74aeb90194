"""Leading eigenvectors of a symmetric operator by a block Krylov method, on the device that the operator works on.

The basis grows by the residuals of the leading Ritz vectors, which spans what block Lanczos spans, and is cut back to them when it has
grown (thick restart, Wu and Simon 2000). Whole blocks are multiplied, so that each product reads the matrix once for all vectors, and
eigenvalues that are close or equal come out together. Matrices as small as the basis are solved by the processor in float64.
"""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from ..runtime.errors import InputError

GUARD_VECTORS = 4  # beyond those asked for: the last of them converge as fast as the gap behind the guards is wide
LARGEST_BASIS = 8  # blocks
MOST_PRODUCTS = 500  # a few dozen are usual
TOLERANCE = 1e-5  # of the largest eigenvalue: norm of a residual, float32 products leave some 1e-6
NOISE = 1e-6  # of the largest length in a block: directions shorter than that are rounding


def leading_subspace(
    product: Callable[[torch.Tensor], torch.Tensor], size: int, count: int, device: torch.device, seed: int = 0
) -> torch.Tensor:
    """The ``count`` leading eigenvectors (size, count), float32 on ``device``, orthonormal, by falling eigenvalue.

    ``product`` multiplies a symmetric matrix with a block of vectors (size, b). The start is drawn from ``seed``. Raises
    :class:`InputError` for values that are not finite and where nothing converges. Eigenvectors at the end of those asked for are told
    from the next ones where the eigenvalues differ by more than the tolerance.
    """
    width = count + GUARD_VECTORS
    start = np.random.default_rng(seed).standard_normal((size, width)).astype(np.float32)
    block = torch.from_numpy(start).to(device)
    basis, images = block[:, :0], block[:, :0]
    for _ in range(MOST_PRODUCTS):
        block = _orthonormal(block, basis)
        basis, images = torch.cat([basis, block], dim=1), torch.cat([images, product(block)], dim=1)
        values, turn = _ritz(basis.T @ images, width)
        vectors, multiplied = basis @ turn, images @ turn
        residuals = multiplied - vectors * values
        lengths = residuals.norm(dim=0).cpu()
        open_ones = lengths > TOLERANCE * float(values[0].abs())
        if not open_ones[:count].any():
            return vectors[:, :count]
        block = residuals[:, open_ones.to(device)]
        if basis.shape[1] + width > LARGEST_BASIS * width:
            basis, images = vectors, multiplied
    raise InputError(f"an affinity of {size} tokens whose eigenvectors do not converge", "tokens that differ",
                     "check that the tomogram is not empty, or take fewer eigenvectors")


def _ritz(projected: torch.Tensor, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The ``width`` largest eigenvalues of a small matrix and their vectors, one a column, where and as what it came."""
    small = projected.double().cpu().numpy()
    if not np.isfinite(small).all():
        raise InputError("affinities that are not finite", "finite affinities", "check the weights of the backbone")
    values, vectors = np.linalg.eigh((small + small.T) / 2)
    leading = (values[::-1][:width], vectors[:, ::-1][:, :width])
    first, second = (torch.from_numpy(part.astype(np.float32)).to(projected.device) for part in leading)
    return first, second


def _orthonormal(block: torch.Tensor, basis: torch.Tensor) -> torch.Tensor:
    """What ``block`` adds to an orthonormal ``basis``, as orthonormal columns; directions that it does not add are left out.

    Twice, because the first turn leaves the rounding of what it took away.
    """
    for _ in range(2):
        block = block - basis @ (basis.T @ block)
        block = block / block.norm(dim=0).clamp_min(torch.finfo(block.dtype).tiny)
        small = (block.T @ block).double().cpu().numpy()
        values, vectors = np.linalg.eigh(small)
        kept = values > NOISE * values[-1]
        turn = (vectors[:, kept] / np.sqrt(values[kept])).astype(np.float32)
        block = block @ torch.from_numpy(turn).to(block.device)
    return block
