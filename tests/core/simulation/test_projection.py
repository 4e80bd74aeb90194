"""Projection and back-projection on phantoms with known truth."""
import numpy as np
import pytest
import torch

from cryoetseg.core.simulation.projection import Geometry, back_project, back_projector, mirrored, project

CPU = torch.device("cpu")
GEOMETRY = Geometry(depth=16, width=24)


def test_zero_tilt_is_the_sum_along_the_beam():
    volume = torch.rand(16, 5, 24)
    image = project(volume, GEOMETRY, np.array([0.0]))[0]
    start = (GEOMETRY.detector - 24) // 2
    assert torch.allclose(image[:, start : start + 24], volume.sum(dim=0), atol=1e-4)


@pytest.mark.parametrize("angle", [-60.0, -20.0, 35.0, 70.0])
def test_a_point_lands_where_the_tilt_puts_it(angle: float):
    volume = torch.zeros(16, 3, 24)
    volume[11, 1, 12] = 1.0
    image = project(volume, GEOMETRY, np.array([angle]))[0]
    z, x, a = 11 - 7.5, 12 - 11.5, np.deg2rad(angle)
    u = x * np.cos(a) + z * np.sin(a) + (GEOMETRY.detector - 1) / 2
    low = int(np.floor(u))
    assert image[1, low].item() == pytest.approx(1 - (u - low), abs=1e-4)
    assert image[1, low + 1].item() == pytest.approx(u - low, abs=1e-4)
    assert image[0].sum() == 0


def test_projection_of_a_slab_grows_with_the_path_and_has_no_empty_border():
    image = project(torch.ones(16, 2, 24), GEOMETRY, np.array([60.0]))[0, 0]
    assert torch.allclose(image, torch.full_like(image, 32.0), rtol=0.12)  # 16 / cos 60


def test_back_projection_is_the_transpose_of_the_projection_inside():
    volume, images = torch.zeros(16, 2, 24), torch.rand(2, 2, GEOMETRY.detector)
    volume[4:12, :, 8:16] = torch.rand(8, 2, 8)
    angles = np.array([-10.0, 15.0])
    forward = (project(volume, GEOMETRY, angles) * images).sum()
    backward = (back_project(images, GEOMETRY, back_projector(GEOMETRY, angles, CPU)) * volume).sum()
    assert forward.item() == pytest.approx(backward.item(), rel=1e-3)


def test_mirrored_indices():
    assert mirrored(np.arange(-3, 7), 4).tolist() == [2, 1, 0, 0, 1, 2, 3, 3, 2, 1]


def test_detector_sees_every_voxel():
    operator = back_projector(GEOMETRY, np.arange(-85.0, 86.0, 5.0), CPU)
    assert operator.col_indices().max() < operator.shape[1]
    ones = torch.ones(35, 1, GEOMETRY.detector)
    assert torch.allclose(back_project(ones, GEOMETRY, operator), torch.full((16, 1, 24), 35.0), atol=1e-3)
