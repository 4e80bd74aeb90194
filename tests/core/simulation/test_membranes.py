"""Membranes as implicit surfaces."""
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cryoetseg.core.simulation.membranes import (
    bilayer_density,
    draw_surfaces,
    occupied_cubes,
    sheet,
    smooth_field,
    torus,
    touches,
    tube,
    vesicle,
    voxels_near,
)
from cryoetseg.core.simulation.params import SimulationParameters

IDENTITY = Rotation.identity()
CENTRE = np.array([300.0, 300.0, 300.0])


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_distance_to_a_sphere():
    ball = vesicle(CENTRE, np.full(3, 200.0), IDENTITY, 0.0, rng())
    points = CENTRE + np.array([[0.0, 0, 210], [150, 0, 0], [0, 120, 160]])
    assert np.allclose(ball.distance(points), [10, -50, 0], atol=1e-2)
    assert np.allclose(ball.normals(points[:1]), [[0, 0, 1]], atol=1e-3)


def test_distance_to_a_torus_a_tube_and_a_sheet():
    ring = torus(CENTRE, 150.0, 50.0, IDENTITY, 0.0, rng())
    assert np.allclose(ring.distance(CENTRE + np.array([[0.0, 0, 150], [0, 210, 0], [60, 150, 0]])), [-50, 10, 10], atol=1e-2)
    plane = sheet(CENTRE, IDENTITY, 1000.0, 0.0, 0.0, rng())
    assert np.allclose(plane.distance(CENTRE + np.array([[30.0, 500, -90]])), [30], atol=1e-2)
    pair = sheet(CENTRE, IDENTITY, 1000.0, 0.0, 80.0, rng())
    assert np.allclose(pair.distance(CENTRE + np.array([[100.0, 0, 0], [-100, 0, 0], [0, 0, 0]])), [20, 20, -80], atol=1e-2)
    pipe = tube(CENTRE, 100.0, IDENTITY, 1000.0, 0.0, rng())
    axis = np.linspace(-300, 300, 121)
    section = np.stack(np.meshgrid([0.0], axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    assert np.count_nonzero(pipe.distance(CENTRE + section) < 0) * 25 == pytest.approx(np.pi * 100**2, rel=0.02)


def test_roughness_moves_the_surface_by_its_share():
    points = CENTRE + 200 * np.array([[np.cos(a), np.sin(a), 0] for a in np.linspace(0, 6, 300)])
    distance = vesicle(CENTRE, np.full(3, 200.0), IDENTITY, 0.08, rng()).distance(points)
    assert 3 < distance.std() < 32


def test_smooth_field_has_unit_variance():
    field = smooth_field(rng(), 1.0, 3.0)
    assert field(rng().uniform(-100, 100, size=(20000, 3))).std() == pytest.approx(1, abs=0.1)


def test_voxels_near_finds_all_and_only_those():
    ball = vesicle(CENTRE, np.array([200.0, 150.0, 150.0]), IDENTITY, 0.05, rng())
    shape = (57, 61, 63)
    shell = voxels_near(ball, shape, 10.0, 45.0)
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), -1).reshape(-1, 3)
    distance = ball.distance(grid * 10.0).reshape(shape)
    found = np.zeros(shape, bool)
    found[tuple(shell.index.T)] = True
    assert np.array_equal(found, np.abs(distance) <= 45)
    inside = np.zeros(shape, bool)
    inside[tuple(shell.inside.T)] = True
    assert np.array_equal(inside, distance < -45)


def test_touches_sees_a_neighbour_and_no_far_voxel():
    ball = vesicle(CENTRE, np.full(3, 150.0), IDENTITY, 0.0, rng())
    occupied = np.zeros((60, 60, 60), bool)
    assert not touches(ball, occupied_cubes(occupied), 10.0, 25.0)
    occupied[30, 30, 58] = True
    assert not touches(ball, occupied_cubes(occupied), 10.0, 25.0)
    occupied[30, 30, 46] = True
    assert touches(ball, occupied_cubes(occupied), 10.0, 25.0)


def test_bilayer_has_two_leaflets_and_the_same_mass_at_every_voxel_size():
    p = SimulationParameters(membrane_amplitude=0.6, membrane_interior=-0.15)
    d = np.arange(-100, 100.5, 0.5)
    fine, coarse = bilayer_density(d, p, 2.0), bilayer_density(d, p, 25.0)
    assert abs(d[np.argmax(fine)]) == pytest.approx(17, abs=1.5)
    assert fine[len(d) // 2] < 0 < fine.max() < 0.65
    assert fine.sum() == pytest.approx(coarse.sum(), rel=0.02)


def test_as_many_surfaces_are_drawn_as_asked_for():
    p = SimulationParameters(vesicle_count=3, ellipsoid_count=1, tube_count=1, torus_count=1, sheet_count=2)
    kinds = [draw().kind for draw in draw_surfaces(p, rng())]
    assert kinds.count("vesicle") == 4
    assert kinds.count("tube") == kinds.count("torus") == 1
    assert sum("sheet" in kind for kind in kinds) == 2
