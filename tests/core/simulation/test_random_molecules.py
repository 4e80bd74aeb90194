"""Molecules that do not exist: centred, sized by their mass, the same for the same seed."""

import numpy as np
import pytest
from scipy.ndimage import center_of_mass

from cryoetseg.core.simulation.library import Template, build_template
from cryoetseg.core.simulation.random_molecules import random_molecule


@pytest.mark.parametrize("number", [0, 5, 11])
def test_a_molecule_is_centred_and_holds_its_mass(number):
    molecule = random_molecule(number, 3)
    template = build_template(molecule, 10.0)
    middle = np.array(center_of_mass(template.density)) - len(template.density) // 2
    assert np.abs(middle).max() * template.spacing < 10
    assert template.mask_volume == pytest.approx(molecule.mass_kda * 1210, rel=0.35)


def test_the_same_seed_draws_the_same_and_another_another():
    first, again, other = random_molecule(2, 7), random_molecule(2, 7), random_molecule(2, 8)
    assert first.mass_kda == again.mass_kda != other.mass_kda
    points = np.random.default_rng(0).uniform(-60, 60, (500, 3))
    assert (first.body.contains(points) == again.body.contains(points)).all()


def test_the_gyration_diameter_of_a_ball_is_its_diameter():
    axis = np.arange(-20, 21)
    ball = (np.sqrt(axis[:, None, None]**2 + axis[:, None]**2 + axis**2) <= 12).astype(np.float32)
    assert Template("ball", ball, 4.0, 100.0).gyration_diameter == pytest.approx(96, rel=0.03)
