"""Small labelled subtomograms: bright balls in noise, the target with other sizes, contrast and noise."""
import numpy as np
import pytest

from cryoetseg.core.voxuda.data import Subtomograms

SIZE = 16


def balls(count, seed, radius, contrast, classes=("a", "b")):
    generator = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.arange(SIZE)] * 3, indexing="ij"))
    volumes, masks = [], []
    for _ in range(count):
        centre = generator.uniform(6, 10, size=3)
        mask = ((grid - centre[:, None, None, None]) ** 2).sum(axis=0) < radius**2
        volume = contrast * mask + generator.normal(size=mask.shape)
        volumes.append(((volume - volume.mean()) / volume.std()).astype(np.float32))
        masks.append(mask)
    names = [f"s{number}" for number in range(count)]
    return Subtomograms(np.stack(volumes), np.stack(masks), names, [classes[number % 2] for number in range(count)], 10.0)


@pytest.fixture(scope="session")
def source():
    return balls(8, 1, 4.0, 2.0)


@pytest.fixture(scope="session")
def target():
    return balls(8, 2, 5.0, 1.5)
