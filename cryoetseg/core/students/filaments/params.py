"""Parameters of segmenting filaments and of tracing their axes.

Imported by Scipion's own interpreter: valid Python 3.8, no dependency but pydantic.
"""
from ...runtime.params import parameter
from ..membranes.params import SeeingParameters


class SegmentFilamentsParameters(SeeingParameters):
    """Filaments of whole tomograms by the general model, and their axes."""

    threshold: float = parameter(0.5, "Voxels belong to a filament when their probability reaches this.", gt=0, lt=1)
    smallest_length: float = parameter(
        800.0, "Shorter axes are dropped, and what of the mask is near no axis.", label="Shortest filament", unit="A", ge=0)
    smallest_section: float = parameter(
        10_000.0, "Filaments with less volume of mask for their length are dropped: rows of particles look like thin ones. Microtubules "
        "have 25000, actin 4000, of which the general model sees little.", label="Smallest section", unit="A^2", ge=0)
    largest_gap: float = parameter(
        260.0, "Walls and pieces nearer to each other than this are one filament: a microtubule is a tube of 250 A.", label="Largest gap",
        unit="A", ge=0, le=2000)
    spacing: float = parameter(
        80.0, "Distance of neighbouring points on an axis in the list of points.", label="Spacing of points", unit="A", gt=0, le=10000)
