import numpy as np
import pytest
import torch

from cryoetseg.core.foundation.door import Backbone
from cryoetseg.core.foundation.params import SegmentSlabsParameters
from cryoetseg.core.foundation.solvers import picture_eigenvectors


class Stripes(Backbone):
    """A backbone that sees four stripes in every picture and records what it was asked."""

    name, input_size_px, tokens = "stripes", 16, 16

    def __init__(self, make):
        self.make, self.asked = make, []

    def affinities(self, image, voxel_size_nm, generator, draws):
        self.asked.append((voxel_size_nm, draws))
        return [self.make(16, 4)]


@pytest.mark.parametrize(("solver", "draws"), [("eigen", 3), ("gradient", 1)])
def test_both_solvers_take_any_backbone(block_affinity, solver, draws):
    backbone = Stripes(block_affinity)
    parameters = SegmentSlabsParameters(solver=solver, draws=3, eigenvectors=4, gradient_iterations=20)
    vectors = picture_eigenvectors(backbone, np.zeros((16, 16), np.float32), 13.48, 2, parameters, torch.Generator().manual_seed(0))
    assert vectors.shape == (4, 12, 12)
    assert backbone.asked[0] == (pytest.approx(1.348), draws)
