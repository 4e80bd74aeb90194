"""The filters against a direct triple loop, their limits, and the warning about degenerate scales."""
import itertools
import math

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.utils._python_dispatch import TorchDispatchMode

from cryoetseg.core.voxuda import bilateral as module
from cryoetseg.core.voxuda.bilateral import bilateral, degeneracy, range_features, scaled

FEATURES = ["intensity", "sobel32", "sobel", "laplacian_gradient"]


@pytest.fixture(scope="module")
def noise():
    return torch.randn(7, 8, 9, generator=torch.Generator().manual_seed(0)) * 3 + 5


def triple_loop(volume, features, domain_sigma, range_sigma):
    result, total = np.zeros(volume.shape), 0.0
    for place in np.ndindex(volume.shape):
        numerator = denominator = 0.0
        for offset in itertools.product((-1, 0, 1), repeat=3):
            other = tuple(min(max(p + o, 0), n - 1) for p, o, n in zip(place, offset, volume.shape))
            distance = sum((features[(slice(None), *place)] - features[(slice(None), *other)]) ** 2)
            weight = math.exp(-sum(o * o for o in offset) / (2 * domain_sigma**2)) * math.exp(-distance / (2 * range_sigma**2))
            numerator += weight * volume[other]
            denominator += weight
        result[place] = numerator / denominator
        total += denominator
    return result, total / volume.size


@pytest.mark.parametrize("feature", FEATURES)
def test_the_filter_equals_a_triple_loop(noise, feature, monkeypatch):
    monkeypatch.setattr(module, "BLOCK_VOXELS", (500, 500))  # several blocks, so that their seams are tested
    features = range_features(scaled(noise[None], "z_score"), feature)[0].double().numpy()
    expected, weight_sum = triple_loop(noise.double().numpy(), features, 1.5, 1.2)
    found = bilateral(noise, 1.5, 1.2, feature)
    np.testing.assert_allclose(found.volumes.numpy(), expected, atol=1e-5)
    assert float(found.weight_sum) == pytest.approx(weight_sum, rel=1e-5)


def test_gradients_are_those_of_scipy(noise):
    volume = noise.numpy()
    sobel = np.stack([ndimage.sobel(volume, axis, mode="nearest") for axis in range(3)])
    np.testing.assert_allclose(range_features(noise[None], "sobel")[0].numpy(), sobel, atol=1e-4)
    laplacian = ndimage.laplace(volume, mode="nearest")
    gradient = np.stack([ndimage.correlate1d(laplacian, [-1, 0, 1], axis, mode="nearest") for axis in range(3)])
    np.testing.assert_allclose(range_features(noise[None], "laplacian_gradient")[0].numpy(), gradient, atol=1e-4)


def test_the_true_gradient_of_a_slope_is_one():
    slope = torch.arange(8.0).expand(8, 8, 8)
    gradient = range_features(slope[None], "sobel32")[0, :, 2:-2, 2:-2, 2:-2]
    torch.testing.assert_close(gradient.mean(dim=(1, 2, 3)), torch.tensor([0.0, 0.0, 1.0]))


def test_without_range_kernel_it_is_the_mean_of_27(noise):
    found = bilateral(noise, math.inf, math.inf, "sobel32")
    np.testing.assert_allclose(found.volumes.numpy(), ndimage.uniform_filter(noise.numpy(), 3, mode="nearest"), atol=1e-5)
    assert float(found.weight_sum) == pytest.approx(27)


def test_the_warning_tells_identity_and_box_mean(noise):
    identity = float(bilateral(noise, feature="sobel").weight_sum)  # standardised data with an unnormalised Sobel (spec B5)
    box = float(bilateral(noise, feature="sobel32", scale="min_max").weight_sum)
    assert identity < 2
    assert "changes nothing" in degeneracy(identity)
    assert "box mean" in degeneracy(box)
    assert degeneracy(float(bilateral(noise, feature="sobel32").weight_sum)) == ""


def test_the_result_does_not_depend_on_unit_or_batch(noise):
    batch = torch.stack([noise, -40 * noise])[:, None]
    found = bilateral(batch, feature="sobel32").volumes
    torch.testing.assert_close(found[0, 0], bilateral(noise, feature="sobel32").volumes)
    torch.testing.assert_close(found[1], -40 * found[0], atol=1e-2, rtol=1e-5)


class Launches(TorchDispatchMode):
    """Counts the operations that a device would be asked for."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, arguments=(), named=None):
        self.count += not (function.is_view or function is torch.ops.aten.slice.Tensor)
        return function(*arguments, **(named or {}))


def test_a_batch_takes_as_many_launches_as_one_volume(noise, monkeypatch):
    monkeypatch.setattr(module, "BLOCK_VOXELS", (1 << 20, 1 << 20))
    counts = []
    for batch in (noise[None], noise.repeat(16, 1, 1, 1)):
        with Launches() as launches:
            bilateral(batch, feature="sobel32")
        counts.append(launches.count)
    assert counts[0] <= counts[1] < counts[0] + 10 < 300  # a batch's lines are laid end to end first
