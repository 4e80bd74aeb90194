from __future__ import annotations

import pytest
import torch
from torch import nn

from cryoetseg.core.training.averages import running_averages


def test_average_follows_the_weights_with_a_decay_that_warms_up() -> None:
    network = nn.Linear(1, 1, bias=False)
    average = running_averages({"line": network}, ["line"], decay=0.9)["line"]
    expected = 0.0
    for number in range(40):
        value = float(number % 3)
        with torch.no_grad():
            network.weight.fill_(value)
        average.update(torch.ones(()))
        decay = min(0.9, (1 + number) / (10 + number)) if number else 0.0
        expected = decay * expected + (1 - decay) * value
    assert average.module.weight.item() == pytest.approx(expected, rel=1e-5)


def test_batch_statistics_are_copied() -> None:
    network = nn.BatchNorm1d(2)
    average = running_averages({"norm": network}, ["norm"], decay=0.99)["norm"]
    for _ in range(3):
        network(torch.randn(8, 2) + 5)
        average.update(torch.ones(()))
    assert torch.equal(average.module.running_mean, network.running_mean)
    assert average.module.num_batches_tracked == 3


def test_no_average_without_decay() -> None:
    assert running_averages({"line": nn.Linear(1, 1)}, ["line"], decay=0.0) == {}


def test_averages_are_not_trained_and_are_ready_for_use() -> None:
    average = running_averages({"line": nn.Linear(1, 1)}, ["line"], decay=0.9)["line"]
    assert not any(weight.requires_grad for weight in average.module.parameters())
    assert not average.module.training


def test_a_step_that_was_not_taken_leaves_the_average() -> None:
    network = nn.Linear(1, 1)
    average = running_averages({"line": network}, ["line"], decay=0.9)["line"]
    for moved in (1.0, 1.0, 0.0):
        with torch.no_grad():
            network.weight.add_(1)
        before = average.module.weight.clone()
        average.update(torch.tensor(moved))
        assert torch.equal(average.module.weight, before) == (moved == 0)
    assert average.updates == 2
