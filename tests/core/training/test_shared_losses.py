"""The loss of a batch is the mean of what two processes with half of it each call their loss, and so are its gradients.

Two threads stand for the processes. Networks are thin and in evaluation mode: how normalisations are shared is another test's.
"""
from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from meeting import Meeting
from torch import Tensor
from torch.utils.data import default_collate

from cryoetseg.core.runtime.seeds import torch_generator
from cryoetseg.core.students.centres.model import Calibration, CentreModel
from cryoetseg.core.students.centres.model import build_network as centre_network
from cryoetseg.core.students.centres.tune import ClickTask, clicked_volume
from cryoetseg.core.students.segmenter.params import TrainSegmenterParameters
from cryoetseg.core.students.segmenter.train import SegmenterTask
from cryoetseg.core.training.task import Step, TrainingTask

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"
ROWS = 6  # three for each, so that every second one of the batch is not the same one for both


@pytest.fixture(scope="module")
def tasks() -> Iterator[Any]:
    sys.path.insert(0, str(BENCHMARKS))
    import device_tasks

    yield device_tasks
    sys.path.remove(str(BENCHMARKS))


def made(name: str, tasks: Any) -> TrainingTask:
    """A task with thin networks."""
    if name == "segmenter":
        return SegmenterTask([tasks._student()], TrainSegmenterParameters(patch_px=16, held_out=0.0, patches_per_epoch=20), 0)
    if name == "clicks":
        start = CentreModel(centre_network(0, (4, 4, 4)), 8.0, 40.0, Calibration())
        return ClickTask([clicked_volume(tasks._student(), start, 80.0)], start, 0.0, 0)
    if name == "dice alone":
        return tasks.picker(**tasks.THIN["picker"], loss="dice")[0]
    return tasks.TRAININGS[name](**tasks.THIN[name], **({"start": "random"} if name == "dual" else {}))[0]


def uneven(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What counts in one half is not as much as in the other."""
    batch = dict(batch)
    for name, nothing in (("weights", 0), ("weight", 0)):
        if name in batch:
            batch[name][:ROWS // 2, ..., :10] = nothing
    if "labels" in batch and "volume" in batch:
        batch["labels"][:ROWS // 2, ..., :10] = -1
    return batch


def loss_and_gradients(
    task: TrainingTask, batch: Mapping[str, Tensor], who: int, gathered: Callable[[Tensor], Tensor] | None
) -> list[Tensor]:
    """The loss of the first turn and its gradients."""
    for network in task.networks.values():
        network.eval()
    averages = {name: copy.deepcopy(network) for name, network in task.networks.items()}
    rest = {} if gathered is None else {"process": who, "processes": 2, "gathered": gathered}
    step = Step(40, 0, task.turns()[0].name, torch_generator(0, "step"), averages, **rest)
    loss, _ = task.loss(task.networks, batch, step)
    weights = [weight for network in task.networks.values() for weight in network.parameters()]
    return [loss, *(gradient for gradient in torch.autograd.grad(loss, weights, allow_unused=True) if gradient is not None)]


@pytest.mark.parametrize("name", ["membranes", "picker", "dice alone", "segmenter", "clicks", "backbone", "dual", "vox-uda", "ddpm"])
def test_two_halves_of_a_batch_give_its_loss_and_gradients(tasks: Any, name: str) -> None:
    task = made(name, tasks)
    batch = uneven(task.gather(default_collate([task.place(row, np.random.default_rng(row)) for row in range(ROWS)])))
    meeting, copies = Meeting(), [copy.deepcopy(task) for _ in range(2)]
    whole = loss_and_gradients(task, batch, 0, None)

    def half(who: int) -> list[Tensor]:
        own = {key: values.chunk(2)[who] for key, values in batch.items()}
        return loss_and_gradients(copies[who], own, who, lambda rows: meeting.whole(rows, who))

    for expected, *both in zip(whole, *meeting.of_both(half)):
        error = (torch.stack(both).mean(dim=0) - expected).abs().max()
        assert error <= 1e-3 * expected.abs().max() + 1e-6
