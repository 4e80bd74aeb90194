"""Tomograms spoilt as real ones are: borders, empty corners, padding, gold, hot voxels, constant slices."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np

Spoilt = tuple[np.ndarray, np.ndarray]  # the volume, and which voxels still show sample


def filled(inside: Callable[[np.ndarray], np.ndarray], value: float, shift: float = 0.0) -> Callable[[np.ndarray], Spoilt]:
    """Everything outside set to ``value`` deviations, the sample ``shift`` deviations away from 0."""

    def spoil(volume: np.ndarray) -> Spoilt:
        kept = np.broadcast_to(inside(volume), volume.shape)
        standard = (volume - volume.mean()) / volume.std() + np.float32(shift)
        return np.where(kept, standard, np.float32(value)), kept

    return spoil


def within_border(volume: np.ndarray) -> np.ndarray:
    """All but a border of about a fifth of the side."""
    side = volume.shape[1]
    kept = np.zeros(volume.shape[1:], bool)
    kept[round(side * 0.21):side - round(side * 0.21), round(side * 0.21):side - round(side * 0.21)] = True
    return kept


def within_turned(volume: np.ndarray) -> np.ndarray:
    """A square turned by 20 degrees: empty corners."""
    side = volume.shape[1]
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    angle = np.radians(20)
    turned = np.abs(y * np.cos(angle) + x * np.sin(angle)), np.abs(x * np.cos(angle) - y * np.sin(angle))
    return np.maximum(*turned) < 0.54 * side


def all_but_ends(slices: int) -> Callable[[np.ndarray], np.ndarray]:
    """All but ``slices`` at both ends together."""
    return lambda volume: (np.minimum(np.arange(len(volume)), np.arange(len(volume))[::-1]) >= slices)[:, None, None]


def with_beads(radius: float, count: int, height: float) -> Callable[[np.ndarray], Spoilt]:
    """Balls of ``radius`` voxels, ``height`` deviations denser."""

    def spoil(volume: np.ndarray) -> Spoilt:
        standard, rng = (volume - volume.mean()) / volume.std(), np.random.default_rng(0)
        distances = np.meshgrid(*(np.arange(-6, 7),) * 3, indexing="ij")
        ball = np.argwhere(sum(axis**2 for axis in distances) <= radius**2) - 6
        for centre in rng.integers(8, np.array(volume.shape) - 8, (count, 3)):
            standard[tuple((centre + ball).T)] += height
        return standard.astype(np.float32), np.ones(volume.shape, bool)

    return spoil


CLEAN = "clean"
ROWS: dict[str, Callable[[np.ndarray], Spoilt]] = {
    CLEAN: filled(lambda volume: np.ones(volume.shape, bool), 0),
    "border at -3": filled(within_border, -3),
    "border at -10": filled(within_border, -10),
    "mean 10, border at 0": filled(within_border, 0, 10),
    "corners at -10": filled(within_turned, -10),
    "corners at +10": filled(within_turned, 10),
    "padded slices at -10": filled(all_but_ends(10), -10),
    "10 gold beads": with_beads(4, 10, 25),
    "20 hot voxels": with_beads(0, 20, 100),
    "constant slices": filled(all_but_ends(6), 0),
}


def box_of(kept: np.ndarray) -> tuple[slice, ...]:
    """The smallest box (z, y, x) that holds all of ``kept``: where a tomogram without the spoilt part would end."""
    spans = [np.flatnonzero(kept.any(axis=tuple(other for other in range(3) if other != axis))) for axis in range(3)]
    return tuple(slice(int(span[0]), int(span[-1]) + 1) for span in spans)
