from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cryoetseg.core.training import writer

# tiny_training is a program as well as a module: found beside the tests in every import mode of pytest
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _every_checkpoint_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """These trainings are shorter than the time between two checkpoints."""
    monkeypatch.setattr(writer, "SECONDS_BETWEEN_WRITES", 0.0)


@pytest.fixture(autouse=True)
def _interrupts_arrive() -> Iterator[None]:
    """A shell that starts the tests in the background makes them ignore SIGINT, which some of them send to themselves."""
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, earlier)
