import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from cryoetseg.core.foundation.door import Affinity
from cryoetseg.core.foundation.gradient_solver import EigenvectorNetwork, _step, _windows, fitted_eigenvectors, replayed, spectral_loss
from cryoetseg.core.foundation.params import SpectralParameters
from cryoetseg.core.foundation.spectral import subspace_overlap


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def heads(affinity, count=2):
    return Affinity(affinity.matrix.expand(count, -1, -1), affinity.grid, affinity.name)


def test_blocks_are_found(block_affinity, stripes):
    passed = [heads(block_affinity(16, 4, name="up0")), heads(block_affinity(8, 4, name="down0"))]
    parameters = SpectralParameters(eigenvectors=4, gradient_iterations=1000)
    vectors, record = fitted_eigenvectors(itertools.repeat(passed), 16, parameters, generator(), width=16)
    assert subspace_overlap(vectors, stripes(16, 4)) > 0.95
    np.testing.assert_allclose(np.linalg.norm(vectors.reshape(4, -1), axis=1), 1, atol=1e-5)
    assert 60 < record.passes < 140  # one iteration in ten
    assert record.eigenvalue > 0.9


def test_same_seed_same_result_and_the_process_random_state_is_left_alone(block_affinity):
    passed = [heads(block_affinity(8, 4))]
    parameters = SpectralParameters(eigenvectors=4, gradient_iterations=40)
    state = torch.get_rng_state()
    first, second = (fitted_eigenvectors(itertools.repeat(passed), 8, parameters, generator(3), width=8)[0] for _ in range(2))
    assert np.array_equal(first, second)
    assert torch.equal(torch.get_rng_state(), state)


def test_maps_are_a_softmax_over_maps():
    torch.manual_seed(0)
    maps = EigenvectorNetwork(5, 8, width=8)()
    assert maps.shape == (5, 8, 8)
    torch.testing.assert_close(maps.sum(dim=0), torch.ones(8, 8))


def test_loss_follows_its_definition(block_affinity):
    maps = torch.rand(3, 8, 8, generator=generator())
    affinities = [heads(block_affinity(8, 4)), heads(block_affinity(4, 4), 3)]
    eigenvalues, overlaps = [], []
    for affinity in affinities:
        z = F.adaptive_avg_pool2d(maps[None], affinity.grid)[0].flatten(1)
        z = z / z.norm(dim=1, keepdim=True)
        eigenvalues += [float(z[c] @ head @ z[c]) for head in affinity.matrix for c in range(3)]
        overlaps += [float(z[c] @ z[d]) ** 2 for c in range(3) for d in range(3) if c != d]
    expected = 2 * np.abs(np.array(eigenvalues) - 1).mean() + 2 * np.mean(overlaps)
    assert float(spectral_loss(maps, affinities)[0]) == pytest.approx(expected, rel=1e-4)


def test_replay_keeps_middle_and_up_layers(block_affinity):
    passed = [block_affinity(8, 4, name=name) for name in ("down_blocks.0", "mid_block", "up_blocks.0")]
    assert [affinity.name for affinity in replayed(passed)] == ["mid_block", "up_blocks.0"]
    assert len(replayed([block_affinity(8, 4, name="features")])) == 1


def test_windows_hold_every_iteration_and_start_fresh():
    windows = list(_windows(SpectralParameters(), generator()))
    assert len(windows) == 100
    assert windows[0][0][0] is True
    assert sum(fresh + repeats for window in windows for fresh, repeats in window) == 2000
    assert 150 < sum(fresh for window in windows for fresh, _ in window) < 250


def test_counting_equal_iterations_equals_running_them(block_affinity):
    affinities = [heads(block_affinity(8, 4))]
    gradients = []
    for batches in ([(affinities, 4)], [(affinities, 1)] * 4):
        torch.manual_seed(0)
        network = EigenvectorNetwork(3, 8, width=8)
        _step(network, torch.optim.SGD(network.parameters(), lr=0.0), batches)
        gradients.append(network.seed.grad.clone())
    torch.testing.assert_close(*gradients)
