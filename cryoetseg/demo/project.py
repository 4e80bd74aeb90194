"""The main job as a Scipion project: tomograms in, membranes and particle candidates out, scored where the truth is known.

``python -m cryoetseg.demo.project --folder DIR`` simulates two small tomograms; with ``--tomogram FILE`` it takes the user's own.
Run again after an interruption, it keeps what is finished and continues the rest.
"""
import argparse
import logging
import math
import os
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from cryoetseg.core.runtime.errors import CryoetsegError, InputError, JobError
from cryoetseg.scipion_home import load_plugins, prepare

logger = logging.getLogger(__name__)

PROJECT = "demo"
PROTOCOL_VIEW = "Tomography"  # the menu that the window opens with
SEED = 7
POLL_SECONDS, REPORT_SECONDS = 1.0, 20.0
SLICES_OF_OWN_TOMOGRAM = 16  # in the middle; the whole of a large tomogram takes long on a small machine

# Two cells of 64 x 256 x 256 voxels: large enough for vesicles and ribosomes, small enough for two cores
SAMPLE = {"count": 2, "seed": SEED, "sizeZ": 64, "sizeY": 256, "sizeX": 256, "voxelSize": 13.48, "snr": 0.3,
          "particles": "ribosome_80s:3, proteasome_26s, tric", "vesicleCount": 4, "sheetCount": 1, "actinCount": 1}
SLABS = {"zStart": 24, "zLast": 39, "particleDiameter": 280.0}
MATCHING_RADIUS = 10.0  # voxels


class DemoRun(NamedTuple):
    """A finished run of the demo: where its results are, by tilt-series id, and what Scipion says about it."""

    label: str
    results: Dict[str, Path]
    summary: List[str]
    seconds: float


class Demo(NamedTuple):
    """The whole demo. ``runs`` by step: ``source``, ``segmentation``, and with a known truth ``masks`` and ``picking``."""

    project: Path
    runs: Dict[str, DemoRun]


def run_demo(folder: Path, tomogram: Optional[Path] = None, voxel_size: Optional[float] = None,
             slices: Optional[Tuple[int, int]] = None, sample: Optional[Dict[str, Any]] = None) -> Demo:
    """Make or continue the demo's project below ``folder`` and wait for all its runs.

    ``tomogram`` takes the place of the simulation, with ``voxel_size`` (Angstrom) where its header has none; ``slices`` is the slab
    range; ``sample`` changes values of the simulation's form. Raises :class:`InputError` for a bad file and :class:`JobError` when a
    run fails.
    """
    tomogram = None if tomogram is None else _readable(tomogram)
    name = PROJECT if tomogram is None else f"{PROJECT}_{tomogram.stem}"
    prepare(Path(folder) / "scipion")
    load_plugins()
    here = os.getcwd()
    try:
        project = _open_project(name)  # goes into the project's folder, as Scipion wants
        if tomogram is None:
            return _simulated(project, slices or (SLABS["zStart"], SLABS["zLast"] + 1), {**SAMPLE, **(sample or {})})
        return _imported(project, tomogram, _voxel_size(tomogram, voxel_size), slices)
    finally:
        os.chdir(here)


def _readable(tomogram: Path) -> Path:
    if not tomogram.is_file():
        raise InputError(f"tomogram {tomogram} does not exist", "an existing file", "check the path")
    return tomogram.absolute()


def _open_project(name: str) -> Any:
    from pyworkflow.project import Manager

    manager = Manager()
    if manager.hasProject(name):
        return manager.loadProject(name)
    manager.createProject(name)
    project = manager.loadProject(name)
    project.getSettings().setProtocolView(PROTOCOL_VIEW)
    project.saveSettings()
    return project


