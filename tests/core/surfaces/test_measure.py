"""Numbers of spheres, cylinders and sheets against the formulas, at three voxel sizes."""
import numpy as np
import pytest

from cryoetseg.core.surfaces.measure import measured, with_distances

VOXEL_SIZES = (7.0, 10.0, 15.0)
THICKNESS = 50.0


def of(mask, voxel_size):
    return measured(1, mask, (0, 0, 0), mask.shape, voxel_size)[0]


@pytest.mark.parametrize("voxel_size", VOXEL_SIZES)
@pytest.mark.parametrize("radius", [110.0, 200.0])
def test_sphere(space, voxel_size, radius):
    z, y, x = space((2 * radius + 140,) * 3, voxel_size) - np.array([3.3, -1.2, 0.7])[:, None, None, None]
    found = of(np.abs(np.sqrt(x * x + y * y + z * z) - radius) <= THICKNESS / 2, voxel_size)
    assert found.area == pytest.approx(4 * np.pi * radius**2, rel=0.03)
    assert found.enclosed_volume == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.03)
    assert found.thickness == pytest.approx(THICKNESS, rel=0.03)
    assert found.mean_curvature == pytest.approx(1 / radius, rel=0.03)
    assert found.gaussian_curvature == pytest.approx(1 / radius**2, rel=0.06)
    assert found.length == pytest.approx(2 * radius, rel=0.03)
    assert found.closed
    assert not found.at_border


@pytest.mark.parametrize("voxel_size", VOXEL_SIZES)
def test_open_cylinder(space, voxel_size):
    z, y, x = space((760, 480, 480), voxel_size) - np.array([0, 4.1, -2.7])[:, None, None, None]
    found = of((np.abs(np.hypot(x, y) - 150) <= THICKNESS / 2) & (np.abs(z) <= 300), voxel_size)
    assert found.area == pytest.approx(2 * np.pi * 150 * 600, rel=0.03)
    assert found.capped_volume == pytest.approx(np.pi * 150**2 * 600, rel=0.03)
    assert found.thickness == pytest.approx(THICKNESS, rel=0.03)
    assert found.mean_curvature == pytest.approx(1 / 300, rel=0.05)
    assert abs(found.gaussian_curvature) < 0.05 / 150**2
    assert not found.closed
    assert np.isnan(found.enclosed_volume)
    assert found.closedness == pytest.approx(600 / (600 + 150), rel=0.12)  # caps: 2 pi r^2 beside 2 pi r h


@pytest.mark.parametrize("voxel_size", VOXEL_SIZES)
def test_two_oblique_sheets_and_their_distance(space, voxel_size):
    z, y, x = space((760, 700, 700), voxel_size)
    normal = np.array([0.8, 0.5, 0.33]) / np.linalg.norm([0.8, 0.5, 0.33])
    first = np.cross(normal, [0, 0, 1.0]) / np.linalg.norm(np.cross(normal, [0, 0, 1.0]))
    second = np.cross(normal, first)
    height, across, along = (axis[0] * z + axis[1] * y + axis[2] * x for axis in (normal, first, second))
    inside = (np.abs(across) <= 200) & (np.abs(along) <= 150)
    masks = [(np.abs(height - middle) <= THICKNESS / 2) & inside for middle in (-60.0, 60.0)]
    rows, surfaces = zip(*(measured(number, mask, (0, 0, 0), mask.shape, voxel_size) for number, mask in enumerate(masks, start=1)))
    for row in rows:
        assert row.area == pytest.approx(400 * 300, rel=0.03)
        assert row.thickness == pytest.approx(THICKNESS, rel=0.03)
        assert row.mean_curvature < 1 / 1500
        assert not row.closed
    together = with_distances(rows, surfaces, voxel_size)
    assert [row.nearest_label for row in together] == [2, 1]
    assert together[0].nearest == pytest.approx(120, rel=0.03)


def test_a_vesicle_cut_by_the_border_is_not_closed(space):
    z, y, x = space((300, 500, 500), 10.0)
    found = of(np.abs(np.sqrt(x * x + y * y + (z - 60) ** 2) - 180) <= THICKNESS / 2, 10.0)
    assert found.at_border
    assert not found.closed
    assert np.isnan(found.enclosed_volume)


def test_a_mesh_that_encloses_something_points_outwards(space):
    z, y, x = space((400,) * 3, 10.0)
    _, surface = measured(1, np.abs(np.sqrt(x * x + y * y + z * z) - 140) <= 25, (0, 0, 0), z.shape, 10.0)
    outwards = surface.vertices - (np.array(z.shape) - 1) / 2
    assert (np.einsum("ij,ij->i", outwards, surface.normals) > 0).all()
    corners = surface.vertices[surface.faces]
    assert np.linalg.det(corners - surface.vertices.mean(axis=0)).sum() > 0
