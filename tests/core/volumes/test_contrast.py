"""Contrast is turned once and without wrap-around."""
import numpy as np
import pytest

from cryoetseg.core.runtime.errors import ParameterError
from cryoetseg.core.volumes.contrast import particles_bright


def test_dark_is_negated_and_bright_kept():
    array = np.array([-128, 0, 127], np.int8)
    np.testing.assert_array_equal(particles_bright(array, "dark"), [128, 0, -127])
    np.testing.assert_array_equal(particles_bright(array, "bright"), [-128, 0, 127])
    assert particles_bright(array, "dark").dtype == np.float32
    unsigned = np.array([0, 65535], np.uint16)
    np.testing.assert_array_equal(particles_bright(unsigned, "dark"), [0, -65535])


def test_unknown_contrast():
    with pytest.raises(ParameterError, match="dark, bright"):
        particles_bright(np.ones(3), "grey")
