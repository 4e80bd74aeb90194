"""How well trainings and networks use the machine: speed, the floor that its arithmetic and memory set, share of time it is busy.

Floor: floating point operations over the rate of a matrix product, or bytes that must move over the rate of a copy, whichever is longer;
both rates are measured first. Bytes are weights, gradients and both moments once each way, and the batch. One table on standard output.
"""
from __future__ import annotations

import argparse
import copy
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import torch
from accelerate.utils import send_to_device
from device_tasks import FEW, SHAPE, THIN, TRAININGS, volume_of
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from cryoetseg.core.inference.network import network_function
from cryoetseg.core.inference.tiled import apply_tiled
from cryoetseg.core.runtime.seeds import torch_generator
from cryoetseg.core.training import update
from cryoetseg.core.training.params import TrainingParameters
from cryoetseg.core.training.processes import Processes
from cryoetseg.core.training.sampling import BatchPlaces, EndlessOrder, batches
from cryoetseg.core.training.task import TrainingTask
from cryoetseg.core.training.update import Updater

COPIED, SIDE = 1 << 25, 1536  # elements of a copy, side of a matrix product
MOVES = 7  # of each weight in a step: weight and two moments read and written, gradient read
EQUAL_STEPS = 10


class Rates(NamedTuple):
    """What the machine can do: bytes a second of a copy (read and write), operations a second of a float32 matrix product."""

    copy: float
    product: float

    def floor(self, operations: float, moved: float) -> float:
        """Seconds below which no program comes."""
        return max(operations / self.product, moved / self.copy)


class Run:
    """A training whose steps can be taken one by one."""

    def __init__(self, task: TrainingTask, parameters: TrainingParameters, device: str) -> None:
        self.task, self.parameters, self.number = task, parameters.model_copy(update={"precision": "float32"}), 0
        self.updater = Updater(task, self.parameters, 0, Processes(device))
        self.places = self._places()

    def _places(self) -> Iterator[Mapping[str, Any]]:
        order = EndlessOrder(self.task, 0)
        return batches(self.task, 0, BatchPlaces(order, self.parameters.batch_size, 0, 10**6, 0, 1), 0)

    def step(self) -> None:
        """Draw, gather and learn."""
        self.updater.set_rates(self.number, 10**6)
        batch = self.task.gather(send_to_device(next(self.places), self.updater.processes.device, non_blocking=True))
        self.updater.step(batch, self.number, 0)
        self.number += 1

    def weights(self) -> Tensor:
        """All weights in one line, on the processor."""
        return torch.cat([weight.detach().cpu().reshape(-1) for network in self.task.networks.values() for weight in network.parameters()])


def finished(device: str) -> None:
    """Wait for a GPU."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def seconds_of(function: Callable[[], object], device: str, budget: float) -> float:
    """Mean time of one call, over as many as fit into ``budget`` seconds, after one that is not counted."""
    function()
    finished(device)
    start, calls = time.perf_counter(), 0
    while not calls or time.perf_counter() - start < budget:
        function()
        calls += 1
    finished(device)
    return (time.perf_counter() - start) / calls


def load() -> str:
    """How many programs wanted a processor in the last minute."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def rates_of(device: str) -> Rates:
    """Measure the machine."""
    source = torch.ones(COPIED, device=device)
    target, matrix = torch.empty_like(source), torch.ones(SIDE, SIDE, device=device)
    return Rates(8 * COPIED / seconds_of(lambda: target.copy_(source), device, 0.3),
                 2 * SIDE**3 / seconds_of(lambda: matrix @ matrix, device, 0.5))


def operations_of(function: Callable[[], object]) -> float:
    """Floating point operations of products and convolutions in one call."""
    with FlopCounterMode(display=False) as counter:
        function()
    return float(counter.get_total_flops())


def busy_share(function: Callable[[], object], device: str) -> float:
    """Share of the time of one call in which the device computes, as torch's profiler sees it."""
    activities = [ProfilerActivity.CUDA] if device.startswith("cuda") else [ProfilerActivity.CPU]
    with profile(activities=activities) as seen:
        start = time.perf_counter()
        function()
        finished(device)
        wall = time.perf_counter() - start
    events = seen.key_averages()
    micro = sum(event.self_device_time_total if device.startswith("cuda") else event.self_cpu_time_total for event in events
                if event.key.startswith("aten::") or device.startswith("cuda"))
    return min(1.0, micro / 1e6 / wall)


