from __future__ import annotations

import os
import signal

import pytest

from cryoetseg.core.training.interruption import Interruption


def test_a_signal_waits_for_the_end_of_the_block_then_acts() -> None:
    reached = False
    with pytest.raises(KeyboardInterrupt), Interruption() as interruption:  # noqa: PT012
        os.kill(os.getpid(), signal.SIGINT)
        reached = interruption.received == signal.SIGINT
    assert reached


def test_a_second_signal_acts_at_once() -> None:
    with pytest.raises(KeyboardInterrupt), Interruption():  # noqa: PT012
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("the second signal was swallowed")


def test_earlier_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Interruption():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
