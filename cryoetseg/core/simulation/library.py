"""Templates: macromolecules as density on a fine grid, ready to be turned and placed.

Density is relative: solvent 0, protein 1, RNA 1.7, so times 560 it is the excess mass in Da per nm3 and times 813 the protein
mass (spec D2.5, B1). The mask is density > 0.37 of the protein plateau (300 Da per nm3, Vox-UDA), and the library scales each
body so that the mask's volume is 1.21 A3 per Da (spec D2.1).
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, gaussian_filter

from ..runtime.errors import ParameterError
from ..runtime.seeds import numpy_generator
from .molecules import Molecule, Placement, built_in_molecules
from .rotations import symmetry_matrices
from .shapes import Solid

Array = NDArray[np.float64]
Volume = NDArray[np.float32]

MASK_THRESHOLD = 0.37
VOLUME_PER_DALTON = 1.21
RESIDUE_DALTON = 110.0
RESIDUE_SIGMA = 4.0
RNA_DENSITY = 1.7
ANTIALIAS_SIGMA = 0.4  # in target voxels: keeps frequencies above Nyquist out of the sampled density
CALIBRATION_SPACING = 5.0


@dataclass(frozen=True)
class Template:
    """A macromolecule on a fine grid.

    ``density`` (z, y, x) has odd sides and the particle's centre in its middle voxel; ``spacing`` is its voxel size in Angstrom.
    """

    name: str
    density: Volume
    spacing: float
    mass_kda: float
    abundance: float = 1.0
    placement: Placement = "cytosol"

    @cached_property
    def radius(self) -> float:
        """Radius in Angstrom, about the centre, of the sphere that holds the mask."""
        return float(np.sqrt((self._mask_voxels**2).sum(axis=1).max(initial=0)) + 1) * self.spacing

    @cached_property
    def gyration_diameter(self) -> float:
        """Diameter in Angstrom of the ball that has the density's radius of gyration: 2 sqrt(5 / 3) Rg."""
        solid = np.maximum(self.density, 0)
        axes = np.arange(len(solid)) - (len(solid) - 1) / 2
        second = sum(float(axes**2 @ solid.sum(axis=tuple(other for other in range(3) if other != axis))) for axis in range(3))
        return float(2 * np.sqrt(5 / 3 * second / max(float(solid.sum()), 1e-12))) * self.spacing

    @cached_property
    def half_extents(self) -> Array:
        """Half the sides (z, y, x) in Angstrom of the box about the centre that holds the mask."""
        return (np.abs(self._mask_voxels).max(axis=0, initial=0) + 1) * self.spacing

    @property
    def _mask_voxels(self) -> Array:
        return np.argwhere(self.density > MASK_THRESHOLD) - (np.array(self.density.shape) - 1) / 2

    @cached_property
    def mask_volume(self) -> float:
        """Volume of the mask in cubic Angstrom."""
        return float(np.count_nonzero(self.density > MASK_THRESHOLD)) * self.spacing**3


def fine_spacing(voxel_size: float) -> float:
    """Grid spacing of templates for tomograms of ``voxel_size``: half of it, at least 2.5 A."""
    return max(voxel_size / 2, 2.5)


def template_sigma(voxel_size: float, intrinsic: float = RESIDUE_SIGMA) -> float:
    """Blur in Angstrom that a template needs: its own and the anti-aliasing, less what two linear interpolations add (h2/6 each)."""
    added = fine_spacing(voxel_size) ** 2 / 3
    return float(np.sqrt(max(intrinsic**2 + (ANTIALIAS_SIGMA * voxel_size) ** 2 - added, 0.25)))


def build_template(molecule: Molecule, voxel_size: float) -> Template:
    """Fill ``molecule`` with residue beads and sample it for ``voxel_size``.

    The beads are drawn from the molecule's name alone: a molecule has one structure, whatever the seed of the sample.
    """
    points, volumes = _calibrated_beads(molecule)
    density = density_from_points(points, volumes, fine_spacing(voxel_size), template_sigma(voxel_size))
    return Template(molecule.name, density, fine_spacing(voxel_size), molecule.mass_kda, molecule.abundance, molecule.placement)


def _calibrated_beads(molecule: Molecule) -> tuple[Array, Array]:
    """Bead positions (n, 3) in Angstrom and their volumes times relative density, sized so that the mask has the mass's volume."""
    target = molecule.mass_kda * 1e3 * VOLUME_PER_DALTON
    count = round(molecule.mass_kda * 1e3 / RESIDUE_DALTON)
    points, body_volume = _fill(molecule.body, molecule.symmetry, count, numpy_generator(0, "library", molecule.name))
    relative = np.ones(len(points)) if molecule.rna is None else np.where(molecule.rna.contains(points), RNA_DENSITY, 1.0)
    scale = (target / body_volume) ** (1 / 3)
    for _ in range(2):  # blurred edges make the mask larger than the body: two corrections bring it within a few per cent
        bead = body_volume * scale**3 / len(points)
        density = density_from_points(points * scale, relative * bead, CALIBRATION_SPACING, RESIDUE_SIGMA)
        mask_volume = np.count_nonzero(density > MASK_THRESHOLD) * CALIBRATION_SPACING**3
        scale *= (target / mask_volume) ** (1 / 3)
    return points * scale, relative * (body_volume * scale**3 / len(points))


