"""Independent named random streams from one seed: drawing more in one place never changes another."""
from __future__ import annotations

import hashlib

import numpy as np


def stream_seed(seed: int, *names: object) -> int:
    """A 63-bit seed for the stream called ``names``, a fixed function of both."""
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def numpy_generator(seed: int, *names: object) -> np.random.Generator:
    """NumPy generator of the stream called ``names``."""
    return np.random.default_rng(stream_seed(seed, *names))


def torch_generator(seed: int, *names: object, device: str = "cpu"):  # type: ignore[no-untyped-def]
    """torch generator of the stream called ``names`` on ``device``."""
    import torch

    return torch.Generator(device=device).manual_seed(stream_seed(seed, *names))
