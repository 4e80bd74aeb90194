from __future__ import annotations

import logging

import pytest
import torch
from torch import nn

from cryoetseg.core.runtime.errors import ParameterError
from cryoetseg.core.training.processes import ASKED_FOR_SEVERAL, Processes


def test_one_process_is_the_main_one_and_changes_no_gradient() -> None:
    processes = Processes("cpu")
    weight = nn.Parameter(torch.ones(2))
    weight.grad = torch.arange(2.0)
    processes.average_gradients([weight])
    assert (processes.count, processes.is_main, processes.device.type) == (1, True, "cpu")
    assert torch.equal(weight.grad, torch.arange(2.0))


def test_a_gpu_is_helped_by_the_cores_that_are_left_and_a_processor_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    processes = Processes("cpu")
    for cores, count, expected in ((16, 1, 8), (16, 4, 3), (1, 1, 0)):
        monkeypatch.setattr("os.sched_getaffinity", lambda process, cores=cores: set(range(cores)))
        processes.count, processes.device = count, torch.device("cuda")
        assert processes.helpers() == expected
        processes.device = torch.device("cpu")
        assert processes.helpers() == 0


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(ParameterError, match="no-such-device"):
        Processes("no-such-device")


def test_batches_must_split_evenly() -> None:
    processes = Processes("cpu")
    processes.count = 3
    processes.check_batch(9)
    processes.check_batch(12, parts=2)
    with pytest.raises(ParameterError, match="multiples of 6"):
        processes.check_batch(9, parts=2)
    with pytest.raises(ParameterError, match="does not split over 3 processes"):
        processes.check_batch(8)


def test_a_batch_too_small_to_normalise_is_refused() -> None:
    processes = Processes("cpu")
    processes.check_batch(2, smallest=2)
    with pytest.raises(ParameterError, match="single value"):
        processes.check_batch(1, smallest=2)


def test_a_launch_that_started_one_process_for_several_is_told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    for name in ASKED_FOR_SEVERAL:
        monkeypatch.setenv(name, "29500")
    with caplog.at_level(logging.WARNING):
        Processes("cpu")
    assert "--multi_gpu" in caplog.text
