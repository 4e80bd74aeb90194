"""A tiny training task, also run as a program so that tests can kill it or launch it in several processes."""
from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from cryoetseg.core.training import writer
from cryoetseg.core.training.engine import train
from cryoetseg.core.training.params import TrainingParameters
from cryoetseg.core.training.task import Networks, Step, TrainingTask, Turn

PARAMETERS = TrainingParameters(iterations=10, batch_size=4, learning_rate=0.01, ema_decay=0.9, schedule="one_cycle", checkpoint_interval=5,
                                validation_interval=4, log_interval=3, gradient_clip=5.0)


class TinyTask(TrainingTask):
    """Learns y = 2 x0 - x1 from noisy items; dropout, item noise and loss noise exercise every random stream."""

    def __init__(self, dropout: float = 0.2, kill_at: int = -1) -> None:
        torch.manual_seed(7)
        self.networks = {"line": nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, 1))}
        self.kill_at = kill_at

    def items(self) -> int:
        return 10

    def item(self, index: int, generator: np.random.Generator) -> dict[str, np.ndarray]:
        x = np.random.default_rng(index).normal(size=2) + 0.1 * generator.normal(size=2)
        return {"x": x.astype(np.float32), "y": np.float32([2 * x[0] - x[1]])}

    def loss(self, networks: Networks, batch: dict[str, torch.Tensor], step: Step) -> tuple[torch.Tensor, dict[str, float]]:
        if step.number == self.kill_at:
            time.sleep(1)  # in which the checkpoint that was taken before is written
            os.kill(os.getpid(), signal.SIGKILL)
        x = batch["x"] + 0.1 * step.normal(batch["x"])
        error = networks["line"](x) - batch["y"]
        return error.square().mean(), {"mean_error": error.detach().abs().mean()}

    def validate(self, networks: Networks, generator: np.random.Generator) -> dict[str, float]:
        x = torch.from_numpy(generator.normal(size=(50, 2)).astype(np.float32))
        truth = 2 * x[:, :1] - x[:, 1:]
        return {"loss": float((networks["line"](x) - truth).square().mean())}


class FoldedTask(TinyTask):
    """The tiny task with a convolution whose kernel has another order of memory than its shape."""

    def __init__(self) -> None:
        super().__init__(0.0)
        layers = [nn.Linear(2, 16), nn.ReLU(), nn.Unflatten(1, (2, 2, 2, 2)), nn.Conv3d(2, 3, 2), nn.Flatten(), nn.Linear(3, 1)]
        self.networks = {"line": nn.Sequential(*layers).to(memory_format=torch.channels_last_3d)}  # type: ignore[call-overload]


class DivergingTask(TinyTask):
    """The tiny task with a loss that is not a number at the given steps, or for rates above a limit."""

    def __init__(self, steps: range = range(0), rate_limit: float = 0.0) -> None:
        super().__init__(dropout=0.0)
        self.steps, self.rate_limit = steps, rate_limit

    def optimiser(self, turn: str, weights: list[nn.Parameter], parameters: TrainingParameters) -> torch.optim.Optimizer:
        self.made = super().optimiser(turn, weights, parameters)
        return self.made

    def loss(self, networks: Networks, batch: dict[str, torch.Tensor], step: Step) -> tuple[torch.Tensor, dict[str, float]]:
        loss, metrics = super().loss(networks, batch, step)
        diverges = step.number in self.steps and self.made.param_groups[0]["lr"] > self.rate_limit
        return loss * (float("nan") if diverges else 1.0), metrics


class TwoTurnTask(TinyTask):
    """The tiny task with a second network that learns in a turn of its own to predict the first one's output."""

    def __init__(self) -> None:
        super().__init__(dropout=0.0)
        self.networks["judge"] = nn.Linear(2, 1)

    def turns(self) -> list[Turn]:
        return [Turn("line", ["line"]), Turn("judge", ["judge"])]

    def loss(self, networks: Networks, batch: dict[str, torch.Tensor], step: Step) -> tuple[torch.Tensor, dict[str, float]]:
        if step.turn == "line":
            step.shared["output"] = networks["line"](batch["x"])
            return (step.shared["output"] - batch["y"]).square().mean(), {}
        return (networks["judge"](batch["x"]) - step.shared["output"].detach()).square().mean(), {"judged": 1.0}


if __name__ == "__main__":
    writer.SECONDS_BETWEEN_WRITES = 0.0
    folder, kill_at = Path(sys.argv[1]), int(sys.argv[2])
    task = FoldedTask() if sys.argv[3] == "folded" else TinyTask(float(sys.argv[3]), kill_at)
    outcome = train(task, PARAMETERS, folder, seed=3, device="cpu")
    losses = [row["loss"] for row in outcome.rows if "loss" in row]
    (folder / f"losses_{os.environ.get('RANK', '0')}.json").write_text(json.dumps(losses))
