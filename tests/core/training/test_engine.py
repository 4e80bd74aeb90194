from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_training import PARAMETERS, DivergingTask, FoldedTask, TinyTask, TwoTurnTask

from cryoetseg.core.runtime.errors import InputError, ParameterError, TrainingError, WeightsError
from cryoetseg.core.training.checkpoint import previous, read_checkpoint
from cryoetseg.core.training.engine import train
from cryoetseg.core.training.log import FIGURE, TABLE, read_table
from cryoetseg.core.training.params import TrainingParameters
from cryoetseg.core.training.task import Selection

PROGRAM = Path(__file__).with_name("tiny_training.py")


def changed(**values: object) -> TrainingParameters:
    return PARAMETERS.model_copy(update=values)


def run_program(folder: Path, kill_at: int = -1) -> int:
    return subprocess.run([sys.executable, str(PROGRAM), str(folder), str(kill_at), "0.2"], check=False).returncode


def test_killed_training_ends_as_the_uninterrupted_one_bit_for_bit(tmp_path: Path) -> None:
    whole = train(TinyTask(), PARAMETERS, tmp_path / "whole", seed=3, device="cpu")
    assert run_program(tmp_path / "killed", kill_at=8) == -signal.SIGKILL
    assert read_checkpoint(tmp_path / "killed" / "last.safetensors").record["step"] == 5
    resumed = train(TinyTask(), PARAMETERS, tmp_path / "killed", seed=3, device="cpu")
    assert resumed.last.read_bytes() == whole.last.read_bytes()
    assert resumed.best.read_bytes() == whole.best.read_bytes()
    assert (tmp_path / "killed" / "metrics.csv").read_text() == (tmp_path / "whole" / "metrics.csv").read_text()


def test_training_learns_and_leaves_table_curve_and_best(tmp_path: Path) -> None:
    outcome = train(TinyTask(0.0), changed(iterations=150, schedule="constant"), tmp_path, seed=1, device="cpu")
    rows = read_table(tmp_path / "metrics.csv")
    assert rows == outcome.rows
    validations = [row["validation_loss"] for row in rows if "validation_loss" in row]
    assert min(validations) == outcome.best_value < validations[0] / 5
    assert (tmp_path / "training_curve.png").read_bytes().startswith(b"\x89PNG")
    task = TinyTask(0.0)
    outcome.load_best(task.networks)
    best = read_checkpoint(outcome.best).group("networks/line")
    assert all(torch.equal(value, best[name]) for name, value in task.networks["line"].state_dict().items())


