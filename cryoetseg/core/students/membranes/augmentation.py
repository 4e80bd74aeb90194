"""Random changes of training crops: drawn by the host, one by one, then made of whole batches on whatever device these are."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy import special
from torch import Tensor

LARGEST_ANGLE = 20.0  # degrees, Uddin26 1.9
CONTRAST, BRIGHTNESS, NOISE = 0.2, 0.2, 0.2  # extended: factor 1 +- this, offset and noise up to this many deviations


@dataclass(frozen=True)
class Change:
    """How a crop is turned: quarter turns, mirrored axes, a rotation in degrees; and its grey values."""

    quarters: int = 0
    mirror_y: bool = False
    mirror_x: bool = False
    mirror_z: bool = False
    angle: float = 0.0
    contrast: float = 1.0
    brightness: float = 0.0
    noise: float = 0.0

    def numbers(self, side: int, slices: int, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """What :func:`turned` and :func:`changed_grey` take of this change for a square crop, its noise (slices, side, side) drawn."""
        c, s = (float(function(self.angle)) for function in (special.cosdg, special.sindg))
        matrix, middle = np.array([[c, s], [-s, c]]), np.full(2, (side - 1) / 2)
        found = {"turn": np.array([self.quarters, self.mirror_y, self.mirror_x], dtype=np.int64),
                 "rotation": np.column_stack([matrix, middle - matrix @ middle if self.angle else np.zeros(2)]),
                 "grey": np.array([self.contrast, self.brightness, self.noise], dtype=np.float32)}
        if self.noise:
            found["noise"] = generator.standard_normal((slices, side, side), dtype=np.float32)
        return found


def draw_published(generator: np.random.Generator) -> Change:
    """Half of the crops: quarter turns and one mirrored axis; half of the others: a rotation below 20 degrees (Uddin26 1.9)."""
    if generator.random() > 0.5:
        across = bool(generator.integers(2))
        return Change(quarters=int(generator.integers(4)), mirror_y=not across, mirror_x=across)
    if generator.random() > 0.5:
        return Change(angle=float(generator.uniform(-LARGEST_ANGLE, LARGEST_ANGLE)))
    return Change()


def draw_extended(generator: np.random.Generator) -> Change:
    """All symmetries of a stack of slices, half of the crops rotated, contrast, brightness and noise."""
    quarters = int(generator.integers(4))
    mirror_y, mirror_x, mirror_z, rotated = (bool(flag) for flag in generator.random(4) < 0.5)
    angle = float(generator.uniform(-LARGEST_ANGLE, LARGEST_ANGLE)) if rotated else 0.0
    contrast, brightness, noise = generator.uniform((-CONTRAST, -BRIGHTNESS, 0), (CONTRAST, BRIGHTNESS, NOISE))
    return Change(quarters, mirror_y, mirror_x, mirror_z, angle, 1 + float(contrast), float(brightness), float(noise))


DRAWS = {"published": draw_published, "extended": draw_extended}


def turned(crops: Tensor, changes: Mapping[str, Tensor]) -> Tensor:
    """Square crops (batch, slices, y, x), each turned in the plane as its change says; the nearest pixel, 0 outside.

    Uddin26 1.9 rotates by the nearest pixel; between slices of noise linear interpolation would smooth what is turned.
    """
    source, inside = _sources(changes["turn"], changes["rotation"], crops.shape[-1])
    index = source.flatten(1)[:, None].expand(-1, crops.shape[1], -1)
    return torch.where(inside[:, None], crops.flatten(2).gather(2, index).view_as(crops), torch.zeros((), dtype=crops.dtype,
                                                                                                     device=crops.device))


def _sources(turn: Tensor, rotation: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Of each pixel of turned crops (batch, side, side) the number of the pixel that it was, and whether there was one.

    Seen from the result: the rotation comes first, in double precision and in the order of sums of scipy, then mirrors and quarter turns.
    """
    axis, last = torch.arange(side, device=turn.device), side - 1
    places = [axis[:, None] * row[:, 0, None, None] + axis * row[:, 1, None, None] + row[:, 2, None, None] for row in rotation.unbind(1)]
    inside = torch.stack([(place >= 0) & (place <= last) for place in places]).all(dim=0)
    y, x = (torch.floor(place + 0.5).long().clamp(0, last) for place in places)
    quarters, mirror_y, mirror_x = (column[:, None, None] for column in turn.unbind(1))
    y, x = torch.where(mirror_y > 0, last - y, y), torch.where(mirror_x > 0, last - x, x)
    for quarter in range(1, 4):
        y, x = torch.where(quarters >= quarter, x, y), torch.where(quarters >= quarter, last - y, x)
    return y * side + x, inside


def changed_grey(crops: Tensor, changes: Mapping[str, Tensor]) -> Tensor:
    """Grey values of crops (batch, slices, y, x) after contrast, brightness and noise."""
    contrast, brightness, noise = (column[:, None, None, None] for column in changes["grey"].unbind(1))
    result = contrast * crops + brightness
    return result + noise * changes["noise"] if "noise" in changes else result
