"""From a picture to eigenvectors by the solver the parameters name."""
from __future__ import annotations

import numpy as np
import torch

from .door import Backbone
from .gradient_solver import fitted_eigenvectors
from .params import SegmentSlabsParameters
from .spectral import leading_eigenvectors


def picture_eigenvectors(
    backbone: Backbone, picture: np.ndarray, voxel_size: float, border: int, parameters: SegmentSlabsParameters, generator: torch.Generator
) -> np.ndarray:
    """Eigenvectors of one picture a frame cut for ``backbone``; ``voxel_size`` is the tomogram's in Angstrom.

    Returns float32 (eigenvectors, side, side), side = the backbone's tokens - 2 ``border``. The gradient solver knows no border: it
    solves for all tokens and its maps are cropped.
    """
    nanometres = voxel_size / 10
    if parameters.solver != "gradient":
        affinities = backbone.affinities(picture, nanometres, generator, parameters.draws)
        return leading_eigenvectors(affinities, parameters.eigenvectors, border)
    passes = backbone.head_passes(picture, nanometres, generator)
    vectors, _ = fitted_eigenvectors(passes, backbone.tokens, parameters, generator)
    inside = slice(border, backbone.tokens - border)
    return vectors[:, inside, inside]
