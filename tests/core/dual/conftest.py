"""Small phantoms and networks for the tests of DUAL."""
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from cryoetseg.core.dual.data import Domain, StandardisedView
from cryoetseg.core.dual.model import DualNetworks
from cryoetseg.core.dual.networks import orthogonal_start
from cryoetseg.core.dual.params import DualArchitecture

SMALL = {"patch_px": 16, "denoiser_channels": "4,6", "generator_channels": "2,4", "noise_channels": "2,2,4", "judge_channels": "4,4",
         "filter_radius": 3, "code_length": 4}


@pytest.fixture
def small():
    return dict(SMALL)


def density_of(seed, shape=(32, 48, 48), balls=40):
    """Bright balls on an empty ground."""
    generator = np.random.default_rng(seed)
    volume = np.zeros(shape, np.float32)
    for centre in generator.uniform(0, 1, (balls, 3)) * shape:
        volume[tuple(centre.astype(int))] += generator.uniform(1, 3)
    return gaussian_filter(volume, 2) * 100


def tomogram_of(seed, noise=2.0):
    """The density of another seed under coloured noise of known strength."""
    density = density_of(seed)
    density = (density - density.mean()) / density.std()
    white = np.random.default_rng(seed + 1).normal(size=density.shape).astype(np.float32)
    return gaussian_filter(density + noise * white, 0.7)


@pytest.fixture(scope="session")
def domains():
    """A noisy and an unrelated clean domain; the mask before the blur has the deviation 2."""
    noisy = Domain([StandardisedView(-tomogram_of(seed), "dark") for seed in (0, 10)], 16)
    clean = Domain([StandardisedView(density_of(seed), "bright") for seed in (20, 30)], 16)
    return noisy, clean


@pytest.fixture(scope="session")
def phantom():
    """A tomogram of the noisy domain and the density behind it."""
    return tomogram_of(0), density_of(0)


@pytest.fixture
def dual():
    """Networks with random weights."""
    torch.manual_seed(0)
    networks = DualNetworks(DualArchitecture(**SMALL)).eval()
    orthogonal_start([networks])
    return networks
