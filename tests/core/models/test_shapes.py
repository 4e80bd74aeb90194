from __future__ import annotations

import pytest
import torch

from cryoetseg.core.models.shapes import check_sides
from cryoetseg.core.runtime.errors import InputError


def test_multiples_pass_and_all_else_is_told() -> None:
    check_sides(torch.zeros(1, 1, 8, 16, 24), 8)
    for shape in [(1, 1, 8, 12, 8), (1, 1, 0, 8)]:
        with pytest.raises(InputError, match="multiples of 8"):
            check_sides(torch.zeros(shape), 8)
