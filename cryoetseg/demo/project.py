"""The main job as a Scipion project: tomograms in, membranes and particles out, scored where something is known of them.

A simulated tomogram, whose truth is known to the voxel, goes through the method that learns from it alone; a real one, of which
ribosomes are published, goes through the general models. Run again after an interruption, it keeps what is finished and continues the rest.
"""
import os
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from cryoetseg.core.runtime.errors import InputError
from cryoetseg.scipion_home import load_plugins, prepare

from .launching import finished, open_project

PROJECT = "demo"
SEED = 7
SLICES_OF_OWN_TOMOGRAM = 16  # in the middle; the whole of a large tomogram takes long on a small machine

# A cell of 64 x 256 x 256 voxels: large enough for vesicles and ribosomes, small enough for two cores
SAMPLE = {"count": 1, "seed": SEED, "sizeZ": 64, "sizeY": 256, "sizeX": 256, "voxelSize": 13.48, "snr": 0.3,
          "particles": "ribosome_80s:3, proteasome_26s, tric", "vesicleCount": 4, "sheetCount": 1, "actinCount": 1}
SLABS = {"zStart": 24, "zLast": 39, "particleDiameter": 280.0}
MATCHING_RADIUS = 10.0  # voxels

DATA = Path(__file__).parent / "data"  # its README tells origin and licence
REAL = {"tomogram": DATA / "empiar11658_171.mrc", "picks": DATA / "empiar11658_171.txt", "samplingRate": 31.36}
REAL_RADIUS = 4.0  # voxels, half the diameter of a ribosome
RECALL_COUNTS = "88, 200"  # as many of the best picks as there are published ones, and about twice as many


class DemoRun(NamedTuple):
    """A finished run of the demo: where its results are, by tilt-series id, and what Scipion says about it."""

    label: str
    results: Dict[str, Path]
    summary: List[str]
    seconds: float


class Demo(NamedTuple):
    """The whole demo. ``runs`` by step: ``source``, ``segmentation``, and with a known truth ``masks`` and ``picking``; those of the real
    tomogram are ``real_source``, ``published``, ``real_membranes``, ``real_particles`` and ``real_picking``."""

    project: Path
    runs: Dict[str, DemoRun]


def run_demo(folder: Path, tomogram: Optional[Path] = None, voxel_size: Optional[float] = None,
             slices: Optional[Tuple[int, int]] = None, sample: Optional[Dict[str, Any]] = None) -> Demo:
    """Make or continue the demo's project below ``folder`` and wait for all its runs.

    ``tomogram`` takes the place of the simulated and of the real one, with ``voxel_size`` (Angstrom) where its header has none; ``slices``
    is the slab range; ``sample`` changes values of the simulation's form. Raises :class:`InputError` for a bad file and
    :class:`JobError` when a run fails.
    """
    tomogram = None if tomogram is None else _readable(tomogram)
    name = PROJECT if tomogram is None else f"{PROJECT}_{tomogram.stem}"
    prepare(Path(folder) / "scipion")
    load_plugins()
    here = os.getcwd()
    try:
        project = open_project(name)
        if tomogram is None:
            window = slices or (SLABS["zStart"], SLABS["zLast"] + 1)
            return _demo(project, {**_real(project), **_simulated(project, window, {**SAMPLE, **(sample or {})})})
        return _demo(project, _imported(project, tomogram, _voxel_size(tomogram, voxel_size), slices))
    finally:
        os.chdir(here)


def _readable(tomogram: Path) -> Path:
    if not tomogram.is_file():
        raise InputError(f"tomogram {tomogram} does not exist", "an existing file", "check the path")
    return tomogram.absolute()


def _simulated(project: Any, slices: Tuple[int, int], sample: Dict[str, Any]) -> Dict[str, Any]:
    """A simulated tomogram through the method without labels, scored against the whole truth."""
    from cryoetseg.protocols import (
        ProtCryoEtSegEvaluatePicking,
        ProtCryoEtSegEvaluateSegmentation,
        ProtCryoEtSegSegmentSlabs,
        ProtCryoEtSegSimulateTomograms,
    )

    window = {"zStart": slices[0], "zLast": slices[1] - 1}
    source = finished(project, ProtCryoEtSegSimulateTomograms, "simulate tomograms", sample)
    values = {**SLABS, **window, "inTomos": (source, "tomograms")}
    found = finished(project, ProtCryoEtSegSegmentSlabs, "segment slabs", values)
    values = {**window, "predicted": (found, "membraneMasks"), "truth": (source, "membraneMasks")}
    runs = {"source": source, "segmentation": found,
            "masks": finished(project, ProtCryoEtSegEvaluateSegmentation, "evaluate membranes", values)}
    if hasattr(found, "coordinates"):  # there is no output when nothing at all was found
        values = {**window, "radiusPx": MATCHING_RADIUS, "predicted": (found, "coordinates"), "truth": (source, "coordinates")}
        runs["picking"] = finished(project, ProtCryoEtSegEvaluatePicking, "evaluate particles", values)
    return runs


