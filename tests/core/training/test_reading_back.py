"""A step of no method reads anything back from the device: on a GPU each reading would wait for all that was asked of it before."""
from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_training import PARAMETERS, TinyTask
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from cryoetseg.core.training import engine
from cryoetseg.core.training.engine import train
from cryoetseg.core.training.processes import Processes
from cryoetseg.core.training.sampling import BatchPlaces, EndlessOrder, batches
from cryoetseg.core.training.task import TrainingTask
from cryoetseg.core.training.update import Updater

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"
# what needs values to go on: of the Python interface, which reads the memory of a processor directly, and of the operations below it
CALLS = {getattr(Tensor, name) for name in ("item", "tolist", "numpy", "cpu", "__bool__", "__float__", "__int__", "__index__", "__array__",
                                            "nonzero", "__contains__")}
OPERATIONS = {"aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::equal", "aten::is_nonzero", "aten::_unique2",
              "aten::repeat_interleave.Tensor", "aten::bincount"}


class Readings(TorchDispatchMode):
    """Names of what was read back."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, function: Any, types: Any, arguments: tuple[Any, ...] = (), named: Mapping[str, Any] | None = None) -> Any:
        name = function._schema.name + (f".{function._schema.overload_name}" if function._schema.overload_name else "")
        indices = [part for group in arguments if isinstance(group, (list, tuple)) for part in group if isinstance(part, Tensor)]
        selects = name.startswith("aten::index") and any(part.dtype == torch.bool for part in indices)
        if selects or name in OPERATIONS:
            self.seen.append(name)
        return function(*arguments, **(named or {}))


class Calls(TorchFunctionMode):
    """The same for calls that reach no operation where the memory is a processor's; what is made there on purpose may be read."""

    def __init__(self, readings: Readings) -> None:
        super().__init__()
        self.readings, self.of_the_host = readings, []  # type: ignore[var-annotated]

    def __torch_function__(self, function: Any, types: Any, arguments: tuple[Any, ...] = (), named: Mapping[str, Any] | None = None) -> Any:
        if function in CALLS and not any(arguments[0] is tensor for tensor in self.of_the_host):
            self.readings.seen.append(function.__name__)
        result = function(*arguments, **(named or {}))
        if function in (torch.arange, torch.tensor) and "device" not in (named or {}):
            self.of_the_host.append(result)
        return result


@pytest.fixture(scope="module")
def tasks() -> Iterator[Any]:
    """The trainings of the benchmark of devices, with networks of a few feature maps."""
    sys.path.insert(0, str(BENCHMARKS))
    import device_tasks

    yield device_tasks
    sys.path.remove(str(BENCHMARKS))


def read_in_a_step(task: TrainingTask, parameters: Any) -> list[str]:
    """What is read back from the places of a batch to the moved weights, after a first step in which everything settles."""
    updater = Updater(task, parameters, 0, Processes("cpu"))
    for number in range(2):
        places = next(iter(batches(task, 0, BatchPlaces(EndlessOrder(task, 0), parameters.batch_size, number, number + 1, 0, 1), 0)))
        with Readings() as readings, Calls(readings):
            updater.step(task.gather(places), number, 0)
    return readings.seen


@pytest.mark.parametrize("name", ["membranes", "picker", "backbone", "dual", "vox-uda", "ddpm"])
def test_a_step_reads_nothing_back(tasks: Any, name: str) -> None:
    changes = {"replay_pool": 4, "start": "random"} if name == "dual" else {}  # a pool that is full after the first step
    task, parameters = tasks.TRAININGS[name](**tasks.THIN[name], **changes, precision="float32", batch_size=4)
    assert read_in_a_step(task, parameters) == []


@pytest.mark.parametrize("read", [
    lambda loss: loss.item(), lambda loss: float(loss), lambda loss: loss.tolist(), lambda loss: bool(loss > 0),
    lambda loss: loss[loss > 0], lambda loss: loss.cpu(), lambda loss: int(loss.isfinite())])
def test_a_reading_is_seen(read: Any) -> None:
    class Reads(TinyTask):
        def loss(self, networks, batch, step):  # type: ignore[no-untyped-def]
            loss, metrics = super().loss(networks, batch, step)
            read(loss.detach())
            return loss, metrics

    assert read_in_a_step(Reads(), PARAMETERS)


def test_what_is_read_late_is_what_is_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Bad(TinyTask):
        """Two steps in the middle are not finite."""

        noted_steps: list[float]

        def loss(self, networks, batch, step):  # type: ignore[no-untyped-def]
            loss, metrics = super().loss(networks, batch, step)
            return loss * (float("nan") if step.number in (2, 3) else 1.0), {**metrics, "number": float(step.number)}

        def noted(self, metrics):  # type: ignore[no-untyped-def]
            self.noted_steps = [*getattr(self, "noted_steps", []), metrics["number"]]

    outcomes, noted = [], []
    for name, every in (("at_once", 1), ("late", 3)):
        monkeypatch.setattr(engine, "reads_every", lambda device, every=every: every)
        task = Bad()
        outcomes.append(train(task, PARAMETERS, tmp_path / name, seed=3, device="cpu"))
        noted.append(task.noted_steps)
    assert outcomes[0].rows == outcomes[1].rows
    assert outcomes[0].skipped_steps == outcomes[1].skipped_steps == 2
    assert noted[0] == noted[1] == [0, 1, 4, 5, 6, 7, 8, 9]
    assert outcomes[0].last.read_bytes() == outcomes[1].last.read_bytes()
