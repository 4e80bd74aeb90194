from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_training import PARAMETERS, TinyTask

from cryoetseg.core.runtime.errors import ParameterError
from cryoetseg.core.training.engine import train
from cryoetseg.core.training.precision import arithmetic, named, products_of

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def flags() -> tuple[bool, bool]:
    return torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32


@pytest.mark.parametrize(("precision", "rounded"), [("float32", False), ("bfloat16", False), ("tf32", True)])
def test_products_are_rounded_where_a_training_asks_for_it_and_only_within_it(tmp_path: Path, precision: str, rounded: bool) -> None:
    seen = []

    class Looks(TinyTask):
        def loss(self, networks, batch, step):  # type: ignore[no-untyped-def]
            seen.append(flags())
            return super().loss(networks, batch, step)

    before = flags()
    outcome = train(Looks(), PARAMETERS.model_copy(update={"precision": precision, "iterations": 2}), tmp_path, seed=3, device="cpu")
    assert set(seen) == {(rounded, rounded)}
    assert flags() == before
    assert outcome.record()["arithmetic"] == ("bfloat16" if precision == "bfloat16" else "float32")


def test_what_was_is_again_after_a_failure() -> None:
    before = flags()
    with pytest.raises(ZeroDivisionError), products_of("tf32"):
        raise ZeroDivisionError
    assert flags() == before


def test_records_name_what_is_rounded() -> None:
    assert named("tf32", GPU) == "float32 with products in TF32"
    assert named("float32", GPU) == named("tf32", CPU) == "float32"
    assert arithmetic("tf32", GPU) == torch.float32
    assert named("float16", GPU) == "float16"
    with pytest.raises(ParameterError, match="float16"):
        arithmetic("float16", CPU)
