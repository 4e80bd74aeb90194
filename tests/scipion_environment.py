"""A Scipion without its installer for the tests: a home of its own, made before pyworkflow is imported, and runs in it.

Imported by the conftest files of the rooms that need Scipion, each with a fixture ``project`` of its own; the home lives until the
interpreter ends.
"""
import atexit
import os
import shutil
import tempfile
from contextlib import contextmanager

import pytest

from cryoetseg.scipion_home import load_plugins, prepare

HOME = tempfile.mkdtemp(prefix="cryoetseg_scipion_")
atexit.register(shutil.rmtree, HOME, ignore_errors=True)

os.environ.pop("SCIPION_HOME", None)  # an installation that is set up on this machine must stay untouched
os.environ.update(MPLBACKEND="Agg", OMP_NUM_THREADS="1")
prepare(HOME)
load_plugins()

SMALL_SAMPLE = {
    "sizeZ": 32, "sizeY": 64, "sizeX": 64, "voxelSize": 13.0, "particles": "ribosome_80s", "occupancy": 0.2, "vesicleCount": 1,
    "ellipsoidCount": 0, "tubeCount": 0, "sheetCount": 0, "actinCount": 0, "vesicleRadiusMin": 150.0, "vesicleRadiusMax": 200.0,
    "membraneProteins": 0.0, "tiltStep": 6.0, "snr": 5.0,
}


def new_project(name):
    """A fresh project; loading it would make its folder the working folder, which is for :func:`inside` to do and undo."""
    from pyworkflow.project import Manager

    here = os.getcwd()
    manager = Manager()
    manager.createProject(name)
    try:
        return manager.loadProject(name)
    finally:
        os.chdir(here)


@contextmanager
def inside(project):
    """Be in the project's folder for a while: Scipion's paths are relative to it, and other tests may have other projects."""
    here = os.getcwd()
    os.chdir(project.path)
    try:
        yield
    finally:
        os.chdir(here)


@pytest.fixture(scope="module", autouse=True)
def working_folder_of_fixtures(project):
    """Fixtures of a whole file are made in the project's folder."""
    with inside(project):
        yield


@pytest.fixture(autouse=True)
def working_folder(project):
    """Tests run in the project's folder, wherever an earlier one went."""
    with inside(project):
        yield


def new_run(project, protocol_class, label="", **values):
    """A run with one Scipion thread (no three-second polls); a value ``(run, output name)`` becomes a pointer."""
    pointers = {name: value for name, value in values.items() if isinstance(value, tuple)}
    run = project.newProtocol(protocol_class, **{name: value for name, value in values.items() if name not in pointers})
    for name, (source, output) in pointers.items():
        getattr(run, name).set(source)
        getattr(run, name).setExtended(output)
    run.setObjLabel(label or protocol_class.__name__)
    run.numberOfThreads.set(1)
    if hasattr(run, "binThreads"):  # those of the core; more than the machine can spare slow it down a lot
        run.binThreads.set(1)
    return run


def launch(project, protocol_class, label="", threads=1, **values):
    """Make a run, launch it as the window does, as a process of its own, and wait for it."""
    run = new_run(project, protocol_class, label, **values)
    run.numberOfThreads.set(threads)
    with inside(project):
        project.launchProtocol(run, wait=True)
    return run


def run_here(project, protocol_class, label="", **values):
    """As :func:`launch`, but the steps run in this process: the same bookkeeping without seconds of imports.

    With one thread only: pyworkflow's threaded executor waits at the end for all threads of the process, those of others too.
    """
    return launch_here(project, new_run(project, protocol_class, label, **values))


def finished(project, protocol_class, label="", **values):
    """As :func:`run_here`; the run must end well."""
    run = run_here(project, protocol_class, label, **values)
    assert run.isFinished(), log_of(run)
    return run


def launch_here(project, run):
    """Launch or continue a run with its steps in this process."""
    with in_process(project):
        project.launchProtocol(run, wait=True)
    return run


@contextmanager
def in_process(project):
    """Whatever is launched meanwhile, also by a window, runs in this process and in the project's folder."""
    import pyworkflow.protocol as engine
    from pyworkflow.protocol.protocol import runProtocolMain

    def start(run, wait=False, **options):
        run._store()
        run.mapper.commit()
        runProtocolMain(project.path, run.getDbPath(), run.getObjId())

    original, engine.launch = engine.launch, start
    try:
        with inside(project):
            yield
    finally:
        engine.launch = original


def log_of(run):
    """What a run wrote, for the message of a failing test."""
    texts = []
    for path in run.getLogPaths():
        path = os.path.join(run.getProject().path, path)
        if os.path.exists(path):
            with open(path, errors="replace") as stream:
                texts.append(stream.read()[-3000:])
    return "\n".join(texts)


def positions(coordinates):
    """Positions (n, 3) in voxels (x, y, z) from the corner by tilt-series id, in the order of the set."""
    import numpy as np
    from tomo.constants import BOTTOM_LEFT_CORNER

    found = {}
    for item in coordinates.iterCoordinates():
        found.setdefault(item.getTomoId(), []).append(item.getPosition(BOTTOM_LEFT_CORNER))
    return {tsId: np.array(rows) for tsId, rows in found.items()}


def groups(coordinates):
    """Tilt-series id and group of every coordinate, sorted."""
    return sorted((item.getTomoId(), item.getGroupId()) for item in coordinates.iterItems())