def _simulated(project: Any, slices: Tuple[int, int], sample: Dict[str, Any]) -> Demo:
    from cryoetseg.protocols import (
        ProtCryoEtSegEvaluatePicking,
        ProtCryoEtSegEvaluateSegmentation,
        ProtCryoEtSegSegmentSlabs,
        ProtCryoEtSegSimulateTomograms,
    )

    window = {"zStart": slices[0], "zLast": slices[1] - 1}
    source = _finished(project, ProtCryoEtSegSimulateTomograms, "simulate tomograms", sample)
    values = {**SLABS, **window, "inTomos": (source, "tomograms")}
    found = _finished(project, ProtCryoEtSegSegmentSlabs, "segment slabs", values)
    values = {**window, "predicted": (found, "membraneMasks"), "truth": (source, "membraneMasks")}
    runs = {"source": source, "segmentation": found,
            "masks": _finished(project, ProtCryoEtSegEvaluateSegmentation, "evaluate membranes", values)}
    if hasattr(found, "coordinates"):  # there is no output when nothing at all was found
        values = {**window, "radiusPx": MATCHING_RADIUS, "predicted": (found, "coordinates"), "truth": (source, "coordinates")}
        runs["picking"] = _finished(project, ProtCryoEtSegEvaluatePicking, "evaluate particles", values)
    return _demo(project, runs)


def _imported(project: Any, tomogram: Path, voxel_size: float, slices: Optional[Tuple[int, int]]) -> Demo:
    from tomo.protocols import ProtImportTomograms

    from cryoetseg.protocols import ProtCryoEtSegSegmentSlabs

    values = {"filesPath": str(tomogram.parent), "filesPattern": tomogram.name, "samplingRate": voxel_size}
    source = _finished(project, ProtImportTomograms, "import tomogram", values)
    depth = source.Tomograms.getFirstItem().getDim()[2]
    first, end = slices or _middle(depth)
    values = {"inTomos": (source, "Tomograms"), "zStart": first, "zLast": end - 1}
    found = _finished(project, ProtCryoEtSegSegmentSlabs, "segment slabs", values)
    return _demo(project, {"source": source, "segmentation": found})


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


def _finished(project: Any, protocol_class: Any, label: str, values: Dict[str, Any]) -> Any:
    """The run called ``label`` with these values, finished: kept when it was, continued when it had begun, else made.

    Raises :class:`JobError` when the values are refused, before anything is stored, and when the run fails.
    """
    from pyworkflow.protocol import MODE_RESUME

    run = next((item for item in project.getRuns() if item.getObjLabel() == label and _has_values(item, values)), None)
    if run is not None and run.isFinished():
        _tell(f"{label}: already done")
        return run
    if run is None:
        run = _new_run(project, protocol_class, label, values)
    errors = run.validate()
    if errors:
        raise JobError(f"{label}: {' '.join(errors)}")
    project.saveProtocol(run)
    if not (run.isActive() and project.checkPid(run)):
        _tell(f"{label}: starts")
        run.runMode.set(MODE_RESUME)
        project.launchProtocol(run, wait=False)
    _wait(project, run, label)
    return run


def _new_run(project: Any, protocol_class: Any, label: str, values: Dict[str, Any]) -> Any:
    pointers = {name: value for name, value in values.items() if isinstance(value, tuple)}
    run = project.newProtocol(protocol_class, **{name: value for name, value in values.items() if name not in pointers})
    for name, (source, output) in pointers.items():
        getattr(run, name).set(source)
        getattr(run, name).setExtended(output)
    run.setObjLabel(label)  # a label given to newProtocol is overwritten
    return run


def _has_values(run: Any, values: Dict[str, Any]) -> bool:
    """Whether a run was made with these values; with others it is another run, whatever it is called."""
    for name, value in values.items():
        attribute = getattr(run, name, None)
        if isinstance(value, tuple):
            source = attribute.getObjValue()
            found: Any = (source.getObjId() if source is not None else None, attribute.getExtended())
            value = (value[0].getObjId(), value[1])
        else:
            found = None if attribute is None else attribute.get()
        # numbers come back from the project's database rounded
        same = math.isclose(found, value, rel_tol=1e-6) if isinstance(value, float) and isinstance(found, float) else found == value
        if not same:
            return False
    return True


