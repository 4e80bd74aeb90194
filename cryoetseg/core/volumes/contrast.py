"""Contrast is turned once, at the reader: inside the package particles are bright."""
from __future__ import annotations

import numpy as np

from ..runtime.errors import ParameterError


def particles_bright(array: np.ndarray, contrast: str) -> np.ndarray:
    """``array`` as float32 with bright particles. ``contrast`` says how they look now: ``dark`` (as microscopes give) or ``bright``.

    A bright float32 array is returned as it is; a dark one as a negated copy.
    """
    if contrast == "bright":
        return np.asarray(array, dtype=np.float32)
    if contrast == "dark":
        return np.negative(array, dtype=np.float32)  # int8 would turn -128 into itself
    raise ParameterError(f"contrast = {contrast!r}", "dark, bright", "say how particles look in this volume")
