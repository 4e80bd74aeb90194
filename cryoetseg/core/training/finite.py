"""What to do when a loss or a gradient is not finite: skip, then go back with half the learning rate, then stop."""
from __future__ import annotations

import logging
from typing import Any, Literal

from ..runtime.errors import TrainingError

logger = logging.getLogger(__name__)
MAX_RESTORES = 3


class FiniteGuard:
    """Judges every step. ``rate_scale`` multiplies the learning rate and halves with each return to a checkpoint."""

    def __init__(self, max_skips: int) -> None:
        self._max_skips = max_skips
        self.skipped = 0
        self.skipped_in_a_row = 0
        self.restores = 0

    @property
    def rate_scale(self) -> float:
        """Factor of the learning rate after the restores so far."""
        return 0.5**self.restores

    def judge(self, finite: bool, step: int) -> Literal["go on", "restore"]:
        """Count this step; raises :class:`TrainingError` when going back did not help."""
        if finite:
            self.skipped_in_a_row = 0
            return "go on"
        self.skipped += 1
        self.skipped_in_a_row += 1
        logger.warning("step %d: loss or gradient is not finite, skipped (%d in a row)", step, self.skipped_in_a_row)
        if self.skipped_in_a_row <= self._max_skips:
            return "go on"
        return self._restore(step)

    def _restore(self, step: int) -> Literal["restore"]:
        if self.restores == MAX_RESTORES:
            raise TrainingError(
                f"loss or gradient is not finite at step {step}, also after {MAX_RESTORES} returns to the last checkpoint",
                "finite training items and a learning rate that does not diverge",
                "check the input for NaN, lower the learning rate, clip the gradient or use float32; the last good checkpoint is kept")
        self.restores += 1
        self.skipped_in_a_row = 0
        logger.warning("going back to the last checkpoint with %g of the learning rate", self.rate_scale)
        return "restore"

    def state(self) -> dict[str, Any]:
        """Counters for the checkpoint."""
        return {"skipped": self.skipped, "skipped_in_a_row": self.skipped_in_a_row, "restores": self.restores}

    def load(self, state: dict[str, Any]) -> None:
        """Take back what :meth:`state` gave."""
        self.skipped, self.skipped_in_a_row, self.restores = state["skipped"], state["skipped_in_a_row"], state["restores"]
