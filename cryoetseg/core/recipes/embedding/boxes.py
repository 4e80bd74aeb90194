"""Boxes about simulated particles as a tomogram shows them, many at once: drawn first, then rendered.

A tomogram has one microscope, one noise and one contrast for all its particles; small ones are therefore fainter in it than large ones.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.nn import functional

from ...clusters.boxes import BOX_VOXEL, SIDE
from ...runtime.progress import track
from ...simulation.ctf import ctf, envelope
from ...simulation.fourier import frequency_axes, wedge
from ...simulation.library import build_template
from ...simulation.molecules import Molecule

SPACING = 25 / 3  # A, of the molecules' densities; their boxes hold what is seen in 400 A
STORED = 48
NEIGHBOURS = 1
OFF_CENTRE = 8.0  # A, standard deviation of a pick's place along each axis
EMPTY, MEMBRANE, GOLD = -1, -2, -3  # what is no molecule; each is a class of its own
OTHERS = (EMPTY, MEMBRANE, GOLD)
BILAYER = 50.0
FAINTEST, STRONGEST = 0.8, 8.0  # height of a ball of protein, as it is seen, over the deviation of the noise
BALL = 60.0  # A, its radius


class Conditions(NamedTuple):
    """One tomogram: what passes of the signal and the amplitude of the noise on the rfftn grid of a box, and its protein's contrast."""

    passed: np.ndarray
    noise: np.ndarray
    contrast: float


