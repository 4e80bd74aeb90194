"""The losses of DUAL (spec C3), each with what the paper leaves open."""
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ..runtime.errors import ParameterError

FLOOR = 1e-6
EMPTY = 1e-3  # deviation below which a patch has no structure to correlate with
SHRINKAGE = 0.1


def correlation(first: Tensor, second: Tensor) -> Tensor:
    """Pearson correlation of each pair of volumes (batch, ...): (batch,)."""
    a, b = (volumes.flatten(1) - volumes.flatten(1).mean(dim=1, keepdim=True) for volumes in (first, second))
    deviations = [values.square().mean(dim=1).clamp_min(FLOOR**2).sqrt() for values in (a, b)]
    return (a * b).mean(dim=1) / (deviations[0] * deviations[1]).clamp_min(FLOOR)


def reconstruction_loss(real: Tensor, returned: Tensor) -> Tensor:
    """log ||real - returned||^2 + log(1 - corr) (DUAL, L_v and L_t), with the mean square: its logarithm differs by a constant.

    Empty patches have no correlation and count in the first term alone.
    """
    error = torch.log((real - returned).square().mean() + FLOOR)
    filled = (real.flatten(1).std(dim=1) > EMPTY).float()
    terms = filled * torch.log(1 - correlation(real, returned) + FLOOR)
    return error + terms.sum() / filled.sum().clamp_min(1)


def discriminator_loss(real: Sequence[Tensor], fake: Sequence[Tensor], real_label: float = 1.0) -> Tensor:
    """-log D(real) - log(1 - D(fake)), mean over the branches; ``real_label`` below 1 is one-sided label smoothing."""
    labels = [torch.full_like(logits, real_label, dtype=torch.float32) for logits in real]
    terms = [F.binary_cross_entropy_with_logits(a.float(), label) + F.softplus(b.float()).mean() for a, label, b in zip(real, labels, fake)]
    return torch.stack(terms).mean()


def generator_loss(fake: Sequence[Tensor]) -> Tensor:
    """-log D(fake), the non-saturating form, mean over the branches."""
    return torch.stack([F.softplus(-logits.float()).mean() for logits in fake]).mean()


def accuracy(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Share of correct patch logits of a discriminator."""
    return torch.stack([((a > 0).float().mean() + (b < 0).float().mean()) / 2 for a, b in zip(real, fake)]).mean()


def code_regulariser(codes: Tensor, form: str = "diagonal") -> Tensor:
    """KL(N(0, I) || N(mu, Sigma)) = 0.5 [tr(Sigma^-1) + mu' Sigma^-1 mu - K + ln det Sigma] of noise codes (DUAL eq. 9).

    ``codes`` is (samples, K) or (batch, K, z, y, x), where every position is a sample. ``full`` is the printed form, which does not
    exist unless there are more samples than K; ``shrinkage`` mixes a tenth of the unit matrix in; ``diagonal`` leaves covariances out.
    """
    with torch.autocast(codes.device.type, enabled=False):  # neither inverse nor determinant exist in half precision
        return _divergence(codes, form)


def _divergence(codes: Tensor, form: str) -> Tensor:
    samples = codes.float() if codes.ndim == 2 else codes.float().movedim(1, -1).reshape(-1, codes.shape[1])
    count, length = samples.shape
    if count < 2 or (form == "full" and count <= length):
        raise ParameterError(f"{count} noise codes of length {length} have no invertible covariance", f"more than {max(length, 1)} codes",
                             "use the diagonal or shrinkage form, a larger batch or a shorter code")
    mean = samples.mean(dim=0)
    if form == "diagonal":
        variance = samples.var(dim=0).clamp_min(FLOOR)
        return 0.5 * (1 / variance + mean**2 / variance - 1 + variance.log()).sum()
    covariance = torch.cov(samples.T).reshape(length, length)
    if form == "shrinkage":
        covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * torch.eye(length, device=codes.device)
    inverse = torch.linalg.inv(covariance)
    return 0.5 * (inverse.trace() + mean @ inverse @ mean - length + torch.linalg.slogdet(covariance).logabsdet)
