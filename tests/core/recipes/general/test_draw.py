"""Draws of training scenes: repeatable, every kind in its share, nothing held out leaks in."""

from collections import Counter

import numpy as np
import pytest

from cryoetseg.core.recipes.general.draw import (
    HELD_OUT_MOLECULES,
    KINDS,
    MEMBRANE_MOLECULES,
    TRAINING_MOLECULES,
    VOXEL_SIZES,
    draw_scene,
)
from cryoetseg.core.simulation.molecules import built_in_molecules

DRAWS = [draw_scene(number, 5) for number in range(280)]


def test_the_same_number_and_seed_draw_the_same_scene():
    assert draw_scene(17, 5) == DRAWS[17]
    assert draw_scene(17, 6) != DRAWS[17]


def test_every_kind_comes_in_its_share_at_every_voxel_size():
    counts = Counter(draw.kind for draw in DRAWS)
    for kind, share in KINDS:
        assert counts[kind] / len(DRAWS) == pytest.approx(share, abs=0.03)
    assert {draw.parameters.voxel_size for draw in DRAWS if draw.kind == "cell"} == set(VOXEL_SIZES)


def test_hard_negatives_hold_nothing_of_what_they_lack():
    for draw in DRAWS:
        p = draw.parameters
        membranes = p.vesicle_count + p.ellipsoid_count + p.tube_count + p.torus_count + p.sheet_count
        if draw.kind != "cell":
            assert membranes == 0
            assert not draw.traced_membranes
        if draw.kind in ("noise", "empty ice"):
            assert (p.particles, p.occupancy, draw.random_molecules, p.actin_count, p.microtubule_count) == ("none", 0, (), 0, 0)
        if draw.kind == "noise":
            assert (p.contamination_count, p.gold_count, p.carbon_edge, p.unresolved_density) == (0, 0, False, 0)


def test_molecules_kept_for_tests_are_never_drawn_and_all_others_are_known():
    known = {molecule.name for molecule in built_in_molecules()}
    assert {*HELD_OUT_MOLECULES, *TRAINING_MOLECULES, *MEMBRANE_MOLECULES} <= known
    mixtures = [draw.parameters.particles for draw in DRAWS if draw.parameters.particles != "none"]
    used = {item.split(":")[0].strip() for mixture in mixtures for item in mixture.split(",")}
    assert not used & set(HELD_OUT_MOLECULES)
    assert set(TRAINING_MOLECULES) <= used


@pytest.mark.parametrize(
    ("name", "low", "high"), [("snr", 0.025, 3.0), ("tilt_max", 40, 70), ("tilt_min", -70, -40), ("field_share", 0.2, 1)])
def test_ranges_are_used_from_end_to_end(name, low, high):
    values = np.array([getattr(draw.parameters, name) for draw in DRAWS])
    assert values.min() >= low
    assert values.max() <= high
    assert np.ptp(values) > 0.8 * (high - low) * (0.5 if name == "snr" else 1)
