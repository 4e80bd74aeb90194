"""Averages: what is moved or turned comes to lie on itself."""
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.ndimage import shift as shifted
from scipy.spatial.transform import Rotation

from cryoetseg.core.clusters.averages import mean_of, shifted_average, turned, turned_average
from cryoetseg.core.clusters.describe import contrast_of, diameter_of, near_mask, neighbour_distance


@pytest.fixture
def body():
    volume = np.zeros((32, 32, 32), np.float32)
    volume[12:20, 10:22, 14:18] = 1
    volume[18:23, 18:22, 14:22] = 1
    return gaussian_filter(volume, 1.2)


def correlation(one, other):
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def test_shifts_are_taken_back(body):
    rng = np.random.default_rng(0)
    moved = [shifted(body, rng.integers(-2, 3, 3), order=1) + 0.3 * rng.standard_normal(body.shape) for _ in range(40)]
    boxes = np.array(moved, dtype=np.float32)
    aligned = max(correlation(shifted(shifted_average(boxes).density, step, order=1), body)
                  for step in np.ndindex(3, 3, 3) for step in [np.array(step) - 1])
    assert aligned > correlation(mean_of(boxes).density, body) + 0.05


def test_turning_matrices_act_on_x_y_z():
    volume = torch.zeros(1, 9, 9, 9)
    volume[0, 4, 4, 7] = 1  # on the x axis
    quarter = torch.from_numpy(Rotation.from_euler("z", 90, degrees=True).as_matrix()[None].astype(np.float32))
    assert torch.nonzero(turned(volume, quarter)[0] > 0.9).tolist() == [[4, 7, 4]]  # on the y axis


@pytest.mark.slow
def test_turns_are_found_and_fill_the_wedge(body):
    rng = np.random.default_rng(0)
    turns = Rotation.random(12, random_state=1).as_matrix().astype(np.float32)
    whole = torch.from_numpy(body).expand(12, -1, -1, -1)
    boxes = turned(whole, torch.from_numpy(turns)).numpy() + 0.05 * rng.standard_normal((12, 32, 32, 32)).astype(np.float32)
    average = turned_average(boxes, (-60, 60), rng)
    assert average.likeness.mean() > 0.6
    assert average.density.std() > 1.3 * mean_of(boxes).density.std()  # a turned mean is a smooth ball


def test_diameter_and_contrast_of_a_ball():
    axis = (np.arange(32) - 15.5) * 12.5
    radius = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    assert diameter_of(1 / (1 + np.exp((radius - 100) / 8))) == pytest.approx(217, rel=0.05)  # a quarter of the height lies 9 A outside
    assert contrast_of((radius < 100).astype(float)) == pytest.approx(1)
    assert np.isnan(diameter_of(np.random.default_rng(0).standard_normal(radius.shape)))


def test_neighbours_of_the_own_group_and_membranes():
    zyx = np.array([[0, 0, 0], [0, 0, 3], [0, 0, 1], [9, 9, 9]], float)
    assert neighbour_distance(zyx, np.array([1, 1, 2, 3]), 10.0).tolist() == [30, 30, np.inf, np.inf]
    mask = np.zeros((20, 20, 20), np.int8)
    mask[10] = 1
    assert near_mask(mask, np.array([[4.0, 9, 9], [7, 9, 9]]), 10.0, 40).tolist() == [False, True]
