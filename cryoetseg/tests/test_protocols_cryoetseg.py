"""The plugin on a small simulated tomogram, as Scipion's own test command runs it; a minute or two on two cores."""
import os
from typing import Any

from pyworkflow.tests import BaseTest, setupTestProject
from tomo.tests.test_base_centralized_layer import TestBaseCentralizedLayer

from cryoetseg.protocols import (
    ProtCryoEtSegEvaluatePicking,
    ProtCryoEtSegEvaluateSegmentation,
    ProtCryoEtSegExportCoordinates,
    ProtCryoEtSegPickDog,
    ProtCryoEtSegPickParticles,
    ProtCryoEtSegSegmentMembranes,
    ProtCryoEtSegSimulateTomograms,
)

VOXEL_SIZE = 13.0
SHAPE = [96, 96, 40]  # x, y, z
SAMPLE = {"count": 1, "seed": 5, "sizeZ": SHAPE[2], "sizeY": SHAPE[1], "sizeX": SHAPE[0], "voxelSize": VOXEL_SIZE,
          "particles": "ribosome_80s", "occupancy": 0.2, "vesicleCount": 2, "ellipsoidCount": 0, "tubeCount": 0, "sheetCount": 0,
          "actinCount": 0, "vesicleRadiusMin": 200.0, "vesicleRadiusMax": 300.0, "membraneProteins": 0.0, "tiltStep": 6.0, "snr": 5.0}
RADIUS = 10.0  # voxels
LEAST_F1, LEAST_DICE = 0.3, 0.3  # far above chance in so easy a sample, and below what is reached


class TestCryoEtSegGeneralModels(TestBaseCentralizedLayer):
    """Simulate, segment and pick with the models that come with the plugin, score against the truth, export."""

    @classmethod
    def setUpClass(cls) -> None:
        """One simulation serves all tests."""
        setupTestProject(cls)
        cls.source = cls.finished(ProtCryoEtSegSimulateTomograms, **SAMPLE)

    def setUp(self) -> None:
        """Scipion's paths are relative to the project, wherever an earlier test went."""
        os.chdir(self.proj.path)

    @classmethod
    def finished(cls, protocolClass: type, **values: Any) -> Any:
        """A run with these values, finished; ``(run, output)`` is a pointer."""
        pointers = {name: value for name, value in values.items() if isinstance(value, tuple)}
        run = cls.proj.newProtocol(protocolClass, **{name: value for name, value in values.items() if name not in pointers})
        for name, (source, output) in pointers.items():
            getattr(run, name).set(source)
            getattr(run, name).setExtended(output)
        if run.hasAttribute("useGpu"):
            run.useGpu.set(False)
        run.numberOfThreads.set(1)
        cls.proj.launchProtocol(run, wait=True)
        if not run.isFinished():
            raise AssertionError(f"{protocolClass.__name__}: {run.getErrorMessage()}")
        return run

    def testSimulation(self) -> None:
        """Tomogram, mask and coordinates of the simulated sample."""
        self.checkTomograms(self.source.tomograms, expectedSetSize=1, expectedSRate=VOXEL_SIZE, expectedDimensions=SHAPE)
        self.checkTomoMasks(self.source.membraneMasks, expectedSetSize=1, expectedSRate=VOXEL_SIZE, expectedDimensions=SHAPE)
        assert self.source.coordinates.getSize() > 10

    def testMembranes(self) -> None:
        """The general membrane model finds the vesicles."""
        run = self.finished(ProtCryoEtSegSegmentMembranes, inTomos=(self.source, "tomograms"))
        self.checkTomoMasks(run.membraneMasks, expectedSetSize=1, expectedSRate=VOXEL_SIZE, expectedDimensions=SHAPE)
        scores = self.finished(ProtCryoEtSegEvaluateSegmentation, predicted=(run, "membraneMasks"), truth=(self.source, "membraneMasks"))
        assert scores.scoreDice.get() > LEAST_DICE

    def testParticles(self) -> None:
        """The general picker finds the ribosomes; its coordinates go out as files."""
        run = self.finished(ProtCryoEtSegPickParticles, inTomos=(self.source, "tomograms"))
        scores = self.finished(ProtCryoEtSegEvaluatePicking, predicted=(run, "coordinates"), truth=(self.source, "coordinates"),
                               radiusPx=RADIUS)
        assert scores.scoreF1.get() > LEAST_F1
        exported = self.finished(ProtCryoEtSegExportCoordinates, inCoordinates=(run, "coordinates"))
        assert exported.getFiles()

    def testDifferenceOfGaussians(self) -> None:
        """As many picks as asked for."""
        run = self.finished(ProtCryoEtSegPickDog, inTomos=(self.source, "tomograms"), particleDiameter=250.0, count=10)
        assert run.coordinates.getSize() == 10


class TestCryoEtSegForms(BaseTest):
    """What the forms refuse before anything runs."""

    @classmethod
    def setUpClass(cls) -> None:
        """An empty project."""
        setupTestProject(cls)

    def testMissingInputIsAskedFor(self) -> None:
        """A form without input is not launched."""
        assert self.proj.newProtocol(ProtCryoEtSegPickParticles).validate()
