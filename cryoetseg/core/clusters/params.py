"""Parameters of clustering particles.

Imported by Scipion's own interpreter: valid Python 3.8, no dependency but pydantic.
"""
from typing import Literal

from ..runtime.params import Parameters, parameter


class ClusterParticlesParameters(Parameters):
    """How particles are compared, when they are one kind, and what is shown of each kind."""

    model: str = parameter(
        "general", "Embedding: a shipped one by name, or a folder that \"train embedding\" wrote.", path=True, expert=True)
    method: Literal["hdbscan", "mixture"] = parameter(
        "mixture", "mixture: Gaussians whose number is found by the Bayesian information criterion, joined where no valley lies between "
        "them; hdbscan: dense regions, which leaves more particles unsure. Both find the number of clusters.")
    smallest_cluster: int = parameter(
        0, "Fewest particles of a cluster; 0 takes a fiftieth of them, at least 5.", label="Smallest cluster", unit="particles", ge=0)
    most_clusters: int = parameter(
        25, "Most Gaussians that are tried.", label="Most Gaussians", ge=2, le=200, acts_when={"method": "mixture"})
    confidence: float = parameter(
        0.5, "Particles that belong to their cluster with a smaller probability are called unsure.", label="Lowest confidence", ge=0, le=1)
    sample: int = parameter(
        6000, "At most so many particles, drawn at random, find the clusters; the others go to that of their neighbours.", unit="particles",
        expert=True, ge=50, le=100000)
    align: Literal["rotation", "translation", "none"] = parameter(
        "translation", "How the particles of an average are laid on each other. rotation also turns them, with the missing wedge in the "
        "weights; it takes minutes and finds something alike in noise too.", label="Align averages")
    average: int = parameter(200, "At most so many particles, the most certain ones, make the average of a cluster.",
                             label="Particles in an average", unit="particles", ge=1, le=100000)
    tilt_min: float = parameter(-60.0, "Lowest tilt angle.", unit="degrees", expert=True, ge=-90, le=0, acts_when={"align": "rotation"},
        label="First tilt angle")
    tilt_max: float = parameter(60.0, "Highest tilt angle.", unit="degrees", expert=True, ge=0, le=90, acts_when={"align": "rotation"},
        label="Last tilt angle")
    near_membrane: float = parameter(
        150.0, "Particles whose centre is at most so far from a voxel of membrane are near it.", label="Near a membrane", unit="A", ge=0,
        le=2000)
    map_points: int = parameter(3000, "At most so many particles are drawn on the map.", unit="particles", expert=True, ge=50, le=20000)
