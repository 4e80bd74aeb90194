from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_training import PARAMETERS, TinyTask, TwoTurnTask
from torch import nn

from cryoetseg.core.training.optimisers import sgd, step_if
from cryoetseg.core.training.params import TrainingParameters
from cryoetseg.core.training.processes import Processes
from cryoetseg.core.training.task import TrainingTask
from cryoetseg.core.training.update import Updater


def updater(task: TrainingTask, **values: object) -> Updater:
    return Updater(task, PARAMETERS.model_copy(update=values), 3, Processes("cpu"))


def batch() -> dict[str, torch.Tensor]:
    return {"x": torch.ones(4, 2), "y": torch.full((4, 1), 100.0)}


class PlainDescent(TinyTask):
    """Plain gradient descent, whose step length shows the gradient's norm."""

    def optimiser(self, turn: str, weights: list[nn.Parameter], parameters: TrainingParameters) -> torch.optim.Optimizer:
        return torch.optim.SGD(weights, lr=1.0)


@pytest.mark.parametrize(("clip", "shorter"), [(0.5, True), (0.0, False)])
def test_clipping_bounds_the_norm_of_the_step(clip: float, shorter: bool) -> None:
    task = PlainDescent(dropout=0.0)
    update = updater(task, gradient_clip=clip)
    before = nn.utils.parameters_to_vector(task.networks["line"].parameters()).detach().clone()
    update.step(batch(), 0, 0)
    length = (nn.utils.parameters_to_vector(task.networks["line"].parameters()) - before).norm().item()
    assert length == pytest.approx(0.5, rel=1e-4) if shorter else length > 0.5


def test_rates_of_all_groups_follow_the_schedule() -> None:
    task = TinyTask()
    task.optimiser = lambda turn, weights, parameters: torch.optim.SGD(  # type: ignore[method-assign]
        [{"params": weights[:2], "lr": 1.0}, {"params": weights[2:], "lr": 0.1}])
    update = updater(task, schedule="step", step_every=5, step_factor=0.5)
    update.set_rates(7, 10)
    assert [group["lr"] for group in update.optimisers["all"].param_groups] == [0.5, 0.05]


def test_a_bad_step_changes_nothing() -> None:
    task = TinyTask(dropout=0.0)
    update = updater(task)
    before = {name: value.clone() for name, value in task.networks["line"].state_dict().items()}
    _, finite = update.step({**batch(), "y": torch.full((4, 1), float("nan"))}, 0, 0)
    assert not finite
    assert all(torch.equal(value, before[name]) for name, value in task.networks["line"].state_dict().items())
    assert update.averages["line"].updates == 0


def test_only_the_networks_of_the_turn_collect_gradients() -> None:
    task, seen = TwoTurnTask(), {}

    def loss(networks, batch, step):  # type: ignore[no-untyped-def]
        seen[step.turn] = [name for name, network in networks.items() if all(weight.requires_grad for weight in network.parameters())]
        return networks[step.turn](batch["x"]).square().mean(), {}

    task.loss = loss  # type: ignore[method-assign]
    updater(task).step(batch(), 0, 0)
    assert seen == {"line": ["line"], "judge": ["judge"]}


def test_weights_frozen_by_the_task_stay_frozen() -> None:
    task = TwoTurnTask()
    task.networks["line"][0].requires_grad_(False)
    before = task.networks["line"][0].weight.clone()
    updater(task).step(batch(), 0, 0)
    assert torch.equal(task.networks["line"][0].weight, before)


def test_validation_sees_averages_in_evaluation_mode_and_restores_the_modes() -> None:
    task, seen = TinyTask(), {}

    def validate(networks, generator):  # type: ignore[no-untyped-def]
        seen.update(training=networks["line"].training, same=networks["line"] is task.networks["line"])
        return {}

    task.validate = validate  # type: ignore[method-assign]
    updater(task).validate(np.random.default_rng(0))
    assert seen == {"training": False, "same": False}
    assert task.networks["line"].training


def test_averages_are_at_hand_in_the_loss() -> None:
    task, seen = TinyTask(), []

    def loss(networks, batch, step):  # type: ignore[no-untyped-def]
        seen.append(set(step.averages))
        return networks["line"](batch["x"]).square().mean(), {}

    task.loss = loss  # type: ignore[method-assign]
    updater(task).step(batch(), 0, 0)
    updater(task, ema_decay=0.0).step(batch(), 0, 0)
    assert seen == [{"line"}, set()]


def test_a_first_step_that_is_skipped_leaves_a_momentum_of_nothing() -> None:
    weight = nn.Parameter(torch.ones(300))
    optimiser = sgd([weight], lr=1.0, momentum=0.5)
    for finite, expected in ((False, 1.0), (True, 0.0), (True, -1.5)):
        weight.grad = torch.ones(300)
        step_if(torch.tensor(finite), optimiser)
        assert torch.equal(weight.detach(), torch.full((300,), expected))


def test_an_optimiser_that_cannot_skip_by_itself_is_not_asked_to() -> None:
    weight = nn.Parameter(torch.ones(2))
    optimiser = torch.optim.SGD([weight], lr=1.0)
    for finite, expected in ((False, 1.0), (True, 0.0)):
        weight.grad = torch.ones(2)
        step_if(torch.tensor(finite), optimiser)
        assert torch.equal(weight.detach(), torch.full((2,), expected))


class InParts(TwoTurnTask):
    """The task of two turns, computed in parts of a batch."""

    def __init__(self, parts: int) -> None:
        super().__init__()
        self.parts, self.rows = parts, []

    def loss(self, networks, batch, step):  # type: ignore[no-untyped-def]
        self.rows.append(len(batch["x"]))
        noised = {**batch, "x": batch["x"] + 0.5 * step.normal(batch["x"])}
        loss, metrics = super().loss(networks, noised, step)
        return loss, {**metrics, "mean_x": noised["x"].mean()}


def test_a_batch_in_parts_is_the_same_update_as_the_whole() -> None:
    whole = {"x": torch.randn(8, 2), "y": torch.randn(8, 1)}
    ends = []
    for parts in (1, 4):
        task = InParts(parts)
        metrics, finite = updater(task, gradient_clip=0.3).step(whole, 0, 0)
        assert task.rows == [8 // parts] * 2 * parts
        assert bool(finite)
        ends.append((metrics, [weight.detach() for network in task.networks.values() for weight in network.parameters()]))
    (first, weights), (second, others) = ends
    assert set(first) == {"line_loss", "judge_loss", "judged", "mean_x"}
    for name, value in first.items():
        torch.testing.assert_close(second[name], value)
    for one, other in zip(weights, others):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)
