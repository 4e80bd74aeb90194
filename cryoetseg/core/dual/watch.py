"""What tells that an adversarial training is lost: judges that are always right, inverted contrast, spectra that drift apart."""
from __future__ import annotations

import logging
from collections.abc import Mapping

import torch
from torch import Tensor

from ..runtime.errors import TrainingError

logger = logging.getLogger(__name__)
ALWAYS_RIGHT = 0.98
ACCURACY, PREFIX = "_accuracy", "watch/"  # how the metrics of the discriminators end, how the counts in a checkpoint begin
INVERTED = -0.05  # correlation of tomogram and density below which contrast is upside down
UPSIDE_DOWN = 100.0  # taken from the score of such a model: more than any distance of spectra


class TrainingWatch:
    """Counts the discriminators' accuracies between validations and judges at each. ``limit`` validations in a row stop the training."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._sums: dict[str, float] = {}
        self._count = 0
        self._stuck = self._inverted = 0
        self._best = -float("inf")
        self.warnings: list[str] = []

    def count(self, metrics: Mapping[str, float]) -> None:
        """Note the discriminators' accuracies among the metrics of one step."""
        self._count += 1
        for name, value in metrics.items():
            if name.endswith(ACCURACY):
                self._sums[name] = self._sums.get(name, 0.0) + value

    def state(self) -> Mapping[str, Tensor]:
        """All that is counted, for the checkpoint."""
        numbers = {"count": self._count, "stuck": self._stuck, "inverted": self._inverted, "best": self._best,
                   **{f"sum/{name}": value for name, value in self._sums.items()}}
        return {f"{PREFIX}{name}": torch.tensor(value, dtype=torch.float64) for name, value in numbers.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what :meth:`state` gave; a checkpoint without it leaves the counts as they are."""
        numbers = {name[len(PREFIX):]: float(value) for name, value in state.items() if name.startswith(PREFIX)}
        if numbers:
            self._count, self._stuck, self._inverted = (int(numbers[name]) for name in ("count", "stuck", "inverted"))
            self._best = numbers["best"]
            self._sums = {name[len("sum/"):]: value for name, value in numbers.items() if name.startswith("sum/")}

    def judge(self, metrics: Mapping[str, float]) -> None:
        """Warn of, or with :class:`TrainingError` end, a training that is lost; the best checkpoint so far is kept on disk."""
        self._judge_contrast(metrics["contrast"])
        stuck = [name for name, total in self._sums.items() if self._count and total / self._count > ALWAYS_RIGHT]
        gained = metrics["score"] > self._best + 1e-3
        self._best = max(self._best, metrics["score"])
        self._sums, self._count = {}, 0
        self._stuck = self._stuck + 1 if stuck and not gained else 0
        if stuck and not self.warnings:
            self.warnings.append(f"{' and '.join(stuck)} was right in more than {ALWAYS_RIGHT:.0%} of its answers for a while: the "
                                 "generators may have stopped learning from it")
            logger.warning(self.warnings[-1])
        if self._limit and self._stuck >= self._limit:
            raise TrainingError(f"{' and '.join(stuck)} has always been right for {self._stuck} validations without gain",
                                "a balance of generators and discriminators",
                                "lower the learning rate or the discriminators' channels; the best checkpoint is kept")

    def _judge_contrast(self, contrast: float) -> None:
        """A cycle may pass through contrast that is upside down, above all from a random start; it is lost when it stays there."""
        self._inverted = self._inverted + 1 if contrast < INVERTED else 0
        if self._limit and self._inverted >= self._limit:
            raise TrainingError(f"the contrast of the cycle has been upside down for {self._inverted} validations: tomograms and their "
                                f"density correlate by {contrast:.2f}", "a cycle that keeps contrast",
                                "check the contrast of both sets; where it is told rightly, train with another seed")


def scored(metrics: Mapping[str, float], score: float) -> dict[str, float]:
    """``metrics`` with the score by which the best model is chosen: one with contrast upside down is below every other."""
    return {**metrics, "score": score - (UPSIDE_DOWN if metrics["contrast"] < INVERTED else 0.0)}


def radial_power(volumes: Tensor, counted: Tensor | None = None) -> Tensor:
    """Mean power in shells one Fourier voxel wide of cubes (batch, 1, n, n, n): (n / 2,), zero frequency first.

    ``counted`` (n, n, n) bool leaves coefficients out, in the order of ``torch.fft.fftn``; shells without any are 0.
    """
    side = volumes.shape[2]
    power = torch.fft.fftn(volumes.double(), dim=(2, 3, 4)).abs().square().mean(dim=(0, 1)).flatten()
    axis = torch.fft.fftfreq(side, device=volumes.device, dtype=torch.float64) * side
    shell = torch.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2).round().long().flatten()
    weight = torch.ones_like(power) if counted is None else counted.to(power).flatten()
    sums, members = (torch.zeros(int(shell.max()) + 1, dtype=torch.float64, device=volumes.device).index_add_(0, shell, values)
                     for values in (weight * power, weight))
    return (sums / members.clamp_min(1))[: side // 2]


def spectrum_distance(first: Tensor, second: Tensor) -> float:
    """Mean absolute natural logarithm of the ratio of two sets' radial power spectra."""
    return _distance(radial_power(first), radial_power(second))


def wedge_distance(filled: Tensor, measured: Tensor, missing: Tensor) -> float:
    """How far filled cubes are from power as strong inside the missing wedge as what was measured has outside, and outside too.

    The mean of both distances, for cubes (batch, 1, n, n, n) and the wedge ``missing`` (n, n, n) bool. A distance over all angles would
    be as content with a wedge that is left empty.
    """
    wanted = radial_power(measured, ~missing)
    return (_distance(radial_power(filled, missing), wanted) + _distance(radial_power(filled, ~missing), wanted)) / 2


def _distance(first: Tensor, second: Tensor) -> float:
    return float(torch.log(first[1:].clamp_min(1e-12) / second[1:].clamp_min(1e-12)).abs().mean())
