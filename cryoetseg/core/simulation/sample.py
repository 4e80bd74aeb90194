"""Filling a sample: membranes and what lines them, filaments, gold, cytosol and what is no sample in one density, with exact labels."""
from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from ..runtime.progress import track
from ..runtime.seeds import numpy_generator
from .contamination import carbon_film, crystals, sample_columns
from .filaments import add_filaments
from .gold import add_gold
from .library import Template, splat, template_sigma
from .membranes import Shell, Surface, bilayer_density, draw_surfaces, occupied_cubes, touches, voxels_near
from .packing import dilated, numbers_for, pack, render
from .params import SimulationParameters
from .rotations import random_rotation, rotation_to_normal
from .scene import Scene

logger = logging.getLogger(__name__)

MEMBRANE_TRIES = 20
LINING = "ribosome_80s"
LINING_PER_UM2 = 600.0  # ribosomes on a square micrometre of rough endoplasmic reticulum
UNRESOLVED_VOLUME = 36300.0  # a protein of 30 kDa
UNRESOLVED_SIGMA = 14.0


def build_scene(parameters: SimulationParameters, templates: Sequence[Template], seed: int, surfaces: Sequence[Surface] = ()) -> Scene:
    """Fill a sample: membranes with their proteins, filaments, gold, cytosol, unresolved background.

    ``surfaces`` are membranes with a shape of their own, placed before those that the parameters ask for.
    """
    scene = Scene(parameters, templates)
    limit_field(scene, numpy_generator(seed, "field"))
    for surface in surfaces:
        _add_membrane(scene, surface, _shell(scene, surface), empty_lumen=False)
    add_membranes(scene, numpy_generator(seed, "membranes"))
    add_membrane_proteins(scene, numpy_generator(seed, "membrane proteins"))
    add_lining(scene, numpy_generator(seed, "lining"))
    add_filaments(scene, numpy_generator(seed, "filaments"))
    add_gold(scene, numpy_generator(seed, "gold"))
    add_foreign(scene, numpy_generator(seed, "contamination"))
    add_cytosol(scene, numpy_generator(seed, "cytosol"))
    add_unresolved(scene, numpy_generator(seed, "unresolved"))
    scene.finish_numbering()
    return scene


def limit_field(scene: Scene, rng: np.random.Generator) -> None:
    """Leave empty ice beside an edge, where the sample does not fill the field."""
    if scene.parameters.field_share < 1:
        scene.columns = sample_columns(scene.parameters, rng)
        scene.occupied[:, ~scene.columns] = True


def add_foreign(scene: Scene, rng: np.random.Generator) -> None:
    """Lay ice crystals and carbon over the sample: they hide what they cover."""
    p = scene.parameters
    for crystal in crystals(p, scene.z_range, ~scene.columns, rng):
        scene.add_foreign("contamination", crystal)
    film = carbon_film(p, scene.z_range, rng) if p.carbon_edge else None
    if film is not None:
        scene.add_foreign("carbon", film)


def add_membranes(scene: Scene, rng: np.random.Generator) -> None:
    """Draw each membrane until it touches nothing placed before, close the lumen of some, write density and label."""
    p = scene.parameters
    for draw in track(list(draw_surfaces(p, rng)), "membranes"):
        cubes = occupied_cubes(scene.occupied)
        for _ in range(MEMBRANE_TRIES):
            surface = draw()
            if not touches(surface, cubes, p.voxel_size, p.membrane_label_half_width):
                break
        else:
            logger.info("no free place for a %s", surface.kind)
            continue
        _add_membrane(scene, surface, _shell(scene, surface), empty_lumen=surface.closed and rng.uniform() < p.empty_lumen_fraction)


def _shell(scene: Scene, surface: Surface) -> Shell:
    p = scene.parameters
    return voxels_near(surface, (p.size_z, p.size_y, p.size_x), p.voxel_size, p.membrane_label_half_width + 2 * p.voxel_size)


def _add_membrane(scene: Scene, surface: Surface, shell: Shell, empty_lumen: bool) -> None:
    p = scene.parameters
    first, last = scene.z_range
    in_slab = (shell.index[:, 0] >= first) & (shell.index[:, 0] < last) & scene.columns[shell.index[:, 1], shell.index[:, 2]]
    shell = Shell(shell.index[in_slab], shell.distance[in_slab], shell.inside)
    where = tuple(shell.index.T)
    scene.density[where] += bilayer_density(shell.distance, p, p.voxel_size)
    label = tuple(shell.index[np.abs(shell.distance) <= p.membrane_label_half_width].T)
    scene.membranes[label] = 1
    scene.classes[label] = scene.class_of("membrane")
    scene.occupied[label] = True
    if empty_lumen:
        scene.occupied[tuple(shell.inside.T)] = True
    scene.surfaces.append((surface, shell))