def test_the_seed_decides_and_the_callers_random_stream_is_given_back(tmp_path: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    runs = [train(TinyTask(), PARAMETERS, tmp_path / str(i), seed=seed, device="cpu").rows for i, seed in enumerate([1, 1, 2])]
    assert runs[0] == runs[1] != runs[2]
    train_state = torch.manual_seed(7).get_state()  # the task's own constructor seeds with 7
    torch.set_rng_state(before)
    assert not torch.equal(before, train_state)
    torch.manual_seed(11)
    task, mine = TinyTask(), torch.get_rng_state()
    train(task, PARAMETERS, tmp_path / "quiet", seed=1, device="cpu")
    assert torch.equal(torch.get_rng_state(), mine)


def test_workers_change_nothing(tmp_path: Path) -> None:
    alone = train(TinyTask(), PARAMETERS, tmp_path / "alone", seed=3, device="cpu")
    helped = train(TinyTask(), changed(workers=2), tmp_path / "helped", seed=3, device="cpu")
    assert alone.rows == helped.rows


@pytest.mark.slow
def test_two_launched_processes_give_the_loss_of_one(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1",
               "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0", str(PROGRAM), str(tmp_path), "-1", "folded"]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    one = train(FoldedTask(), PARAMETERS, tmp_path / "one", seed=3, device="cpu")
    expected = [row["loss"] for row in one.rows if "loss" in row]
    for process in (0, 1):
        losses = np.array(json.loads((tmp_path / f"losses_{process}.json").read_text()))
        np.testing.assert_allclose(losses, expected, rtol=1e-5)
    theirs = read_checkpoint(tmp_path / "last.safetensors").tensors
    for name, tensor in read_checkpoint(one.last).tensors.items():
        torch.testing.assert_close(theirs[name], tensor, rtol=1e-4, atol=1e-6)


def test_a_kernel_of_another_order_of_memory_goes_on_bit_for_bit(tmp_path: Path) -> None:
    whole = train(FoldedTask(), PARAMETERS, tmp_path / "whole", seed=3, device="cpu")
    for minutes in (1e-9, 0.0):
        parts = train(FoldedTask(), changed(minutes=minutes), tmp_path / "parts", seed=3, device="cpu")
    assert parts.last.read_bytes() == whole.last.read_bytes()


def test_finished_training_is_not_repeated_and_can_be_made_longer(tmp_path: Path) -> None:
    constant = changed(schedule="constant")
    first = train(TinyTask(), constant, tmp_path / "grown", seed=3, device="cpu")
    content = first.last.stat().st_mtime_ns
    assert train(TinyTask(), constant, tmp_path / "grown", seed=3, device="cpu").last.stat().st_mtime_ns == content
    longer = constant.model_copy(update={"iterations": 20})
    grown = train(TinyTask(), longer, tmp_path / "grown", seed=3, device="cpu")
    whole = train(TinyTask(), longer, tmp_path / "whole", seed=3, device="cpu")
    assert grown.steps == 20
    ours, theirs = read_checkpoint(grown.last).tensors, read_checkpoint(whole.last).tensors
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_other_settings_do_not_continue_a_training(tmp_path: Path) -> None:
    train(TinyTask(), PARAMETERS, tmp_path, seed=3, device="cpu")
    with pytest.raises(ParameterError, match=r"learning_rate 0\.01 -> 0\.02"):
        train(TinyTask(), changed(learning_rate=0.02), tmp_path, seed=3, device="cpu")
    with pytest.raises(ParameterError, match="seed 3 -> 4"):
        train(TinyTask(), PARAMETERS, tmp_path, seed=4, device="cpu")


def test_another_network_does_not_continue_a_training(tmp_path: Path) -> None:
    train(TinyTask(), PARAMETERS, tmp_path, seed=3, device="cpu")
    task = TinyTask()
    task.networks["line"] = torch.nn.Sequential(torch.nn.Linear(2, 1))
    with pytest.raises(WeightsError, match="do not fit"):
        train(task, PARAMETERS, tmp_path, seed=3, device="cpu")


def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path: Path) -> None:
    whole = train(TinyTask(), PARAMETERS, tmp_path, seed=3, device="cpu")
    expected = whole.last.read_bytes()
    damaged = bytearray(expected)
    damaged[-1] ^= 1
    whole.last.write_bytes(damaged)
    assert read_checkpoint(previous(whole.last)).record["step"] == 5
    assert train(TinyTask(), PARAMETERS, tmp_path, seed=3, device="cpu").last.read_bytes() == expected


def test_a_few_bad_steps_are_skipped(tmp_path: Path) -> None:
    outcome = train(DivergingTask(range(4, 6)), PARAMETERS, tmp_path, seed=3, device="cpu")
    assert outcome.skipped_steps == 2
    assert outcome.steps == 10
    assert all(np.isfinite(row["loss"]) for row in outcome.rows if "loss" in row)


def test_divergence_goes_back_and_halves_the_learning_rate(tmp_path: Path) -> None:
    parameters = changed(schedule="constant", max_skips=1)
    outcome = train(DivergingTask(range(6, 9), rate_limit=0.004), parameters, tmp_path, seed=3, device="cpu")
    assert outcome.rows[-1]["step"] == outcome.steps == 10
    assert [row["learning_rate"] for row in outcome.rows if "loss" in row][-1] == pytest.approx(0.01 / 4)
    assert [row["step"] for row in outcome.rows] == sorted(row["step"] for row in outcome.rows)


def test_lasting_divergence_ends_with_an_error_and_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="not finite at step 8"):
        train(DivergingTask(range(6, 10)), changed(max_skips=2), tmp_path, seed=3, device="cpu")
    checkpoint = read_checkpoint(tmp_path / "last.safetensors")
    assert checkpoint.record["step"] == 5
    assert all(torch.isfinite(tensor).all() for tensor in checkpoint.tensors.values())


