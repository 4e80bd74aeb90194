"""The list of particles that a network of centres finds in a tomogram, by the parameters of picking."""
from __future__ import annotations

import numpy as np
import torch
from scipy.stats import rankdata

from ...particles.table import ParticleTable
from ..picker.params import PickDeepetParameters
from ..picker.ranking import contrast_at
from ..volumes import StudentVolume
from .apply import find_centres
from .model import FREE, KINDS, MEMBRANE_BOUND, CentreModel
from .peaks import Centres

LIKELY = 0.2  # probability from which a place is a particle unless another is asked for: the best mean F1 on scenes that taught nothing
COARSE, COARSE_DIAMETER_PX = 20.0, 8.0  # A; where voxels are so coarse, contrast at eight voxels tells particles as well as the network


def with_contrast(found: Centres, contrast: np.ndarray) -> Centres:
    """The same picks in the order of the mean of two quantiles, of their probability and of their contrast (n,).

    The probabilities are dealt out anew in that order, so that as many picks as before lie above any of them.
    """
    order = np.argsort(-(rankdata(found.logit) + rankdata(contrast)), kind="stable")
    return found.of(order)._replace(logit=np.sort(found.logit)[::-1])


def centre_picks(volume: StudentVolume, model: CentreModel, parameters: PickDeepetParameters, device: torch.device) -> ParticleTable:
    """Particles in the tomogram's own voxels, best first; scores are probabilities, diameters estimates in Angstrom, and the class says
    whether a membrane holds them."""
    p, voxel_size = parameters, volume.header.voxel_size
    found = find_centres(volume, model, device, smallest_probability=p.height_threshold or LIKELY, distance=p.distance,
                         views=int(p.views))
    if p.ranking == "combined" and voxel_size >= COARSE:
        found = with_contrast(found, contrast_at(volume, found.zyx, np.full(len(found.zyx), COARSE_DIAMETER_PX)))
    diameter = found.diameter * voxel_size
    kept = (diameter >= p.diameter_min) & (diameter <= (p.diameter_max or np.inf))
    if p.membrane_proteins != "keep":
        kept &= (found.bound >= 0.5) == (p.membrane_proteins == "only")
    found = found.of(np.flatnonzero(kept)[:p.count or None])
    return ParticleTable.from_points(
        found.zyx, voxel_size=voxel_size, tilt_series_id=volume.name, class_id=np.where(found.bound >= 0.5, MEMBRANE_BOUND, FREE),
        score=found.probability, diameters=found.diameter * voxel_size, class_names=KINDS)
