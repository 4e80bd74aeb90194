"""Sizes that a network with poolings can take."""
from __future__ import annotations

from torch import Tensor

from ..runtime.errors import InputError


def check_sides(images: Tensor, divisor: int) -> None:
    """Raise ``InputError`` unless every spatial side (all axes after batch and channel) is a multiple of ``divisor``.

    Without this a pooled grid is rounded down and its up-sampled features end half a voxel beside the skip's, silently.
    """
    sides = tuple(images.shape[2:])
    if any(side % divisor or side == 0 for side in sides):
        raise InputError(f"image sides {sides}", f"multiples of {divisor}", "pad the image or choose another tile size")
