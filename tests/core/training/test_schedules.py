from __future__ import annotations

import pytest
import torch
from torch.optim.lr_scheduler import OneCycleLR, StepLR

from cryoetseg.core.training.params import TrainingParameters
from cryoetseg.core.training.schedules import cosine, one_cycle, rate_factor, step


def rates_of(make_scheduler, total: int) -> list[float]:  # type: ignore[no-untyped-def]
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0, momentum=0.9)
    scheduler = make_scheduler(optimiser)
    rates = []
    for _ in range(total):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize("total", [60, 100, 37])
def test_one_cycle_is_torchs_with_the_picker_s_constants(total: int) -> None:
    expected = rates_of(lambda optimiser: OneCycleLR(optimiser, 1.0, total_steps=total + 1, pct_start=0.1, div_factor=30,
                                                     final_div_factor=100), total + 1)
    assert [one_cycle(position, total + 1) for position in range(total + 1)] == pytest.approx(expected, abs=1e-9)


def test_one_cycle_of_the_picker_starts_at_3_3e_5_and_ends_at_3_3e_7() -> None:
    rates = [1e-3 * one_cycle(epoch, 60) for epoch in range(60)]
    assert rates[0] == pytest.approx(3.33e-5, rel=1e-2)
    assert max(rates) == rates[5] == pytest.approx(1e-3)
    assert rates[-1] == pytest.approx(3.33e-7, rel=1e-2)


def test_step_is_torchs() -> None:
    expected = rates_of(lambda optimiser: StepLR(optimiser, 10, 0.1), 35)
    assert [step(position, 10, 0.1) for position in range(35)] == pytest.approx(expected)


def test_cosine_rises_to_one_and_falls_towards_zero() -> None:
    rates = [cosine(position, 100, 0.1) for position in range(100)]
    assert rates[0] > 0
    assert rates.index(max(rates)) == 10
    assert rates[10] == 1
    assert rates[-1] < 1e-3
    assert cosine(100, 100, 0.1) == 0


@pytest.mark.parametrize("schedule", ["constant", "one_cycle", "cosine", "step"])
@pytest.mark.parametrize("total", [1, 2, 7])
def test_every_schedule_stays_between_nothing_and_the_largest_rate(schedule: str, total: int) -> None:
    parameters = TrainingParameters(schedule=schedule)
    assert all(0 < rate_factor(parameters, position, total) <= 1 for position in range(total))
