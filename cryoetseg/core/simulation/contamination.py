"""What lies about a sample and is none of it: ice crystals on its faces and in the empty ice, and the carbon film of the grid."""
from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from .membranes import smooth_field
from .params import SimulationParameters
from .rotations import matrix_zyx, random_rotation

Box = tuple[slice, slice, slice]
ICE_DENSITY = (0.4, 2.5)  # relative to protein in vitreous ice: thin flakes to thick crystals that scatter by Bragg's law
FLATTEST = 0.15  # shortest over longest axis of a flake
ROUGHNESS = 0.25
CARBON_DENSITY = 1.2
CARBON_GRAIN = 12.0  # A, the grain of amorphous carbon
CARBON_GRAIN_HEIGHT = 0.6
CARBON_THICKNESS = 150.0  # A
HOLE_RADIUS = (6000.0, 12000.0)  # A


class Foreign(NamedTuple):
    """Something that is not sample: its ``density`` (z, y, x) in the ``box`` of the scene, and the voxels that it fills."""

    box: Box
    density: NDArray[np.float32]
    mask: NDArray[np.bool_]


def crystals(p: SimulationParameters, z_range: tuple[int, int], empty: NDArray[np.bool_], rng: np.random.Generator) -> Iterator[Foreign]:
    """Ice crystals: flakes and balls with a rough surface, on the faces of the sample ``z_range`` or in the columns ``empty`` (y, x)."""
    for _ in range(p.contamination_count):
        size = np.exp(rng.uniform(np.log(p.contamination_size_min), np.log(p.contamination_size_max)))
        semi_axes = size / 2 * np.array([rng.uniform(FLATTEST, 1), rng.uniform(0.6, 1), 1])
        rotation, bumps = random_rotation(rng), smooth_field(rng, 1.0, 4.0)
        density = np.exp(rng.uniform(*np.log(ICE_DENSITY)))
        found = _blob(_centre(p, z_range, empty, semi_axes[0], rng), semi_axes / p.voxel_size, matrix_zyx(rotation), bumps, density, p)
        if found is not None:
            yield found


def _centre(
    p: SimulationParameters, z_range: tuple[int, int], empty: NDArray[np.bool_], half_height: float, rng: np.random.Generator,
) -> NDArray[np.float64]:
    """A place (z, y, x) in voxels: half of the crystals on a face of the sample, half in empty ice where there is some."""
    side, beside = int(rng.integers(2)), rng.uniform() < 0.5
    face = z_range[side] + (2 * side - 1) * half_height / p.voxel_size
    z, y, x = rng.uniform(0, 1, size=3) * (p.size_z, p.size_y, p.size_x)
    columns = np.argwhere(empty)
    if beside and len(columns):
        y, x = columns[rng.integers(len(columns))]
        return np.array([z, y, x])
    return np.array([face, y, x], dtype=np.float64)


def _blob(
    centre: NDArray[np.float64], semi_axes: NDArray[np.float64], matrix: NDArray[np.float64], bumps: object, density: float,
    p: SimulationParameters,
) -> Foreign | None:
    """A rough ellipsoid about ``centre``; all in voxels. None when no voxel of it lies inside the volume."""
    shape = np.array([p.size_z, p.size_y, p.size_x])
    reach = semi_axes.max() * (1 + 2 * ROUGHNESS) + 2
    lower = np.clip(np.floor(centre - reach).astype(int), 0, shape)
    upper = np.clip(np.ceil(centre + reach).astype(int) + 1, 0, shape)
    if (upper <= lower).any():
        return None
    axes = [np.arange(first, last) - middle for first, last, middle in zip(lower, upper, centre)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    scaled = points @ matrix / semi_axes
    q = np.maximum(np.linalg.norm(scaled, axis=1), 1e-6)
    swelling = 1 + ROUGHNESS * bumps(scaled / q[:, None])  # type: ignore[operator]
    inside = np.clip((swelling - q) * semi_axes.min() + 0.5, 0, 1).reshape(upper - lower).astype(np.float32)
    if not inside.any():
        return None
    box = (slice(lower[0], upper[0]), slice(lower[1], upper[1]), slice(lower[2], upper[2]))
    return Foreign(box, inside * np.float32(density), inside > 0.5)


def carbon_film(p: SimulationParameters, z_range: tuple[int, int], rng: np.random.Generator) -> Foreign | None:
    """A film of grainy carbon on the lower face of the sample, outside a round hole whose edge crosses the field."""
    size = np.array([p.size_y, p.size_x])
    direction, radius = rng.uniform(0, 2 * np.pi), rng.uniform(*HOLE_RADIUS) / p.voxel_size
    edge = size * rng.uniform(0.25, 0.75, size=2)
    middle = edge - radius * np.array([np.sin(direction), np.cos(direction)])
    y, x = np.ogrid[:p.size_y, :p.size_x]
    outside = np.hypot(y - middle[0], x - middle[1]) > radius
    thickness = max(1, round(CARBON_THICKNESS / p.voxel_size))
    first = max(0, z_range[0] - thickness // 2)
    last = min(p.size_z, first + thickness)
    if not outside.any() or last <= first:
        return None
    grain = gaussian_filter(rng.standard_normal((last - first, *size)), CARBON_GRAIN / p.voxel_size)
    grain *= CARBON_GRAIN_HEIGHT / max(float(grain.std()), 1e-9)
    mask = np.broadcast_to(outside, grain.shape)
    density = np.where(mask, np.maximum(CARBON_DENSITY + grain, 0), 0).astype(np.float32)
    return Foreign((slice(first, last), slice(0, p.size_y), slice(0, p.size_x)), density, mask)


def sample_columns(p: SimulationParameters, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Columns (y, x) of the field that hold sample: those on one side of a straight edge, ``field_share`` of them."""
    direction = rng.uniform(0, 2 * np.pi)
    y, x = np.ogrid[:p.size_y, :p.size_x]
    along = np.sin(direction) * y + np.cos(direction) * x
    return along <= np.quantile(along, p.field_share)
