"""Many small tomograms in one set: how fast forms, summaries and viewers open, and whether threads, a kill and Continue keep each once.

``python benchmarks/many_tomograms.py --out FOLDER [--count 200] [--threads 4]`` imports links to one small tomogram, measures what opens,
then picks in all of them (one Scipion thread is the master), kills the run in the middle, continues it, and measures again.
Windows are opened on a virtual screen (Debian's package xvfb).
"""
from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from cryoetseg.core.volumes.io import write_volume
from cryoetseg.scipion_home import load_plugins, prepare

SHAPE, VOXEL_SIZE = (16, 32, 32), 13.0
PATTERN = "{TS}.mrc"
PICKS = 3  # in each tomogram


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the project, made anew")
    parser.add_argument("--count", type=int, default=200, help="number of tomograms")
    parser.add_argument("--threads", type=int, default=4, help="Scipion threads; one of them only watches")
    parser.add_argument("--open-only", action="store_true", help="measure what opens, process nothing")
    options = parser.parse_args()
    shutil.rmtree(options.out, ignore_errors=True)
    files = link_tomograms(options.out / "tomograms", options.count)
    prepare(options.out / "scipion")
    load_plugins()
    with virtual_screen():
        project = new_project()
        tomograms = imported(project, files, options.count)
        measure_forms(project, tomograms)
        if not options.open_only:
            run = killed_and_continued(project, tomograms, options.count, options.threads)
            measure_results(project, run)


def tell(what: str, value: str) -> None:
    sys.stdout.write(f"{what:58} {value}\n")
    sys.stdout.flush()


def link_tomograms(folder: Path, count: int) -> Path:
    """One tomogram under many names."""
    folder.mkdir(parents=True)
    volume = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    write_volume(folder / "one.volume.mrc", volume, VOXEL_SIZE)
    for number in range(count):
        os.link(folder / "one.volume.mrc", folder / f"TS_{number:03d}.mrc")
    (folder / "one.volume.mrc").unlink()
    return folder


@contextmanager
def virtual_screen() -> Iterator[None]:
    reading, writing = os.pipe()
    server = subprocess.Popen(["Xvfb", "-displayfd", str(writing), "-screen", "0", "1600x1000x24"], pass_fds=[writing],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(writing)
    with os.fdopen(reading) as stream:
        os.environ["DISPLAY"] = ":" + stream.readline().strip()
    try:
        yield
    finally:
        server.terminate()
        server.wait()


def new_project() -> Any:
    from pyworkflow.project import Manager

    manager = Manager()
    manager.createProject("many")
    return manager.loadProject("many")


def imported(project: Any, folder: Path, count: int) -> Any:
    from tomo.protocols import ProtImportTomograms

    run = project.newProtocol(ProtImportTomograms, filesPath=str(folder), filesPattern=PATTERN, samplingRate=VOXEL_SIZE)
    begin = time.monotonic()
    project.launchProtocol(run, wait=True)
    tell(f"import of {count} tomograms by tomo's protocol", f"{time.monotonic() - begin:.1f} s")
    assert run.Tomograms.getSize() == count, "the import lost tomograms"
    return run


def picking(project: Any, tomograms: Any) -> Any:
    from cryoetseg.protocols import ProtCryoEtSegPickDog

    run = project.newProtocol(ProtCryoEtSegPickDog, particleDiameter=100.0, count=PICKS)
    run.inTomos.set(tomograms)
    run.inTomos.setExtended("Tomograms")
    return run


def timed(what: str, action: Callable[[], Any]) -> Any:
    """What an action gives; its time by the clock and of the processor is printed, as other work on the machine counts in the first."""
    begin, busy = time.monotonic(), time.process_time()
    result = action()
    tell(what, f"{time.monotonic() - begin:.2f} s, processor {time.process_time() - busy:.2f} s")
    return result


def measure_forms(project: Any, tomograms: Any) -> None:
    import cryoetseg.protocols as protocols

    root = scipion_root()
    for name in protocols.__all__:
        run = project.newProtocol(getattr(protocols, name))
        if not hasattr(run, "inTomos"):
            continue
        run.inTomos.set(tomograms)
        run.inTomos.setExtended("Tomograms")
        timed(f"form of {run.getClassLabel(False)}", lambda: open_form(root, run))  # noqa: B023 - called at once
        timed(f"validation of {run.getClassLabel(False)}", run.validate)


def scipion_root() -> Any:
    """A master window as Scipion's forms want one."""
    from pyworkflow.gui import Window
    from pyworkflow.gui.plotter import Plotter

    Plotter.setBackend("TkAgg")
    return Window("many")


def open_form(root: Any, run: Any) -> None:
    from pyworkflow.gui.form import FormWindow

    form = FormWindow("form", run, lambda *arguments: None, root)
    form.root.update()
    form.root.destroy()


def killed_and_continued(project: Any, tomograms: Any, count: int, threads: int) -> Any:
    """A run that was killed when half of it was done, and continued; what is in its output is counted."""
    from pyworkflow.protocol import MODE_RESUME

    run = picking(project, tomograms)
    run.numberOfThreads.set(threads)
    run.binThreads.set(1)
    begin = time.monotonic()
    project.launchProtocol(run, wait=False)
    while len(finished_steps(run)) < count:  # two steps a tomogram
        time.sleep(1.0)
    os.kill(run.getPid(), signal.SIGKILL)
    half = time.monotonic() - begin
    time.sleep(2.0)
    project.checkPid(run)
    before = finished_steps(run)
    run.runMode.set(MODE_RESUME)
    project.launchProtocol(run, wait=True)
    after = finished_steps(run)
    tell(f"half of them with {threads - 1} at a time, until the kill", f"{half:.0f} s, {len(before)} steps done")
    repeated = sum(after.get(key) != end for key, end in before.items())
    tell("the rest after Continue", f"{time.monotonic() - begin - half:.0f} s, {repeated} steps repeated")
    ids = [item.getTomoId() for item in run.coordinates.iterItems()]
    twice = sum(ids.count(name) > PICKS for name in set(ids))
    tell("tomograms in the output, coordinates, tomograms stored twice", f"{len(set(ids))}, {len(ids)}, {twice}")
    return run


def finished_steps(run: Any) -> dict[tuple[str, str], str]:
    """End of every finished step by name and argument."""
    if not os.path.exists(run.getStepsFile()):
        return {}
    return {(step.funcName.get(), step.argsStr.get()): str(step.endTime) for step in run.loadSteps() if step.isFinished()}


def measure_results(project: Any, run: Any) -> None:
    from cryoetseg.viewers import CryoEtSegPicksViewer
    from cryoetseg.viewers.slice_browser import SliceBrowser
    from cryoetseg.viewers.slice_stack import entriesOfCoordinates

    timed("summary of the finished run", run.summary)
    timed("validation before Continue", run.validate)
    viewer = CryoEtSegPicksViewer(project=project)
    viewer.setProtocol(run)
    for name, action in viewer._getVisualizeDict().items():
        timed(f"viewer, {name}", lambda: [view.close() for view in action()])  # noqa: B023 - called at once
    browser = SliceBrowser(entriesOfCoordinates(run.coordinates))
    timed("the next tomogram in the viewer", lambda: browser.open(1))
    browser.close()


if __name__ == "__main__":
    main()
