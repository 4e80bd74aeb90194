"""Parameters of measuring membranes and of points on them.

Imported by Scipion's own interpreter: valid Python 3.8, no dependency but pydantic.
"""
from typing import Literal

from ..runtime.params import Parameters, parameter


class MembraneParameters(Parameters):
    """What counts as one membrane."""

    smallest_component: float = parameter(
        1e6, "Membranes of a smaller volume of mask are left out.", label="Smallest membrane", unit="A^3", ge=0)
    split: bool = parameter(
        True, "Take membranes that touch apart: where normals part, or the mask is much thicker than elsewhere, it is cut, and pieces that "
        "continue each other are joined again.", label="Split touching membranes")
    split_angle: float = parameter(
        35.0, "Pieces on two sides of a contact are one membrane when their normals differ by less.", unit="degrees", expert=True, gt=0,
        le=90, acts_when={"split": True})
    mesh_smoothing: int = parameter(
        10, "Rounds of Taubin's smoothing, which takes the voxels' grain off a mesh and keeps its size.", label="Smoothing of meshes",
        unit="rounds", expert=True, ge=0, le=200)


class MeasureMembranesParameters(MembraneParameters):
    """What is written of each membrane."""

    mesh: Literal["ply", "obj", "both", "none"] = parameter(
        "ply", "Format of the meshes, one file a membrane, in Angstrom from the first voxel's outer corner, x y z.", label="Meshes")


class MembranePointsParameters(MeasureMembranesParameters):
    """How points are spread over membranes, and what is written of them."""

    mesh: Literal["ply", "obj", "both", "none"] = parameter(
        "none", "Also write the meshes, in this format, one file a membrane.", label="Meshes")
    spacing: float = parameter(100.0, "Distance of neighbouring points on a membrane.", unit="A", gt=0, le=10000)
    sampling: Literal["farthest", "poisson"] = parameter(
        "farthest", "farthest: each point lies as far as possible from those before it, until none is farther than the spacing; poisson: "
        "points in random order, each that is no nearer than the spacing to an earlier one.")
    sides: Literal["one", "both"] = parameter(
        "one", "one: normals point out of closed membranes, and to the side of a sheet that its bend makes outer; both: two points at "
        "each place, one with the normal turned over.")
    offset: float = parameter(
        0.0, "Points are moved so far along their normals, for proteins that stand off the membrane; negative: inwards.", unit="A",
        ge=-2000, le=2000)
    least_from_edge: float = parameter(
        0.0, "No point is nearer to the rim of an open membrane, where normals are least certain.", label="Distance from rims", unit="A",
        expert=True, ge=0, le=10000)
    most: int = parameter(0, "Most points on one membrane; 0 sets no limit.", label="Most points", expert=True, ge=0)
    format: Literal["relion", "dynamo", "stopgap", "em_motl", "csv", "copick"] = parameter(
        "relion", "relion: STAR as of RELION 3 and 4, voxels; dynamo: tables; stopgap and em_motl: motive lists; csv; copick.")


class MembraneDistanceParameters(MembraneParameters):
    """Which particles are near a membrane, and which are kept."""

    near: float = parameter(150.0, "Particles whose centre is at most so far from the middle of a membrane are near it.",
                            label="Near a membrane", unit="A", ge=0, le=100000)
    keep: Literal["all", "near", "far"] = parameter("all", "Which particles the new list holds.")
