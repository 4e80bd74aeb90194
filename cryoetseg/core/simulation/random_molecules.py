"""Macromolecules that do not exist: random lobes under a random point group, so that a network learns particles and not a library."""
from __future__ import annotations

import numpy as np

from ..runtime.seeds import numpy_generator
from .molecules import Molecule
from .shapes import Solid, ellipsoid, moved, sphere, symmetric, union

SYMMETRIES = ("C1", "C1", "C1", "C2", "C2", "C3", "C4", "C6", "C7", "D2", "D3", "D4", "D6", "D7", "O")
MASS_KDA = (60.0, 4000.0)
SAMPLES = 100_000  # points that tell a body's centre of mass
HOLLOW_SHARE = 0.2
RNA_SHARE = 0.2


def random_molecule(number: int, seed: int) -> Molecule:
    """Molecule ``number`` of the library that ``seed`` draws: a mass of 60 to 4000 kDa, evenly on a logarithmic scale, in one to five
    lobes; a fifth of them hollow, a fifth with a dense core as ribosomes have. Sizes follow from the mass."""
    rng = numpy_generator(seed, "random molecule", number)
    symmetry = str(rng.choice(SYMMETRIES))
    mass = float(np.exp(rng.uniform(*np.log(MASS_KDA))))
    spread = 1.0 if symmetry == "C1" else rng.uniform(0.6, 1.4)
    body = symmetric(union(*(_lobe(spread, rng) for _ in range(int(rng.integers(1, 6))))), symmetry)
    if rng.uniform() < HOLLOW_SHARE:
        body = body - sphere((0, 0, 0), 40 * rng.uniform(0.4, 0.9))
    core = sphere((0, 0, 0), 70 * spread) if rng.uniform() < RNA_SHARE else None
    return Molecule(f"random_{seed}_{number}", mass, "C1", *_centred(body, core, rng))


def _centred(body: Solid, core: Solid | None, rng: np.random.Generator) -> tuple[Solid, Solid | None]:
    """Both moved so that the body's centre of mass is the origin: a particle's place is its centre."""
    points = rng.uniform(-body.radius, body.radius, size=(SAMPLES, 3))
    centre = points[body.contains(points)].mean(axis=0)
    return moved(body, -centre), None if core is None else moved(core, -centre)


def _lobe(spread: float, rng: np.random.Generator) -> Solid:
    """An ellipsoid about 60 A wide, off the axis by about its own width."""
    z, y, x = rng.normal(0, 35 * spread, size=3) + np.array([0, 35, 0]) * (spread if spread != 1.0 else 0.0)
    a, b, c = rng.uniform(20, 60, size=3)
    return ellipsoid((float(z), float(y), float(x)), (float(a), float(b), float(c)))
