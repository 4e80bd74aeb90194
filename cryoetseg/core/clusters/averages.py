"""Averages of a cluster's boxes, laid on each other by shifts, or by shifts and turns with the missing wedge in the weights."""
from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy.fft import irfftn, rfftn
from scipy.ndimage import shift as shifted
from scipy.spatial.transform import Rotation
from torch.nn import functional

from ..volumes.wedge import measured_plane

ROUNDS = 3
LARGEST_SHIFT = 3.0  # voxels of a box, 37 A
TURNS = 700  # orientations that are tried, about 19 degrees apart
TURN_ROUNDS = 4
MOST_TURNED = 100
MASK_SHARE = 0.36  # of the side: radius of what is compared


class Average(NamedTuple):
    """``density`` (z, y, x) of an average and ``likeness`` (n,) of each box to it, -1 to 1."""

    density: np.ndarray
    likeness: np.ndarray


def mean_of(boxes: np.ndarray) -> Average:
    """The mean of boxes (n, z, y, x) as they lie."""
    density = boxes.mean(axis=0)
    return Average(density, _correlations(boxes, density))


def shifted_average(boxes: np.ndarray, rounds: int = ROUNDS) -> Average:
    """The mean of boxes (n, z, y, x), each moved by at most three voxels to where it is most like the mean of the others."""
    moved, mask = boxes, soft_ball(boxes.shape[1])
    offsets = np.zeros((len(boxes), 3))
    for _ in range(rounds if len(boxes) > 1 else 0):
        mean = moved.mean(axis=0)
        for row, box in enumerate(boxes):
            others = (mean * len(moved) - moved[row]) / (len(moved) - 1)  # with itself in the reference a box stays where it is
            offsets[row] = _best_shift(box, others * mask)
        offsets -= offsets.mean(axis=0)  # the average does not walk away
        moved = np.stack([shifted(box, offset, order=1, mode="nearest") for box, offset in zip(boxes, offsets)])
    density = moved.mean(axis=0)
    return Average(density, _correlations(moved, density))


