"""Membranes with the shapes of labelled ones."""

import numpy as np
import pytest

from cryoetseg.core.simulation.params import SimulationParameters
from cryoetseg.core.simulation.sample import build_scene
from cryoetseg.core.simulation.traced import cut_labels, traced_surface
from cryoetseg.core.volumes.io import write_volume

SIZE = 12.0


def plane(thickness):
    labels = np.zeros((20, 40, 40), dtype=bool)
    labels[:, :, 20 - thickness // 2:20 - thickness // 2 + thickness] = True
    return labels


@pytest.mark.parametrize("thickness", [1, 5])
def test_distances_are_those_to_the_middle_of_the_label(thickness):
    surface = traced_surface(plane(thickness), SIZE)
    points = np.array([[10, 20, 20], [10, 20, 25], [10, 20, 12]]) * SIZE
    np.testing.assert_allclose(surface.distance(points), [0, 5 * SIZE, 8 * SIZE], atol=0.51 * SIZE)
    assert not surface.closed


def test_a_scene_carries_the_bilayer_where_the_label_was():
    p = SimulationParameters(voxel_size=SIZE, size_z=20, size_y=40, size_x=40, particles="none", vesicle_count=0, ellipsoid_count=0,
                             tube_count=0, sheet_count=0, actin_count=0, unresolved_density=0.0)
    scene = build_scene(p, [], 0, [traced_surface(plane(1), SIZE)])
    columns = np.flatnonzero(scene.membranes[10].any(axis=0))
    assert columns.min() >= 17
    assert columns.max() <= 23
    assert scene.membranes[10, 20, 20] == 1
    assert scene.density[10, 20, 18:23].max() > 0.3


def test_a_box_is_cut_where_labels_are_and_joined_for_coarse_voxels(tmp_path):
    labels = np.zeros((40, 60, 60), dtype=np.int8)
    labels[:, :, 30:33] = 2
    write_volume(tmp_path / "labels.mrc", labels, SIZE)
    box, size = cut_labels([tmp_path / "labels.mrc"], (240, 480, 480), [SIZE], 8.0, np.random.default_rng(0))
    assert box.shape == (20, 40, 40)
    assert size == SIZE
    assert box.dtype == bool
    coarse, size = cut_labels([tmp_path / "labels.mrc"], (240, 480, 480), [SIZE], 25.0, np.random.default_rng(0))
    assert coarse.shape == (10, 20, 20)
    assert size == 2 * SIZE
    assert coarse.any()
    write_volume(tmp_path / "empty.mrc", np.zeros((40, 60, 60), np.int8), SIZE)
    assert cut_labels([tmp_path / "empty.mrc"], (240, 480, 480), [SIZE], 8.0, np.random.default_rng(0)) is None
