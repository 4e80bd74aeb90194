"""Components across slabs are those of the whole volume."""

import numpy as np
import pytest
from scipy import ndimage

from cryoetseg.core.students.membranes import components


@pytest.mark.parametrize("planes", [1, 3, 100])
def test_streaming_gives_what_labelling_the_whole_volume_gives(monkeypatch, planes):
    generator = np.random.default_rng(4)
    values = ndimage.gaussian_filter(generator.random((14, 20, 22)), 0.8).astype(np.float32)
    level = float(np.quantile(values, 0.8))
    labels, count = ndimage.label(values >= level, np.ones((3, 3, 3)))
    sizes = np.bincount(labels.ravel())
    minimum = int(np.sort(sizes[1:])[count // 2]) + 1
    expected = (sizes >= minimum)[labels] & (labels > 0)
    assert 0 < expected.sum() < (labels > 0).sum()
    monkeypatch.setattr(components, "SLAB_BYTES", planes * 4 * 20 * 22)
    target = np.full(values.shape, 5, np.int8)
    assert components.without_small_components(values, level, minimum, target) == expected.sum()
    np.testing.assert_array_equal(target, expected)


def test_an_empty_mask_and_no_limit_work():
    values = np.zeros((4, 5, 6), np.float16)
    target = np.ones(values.shape, np.int8)
    assert components.without_small_components(values, 0.5, 10, target) == 0
    assert not target.any()
    values[1, 2, 3] = 1
    assert components.without_small_components(values, 0.5, 0, target) == 1
