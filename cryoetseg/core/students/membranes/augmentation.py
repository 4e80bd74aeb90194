"""Random changes of training crops, drawn first and then applied."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

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


def turned(image: np.ndarray, change: Change, order: int, outside: float = 0.0) -> np.ndarray:
    """``image`` (slices, y, x) turned in the plane; rotations interpolate by ``order`` and fill with ``outside``."""
    result = np.rot90(image, change.quarters, axes=(1, 2))
    result = result[:, ::-1 if change.mirror_y else 1, ::-1 if change.mirror_x else 1]
    if change.angle:
        result = ndimage.rotate(result, change.angle, axes=(1, 2), reshape=False, order=order, mode="constant", cval=outside)
    return np.ascontiguousarray(result)


def changed_grey(image: np.ndarray, change: Change, generator: np.random.Generator) -> np.ndarray:
    """Grey values of a stack (slices, y, x) after contrast, brightness, noise and mirroring along z."""
    result = image[::-1] if change.mirror_z else image
    result = change.contrast * result + change.brightness
    if change.noise:
        result = result + change.noise * generator.standard_normal(result.shape, dtype=np.float32)
    return np.ascontiguousarray(result, dtype=np.float32)
