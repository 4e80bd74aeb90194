"""Values of options that commands share."""
import pytest

from cryoetseg.core.commands import options
from cryoetseg.core.runtime.errors import ParameterError


@pytest.mark.parametrize("text", ["", "5", "5:", ":5", "5:5", "6:5", "-1:5", "a:b", "1:2:3", "1.5:3"])
def test_a_z_range_that_is_none_is_refused(text):
    with pytest.raises(ParameterError, match="--z 40:72"):
        options.z_range(text)


def test_a_z_range_is_half_open():
    assert options.z_range("40:72") == (40, 72)