def add_membrane_proteins(scene: Scene, rng: np.random.Generator) -> None:
    """Place membrane proteins with their axis along the outward normal, as many per area as asked for."""
    p = scene.parameters
    kinds = [index for index, template in enumerate(scene.templates) if template.placement == "membrane"]
    if not kinds or p.membrane_proteins == 0:
        return
    abundance = np.array([scene.templates[index].abundance for index in kinds])
    for surface, shell in scene.surfaces:
        middle = np.flatnonzero(np.abs(shell.distance) <= p.voxel_size / 2)
        area = len(middle) * p.voxel_size**2 * 1e-8  # um2
        number = min(rng.poisson(area * p.membrane_proteins), len(middle))
        for row in rng.choice(middle, size=number, replace=False):
            point = shell.index[row] * p.voxel_size
            normal = surface.normals(point[None])[0]
            if not normal.any():
                continue  # beyond the faces of a traced surface its distance is constant
            centre = (point - shell.distance[row] * normal) / p.voxel_size
            _try_membrane_protein(scene, int(rng.choice(kinds, p=abundance / abundance.sum())), centre, rotation_to_normal(normal, rng))


def add_lining(scene: Scene, rng: np.random.Generator) -> None:
    """Line some membranes with ribosomes that touch them with their large side."""
    p = scene.parameters
    kinds = [index for index, template in enumerate(scene.templates) if template.name == LINING]
    if not kinds or not p.lined_membranes:
        return
    lift = scene.templates[kinds[0]].mask_volume ** (1 / 3) / 2 + p.membrane_label_half_width
    for surface, shell in scene.surfaces:
        middle = np.flatnonzero(np.abs(shell.distance) <= p.voxel_size / 2)
        number = min(rng.poisson(len(middle) * p.voxel_size**2 * 1e-8 * LINING_PER_UM2), len(middle))
        if rng.uniform() >= p.lined_membranes:
            continue
        for row in rng.choice(middle, size=number, replace=False):
            point = shell.index[row] * p.voxel_size
            normal = surface.normals(point[None])[0]
            _try_membrane_protein(scene, kinds[0], (point + (lift - shell.distance[row]) * normal) / p.voxel_size, random_rotation(rng))


def _try_membrane_protein(scene: Scene, template: int, centre: NDArray[np.float64], rotation: Rotation) -> None:
    voxel = np.round(centre).astype(np.int64)
    body = render(scene.templates[template], rotation, centre - voxel, scene.parameters.voxel_size)
    start = voxel + body.offset
    stop = start + body.density.shape
    if (start < 0).any() or (stop > scene.density.shape).any() or start[0] < scene.z_range[0] or stop[0] > scene.z_range[1]:
        return
    if not (scene.instances[body.box_at(voxel)].astype(bool) & dilated(body.mask)).any():
        scene.add_particle(template, centre, rotation, body, voxel)


def add_cytosol(scene: Scene, rng: np.random.Generator) -> None:
    """Pack the soluble macromolecules to the occupancy asked for."""
    p = scene.parameters
    soluble = [index for index, template in enumerate(scene.templates) if template.placement == "cytosol"]
    templates = [scene.templates[index] for index in soluble]
    first, last = scene.z_range
    free = np.count_nonzero(~scene.occupied[first:last]) * p.voxel_size**3
    numbers = numbers_for(templates, free, p.occupancy)
    for placed in pack(templates, numbers, scene.occupied, p.voxel_size, scene.z_range, p.packing_tries, rng):
        scene.add_particle(soluble[placed.template], placed.centre, placed.rotation, placed.body, placed.voxel)


def add_unresolved(scene: Scene, rng: np.random.Generator) -> None:
    """Fill what is free with small unlabelled proteins, which makes the grain of a cytosol."""
    p = scene.parameters
    first, last = scene.z_range
    shape = (last - first, p.size_y, p.size_x)
    number = rng.poisson(p.unresolved_density * np.prod(shape) * p.voxel_size**3 / UNRESOLVED_VOLUME)
    if number == 0:
        return
    positions = rng.uniform(0, 1, size=(number, 3)) * (np.array(shape) - 1)
    weights = rng.gamma(3.0, UNRESOLVED_VOLUME / 3.0 / p.voxel_size**3, size=number)
    free = ~scene.occupied[first:last]
    grains = splat(positions, weights, shape) * free
    scene.density[first:last] += gaussian_filter(grains, template_sigma(p.voxel_size, UNRESOLVED_SIGMA) / p.voxel_size, truncate=3) * free
