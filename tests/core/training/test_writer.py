from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cryoetseg.core.runtime.errors import OutputError
from cryoetseg.core.runtime.files import writing_by
from cryoetseg.core.training import writer
from cryoetseg.core.training.checkpoint import Checkpoint, previous, read_checkpoint
from cryoetseg.core.training.writer import CheckpointWriter


def example(step: int) -> Checkpoint:
    return Checkpoint({"weight": torch.full((3,), float(step))}, {"step": step})


def step_in(path: Path) -> int:
    return int(read_checkpoint(path).record["step"])


def test_of_checkpoints_that_follow_each_other_fast_the_last_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "SECONDS_BETWEEN_WRITES", 1000.0)
    path = tmp_path / "last.safetensors"
    with CheckpointWriter() as own:
        for step in range(4):
            own.take(path, example(step))
        own.finish()
        assert (step_in(path), step_in(previous(path))) == (3, 0)
        own.take(path, example(4))
    assert (step_in(path), step_in(previous(path))) == (4, 3)


def test_all_are_written_that_come_slowly(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    with CheckpointWriter() as own:
        for step in range(4):
            own.take(path, example(step))
        own.finish()
        assert (step_in(path), step_in(previous(path))) == (3, 2)


def test_what_could_not_be_written_is_told_with_the_next_or_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "no folder").touch()
    for tell in (lambda own: own.take(tmp_path / "last.safetensors", example(1)), lambda own: own.finish()):
        with CheckpointWriter() as own:
            own.take(tmp_path / "no folder" / "last.safetensors", example(0))
            with pytest.raises(OutputError):
                tell(own)


def test_the_thread_asks_who_may_write(tmp_path: Path) -> None:
    asked: list[Path] = []
    with writing_by(asked.append), CheckpointWriter() as own:
        own.take(tmp_path / "last.safetensors", example(0))
        own.finish()
    assert asked == [tmp_path / "last.safetensors"]