def _fill(body: Solid, symmetry: str, count: int, rng: np.random.Generator) -> tuple[Array, float]:
    """About ``count`` points uniformly in ``body``, exactly symmetric, and the volume of ``body`` (relative units)."""
    matrices = symmetry_matrices(symmetry)
    wanted = max(1, round(count / len(matrices)))
    cells, width = _cells_near(body)
    found: list[Array] = []
    drawn = inside = 0
    while inside < wanted or drawn < 40000:
        points = cells[rng.integers(len(cells), size=20000)] + rng.uniform(-width / 2, width / 2, size=(20000, 3))
        kept = points[body.contains(points)]
        found.append(kept)
        drawn, inside = drawn + len(points), inside + len(kept)
    unit = np.concatenate(found)[:wanted]
    return np.concatenate([unit @ matrix.T for matrix in matrices]), len(cells) * width**3 * inside / drawn


def _cells_near(body: Solid, per_axis: int = 28) -> tuple[Array, float]:
    """Centres (n, 3) and width of the lattice cells that hold ``body``, so that thin bodies need few draws."""
    width = 2 * body.radius / per_axis
    axis = (np.arange(per_axis) + 0.5) * width - body.radius
    centres = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    occupied = body.contains(centres).reshape(per_axis, per_axis, per_axis)
    return centres[binary_dilation(occupied, np.ones((3, 3, 3))).ravel()], width


def density_from_points(points: Array, volumes: Array, spacing: float, sigma: float) -> Volume:
    """Density (z, y, x) with odd sides about the origin from points in Angstrom, each a Gaussian of ``sigma`` holding ``volumes``.

    A region filled with points whose volumes add up to the region's volume has density 1.
    """
    half = int(np.ceil((np.abs(points).max(initial=0) + 3 * sigma) / spacing)) + 1
    side = 2 * half + 1
    grid = splat(points / spacing + half, volumes / spacing**3, (side, side, side))
    return gaussian_filter(grid, sigma / spacing, truncate=3.5)


def splat(positions: Array, weights: Array, shape: tuple[int, int, int]) -> Volume:
    """Add ``weights`` (n,) at voxel ``positions`` (n, 3), each shared between its eight voxels linearly.

    Points whose eight voxels are not all inside ``shape`` are dropped.
    """
    base = np.floor(positions).astype(np.int64)
    valid = ((base >= 0) & (base + 1 < shape)).all(axis=1)
    base, weights = base[valid], weights[valid]
    far = (positions[valid] - base).T
    near = 1 - far
    first = np.ravel_multi_index(tuple(base.T), shape)
    strides = np.array([shape[1] * shape[2], shape[2], 1])
    corners = [np.array(corner) for corner in np.ndindex(2, 2, 2)]
    indices = np.concatenate([first + corner @ strides for corner in corners])
    shares = np.concatenate([np.where(corner[:, None], far, near).prod(axis=0) * weights for corner in corners])
    return np.bincount(indices, shares, minlength=int(np.prod(shape))).reshape(shape).astype(np.float32)


def select_molecules(selection: str) -> list[Molecule]:
    """Molecules named in ``selection``: 'all', 'none', or 'name, name:number, ...' with relative numbers (1 when not given).

    Raises :class:`ParameterError` for an unknown name or a number that is not positive.
    """
    known = {molecule.name: molecule for molecule in built_in_molecules()}
    if selection.strip().lower() in ("all", ""):
        return list(known.values())
    if selection.strip().lower() == "none":
        return []
    chosen = []
    for item in selection.split(","):
        name, _, number = (part.strip() for part in item.partition(":"))
        if name not in known:
            raise ParameterError(f"unknown macromolecule '{name}'", "all, none, " + ", ".join(known), "correct the name")
        chosen.append(_with_abundance(known[name], number))
    return chosen


def _with_abundance(molecule: Molecule, number: str) -> Molecule:
    try:
        abundance = float(number or 1)
    except ValueError:
        abundance = 0.0
    if not 0 < abundance < np.inf:
        raise ParameterError(f"relative number '{number}' of {molecule.name}", "a number above 0", "write for example tric:2")
    return replace(molecule, abundance=abundance)


def build_templates(selection: str, voxel_size: float, extra: Sequence[Template] = ()) -> list[Template]:
    """Templates of the selected built-in molecules, then ``extra`` (user maps), for tomograms of ``voxel_size``."""
    chosen = select_molecules(selection)
    built = [replace(_built_in(molecule.name, voxel_size), abundance=molecule.abundance) for molecule in chosen]
    return [*built, *extra]


@lru_cache(maxsize=256)
def _built_in(name: str, voxel_size: float) -> Template:
    """A template depends on its name and the voxel size alone, so many small tomograms share the work."""
    molecule = next(molecule for molecule in built_in_molecules() if molecule.name == name)
    return build_template(molecule, voxel_size)
