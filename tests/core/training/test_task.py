from __future__ import annotations

import pytest
import torch

from cryoetseg.core.training.task import Step


def step(process: int, processes: int) -> Step:
    return Step(3, 0, "all", torch.Generator().manual_seed(5), {}, process, processes)


def test_random_rows_of_two_processes_are_those_of_one() -> None:
    whole, half = torch.zeros(4, 2), torch.zeros(2, 2)
    for draw in (Step.normal, Step.uniform, lambda where, like: where.integers(100, like)):
        parts = torch.cat([draw(step(process, 2), half) for process in (0, 1)])
        assert torch.equal(parts, draw(step(0, 1), whole))


def test_draws_take_shape_and_type_of_the_tensor_like_which_they_are() -> None:
    like = torch.zeros(4, 1, 3, dtype=torch.float64)
    assert step(0, 1).normal(like).dtype == torch.float64
    assert step(0, 1).uniform(like).shape == like.shape
    numbers = step(0, 1).integers(7, like)
    assert numbers.shape == (4,)
    assert numbers.dtype == torch.int64
    assert int(numbers.max()) < 7


def test_rows_of_all_are_seen_by_each_and_its_own_are_among_them() -> None:
    whole = torch.arange(6.0)
    for process in (0, 1):
        here = Step(3, 0, "all", torch.Generator(), {}, process, 2, gathered=lambda rows: whole)
        own = whole[3 * process:3 * process + 3]
        assert torch.equal(here.whole(own), whole)
        assert torch.equal(here.own(whole), own)
        assert torch.equal(here.for_all().whole(whole), whole)
        assert torch.equal(here.for_all().own(whole), whole)


def test_parts_of_a_batch_do_not_see_each_other() -> None:
    with pytest.raises(ValueError, match="parts"):
        step(0, 2).whole(torch.zeros(3))
