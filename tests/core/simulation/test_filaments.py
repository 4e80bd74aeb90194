"""Filaments as worm-like chains."""
import numpy as np
import pytest

from cryoetseg.core.simulation.filaments import ACTIN, MICROTUBULE, STEP, subunit_centres, worm_like_chain


def test_persistence_length_of_the_chain():
    rng = np.random.default_rng(1)
    cosines = []
    for _ in range(200):
        _, tangents = worm_like_chain(np.zeros(3), np.array([0.0, 0, 1]), 2000.0, 4000.0, rng)
        cosines.append(tangents[0] @ tangents[50])
    # <cos> = exp(-s / P) along s = 50 steps of 20 A with P = 4000 A
    assert np.mean(cosines) == pytest.approx(np.exp(-50 * STEP / 4000), abs=0.03)


def straight(length: float) -> tuple[np.ndarray, np.ndarray]:
    return worm_like_chain(np.zeros(3), np.array([0.0, 0, 1]), length, 1e12, np.random.default_rng(2))


def test_microtubule_has_thirteen_protofilaments_on_its_radius():
    centres = subunit_centres(MICROTUBULE, *straight(2000.0))
    assert np.allclose(np.hypot(centres[:, 0], centres[:, 1]), 112, atol=0.1)
    strands = 13 * np.arctan2(centres[:, 1], centres[:, 0]) / (2 * np.pi)
    assert len(np.unique(np.round(strands - strands[0]).astype(int) % 13)) == 13
    assert np.allclose((strands - strands[0]) % 1, np.round((strands - strands[0]) % 1), atol=0.01)
    assert len(centres) == pytest.approx(13 * 2000 / 40, rel=0.05)


def test_actin_has_a_subunit_every_27_angstrom():
    centres = subunit_centres(ACTIN, *straight(3000.0))
    assert np.allclose(np.diff(np.sort(centres[:, 2])), 27.5, atol=0.1)
