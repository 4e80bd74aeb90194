"""The arithmetic of a training: what its parameter chooses, and nothing that torch chooses for itself on one device and not on another."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ..runtime.device import autocast_dtype
from ..runtime.errors import ParameterError

TF32 = "tf32"


def arithmetic(precision: str, device: torch.device) -> torch.dtype:
    """The type in which networks compute; raises :class:`ParameterError` for float16 without a GPU."""
    if precision == "float16" and device.type != "cuda":
        raise ParameterError(f"float16 training on {device.type}", "float32, bfloat16 or auto", "use precision auto")
    if precision == "auto":
        return autocast_dtype(device)
    return {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(precision, torch.float32)


def named(precision: str, device: torch.device) -> str:
    """The arithmetic as a record tells it: ``bfloat16``, ``float32``, ``float32 with products in TF32``."""
    plain = str(arithmetic(precision, device)).removeprefix("torch.")
    return f"{plain} with products in TF32" if precision == TF32 and device.type == "cuda" else plain


@contextmanager
def products_of(precision: str) -> Iterator[None]:
    """Within it GPUs round the factors of float32 products to ten bits (TF32) for ``tf32`` alone; torch by itself does so in convolutions,
    where the small differences that DUAL's discriminators and losses tell apart are lost."""
    convolutions, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before = convolutions.allow_tf32, products.allow_tf32
    convolutions.allow_tf32 = products.allow_tf32 = precision == TF32
    try:
        yield
    finally:
        convolutions.allow_tf32, products.allow_tf32 = before
