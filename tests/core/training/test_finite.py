from __future__ import annotations

import pytest

from cryoetseg.core.runtime.errors import TrainingError
from cryoetseg.core.training.finite import MAX_RESTORES, FiniteGuard


def test_skips_up_to_the_limit_then_restores_with_half_the_rate() -> None:
    guard = FiniteGuard(max_skips=2)
    assert [guard.judge(False, step) for step in range(3)] == ["go on", "go on", "restore"]
    assert guard.rate_scale == 0.5


def test_a_good_step_ends_the_row() -> None:
    guard = FiniteGuard(max_skips=1)
    assert [guard.judge(step % 2 == 0, step) for step in range(10)] == ["go on"] * 10
    assert guard.skipped == 5
    assert guard.rate_scale == 1


def test_stops_with_a_message_when_going_back_does_not_help() -> None:
    guard = FiniteGuard(max_skips=0)
    assert [guard.judge(False, step) for step in range(MAX_RESTORES)] == ["restore"] * MAX_RESTORES
    with pytest.raises(TrainingError, match="lower the learning rate"):
        guard.judge(False, 9)


def test_counters_survive_a_round_trip() -> None:
    guard, copy = FiniteGuard(max_skips=1), FiniteGuard(max_skips=1)
    for step in range(3):
        guard.judge(False, step)
    copy.load(guard.state())
    assert copy.state() == guard.state()
