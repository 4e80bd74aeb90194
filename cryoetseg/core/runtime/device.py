"""Devices and precision. Nothing moves silently: what was chosen is logged, a missing GPU is an error."""
from __future__ import annotations

import logging
from pathlib import Path

import torch

from .errors import ParameterError

logger = logging.getLogger(__name__)


def choose_device(name: str = "auto") -> torch.device:
    """The torch device called ``name``: ``auto``, ``cpu``, ``cuda``, ``cuda:0`` or ``mps``.

    ``auto`` takes the first GPU that CUDA_VISIBLE_DEVICES shows, then Apple's, then the processor. A device asked for by
    name must exist: falling back to the processor would look like a hang.
    """
    available = _available()
    if name == "auto":
        device = torch.device(available[0])
    elif name.split(":")[0] in available:
        device = torch.device(name)
    else:
        raise ParameterError(f"device '{name}' is not available here", "auto, " + ", ".join(available), "use --device auto")
    logger.info("device: %s", device)
    return device


def _available() -> list[str]:
    devices = ["cuda"] if torch.cuda.is_available() else []
    if torch.backends.mps.is_available():
        devices.append("mps")
    return [*devices, "cpu"]


def autocast_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the hardware multiplies it natively, float32 elsewhere (emulated bfloat16 is slower than float32)."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    if device.type == "cpu" and {"avx512_bf16", "amx_bf16", "bf16"} & _processor_flags():
        return torch.bfloat16
    return torch.float32


def _processor_flags() -> set[str]:
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return set()
    for line in cpuinfo.read_text().splitlines():
        if line.lower().startswith(("flags", "features")):
            return set(line.split(":", 1)[1].split())
    return set()
