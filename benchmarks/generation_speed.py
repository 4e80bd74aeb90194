"""Time of one 64^3 subtomogram with the published network: the published 1000-step sampler and the recommended fast one.

    python benchmarks/generation_speed.py [--box 64] [--threads 2]

The floor is the network's arithmetic at the speed of a 32 -> 32 convolution on 64^3 in the same precision, in processor time, too. One
step is timed and multiplied for samplers of more than ``--most`` steps, and the line says so.
"""
from __future__ import annotations

import argparse
import sys
import time

import torch
from torch import nn

from cryoetseg.core.generation.diffusion import NoiseSchedule, sample
from cryoetseg.core.generation.network import ConditionalUNet3d
from cryoetseg.core.runtime.device import autocast_dtype
from cryoetseg.core.runtime.seeds import torch_generator

OPERATIONS = 2 * 46.0e9 / 64**3  # of one forward pass, for each voxel (spec A4: 46 GMAC at 64^3)
SAMPLERS = (("ddpm", 1000), ("ddim", 50), ("dpm_solver", 20))


@torch.no_grad()
def convolution_speed(dtype: torch.dtype, side: int = 64, channels: int = 32) -> float:
    """Operations a second of processor time in one convolution, the best of five."""
    layer = nn.Conv3d(channels, channels, 3, padding=1).to(dtype).to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    volume = torch.randn(1, channels, side, side, side, dtype=dtype).contiguous(memory_format=torch.channels_last_3d)
    times = []
    for _ in range(6):
        start = time.process_time()
        layer(volume)
        times.append(time.process_time() - start)
    return 2 * 27 * channels**2 * side**3 / min(times[1:])


def seconds(network: ConditionalUNet3d, box: int, sampler: str, steps: int, dtype: torch.dtype) -> tuple[float, float]:
    """Time of one volume, and the processor time of all threads, which tells more on a busy machine."""
    start, busy = time.perf_counter(), time.process_time()
    sample(network, NoiseSchedule(), torch.eye(6)[:1], torch.full((1, 3), 0.5), box, sampler=sampler, steps=steps,  # type: ignore[arg-type]
           generators=[torch_generator(0)], dtype=dtype)
    return time.perf_counter() - start, time.process_time() - busy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--box", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--most", type=int, default=20, help="steps that are really run")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    network = ConditionalUNet3d(6).eval().to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    fast = autocast_dtype(torch.device("cpu"))
    sys.stdout.write(f"{arguments.box}^3, {arguments.threads} threads\nprecision  sampler      steps  seconds  processor s  floor s\n")
    for dtype in dict.fromkeys((torch.float32, fast)):
        speed = convolution_speed(dtype)
        seconds(network, arguments.box, "ddim", 1, dtype)  # the first pass also chooses kernels
        for sampler, steps in SAMPLERS:
            run = min(steps, arguments.most)
            taken, busy = (value * steps / run for value in seconds(network, arguments.box, sampler, run, dtype))
            floor = OPERATIONS * arguments.box**3 * steps / speed
            note = "" if run == steps else f"  (from {run} steps)"
            name = str(dtype).removeprefix("torch.")
            sys.stdout.write(f"{name:9}  {sampler:10}  {steps:5}  {taken:7.1f}  {busy:11.1f}  {floor:7.1f}{note}\n")


if __name__ == "__main__":
    main()