def test_two_turns_update_their_own_networks_only(tmp_path: Path) -> None:
    task, start = TwoTurnTask(), TwoTurnTask()
    outcome = train(task, changed(schedule="constant", ema_decay=0.0), tmp_path / "two", seed=3, device="cpu")
    assert {"line_loss", "judge_loss", "judged"} <= set(outcome.rows[0])
    assert not torch.equal(task.networks["judge"].weight, start.networks["judge"].weight)
    single = TinyTask(0.0)
    train(NoLossNoise(single), changed(schedule="constant", ema_decay=0.0), tmp_path / "one", seed=3, device="cpu")
    for ours, theirs in zip(task.networks["line"].parameters(), single.networks["line"].parameters()):
        assert torch.equal(ours, theirs)  # the judge's turn left no trace in the other network


class NoLossNoise(TinyTask):
    """The first turn of the two-turn task alone."""

    def __init__(self, task: TinyTask) -> None:
        super().__init__(0.0)
        self.networks = task.networks

    def loss(self, networks, batch, step):  # type: ignore[no-untyped-def]
        return (networks["line"](batch["x"]) - batch["y"]).square().mean(), {}


def test_best_follows_the_selection(tmp_path: Path) -> None:
    task = TinyTask(0.0)
    task.selection = Selection("loss", "max")
    outcome = train(task, changed(iterations=40, schedule="constant"), tmp_path, seed=1, device="cpu")
    values = {row["step"]: row["validation_loss"] for row in outcome.rows if "validation_loss" in row}
    assert outcome.best_step == max(values, key=lambda step: values[step])


def test_time_limit_stops_at_a_checkpoint(tmp_path: Path) -> None:
    outcome = train(TinyTask(), changed(minutes=1e-9), tmp_path, seed=3, device="cpu")
    assert (outcome.ended_by, outcome.steps) == ("time limit", 1)
    assert [row["step"] for row in read_table(tmp_path / TABLE)] == [1]  # methods hand on table and figure, however early the end
    assert (tmp_path / FIGURE).is_file()
    whole = train(TinyTask(), PARAMETERS, tmp_path, seed=3, device="cpu")
    assert (whole.ended_by, whole.steps) == ("length", 10)
    assert read_table(tmp_path / TABLE) == train(TinyTask(), PARAMETERS, tmp_path / "at_once", seed=3, device="cpu").rows


def test_epochs_set_the_length(tmp_path: Path) -> None:
    outcome = train(TinyTask(), changed(iterations=0, epochs=3, validation_interval=0), tmp_path, seed=3, device="cpu")
    assert outcome.steps == 8  # 3 epochs of 10 items in batches of 4, the last one completed
    assert [row["step"] for row in outcome.rows if "validation_loss" in row] == [3, 5, 8]


def test_termination_writes_a_checkpoint_first(tmp_path: Path) -> None:
    class Terminated(TinyTask):
        def loss(self, networks, batch, step):  # type: ignore[no-untyped-def]
            if step.number == 2:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.01)
            return super().loss(networks, batch, step)

    with pytest.raises(KeyboardInterrupt):
        train(Terminated(), PARAMETERS, tmp_path, seed=3, device="cpu")
    assert read_checkpoint(tmp_path / "last.safetensors").record["step"] == 3


def test_bfloat16_trains_with_float32_weights(tmp_path: Path) -> None:
    task = TinyTask(0.0)
    outcome = train(task, changed(precision="bfloat16"), tmp_path, seed=3, device="cpu")
    assert {weight.dtype for weight in task.networks["line"].parameters()} == {torch.float32}
    assert outcome.rows[-1]["validation_loss"] > 0


def test_bad_settings_are_told(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="float16"):
        train(TinyTask(), changed(precision="float16"), tmp_path, device="cpu")
    empty = TinyTask()
    empty.items = lambda: 0  # type: ignore[method-assign]
    with pytest.raises(InputError, match="no training items"):
        train(empty, PARAMETERS, tmp_path, device="cpu")
