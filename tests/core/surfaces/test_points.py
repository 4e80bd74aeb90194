"""Points on membranes: spacing, normals, angles, and files as other programs read them."""
import dynamotable
import numpy as np
import pytest
import starfile
from eulerangles import convert_eulers
from scipy.spatial import cKDTree

from cryoetseg.core.particles.angles import along_directions, to_matrices
from cryoetseg.core.particles.formats import read_particles, write_particles
from cryoetseg.core.surfaces.apply import point_table
from cryoetseg.core.surfaces.measure import measured
from cryoetseg.core.surfaces.params import MembranePointsParameters
from cryoetseg.core.surfaces.points import BEYOND_RIM, INSIDE, OUTSIDE, distances_to, points_on

VOXEL_SIZE, RADIUS = 10.0, 203.0


@pytest.fixture(scope="module")
def sphere(space):
    z, y, x = space((560,) * 3, VOXEL_SIZE)
    return measured(1, np.abs(np.sqrt(x * x + y * y + z * z) - RADIUS) <= 25, (0, 0, 0), z.shape, VOXEL_SIZE)[1]


@pytest.fixture(scope="module")
def middle():
    return np.full(3, 27.5)


def on(sphere, **changes):
    return points_on(sphere, MembranePointsParameters(**{"spacing": 60.0, **changes}), VOXEL_SIZE, np.random.default_rng(0))


@pytest.mark.parametrize("sampling", ["farthest", "poisson"])
def test_spacing(sphere, sampling):
    points = on(sphere, sampling=sampling).zyx
    assert cKDTree(points).query(points, 2)[0][:, 1].min() * VOXEL_SIZE >= 60 - 1e-6
    assert cKDTree(points).query(sphere.vertices)[0].max() * VOXEL_SIZE <= 60  # no gap is left


def test_angles_turn_z_along_the_normal(sphere, middle):
    points = on(sphere)
    outwards = points.zyx - middle
    outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
    turned = to_matrices(points.angles)[:, :, 2][:, ::-1]
    assert np.einsum("ij,ij->i", turned, outwards).min() > np.cos(np.deg2rad(7))


@pytest.mark.parametrize("normal", [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, 0, 1), (0.3, -0.5, 0.8)])
def test_angles_of_one_normal(normal):
    unit = np.array(normal, float) / np.linalg.norm(normal)
    assert np.allclose(to_matrices(along_directions(unit[None], np.array([37.0])))[0][:, 2], unit[::-1])


def test_both_sides_and_an_offset(sphere, middle):
    points = on(sphere, sides="both", offset=40.0)
    radii = np.linalg.norm(points.zyx - middle, axis=1) * VOXEL_SIZE
    assert np.allclose(radii[::2], RADIUS + 40, atol=5)
    assert np.allclose(radii[1::2], RADIUS - 40, atol=5)


def test_files_as_other_programs_read_them(sphere, tmp_path):
    points = on(sphere)
    table = point_table([points], [3], "TS_07", VOXEL_SIZE)
    write_particles(table, tmp_path / "points.star")
    rows = starfile.read(tmp_path / "points.star")
    rows = rows["particles"] if isinstance(rows, dict) else rows
    assert np.allclose(rows[["rlnCoordinateZ", "rlnCoordinateY", "rlnCoordinateX"]], points.zyx, atol=1e-3)
    assert np.allclose(rows[["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"]], points.angles, atol=1e-3)
    write_particles(table, tmp_path / "points.tbl")
    dynamo = np.loadtxt(tmp_path / "points.tbl")
    assert np.allclose(dynamo[:, 23:26], points.zyx[:, ::-1] + 1, atol=1e-3)
    assert (dynamo[:, 21] == 3).all()
    # Dynamo's manual: the tilt is the angle between the axis of the particle and z
    assert np.allclose(np.abs(dynamo[:, 7]), points.angles[:, 1], atol=1e-3)
    write_particles(table, tmp_path / "motl.star", format="stopgap")
    motl = starfile.read(tmp_path / "motl.star")
    assert np.allclose(motl["orig_z"] + motl["z_shift"] - 1, points.zyx[:, 0], atol=1e-3)
    for name in ("points.star", "points.tbl", "motl.star"):
        again = read_particles(tmp_path / name)
        assert np.allclose(to_matrices(again.angles), to_matrices(points.angles), atol=1e-4)


def test_points_go_through_a_library_of_dynamo_tables_and_back(sphere, tmp_path):
    table = point_table([on(sphere)], [3], "7", VOXEL_SIZE)
    write_particles(table, tmp_path / "points.tbl")
    rows = dynamotable.read(tmp_path / "points.tbl")
    assert np.allclose(rows[["z", "y", "x"]] - 1, table.zyx, atol=1e-3)
    assert (rows[["tomo", "class", "apix"]] == (7, 3, VOXEL_SIZE)).all(axis=None)
    as_relion = convert_eulers(rows[["tdrot", "tilt", "narot"]].to_numpy(), source_meta="dynamo", target_meta="relion")
    assert np.allclose(to_matrices(as_relion), to_matrices(table.angles), atol=1e-4)
    dynamotable.write(rows, tmp_path / "theirs.tbl")
    again = read_particles(tmp_path / "theirs.tbl")
    assert np.allclose(again.zyx, table.zyx, atol=1e-3)
    assert np.allclose(to_matrices(again.angles), to_matrices(table.angles), atol=1e-4)
    assert (again.voxel_size, set(again.tilt_series_id), set(again.class_id)) == (VOXEL_SIZE, {"7"}, {3})


def test_distance_and_side(sphere, middle, space):
    picks = middle + np.array([[0, 0, 0], [0, 0, 12], [25, 0, 0], [0, 21, 0]])
    found = distances_to([sphere], [5], picks, VOXEL_SIZE)
    assert found.distance == pytest.approx([-RADIUS, 120 - RADIUS, 250 - RADIUS, 210 - RADIUS], abs=5)
    assert found.side.tolist() == [INSIDE, INSIDE, OUTSIDE, OUTSIDE]
    assert set(found.membrane) == {5}
    z, y, x = space((400, 600, 600), VOXEL_SIZE)
    _, flat = measured(1, (np.abs(z) <= 25) & (np.abs(y) < 100) & (np.abs(x) < 100), (0, 0, 0), z.shape, VOXEL_SIZE)
    assert distances_to([flat], [1], np.array([[19.5, 29.5, 55.0]]), VOXEL_SIZE).side.tolist() == [BEYOND_RIM]
