"""Parameters of telling membranes from particles in three dimensions.

Imported by Scipion's own interpreter: valid Python 3.8, no dependency but pydantic.
"""
from typing import Literal

from ..runtime.params import Parameters, parameter


class SeparationParameters(Parameters):
    """How the stack of canvases becomes membranes and particles."""

    separation: Literal["volume", "slices"] = parameter(
        "volume", "In three dimensions, by the curvature of the stacked canvases, or slice by slice by the roundness of regions.",
        published="slices")
    membrane_scale: float = parameter(
        35.0, "Width of the sheet filter, about half the thickness of a membrane with its proteins; at least one voxel is taken.",
        unit="A", expert=True, gt=0, le=500, acts_when={"separation": "volume"}, label="Thickness of sheets")
    membrane_smoothing: float = parameter(
        40.0, "Width of the smoothing that joins the patches of one membrane; at least 1.3 voxels are taken.", unit="A",
        expert=True, gt=0, le=500, acts_when={"separation": "volume"}, label="Smoothing along sheets")
    membrane_threshold: float = parameter(
        1.2, "Strength a sheet must have, as a multiple of Otsu's threshold. Higher keeps less.", ge=0, le=20,
        acts_when={"separation": "volume"})
    membrane_seed: float = parameter(
        2.0, "Strength a sheet must reach somewhere, as a multiple of Otsu's threshold. Higher keeps fewer pieces.", ge=0, le=20,
        acts_when={"separation": "volume"}, label="Membrane seed")
    membrane_extent: float = parameter(
        600.0, "Smallest extent of a membrane within a slab; shorter pieces are dropped.", unit="A", ge=0, le=100000,
        acts_when={"separation": "volume"}, label="Smallest extent")
    particle_threshold: float = parameter(
        3.3, "Contrast a particle must have, in standard deviations. Higher keeps fewer.", ge=-10, le=50,
        acts_when={"separation": "volume"})
    particle_spacing: float = parameter(
        0.75, "Smallest distance between two particles, as a share of the particle diameter.", expert=True, gt=0, le=5,
        acts_when={"separation": "volume"}, label="Spacing of particles")
