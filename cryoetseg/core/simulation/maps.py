"""Templates from the user's own files: density maps in any volume format, atomic models in PDB format."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, gaussian_filter
from skimage.filters import threshold_otsu

from ..runtime.errors import InputError
from ..runtime.job import InputFile
from ..volumes.contrast import particles_bright
from ..volumes.io import read_volume
from .library import MASK_THRESHOLD, RNA_DENSITY, VOLUME_PER_DALTON, Template, density_from_points, fine_spacing, template_sigma

PathLike = str | Path
FWHM = 2.355  # full width at half maximum of a Gaussian in standard deviations
DEFAULT_RESOLUTION = 9.4  # the blur of the built-in library's residues
RNA_VOLUME_PER_DALTON = 0.91  # partial specific volume 0.55 cm3 / g
MASSES = {"H": 1.008, "D": 2.014, "C": 12.011, "N": 14.007, "O": 15.999, "S": 32.06, "P": 30.974, "SE": 78.97, "MG": 24.305,
          "ZN": 65.38, "FE": 55.845, "CA": 40.078, "MN": 54.938, "NA": 22.99, "K": 39.098, "CL": 35.45}
HYDROGEN_SHARE = 1.075  # models without hydrogens lack about 7 % of a protein's mass
NUCLEOTIDES = {"A", "C", "G", "U", "I", "DA", "DC", "DG", "DT", "DU"}
WATER = {"HOH", "WAT", "DOD"}


def load_templates(inputs: Sequence[InputFile], voxel_size: float) -> list[Template]:
    """Templates for tomograms of ``voxel_size`` from job inputs: PDB files by suffix .pdb or .ent, everything else as a map."""
    templates = []
    for item in inputs:
        path = Path(item.path)
        if path.suffix.lower() in (".pdb", ".ent"):
            templates.append(template_from_pdb(path, voxel_size))
        else:
            templates.append(template_from_map(path, voxel_size, contrast=item.contrast, map_voxel_size=item.voxel_size))
    return templates


def template_from_map(
    path: PathLike, voxel_size: float, contrast: str = "bright", map_voxel_size: float | None = None, abundance: float = 1.0,
) -> Template:
    """A template for tomograms of ``voxel_size`` from a density map whose particles look as ``contrast`` says.

    The particle's centre is voxel n // 2 of the map, as RELION has it. The solvent level (median of the box's faces) becomes 0 and the
    median density above Otsu's threshold 1. Raises :class:`InputError` without a voxel size or when ``contrast`` cannot be right.
    """
    array, header = read_volume(path, map_voxel_size)
    if not header.voxel_size_is_known:
        raise InputError(f"{path}: the voxel size of the map is unknown", "a voxel size in Angstrom", "give the map's voxel size")
    density = particles_bright(array, contrast)
    density = density - np.median(_faces(density))
    if density.max() < -density.min():
        raise InputError(f"{path}: with contrast '{contrast}' the particle is darker than its surroundings", "dark, bright",
                         "give the other contrast for this map")
    density = _centred(density, header.voxel_size, fine_spacing(voxel_size), template_sigma(voxel_size, 0.0))
    solid = density[density > threshold_otsu(density)]
    density = (density / np.median(solid)).astype(np.float32)
    mass = np.count_nonzero(density > MASK_THRESHOLD) * fine_spacing(voxel_size) ** 3 / VOLUME_PER_DALTON / 1e3
    return Template(Path(path).stem, density, fine_spacing(voxel_size), float(mass), abundance)


def _faces(volume: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([np.take(volume, edge, axis=axis).ravel() for axis in range(3) for edge in (0, -1)])


def _centred(volume: NDArray[np.float32], spacing: float, target: float, sigma: float) -> NDArray[np.float32]:
    """Resample about voxel n // 2 onto a cube with odd sides, blurred by ``sigma`` Angstrom, solvent outside."""
    centre = np.array(volume.shape) // 2
    half = int(np.ceil(max(volume.shape) / 2 * spacing / target)) + 1
    step = target / spacing
    smooth = gaussian_filter(volume, max(sigma / spacing, (step - 1) / 2 if step > 1 else 0.0))
    side = 2 * half + 1
    return affine_transform(smooth, np.eye(3) * step, centre - half * step, (side, side, side), order=1, mode="constant")


def template_from_pdb(path: PathLike, voxel_size: float, resolution: float = DEFAULT_RESOLUTION, abundance: float = 1.0) -> Template:
    """A template for tomograms of ``voxel_size`` from an atomic model, each atom a Gaussian of sigma = ``resolution`` / 2.355.

    An atom holds the volume of its mass (1.21 A3 per Da in protein); nucleic acid is 1.7 times as dense. Water is left out.
    The centre of mass becomes the particle's centre. Raises :class:`InputError` when the file holds no atoms.
    """
    points, masses, nucleic = _read_atoms(Path(path))
    contrast_volume = masses * np.where(nucleic, RNA_VOLUME_PER_DALTON * RNA_DENSITY, VOLUME_PER_DALTON)
    points = points - np.average(points, axis=0, weights=masses)
    sigma = template_sigma(voxel_size, resolution / FWHM)
    density = density_from_points(points, contrast_volume, fine_spacing(voxel_size), sigma)
    return Template(Path(path).stem, density, fine_spacing(voxel_size), float(masses.sum() / 1e3), abundance)


def _read_atoms(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Positions (n, 3) as (z, y, x), masses (Da, hydrogens made up for) and whether nucleic acid, from a PDB file's fixed columns."""
    rows, masses, nucleic, hydrogens = [], [], [], False
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}", "a PDB file") from error
    for number, line in enumerate(lines, start=1):
        if line.startswith("ENDMDL"):
            break  # further models are other poses of the same molecule
        residue = line[17:20].strip()
        if not line.startswith(("ATOM  ", "HETATM")) or residue in WATER:
            continue
        try:
            rows.append([float(line[46:54]), float(line[38:46]), float(line[30:38])])
        except ValueError as error:
            raise InputError(f"{path}, line {number}: no coordinates in columns 31-54", "a PDB file", "check the file") from error
        element = line[76:78].strip().upper() or line[12:16].strip().lstrip("0123456789")[:1].upper()
        hydrogens |= element in ("H", "D")
        masses.append(MASSES.get(element, 12.011))
        nucleic.append(residue in NUCLEOTIDES)
    if not rows:
        raise InputError(f"{path} holds no atoms", "a PDB file with ATOM records", "convert mmCIF files to PDB first")
    return np.array(rows), np.array(masses) * (1.0 if hydrogens else HYDROGEN_SHARE), np.array(nucleic)
