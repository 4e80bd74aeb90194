"""Parameters of writing particle lists for other programs.

Imported by Scipion's own interpreter: valid Python 3.8, no dependency but pydantic.
"""
from typing import Literal

from ..runtime.params import Parameters, parameter


class ExportParticlesParameters(Parameters):
    """Which program the lists are for."""

    format: Literal["relion5", "relion", "imod_model", "dynamo", "em_motl", "coords", "copick", "csv"] = parameter(
        "relion5", "relion5: RELION 5, Angstrom from the tomogram's centre; relion: RELION 3 and 4 and their peers, voxels; imod_model: "
        "models for 3dmod, one object a class; dynamo: tables; em_motl: motive lists; coords: DeepETPicker; copick: JSON; csv: tables.",
        label="Format")
    tilt_series_pixel: float = parameter(
        0.0, "Pixel size of the tilt series, which RELION 5's optics names; 0 takes that of the tomograms, which is right only where these "
        "are not binned.", unit="A", ge=0, acts_when={"format": "relion5"}, label="Pixel size of the tilt series")


class SelectParticlesParameters(Parameters):
    """Which particles of a list are kept."""

    clusters: str = parameter("", "Numbers of the classes that are kept, with commas; empty keeps all.", label="Classes")
    lowest_score: float = parameter(-1e9, "Particles that score less are left out; those without a score stay.", label="Lowest score")
