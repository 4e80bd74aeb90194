"""Tests of the viewers and wizards run in a Scipion of their own, on runs and sets made here without the core."""
import os
import shutil
import subprocess

import matplotlib.pyplot as plt
import numpy as np
import pytest
import scipion_environment
from scipion_environment import working_folder as working_folder
from scipion_environment import working_folder_of_fixtures as working_folder_of_fixtures
from tomo.objects import SetOfCoordinates3D, SetOfTomograms, SetOfTomoMasks

from cryoetseg.convert import Particle, coordinatesOf, maskLike, newTomogram
from cryoetseg.core.volumes.io import write_volume

SHAPE = (12, 20, 28)  # z, y, x
PARTICLES = [Particle(14.0, 8.0, 5.0, score=0.9), Particle(20.0, 15.0, 9.0, score=0.4)]


@pytest.fixture(autouse=True)
def no_window_stays_open():
    """A window that a test leaves open would be counted by the next one, and keeps its memory."""
    before = set(plt.get_fignums())
    yield
    left = set(plt.get_fignums()) - before
    for number in left:
        plt.close(number)
    assert not left, f"{len(left)} windows were not closed"


@pytest.fixture(scope="session")
def project():
    return scipion_environment.new_project("viewers")


class Sets:
    """Two tomograms with masks (a slab at z = 6) and particles."""

    def __init__(self, folder):
        self.tomograms, self.masks = SetOfTomograms.create(folder), SetOfTomoMasks.create(folder)
        self.coordinates = SetOfCoordinates3D.create(folder)
        for item in (self.tomograms, self.masks, self.coordinates):
            item.setSamplingRate(10.0)
        self.coordinates.setBoxSize(12)
        self.coordinates.setPrecedents(self.tomograms)
        for number, tsId in enumerate(("TS_1", "TS_2")):
            self._add(folder, tsId, number)
        for item in (self.tomograms, self.masks, self.coordinates):
            item.write()

    def _add(self, folder, tsId, number):
        generator = np.random.default_rng(number)
        mask = np.zeros(SHAPE, np.int8)
        mask[6, 4:10] = 1
        write_volume(f"{folder}/{tsId}.mrc", generator.normal(size=SHAPE).astype(np.float32), 10.0)
        write_volume(f"{folder}/{tsId}_mask.mrc", mask, 10.0)
        tomogram = newTomogram(f"{folder}/{tsId}.mrc", tsId, 10.0)
        self.tomograms.append(tomogram)
        self.masks.append(maskLike(tomogram, f"{folder}/{tsId}_mask.mrc"))
        for coordinate in coordinatesOf(PARTICLES, tomogram):
            self.coordinates.append(coordinate)


@pytest.fixture(scope="session")
def sets(tmp_path_factory, project):
    return Sets(str(tmp_path_factory.mktemp("sets")))


@pytest.fixture(scope="session")
def display():
    """A display for windows: a virtual one, so that no test depends on or disturbs the user's screen."""
    if shutil.which("Xvfb") is None:
        pytest.skip("Xvfb is not installed, so no window can be opened")
    reading, writing = os.pipe()
    server = subprocess.Popen(["Xvfb", "-displayfd", str(writing), "-screen", "0", "1600x1000x24"], pass_fds=[writing],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(writing)
    with os.fdopen(reading) as stream:
        name = ":" + stream.readline().strip()
    before, os.environ["DISPLAY"] = os.environ.get("DISPLAY"), name
    yield name
    os.environ.pop("DISPLAY")
    if before is not None:
        os.environ["DISPLAY"] = before
    server.terminate()
    server.wait()


@pytest.fixture(scope="session")
def window_root(display):
    """One Tk root for all windows, because Scipion keeps its icons for the first one."""
    import tkinter

    root = tkinter.Tk()
    root.withdraw()
    yield root
    root.destroy()