def densities(molecules: Sequence[Molecule]) -> np.ndarray:
    """Densities (n, 48, 48, 48) float16 of molecules, protein 1, at 8.3 A a voxel."""
    result = np.zeros((len(molecules), STORED, STORED, STORED), dtype=np.float16)
    for row, molecule in zip(result, track(molecules, "molecules")):
        density = build_template(molecule, 2 * SPACING).density
        extra = max(0, len(density) - STORED + 1)
        density = density[(slice((extra + 1) // 2, len(density) - (extra + 1) // 2),) * 3]  # keeps the odd side, and the centre
        start = (STORED - len(density) + 1) // 2
        row[(slice(start, start + len(density)),) * 3] = density
    return result


def draw_conditions(rng: np.random.Generator, contrast: float | None = None) -> Conditions:
    """Draw a tomogram's wedge, defocus, resolution, noise and contrast, or take the ``contrast`` given."""
    kz, ky, kx = frequency_axes((SIDE,) * 3)
    k = np.sqrt(kz**2 + ky**2 + kx**2) / BOX_VOXEL
    optics = np.abs(ctf(k, float(rng.uniform(0.5, 6.0)), 300.0, 2.7, float(rng.choice([0.07, 0.1, 0.9]))))
    coarse = float(rng.uniform(25, 70)) if rng.random() < 0.6 else 25.0  # A: twice the voxel size of the tomogram
    seen = np.exp(-((np.maximum(k - 0.85 / coarse, 0) * coarse * 5) ** 2)) * envelope(k, float(rng.uniform(0, 1500)))
    tilted = wedge((SIDE,) * 3, -float(rng.uniform(40, 70)), float(rng.uniform(40, 70)))
    weighting = np.maximum(k * BOX_VOXEL, 1 / SIDE) ** float(rng.uniform(-0.6, 0.4))
    before = float(rng.uniform(0, 0.8))
    power = before * optics**2 / max(float((optics**2).mean()), 1e-9) + 1 - before
    noise = np.sqrt(power) * weighting * seen * tilted
    noise /= np.sqrt(np.mean(noise**2))
    drawn = float(np.exp(rng.uniform(np.log(FAINTEST), np.log(STRONGEST))))
    passed = optics * seen * tilted
    passed /= np.fft.irfftn(np.fft.rfftn(_ball()) * passed, s=(SIDE,) * 3, axes=(0, 1, 2)).max()
    return Conditions(passed.astype(np.float32), noise.astype(np.float32), drawn if contrast is None else contrast)


def _ball() -> np.ndarray:
    axis = (np.arange(SIDE) - SIDE // 2) * BOX_VOXEL
    return (axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2 <= BALL**2).astype(np.float64)


def draw_views(kind: int, count: int, radii: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw ``count`` boxes of one molecule (its number) or of one of :data:`OTHERS`; ``radii`` (n,) of all molecules in Angstrom."""
    bodies = np.full((count, 1 + NEIGHBOURS), -1, dtype=np.int64)
    bodies[:, 0] = max(kind, -1)
    crowd = rng.random((count, NEIGHBOURS)) < rng.uniform(0, 0.9)
    bodies[:, 1:][crowd] = rng.integers(len(radii), size=int(crowd.sum()))
    places = np.zeros((count, 1 + NEIGHBOURS, 3), dtype=np.float32)
    directions = rng.normal(size=(count, NEIGHBOURS, 3))
    directions /= np.linalg.norm(directions, axis=2, keepdims=True)
    own = radii[kind] if kind >= 0 else 80.0
    reach = 0.8 * (own + radii[np.maximum(bodies[:, 1:], 0)]) + rng.exponential(50.0, size=(count, NEIGHBOURS))
    places[:, 1:] = directions * reach[..., None]
    places += rng.normal(0, OFF_CENTRE, size=(count, 1, 3))
    turns = Rotation.from_quat(rng.normal(size=(count * (1 + NEIGHBOURS), 4))).as_matrix().reshape(count, -1, 3, 3)
    normal = rng.normal(size=(count, 3))
    sheet = np.zeros((count, 5), dtype=np.float32)  # normal, distance from the middle, bend
    sheet[:, :3] = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    beside = rng.random(count) < 0.12
    sheet[:, 3] = rng.normal(0, 15, count) if kind == MEMBRANE else np.where(beside, own + rng.uniform(0, 120, count), 1e4)
    sheet[:, 4] = np.where(rng.random(count) < 0.5, 1 / rng.uniform(150, 1500, count), 0)
    ball = np.where(kind == GOLD, rng.uniform(30, 70, count), 0).astype(np.float32)
    return {"kind": np.full(count, kind), "bodies": bodies, "places": places, "turns": turns.astype(np.float32), "sheet": sheet,
            "ball": ball}


def render(views: Mapping[str, Tensor], molecules: Tensor) -> Tensor:
    """Densities (n, z, y, x) of drawn boxes, protein 1, from those of the ``molecules`` (m, 48, 48, 48)."""
    bodies, device = views["bodies"], molecules.device
    count = len(bodies)
    axis = (torch.arange(SIDE, device=device) - (SIDE - 1) / 2) * BOX_VOXEL
    points = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1).reshape(1, -1, 3)  # z y x
    total = torch.zeros((count, SIDE, SIDE, SIDE), device=device)
    half = SPACING * (STORED - 1) / 2
    for number in range(bodies.shape[1]):
        rows = torch.nonzero(bodies[:, number] >= 0).flatten()
        if len(rows):
            local = (points - views["places"][rows, number][:, None]) @ views["turns"][rows, number]
            grid = ((local + SPACING / 2) / half).flip(-1).reshape(len(rows), SIDE, SIDE, SIDE, 3)  # centres lie in voxel 24 of 48
            source = molecules[bodies[rows, number]][:, None].float()
            total[rows] += functional.grid_sample(source, grid, mode="bilinear", padding_mode="zeros", align_corners=True)[:, 0]
    sheet = views["sheet"]
    along = (points * sheet[:, None, :3]).sum(-1) - sheet[:, None, 3]
    across = (points**2).sum(-1) - (points * sheet[:, None, :3]).sum(-1) ** 2
    layer = torch.sigmoid((BILAYER / 2 - (along + across * sheet[:, None, 4] / 2).abs()) / 5)
    ball = 12 * torch.sigmoid((views["ball"][:, None] - (points**2).sum(-1).sqrt()) / 6) * (views["ball"][:, None] > 0)
    return total + (layer * 0.8 + ball).reshape(total.shape)


def recorded(density: Tensor, conditions: Conditions, noise: Tensor) -> Tensor:
    """Boxes (n, z, y, x) of one tomogram: filtered density with noise made of the white ``noise`` (n, z, y, x), standardised together."""
    shape = density.shape[1:]
    passed, amplitude = (torch.from_numpy(part).to(density.device) for part in (conditions.passed, conditions.noise))
    signal = torch.fft.rfftn(density * conditions.contrast, dim=(1, 2, 3)) * passed
    boxes = torch.fft.irfftn(signal + torch.fft.rfftn(noise, dim=(1, 2, 3)) * amplitude, s=shape, dim=(1, 2, 3))
    return (boxes - boxes.mean()) / boxes.std().clamp_min(1e-6)