def difference_after(steps: int, name: str, device: str) -> float:
    """Largest difference of thin weights trained on the device from those of the processor, over the deviation of the latter.

    Both draw from the processor's generator: the same seed gives other numbers on a GPU.
    """
    lines = []
    for place in ("cpu", device):
        task, parameters = TRAININGS[name](**THIN[name])
        with patch.object(update, "torch_generator", lambda *names, device: torch_generator(*names)):
            run = Run(task, parameters, place)
            for _ in range(steps):
                run.step()
        lines.append(run.weights())
    return float((lines[0] - lines[1]).abs().max() / lines[0].std())


def training_row(name: str, device: str, rates: Rates, budget: float) -> str:
    """One line of the table."""
    run = Run(*TRAININGS[name](**({} if device.startswith("cuda") else FEW[name])), device)
    thin = Run(*TRAININGS[name](**THIN[name]), device)
    host = seconds_of(thin.step, device, budget / 4)
    seconds = seconds_of(run.step, device, budget)
    weights = sum(weight.numel() for network in run.task.networks.values() for weight in network.parameters())
    batch = sum(np.asarray(value).nbytes for value in next(run.places).values())
    floor = rates.floor(operations_of(run.step), 4 * MOVES * weights + batch)
    equal = f"{difference_after(EQUAL_STEPS, name, device):.1e}" if device.startswith("cuda") else "-"
    return _row(f"train {name}", f"{1 / seconds:.2f} steps/s", floor, seconds, busy_share(run.step, device), f"{1e3 * host:.1f}", equal)


def network_row(name: str, device: str, rates: Rates, budget: float) -> str:
    """One line of the table: a network over a volume in tiles."""
    task, _ = TRAININGS[name](**({} if device.startswith("cuda") else FEW[name]))
    key = {"dual": "denoiser", "vox-uda": "student"}.get(name, next(iter(task.networks)))
    network = copy.deepcopy(task.networks[key]).to(device)
    volume, target = volume_of(0)[0], np.zeros(SHAPE, np.float32)
    function = network_function(network, torch.device(device))
    first = {"picker": lambda tiles: function(tiles)[:, :1]}.get(name, function)

    def whole() -> None:
        apply_tiled(first, volume, target, 48, 16, 4, "crop", align=16)

    seconds = seconds_of(whole, device, budget)
    floor = rates.floor(operations_of(whole), 8 * volume.size)
    return _row(f"apply {name}", f"{volume.size / seconds / 1e6:.2f} Mvoxel/s", floor, seconds, busy_share(whole, device), "-", "-")


def _row(name: str, speed: str, floor: float, seconds: float, busy: float, host: str, equal: str) -> str:
    return f"| {name} | {speed} | {1e3 * floor:.1f} ms | {seconds / floor:.1f} | {busy:.0%} | {host} | {equal} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seconds", type=float, help="for each measurement; 3 on a GPU, where steps are short, and half of one elsewhere")
    parser.add_argument("--only", default=",".join(TRAININGS), help="trainings, with commas")
    arguments = parser.parse_args()
    device, rates = arguments.device, rates_of(arguments.device)
    seconds = arguments.seconds or (3.0 if device.startswith("cuda") else 0.5)
    called = torch.cuda.get_device_name() if device.startswith("cuda") else f"{torch.get_num_threads()} threads"
    sys.stdout.write(f"{called}, torch {torch.__version__}, {load()}: copy {rates.copy / 1e9:.1f} GB/s, "
                     f"product {rates.product / 1e9:.0f} GFLOP/s\n\n"
                     "| | speed | floor | times the floor | busy | host ms a step | weights against the processor's |\n"
                     "| --- | --- | --- | --- | --- | --- | --- |\n")
    for name in arguments.only.split(","):
        sys.stdout.write(training_row(name, device, rates, seconds) + "\n")
        sys.stdout.flush()
    for name in sorted({*arguments.only.split(",")} & {"picker", "dual", "vox-uda"}):
        sys.stdout.write(network_row(name, device, rates, seconds) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
