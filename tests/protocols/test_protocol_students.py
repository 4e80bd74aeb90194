"""Membranes and classes in Scipion: labels from anywhere, a model that chains, results in the tomograms' frame."""
import mrcfile
import numpy as np
import pytest
from pyworkflow.protocol import MODE_RESUME
from scipion_environment import finished, launch_here, log_of
from student_runs import SHORT, check_going_on_from_a_model, check_going_on_from_the_general_model, check_model, steps_in
from tomo.protocols import ProtImportTomomasks

from cryoetseg.core.models.card import read_card
from cryoetseg.protocols import (
    ProtCryoEtSegSegmentClasses,
    ProtCryoEtSegSegmentMembranes,
    ProtCryoEtSegTrainMembranes,
    ProtCryoEtSegTrainSegmenter,
)


@pytest.fixture(scope="module")
def importedMasks(project, foreignFiles, imported):
    return finished(project, ProtImportTomomasks, inputTomos=(imported, "Tomograms"), filesPath=str(foreignFiles),
                    filesPattern="{TS}_mask.mrc")


@pytest.fixture(scope="module")
def membranes(project, simulated, importedMasks):
    """Two tomograms of ours, of which another plugin has masks of one."""
    pointers = {"inTomos": (simulated, "tomograms"), "inMasks": (importedMasks, "tomomasks")}
    return finished(project, ProtCryoEtSegTrainMembranes, cropPx=32, rounds=0, **SHORT, **pointers)


@pytest.fixture(scope="module")
def segmenter(project, imported, simulated):
    pointers = {"inTomos": (imported, "Tomograms"), "inMasks": (simulated, "classMasks")}
    return finished(project, ProtCryoEtSegTrainSegmenter, patchPx=16, validationPatches=2, **SHORT, **pointers)


@pytest.mark.parametrize("name", ["membranes", "segmenter"])
def test_a_training_gives_a_model_described_as_its_card(request, project, name):
    check_model(project, request.getfixturevalue(name), name)


def test_a_training_goes_on_from_a_model(project, membranes):
    check_going_on_from_a_model(project, membranes, "inMasks", cropPx=32, rounds=0)


@pytest.mark.thorough
def test_a_training_goes_on_from_the_general_model(project, membranes):
    check_going_on_from_the_general_model(project, membranes, "inMasks", "MembraneUNet3d", cropPx=32, rounds=0)


def test_tomograms_without_labels_are_left_out_and_told(membranes):
    assert membranes.getTrainingIds() == ["sim_001"]
    assert any("1 without labels were left out" in line for line in membranes.summary())


def test_continue_goes_on_with_more_steps_and_keeps_what_is_chained(project, membranes):
    model, tables, before = membranes.model.getObjId(), membranes.getMetricFiles(), steps_in(membranes)
    membranes.runMode.set(MODE_RESUME)
    membranes.iterations.set(6)
    assert membranes.validate() == []
    launch_here(project, membranes)
    assert membranes.isFinished(), log_of(membranes)
    assert membranes.getMetricFiles() == tables
    assert steps_in(membranes)[: len(before)] == before
    assert steps_in(membranes)[-1] == 6
    assert membranes.model.getObjId() == model
    assert any("*6* steps on *1* tomogram " in line for line in membranes.summary())
    assert [record["steps"] for record in read_card(membranes.model.getPath()).training["rounds"]] == [6]
    membranes.learningRate.set(0.5)
    try:
        assert any("changed since" in line for line in membranes.validate())
    finally:
        membranes.learningRate.set(2e-3)


def test_membranes_lie_on_their_tomogram(project, imported, membranes):
    pointers = {"inTomos": (imported, "Tomograms"), "inModel": (membranes, "model")}
    run = finished(project, ProtCryoEtSegSegmentMembranes, useGpu=False, smallestComponent=0.0, **pointers)
    mask, probability = run.membraneMasks.getFirstItem(), run.probabilities.getFirstItem()
    tomogram = imported.Tomograms.getFirstItem()
    for made in (mask, probability):
        assert (made.getTsId(), made.getSamplingRate(), made.getDim()) == ("sim_001", 13.0, tomogram.getDim())
        assert made.getOrigin().getShifts() == tomogram.getOrigin().getShifts()
        assert made.getVolName() == tomogram.getFileName()
    np.testing.assert_array_equal(mrcfile.read(mask.getFileName()) > 0, mrcfile.read(probability.getFileName()) >= 0.5)
    assert "UNet2d" in run.summary()[1]
    assert "Membranes were segmented in 1 tomogram (sim_001)" in run.methods()[0]


def test_class_masks_and_coordinates_of_classes(project, imported, segmenter):
    pointers = {"inTomos": (imported, "Tomograms"), "inModel": (segmenter, "model")}
    tiny = {"tilePx": 32, "overlapPx": 8, "smallestPart": 0.0, "largestPart": 0.0}
    run = finished(project, ProtCryoEtSegSegmentClasses, useGpu=False, **tiny, **pointers)
    mask = run.classMasks.getFirstItem()
    assert mask.getDim() == imported.Tomograms.getFirstItem().getDim()
    assert (run.confidences.getFirstItem().getTsId(), run.confidences.getFirstItem().getDim()) == ("sim_001", mask.getDim())
    assert set(np.unique(mrcfile.read(mask.getFileName()))) <= set(segmenter.model.getClasses())
