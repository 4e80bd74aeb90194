from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cryoetseg.core.runtime.errors import OutputError, WeightsError
from cryoetseg.core.runtime.temporary import remove_parts
from cryoetseg.core.training.checkpoint import (
    Checkpoint,
    grouped,
    load_optimiser,
    load_weights,
    optimiser_state,
    previous,
    read_checkpoint,
    read_latest,
    write_checkpoint,
)


def example(step: int = 1, size: int = 3) -> Checkpoint:
    return Checkpoint({"networks/a/weight": torch.full((size,), float(step)), "count": torch.tensor(step)}, {"step": step, "rate": 0.1})


def test_round_trip_is_exact_and_equal_checkpoints_are_equal_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_checkpoint(tmp_path / name, example())
    read = read_checkpoint(tmp_path / "one")
    assert read.record == example().record
    assert torch.equal(read.group("networks/a")["weight"], example().tensors["networks/a/weight"])
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_every_flipped_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    write_checkpoint(path, example())
    content = path.read_bytes()
    for position in range(0, len(content), 7):
        path.write_bytes(content[:position] + bytes([content[position] ^ 4]) + content[position + 1:])
        with pytest.raises(WeightsError, match="checkpoint"):
            read_checkpoint(path)


@pytest.mark.parametrize("length", [0, 5, 100, -1])
def test_a_cut_file_is_a_typed_error(tmp_path: Path, length: int) -> None:
    path = tmp_path / "last.safetensors"
    write_checkpoint(path, example())
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(WeightsError, match="checkpoint"):
        read_checkpoint(path)


def test_the_one_before_is_kept_and_offered(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    for step in (1, 2):
        write_checkpoint(path, example(step))
    path.write_bytes(b"damaged")
    with pytest.raises(WeightsError, match=r"last\.previous\.safetensors"):
        read_checkpoint(path)
    latest = read_latest(path)
    assert latest is not None
    assert latest.record["step"] == 1
    path.unlink()
    offered = read_latest(path)
    assert offered is not None
    assert offered.record == latest.record
    previous(path).unlink()
    assert read_latest(path) is None


def test_a_full_disk_is_a_typed_error_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    write_checkpoint(path, example(1))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(OutputError, match="cannot write"):
            write_checkpoint(path, example(2, size=100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert read_checkpoint(path).record["step"] == 1
    assert list(tmp_path.iterdir()) == [path]


def _write_for_ever(path: Path) -> None:
    for step in range(10**9):
        write_checkpoint(path, example(step, size=2000))


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    path, generator = tmp_path / "last.safetensors", np.random.default_rng(0)
    write_checkpoint(path, example(0))
    context = multiprocessing.get_context("fork")
    for _ in range(200):
        writer = context.Process(target=_write_for_ever, args=(path,))
        writer.start()
        time.sleep(generator.uniform(0, 0.03))
        assert writer.pid is not None
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        assert read_latest(path) is not None
    remove_parts(tmp_path)
    assert {item.name for item in tmp_path.iterdir()} <= {path.name, previous(path).name}


@pytest.mark.parametrize("make", [
    lambda weights: torch.optim.AdamW(weights, 0.1, betas=(0.9, 0.99)),
    lambda weights: torch.optim.SGD(weights, 0.1, momentum=0.9),
    lambda weights: torch.optim.SGD(weights, 0.1),
])
def test_an_optimiser_goes_on_from_its_stored_state(tmp_path: Path, make) -> None:  # type: ignore[no-untyped-def]
    weights = [[nn.Parameter(torch.ones(3))] for _ in range(2)]
    optimisers = [make(group) for group in weights]

    def step(number: int) -> None:
        weights[number][0].grad = torch.arange(3.0)
        optimisers[number].step()

    step(0)
    tensors, record = optimiser_state("optimiser", optimisers[0])
    write_checkpoint(tmp_path / "state", Checkpoint(tensors, {"optimiser": record}))
    read = read_checkpoint(tmp_path / "state")
    load_optimiser(optimisers[1], read.group("optimiser"), read.record["optimiser"])
    weights[1][0].data.copy_(weights[0][0].data)
    for number in (0, 1):
        step(number)
    assert torch.equal(weights[0][0], weights[1][0])
    assert optimisers[1].param_groups[0].get("betas") == optimisers[0].param_groups[0].get("betas")


def test_weights_are_the_averaged_ones_where_there_are_any(tmp_path: Path) -> None:
    network, average = nn.Linear(1, 1), nn.Linear(1, 1)
    tensors = {**grouped("networks/a", network.state_dict()), **grouped("averages/a", average.state_dict())}
    write_checkpoint(tmp_path / "last", Checkpoint(tensors, {}))
    loaded = nn.Linear(1, 1)
    load_weights(tmp_path / "last", {"a": loaded})
    assert torch.equal(loaded.weight, average.weight)
    with pytest.raises(WeightsError, match="do not fit"):
        load_weights(tmp_path / "last", {"a": nn.Linear(2, 1)})
