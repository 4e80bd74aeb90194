"""Parameters of writing results for other programs and of reading their projects.

Imported by Scipion's own interpreter: valid Python 3.8, no dependency but pydantic.
"""
from typing import Literal

from ..runtime.params import Parameters, parameter


class ExportChimeraxParameters(Parameters):
    """How a scene looks."""

    marker_radius: float = parameter(
        0.0, "Radius of the markers of particles; 0: half the diameter that the list states, else 8 voxels.", label="Radius of markers",
        unit="Angstrom", ge=0)
    surface_level: float = parameter(
        0.5, "Value at which the surface of a mask or of a probability map lies.", label="Level of surfaces", ge=0, expert=True)


class ExportOmeZarrParameters(Parameters):
    """Which version of OME-Zarr."""

    version: Literal["0.4", "0.5"] = parameter(
        "0.5", "0.5: for present programs, on zarr format 3; 0.4: also for older readers and copick, on zarr format 2.", label="Version")


class ExportCopickParameters(Parameters):
    """How what is written is called in the copick project."""

    project: str = parameter(
        "", "Configuration (JSON) of the project to write into; empty: a new project in the output folder.", label="Project")
    user: str = parameter("cryoetseg", "User id of picks and segmentations.", label="User id")
    session: str = parameter(
        "1", "Session id of picks and segmentations; what others have under the same ids is kept, and an error tells it.",
        label="Session id")
    tomogram_type: str = parameter("tomogram", "Type of the tomograms, for example wbp or denoised.", label="Tomogram type")
    write_tomograms: bool = parameter(
        True, "Write the tomograms too, unless the project has them; another one of this type and voxel size is an error.",
        label="Write the tomograms?")
    meshes: bool = parameter(False, "Write the surface of each mask as a mesh too; needs the package trimesh.", label="Write meshes?",
                             expert=True)


class ImportCopickParameters(Parameters):
    """What is taken from a copick project. Names are patterns: * stands for anything."""

    tomogram: str = parameter("*", "Tomograms as TYPE@VOXELSIZE, for example denoised@10.0; * is the finest of the first type.",
                              label="Tomogram")
    run_names: str = parameter("*", "Runs, for example TS_*.", label="Runs")
    picks: str = parameter("*", "Picks as OBJECT:USER/SESSION; empty: none.", label="Picks")
    segmentations: str = parameter("*", "Segmentations as NAME:USER/SESSION; empty: none.", label="Segmentations")


class ExportRelionParameters(Parameters):
    """What a RELION 5 project is given."""

    optimisation_set: bool = parameter(
        True, "Write an optimisation set that names particles and tomograms.", label="Write an optimisation set?")