def _best_shift(box: np.ndarray, reference: np.ndarray) -> np.ndarray:
    side = len(box)
    correlation = np.fft.fftshift(irfftn(np.conj(rfftn(box)) * rfftn(reference), s=box.shape))
    reach = int(LARGEST_SHIFT)
    middle = slice(side // 2 - reach, side // 2 + reach + 1)
    peak = np.unravel_index(np.argmax(correlation[middle, middle, middle]), (2 * reach + 1,) * 3)
    return np.array(peak, dtype=float) - reach


def soft_ball(side: int) -> np.ndarray:
    """A ball (side, side, side) with a soft edge about the middle, inside which boxes are compared."""
    axis = np.arange(side) - (side - 1) / 2
    radius = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    return np.clip(MASK_SHARE * side + 1 - radius, 0, 1)


def _correlations(boxes: np.ndarray, density: np.ndarray) -> np.ndarray:
    mask = soft_ball(density.shape[0]) > 0
    rows, mean = boxes[:, mask], density[mask]
    rows, mean = rows - rows.mean(axis=1, keepdims=True), mean - mean.mean()
    return rows @ mean / np.maximum(np.linalg.norm(rows, axis=1) * np.linalg.norm(mean), 1e-9)


def turned_average(boxes: np.ndarray, tilts: tuple[float, float], rng: np.random.Generator) -> Average:
    """As :func:`shifted_average`, with turns: each box is compared with the average in 700 orientations within its wedge, and what it
    has measured is added in the average's frame. At most 100 boxes. Noise alone gives an average that looks like something too."""
    side = boxes.shape[1]
    seen = torch.from_numpy(np.ascontiguousarray(boxes[:MOST_TURNED] * soft_ball(side).astype(np.float32)))
    wedge = torch.from_numpy(measured_plane(side, side, *tilts)[:, None].repeat(side, 1).astype(np.float32))
    spectra = torch.fft.rfftn(seen, dim=(1, 2, 3)) * wedge
    reference = seen.mean(dim=0)
    likeness = np.zeros(len(seen))
    for turn in range(TURN_ROUNDS):
        turns = torch.from_numpy(Rotation.random(TURNS, random_state=int(rng.integers(2**31))).as_matrix().astype(np.float32))
        found = _best_turns(spectra, reference, turns, wedge)
        likeness = np.array([score for score, _, _ in found])
        reference = _assembled(seen, found, wedge)
        if turn < TURN_ROUNDS - 1:
            reference = reference * torch.from_numpy(soft_ball(side)).float()
    return Average(reference.numpy(), likeness)


def _best_turns(
    spectra: torch.Tensor, reference: torch.Tensor, turns: torch.Tensor, wedge: torch.Tensor,
) -> list[tuple[float, torch.Tensor, np.ndarray]]:
    """For each box, given by its spectrum, likeness, turn (3, 3) and shift (3,) of the orientation of the reference that is most like it.

    The reference is turned once for all boxes.
    """
    side = reference.shape[0]
    powers = spectra.abs().square().sum(dim=(1, 2, 3)).sqrt().clamp_min(1e-9)
    best: list[tuple[float, torch.Tensor, np.ndarray]] = [(-np.inf, turns[0], np.zeros(3))] * len(spectra)
    for part in turns.split(100):
        views = torch.fft.rfftn(turned(reference.expand(len(part), -1, -1, -1), part), dim=(1, 2, 3)) * wedge
        views = views.conj() / views.abs().square().sum(dim=(1, 2, 3), keepdim=True).sqrt().clamp_min(1e-9)
        for number, spectrum in enumerate(spectra):
            height, top, shift = _highest(torch.fft.irfftn(spectrum * views, s=(side,) * 3, dim=(1, 2, 3)))
            # half of both spectra is stored, and irfftn divides by the number of voxels
            score = height * side**3 / 2 / float(powers[number])
            if score > best[number][0]:
                best[number] = (score, part[top], shift)
    return best


def _highest(correlation: torch.Tensor) -> tuple[float, int, np.ndarray]:
    """The highest value of cross-correlations (n, z, y, x) at shifts of at most :data:`LARGEST_SHIFT`: value, number and shift (3,)."""
    reach = int(LARGEST_SHIFT)
    near = torch.roll(correlation, (reach,) * 3, (1, 2, 3))[:, :2 * reach + 1, :2 * reach + 1, :2 * reach + 1].flatten(1)
    top = int(near.max(dim=1).values.argmax())
    place = int(near[top].argmax())
    return float(near[top, place]), top, np.array(np.unravel_index(place, (2 * reach + 1,) * 3), dtype=float) - reach


def turned(volumes: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
    """Volumes (n, z, y, x) turned about their middles by matrices (n, 3, 3) that act on (x, y, z)."""
    side = volumes.shape[-1]
    theta = torch.cat([turns.transpose(1, 2), torch.zeros(len(turns), 3, 1)], dim=2)  # grid_sample asks where each voxel comes from
    grid = functional.affine_grid(theta, [len(turns), 1, side, side, side], align_corners=True)
    return functional.grid_sample(volumes[:, None], grid, align_corners=True)[:, 0]


def _assembled(boxes: torch.Tensor, found: list[tuple[float, torch.Tensor, np.ndarray]], wedge: torch.Tensor) -> torch.Tensor:
    """Fourier mean of the boxes turned back, each frequency by how many have measured it."""
    side = boxes.shape[1]
    full = torch.fft.fftshift(torch.fft.fftn(torch.fft.irfftn(wedge.to(torch.complex64), s=(side,) * 3)).real.round())
    back = torch.stack([turn.T for _, turn, _ in found])
    moved = torch.stack([torch.roll(box, tuple(int(-step) for step in offset), (0, 1, 2)) for box, (_, _, offset) in zip(boxes, found)])
    spectrum = torch.fft.rfftn(turned(moved, back), dim=(1, 2, 3)).sum(dim=0)
    weights = torch.fft.ifftshift(turned(full.expand(len(boxes), -1, -1, -1), back).sum(dim=0))[..., :side // 2 + 1]
    return torch.fft.irfftn(spectrum / weights.clamp_min(0.1 * len(boxes)), s=(side,) * 3)