def _real(project: Any) -> Dict[str, Any]:
    """The real tomogram through the general models, its picks counted against the published ones."""
    from tomo.protocols import ProtImportCoordinates3D

    from cryoetseg.protocols import ProtCryoEtSegEvaluatePicking, ProtCryoEtSegPickParticles, ProtCryoEtSegSegmentMembranes

    source = _import(project, "import real tomogram", REAL["tomogram"], REAL["samplingRate"])
    tomograms = (source, "Tomograms")
    published = finished(project, ProtImportCoordinates3D, "import published ribosomes", {
        "filesPath": str(REAL["picks"].parent), "filesPattern": REAL["picks"].name, "boxSize": 12, "importTomograms": tomograms})
    picked = finished(project, ProtCryoEtSegPickParticles, "pick particles (general)", {"inTomos": tomograms})
    runs = {"real_source": source, "published": published, "real_particles": picked,
            "real_membranes": finished(project, ProtCryoEtSegSegmentMembranes, "segment membranes (general)", {"inTomos": tomograms})}
    if hasattr(picked, "coordinates"):
        runs["real_picking"] = finished(project, ProtCryoEtSegEvaluatePicking, "evaluate real particles", {
            "predicted": (picked, "coordinates"), "truth": (published, "outputCoordinates"), "radiusPx": REAL_RADIUS,
            "recallCounts": RECALL_COUNTS})
    return runs


def _imported(project: Any, tomogram: Path, voxel_size: float, slices: Optional[Tuple[int, int]]) -> Dict[str, Any]:
    """The user's own tomogram through the method without labels."""
    from cryoetseg.protocols import ProtCryoEtSegSegmentSlabs

    source = _import(project, "import tomogram", tomogram, voxel_size)
    first, end = slices or _middle(source.Tomograms.getFirstItem().getDim()[2])
    values = {"inTomos": (source, "Tomograms"), "zStart": first, "zLast": end - 1}
    return {"source": source, "segmentation": finished(project, ProtCryoEtSegSegmentSlabs, "segment slabs", values)}


def _import(project: Any, label: str, tomogram: Path, voxel_size: float) -> Any:
    from tomo.protocols import ProtImportTomograms

    values = {"filesPath": str(tomogram.parent), "filesPattern": tomogram.name, "samplingRate": voxel_size}
    return finished(project, ProtImportTomograms, label, values)


def _middle(depth: int) -> Tuple[int, int]:
    count = min(depth, SLICES_OF_OWN_TOMOGRAM)
    return (depth - count) // 2, (depth - count) // 2 + count


def _voxel_size(tomogram: Path, given: Optional[float]) -> float:
    """The voxel size to import with; raises :class:`InputError` where neither the user nor the header tells one."""
    import mrcfile

    if given:
        return given
    try:
        with mrcfile.open(tomogram, header_only=True, permissive=True) as header:
            found = float(header.voxel_size.x)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read the header of {tomogram}: {error}", "an MRC file, or a voxel size", "add --voxel-size") from error
    if found <= 0 or abs(found - 1) < 1e-6:
        raise InputError(f"{tomogram} says a voxel size of {found:g} A", "the real voxel size", "add --voxel-size")
    return found


def _demo(project: Any, runs: Dict[str, Any]) -> Demo:
    folder = Path(project.path).absolute()
    return Demo(folder, {step: _demo_run(run, folder) for step, run in runs.items()})


def _demo_run(run: Any, folder: Path) -> DemoRun:
    files = run.getResultFiles() if hasattr(run, "getResultFiles") else {}
    results = {tsId: folder / path for tsId, path in files.items()}
    return DemoRun(run.getObjLabel(), results, list(run.summary()), run.getElapsedTime().total_seconds())


def open_window(folder: Path, name: str = PROJECT) -> int:
    """Open a project beside that of the demo, or a new one, in Scipion's window; returns its exit status."""
    import subprocess
    import sys

    prepare(Path(folder) / "scipion")
    load_plugins()
    here = os.getcwd()
    open_project(name)  # makes it where there is none
    os.chdir(here)
    # with -O the window opens in this process; without it Scipion starts its installer's launcher, which may not be here
    return subprocess.run([sys.executable, "-O", "-m", "pyworkflow.apps.pw_project", name], check=False).returncode