def _wait(project: Any, run: Any, label: str) -> None:
    """Wait for a run and say now and then how far it is; raises :class:`JobError` with the end of its log when it fails."""
    begin = reported = time.monotonic()
    while run.isActive() and project.checkPid(run):
        time.sleep(POLL_SECONDS)
        project._updateProtocol(run)
        if time.monotonic() - reported > REPORT_SECONDS:
            reported = time.monotonic()
            _tell(f"{label}: step {run.stepsDone} of {run.numberOfSteps}, {reported - begin:.0f} s")
    # pyworkflow can call a run dead that ended while it was looked at, and believes so from then on: look again, afresh
    time.sleep(POLL_SECONDS)
    run.lastUpdateTimeStamp.set(None)
    project._updateProtocol(run)
    if not run.isFinished():
        log = os.path.abspath(run.getStderrLog())
        raise JobError(f"{label} failed: {run.getErrorMessage()}. {_last_line(log)}", advice=f"see {log}, then run the same command again")
    _tell(f"{label}: done in {time.monotonic() - begin:.0f} s")


def _last_line(log: str) -> str:
    """The last message of the program that a log holds."""
    lines = Path(log).read_text(errors="replace").splitlines() if os.path.isfile(log) else []
    return next((line for line in reversed(lines) if line.startswith("error:")), "")


def _demo(project: Any, runs: Dict[str, Any]) -> Demo:
    folder = Path(project.path).absolute()
    return Demo(folder, {step: _demo_run(run, folder) for step, run in runs.items()})


def _demo_run(run: Any, folder: Path) -> DemoRun:
    files = run.getResultFiles() if hasattr(run, "getResultFiles") else {}
    results = {tsId: folder / path for tsId, path in files.items()}
    return DemoRun(run.getObjLabel(), results, list(run.summary()), run.getElapsedTime().total_seconds())


def _tell(message: str) -> None:
    sys.stderr.write(message + "\n")
    sys.stderr.flush()


def open_window(folder: Path, name: str = PROJECT) -> int:
    """Open a project beside that of the demo, or a new one, in Scipion's window; returns its exit status."""
    import subprocess

    prepare(Path(folder) / "scipion")
    load_plugins()
    here = os.getcwd()
    _open_project(name)  # makes it where there is none
    os.chdir(here)
    # with -O the window opens in this process; without it Scipion starts its installer's launcher, which may not be here
    return subprocess.run([sys.executable, "-O", "-m", "pyworkflow.apps.pw_project", name], check=False).returncode


def table(demo: Demo) -> List[Tuple[str, str]]:
    """What a reader wants to know, as (run, line)."""
    return [(run.label, line) for run in demo.runs.values() for line in run.summary]


def main(arguments: Optional[List[str]] = None) -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m cryoetseg.demo.project", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="folder of the demo's Scipion project")
    parser.add_argument("--tomogram", type=Path, help="your own tomogram instead of simulated ones")
    parser.add_argument("--voxel-size", type=float, help="voxel size in Angstrom, where the tomogram's header has none")
    parser.add_argument("--z", metavar="A:B", help="slices to segment, counted from 0; B is not included")
    parser.add_argument("--window", action="store_true", help="open the project in Scipion's window instead of running it")
    options = parser.parse_args(arguments)
    try:
        if options.window:
            return open_window(options.folder)
        demo = run_demo(options.folder, options.tomogram, options.voxel_size, _slices(options.z))
    except CryoetsegError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    for label, line in table(demo):
        sys.stdout.write(f"{label:22} {line.replace('*', '')}\n")
    sys.stdout.write(f"project: {demo.project}\n")
    return 0


def _slices(text: Optional[str]) -> Optional[Tuple[int, int]]:
    if not text:
        return None
    first, _, end = text.partition(":")
    if not (first.isdigit() and end.isdigit()):
        raise InputError(f"slices '{text}'", "A:B with whole numbers, such as 40:72")
    return int(first), int(end)


if __name__ == "__main__":
    sys.exit(main())
