from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_training import PARAMETERS, TinyTask
from torch import nn

from cryoetseg.core.training import compiled
from cryoetseg.core.training.checkpoint import read_checkpoint
from cryoetseg.core.training.compiled import CompiledNetwork
from cryoetseg.core.training.engine import LAST, train

COMPILED = PARAMETERS.model_copy(update={"compiled": True})


def weights_of(folder: Path, wanted: Any) -> dict[str, torch.Tensor]:
    return dict(read_checkpoint(train(TinyTask(0.0), wanted, folder, seed=3, device="cpu").folder / LAST).tensors)


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_where_no_compiler_works_the_training_is_the_same_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*inputs: Any) -> Any:
        raise RuntimeError("no C++ compiler\nwas found")

    expected = weights_of(tmp_path / "plain", PARAMETERS)
    monkeypatch.setattr(compiled.torch, "compile", lambda network, dynamic: fails)
    with caplog.at_level(logging.WARNING):
        found = weights_of(tmp_path / "compiled", COMPILED)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert warnings_in(caplog) == ["Sequential cannot be compiled and runs as it is: no C++ compiler"]


def test_a_fault_of_the_input_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    network = nn.Linear(2, 1)
    monkeypatch.setattr(compiled.torch, "compile", lambda network, dynamic: network.forward)
    called = CompiledNetwork(network)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="shapes"):
            called(torch.zeros(1, 3))
    assert called.weight is network.weight


@pytest.mark.thorough
def test_compiled_networks_learn_the_same_but_for_rounding_under_their_own_names(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    expected = weights_of(tmp_path / "plain", PARAMETERS)
    torch._dynamo.utils.counters.clear()
    with caplog.at_level(logging.WARNING):
        found = weights_of(tmp_path / "compiled", COMPILED)
    assert not warnings_in(caplog)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] >= 1
    assert found.keys() == expected.keys()
    assert not any("_orig_mod" in name for name in found)
    for name, values in expected.items():
        torch.testing.assert_close(found[name], values, rtol=1e-3, atol=1e-5)
