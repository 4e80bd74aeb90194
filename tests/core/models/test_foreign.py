from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from cryoetseg.core.models.foreign import import_checkpoint
from cryoetseg.core.runtime.errors import WeightsError


class Hostile:
    """Creates a file when unpickled by a reader that runs code."""

    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.victim),)


@pytest.mark.parametrize("wrap", [
    lambda state: state,
    lambda state: {"state_dict": state, "epoch": 3},
    lambda state: {"model_state": {f"module.{name}": value for name, value in state.items()}, "optimizer": {"lr": 0.1}},
])
def test_weights_are_found_under_the_usual_wrappers(tmp_path: Path, wrap) -> None:  # type: ignore[no-untyped-def]
    state = nn.Linear(3, 2).state_dict()
    torch.save(wrap(dict(state)), tmp_path / "foreign.pt")
    imported = import_checkpoint(tmp_path / "foreign.pt")
    assert imported.keys() == state.keys()
    assert all(torch.equal(imported[name], state[name]) for name in state)


def test_safetensors_are_read(tmp_path: Path) -> None:
    save_file({"weight": torch.arange(3.0)}, tmp_path / "foreign.safetensors")
    assert torch.equal(import_checkpoint(tmp_path / "foreign.safetensors")["weight"], torch.arange(3.0))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_malicious_pickle_does_not_run(tmp_path: Path) -> None:
    victim = tmp_path / "made_by_the_pickle"
    torch.save({"state_dict": {"weight": torch.zeros(2)}, "extra": Hostile(victim)}, tmp_path / "evil.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Hostile(victim)))
    for name in ("evil.pt", "plain.pt"):
        with pytest.raises(WeightsError, match="safety"):
            import_checkpoint(tmp_path / name)
    assert not victim.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"not a checkpoint"])
def test_damaged_files_are_typed_errors(tmp_path: Path, content: bytes) -> None:
    for name in ("broken.pt", "broken.safetensors"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(WeightsError, match="broken"):
            import_checkpoint(tmp_path / name)


def test_a_file_without_tensors_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "empty.pt")
    with pytest.raises(WeightsError, match="no named tensors"):
        import_checkpoint(tmp_path / "empty.pt")
