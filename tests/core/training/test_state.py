from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_training import PARAMETERS, TinyTask

from cryoetseg.core.training.log import TrainingLog
from cryoetseg.core.training.processes import Processes
from cryoetseg.core.training.state import TrainingState
from cryoetseg.core.training.task import Selection
from cryoetseg.core.training.update import Updater


class WithPool(TinyTask):
    """A task with tensors of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = torch.zeros(2)

    def state(self) -> dict[str, torch.Tensor]:
        return {"pool": self.pool}

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        self.pool = state["pool"]


def state_of(task: TinyTask, folder: Path) -> TrainingState:
    return TrainingState(task, Updater(task, PARAMETERS, 3, Processes("cpu")), TrainingLog(folder, 1))


def test_all_of_a_training_comes_back(tmp_path: Path) -> None:
    task = WithPool()
    state = state_of(task, tmp_path)
    state.updater.step({"x": torch.ones(4, 2), "y": torch.ones(4, 1)}, 0, 0)
    task.pool, state.step = torch.arange(2.0), 7
    state.is_best({"loss": 0.5})
    checkpoint = state.checkpoint({"task": "test"})
    other_task = WithPool()
    other = state_of(other_task, tmp_path)
    other.load(checkpoint)
    again = other.checkpoint({"task": "test"})
    assert again.record == checkpoint.record
    assert all(torch.equal(again.tensors[name], tensor) for name, tensor in checkpoint.tensors.items())
    assert torch.equal(other_task.pool, torch.arange(2.0))


@pytest.mark.parametrize(("direction", "best"), [("min", [True, True, False, False]), ("max", [True, False, True, False])])
def test_best_is_by_the_task_s_direction_and_never_nan(tmp_path: Path, direction: str, best: list[bool]) -> None:
    task = TinyTask()
    task.selection = Selection("dice", direction)  # type: ignore[arg-type]
    state = state_of(task, tmp_path)
    assert not state.is_best({"dice": float("nan")})
    assert [state.is_best({"dice": value}) for value in (0.5, 0.4, 0.6, float("nan"))] == best


def test_a_metric_the_validation_does_not_give_is_named(tmp_path: Path) -> None:
    task = TinyTask()
    task.selection = Selection("dice", "max")
    with pytest.raises(KeyError, match="dice"):
        state_of(task, tmp_path).is_best({"loss": 1.0})
