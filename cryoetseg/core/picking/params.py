"""Parameters of picking without learning.

Imported by Scipion's own interpreter: valid Python 3.8, no dependency but pydantic.
"""
from typing import Literal

from ..runtime.params import Parameters, parameter


class DogParameters(Parameters):
    """Difference-of-Gaussians picking of blobs of about one size."""

    particle_diameter: float = parameter(
        280.0, "Diameter of the particles. The inner Gaussian's sigma is this over 2 sqrt(3), to which a ball of that size answers most "
        "strongly: 81 A for a ribosome of 280 A.", label="Particle diameter", unit="A", gt=0.0, le=10000.0)
    sigma: float = parameter(
        0.0, "Sigma of the inner Gaussian; 0 takes it from the particle diameter.", unit="A", expert=True, ge=0.0, le=5000.0, published=80,
        label="Sigma")
    cleaning: Literal["auto", "off"] = parameter(
        "auto", "Find borders, empty corners, gold and hot voxels, so that they give no picks; off takes every voxel as it is.",
        expert=True, published="off", label="Clean the tomogram")
    clip: float = parameter(
        3.0, "Grey values further than so many deviations from the median are drawn in to there first, so that gold and ice do not "
        "outshine particles; 0 takes them as they are. The deviation is that of the quartiles.", label="Clip at",
        unit="standard deviations", expert=True, ge=0.0, le=1000.0, published=0)
    sigma_ratio: float = parameter(1.1, "Sigma of the outer Gaussian over that of the inner.", expert=True, gt=1.0, le=4.0, published=1.1,
        label="Ratio of sigmas")
    exclusion: float = parameter(
        0.0, "Picks are at least so far apart; 0 takes three sigma, published with sigma 80 A.", label="Smallest distance", unit="A",
        ge=0.0, le=10000.0, published=240)
    border: float = parameter(
        0.0, "Picks whose centre lies nearer to a face of the tomogram are left out; others take their place.",
        label="Distance from the faces", unit="A", ge=0.0, le=10000.0)
    selection: Literal["count", "threshold"] = parameter(
        "count", "Keep a number of best picks, or those above a threshold between the weakest and the strongest.")
    count: int = parameter(500, "Number of picks in each tomogram; 0 keeps all.", label="Number of picks", ge=0, le=10000000, published=500,
        acts_when={"selection": "count"})
    threshold: float = parameter(
        3.0, "t: picks score at least m + t (M - m) / 20, where m and M are the weakest and the strongest score.", unit="of 20",
        ge=0.0, le=20.0, published=3, acts_when={"selection": "threshold"})
