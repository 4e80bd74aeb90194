"""Trainings and their application in Scipion: labels from anywhere, a model that chains, results in the tomograms' frame."""
import csv
import os
import shutil

import mrcfile
import numpy as np
import pytest
from pyworkflow.protocol import MODE_RESTART, MODE_RESUME
from scipion_environment import in_process, launch_here, log_of, run_here
from tomo.constants import BOTTOM_LEFT_CORNER
from tomo.protocols import ProtImportTomograms, ProtImportTomomasks

from cryoetseg.core.models.card import read_card
from cryoetseg.core.runtime.checksums import checksum
from cryoetseg.protocols import (
    ProtCryoEtSegPickDog,
    ProtCryoEtSegPickParticles,
    ProtCryoEtSegSegmentClasses,
    ProtCryoEtSegSegmentFilaments,
    ProtCryoEtSegSegmentMembranes,
    ProtCryoEtSegSelectByScore,
    ProtCryoEtSegTrainMembranes,
    ProtCryoEtSegTrainPicker,
    ProtCryoEtSegTrainSegmenter,
)
from cryoetseg.viewers import CryoEtSegPicksViewer, CryoEtSegScoresViewer

SHORT = {"iterations": 4, "batchSize": 2, "checkpointInterval": 2, "validationInterval": 2, "logInterval": 1, "useGpu": False}


def finished(project, protocol_class, label="", **values):
    run = run_here(project, protocol_class, label, **values)
    assert run.isFinished(), log_of(run)
    return run


@pytest.fixture(scope="module")
def files(simulated, tmp_path_factory):
    """The first simulated tomogram and its membranes as files that somebody else may have made."""
    folder = tmp_path_factory.mktemp("files")
    for name, items in (("sim_001.mrc", simulated.tomograms), ("sim_001_mask.mrc", simulated.membraneMasks)):
        shutil.copy(items.getFirstItem().getFileName(), folder / name)
    return folder


@pytest.fixture(scope="module")
def imported(project, files):
    return finished(project, ProtImportTomograms, filesPath=str(files), filesPattern="sim_001.mrc", samplingRate=13.0)


@pytest.fixture(scope="module")
def importedMasks(project, files, imported):
    return finished(project, ProtImportTomomasks, inputTomos=(imported, "Tomograms"), filesPath=str(files), filesPattern="{TS}_mask.mrc")


@pytest.fixture(scope="module")
def membranes(project, simulated, importedMasks):
    """Two tomograms of ours, of which another plugin has masks of one."""
    pointers = {"inTomos": (simulated, "tomograms"), "inMasks": (importedMasks, "tomomasks")}
    return finished(project, ProtCryoEtSegTrainMembranes, cropPx=32, rounds=0, **SHORT, **pointers)


@pytest.fixture(scope="module")
def picker(project, imported, simulated):
    """A tomogram imported by another plugin, and coordinates that lie in ours."""
    pointers = {"inTomos": (imported, "Tomograms"), "inCoordinates": (simulated, "coordinates")}
    return finished(project, ProtCryoEtSegTrainPicker, patchPx=16, width=4, particleDiameter=250.0, validationCrops=2, **SHORT, **pointers)


@pytest.fixture(scope="module")
def segmenter(project, imported, simulated):
    pointers = {"inTomos": (imported, "Tomograms"), "inMasks": (simulated, "classMasks")}
    return finished(project, ProtCryoEtSegTrainSegmenter, patchPx=16, validationPatches=2, **SHORT, **pointers)


@pytest.fixture(scope="module")
def dog(project, imported):
    return finished(project, ProtCryoEtSegPickDog, inTomos=(imported, "Tomograms"), particleDiameter=250.0, count=20)


def steps_in(run):
    (table,) = run.getMetricFiles()
    with open(table, newline="", encoding="utf-8") as stream:
        return sorted({int(row["step"]) for row in csv.DictReader(stream)})


@pytest.mark.parametrize(("name", "method"), [("membranes", "membranes"), ("picker", "picker"), ("segmenter", "segmenter")])
def test_a_training_gives_a_model_described_as_its_card(request, project, name, method):
    run = request.getfixturevalue(name)
    model = project.getProtocol(run.getObjId()).model
    card = read_card(model.getPath())
    assert (model.getMethod(), model.getNetwork(), model.getClasses()) == (method, card.network, card.classes) == (
        card.method, model.getNetwork(), model.getClasses())
    assert model.getSamplingRate() == pytest.approx(13.0)
    assert steps_in(run)[-1] == 4  # a step that the engine skips as non-finite leaves no row
    assert any("*4* steps on *1* tomogram " in line for line in run.summary())
    assert "trained for 4 steps on 1 tomogram " in run.methods()[0]


@pytest.mark.parametrize("name", ["membranes", pytest.param("picker", marks=pytest.mark.thorough)])
def test_a_training_goes_on_from_a_model(request, project, name):
    before = request.getfixturevalue(name)
    labels = "inMasks" if name == "membranes" else "inCoordinates"
    values = {"cropPx": 32, "rounds": 0} if name == "membranes" else {"patchPx": 16, "width": 4, "validationCrops": 2}
    pointers = {field: (getattr(before, field).getObjValue(), getattr(before, field).getExtended()) for field in ("inTomos", labels)}
    start = {"startFrom": before._starts.index("a model"), "inStart": (before, "model")}
    run = finished(project, type(before), **start, **values, **pointers, **SHORT)
    assert read_card(run.model.getPath()).training["start"]["sha256"] == read_card(before.model.getPath()).sha256
    assert f"going on from a model for {before.model.describe()}" in run.methods()[0]


@pytest.mark.parametrize("name", [pytest.param("membranes", marks=pytest.mark.thorough), "picker"])
def test_a_training_goes_on_from_the_general_model(request, project, name):
    before = request.getfixturevalue(name)
    labels, size = ("inMasks", {"cropPx": 32, "rounds": 0}) if name == "membranes" else ("inCoordinates", {"particleDiameter": 250.0})
    pointers = {field: (getattr(before, field).getObjValue(), getattr(before, field).getExtended()) for field in ("inTomos", labels)}
    run = finished(project, type(before), startFrom=before._starts.index("the general model"), **size, **pointers, **SHORT)
    card = read_card(run.model.getPath())
    assert card.training["start"]["name"] == "general"
    assert card.network == {"membranes": "MembraneUNet3d", "picker": "centre-unet3d"}[name]
    assert "going on from the general model of the plugin" in run.methods()[0]


def test_tomograms_without_labels_are_left_out_and_told(membranes):
    assert membranes.getTrainingIds() == ["sim_001"]
    assert any("1 without labels were left out" in line for line in membranes.summary())


def test_coordinates_become_a_list_in_the_tomograms_voxels(picker, simulated):
    from cryoetseg.convert import readParticles

    job = picker._readResult("training").job
    (path,) = [item["path"] for item in job["inputs"] if item["role"] == "particles"]
    tomogram = simulated.tomograms.getFirstItem().clone()
    expected = [item.getPosition(BOTTOM_LEFT_CORNER) for item in simulated.coordinates.iterCoordinates(tomogram)]
    np.testing.assert_allclose([item[:3] for item in readParticles(path)], expected, atol=1e-3)
    assert {item.className for item in readParticles(path)} == set(picker.model.getClasses().values()) == {"ribosome_80s"}


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


def test_continue_after_other_picks_came_from_the_input_run_is_refused_finished_or_killed(project, imported, simulated):
    """The input run was restarted with other parameters: its set has the same place and name, and other particles in it."""
    source = finished(project, ProtCryoEtSegSelectByScore, "restarted", inCoordinates=(simulated, "coordinates"), threshold=-9.0)
    pointers = {"inTomos": (imported, "Tomograms"), "inCoordinates": (source, "selected")}
    run = finished(project, ProtCryoEtSegTrainPicker, "continued", patchPx=16, width=4, particleDiameter=250.0, validationCrops=2, **SHORT,
                   **pointers)
    before = source.selected.getSize()
    source.most.set(1)
    source.runMode.set(MODE_RESTART)
    launch_here(project, source)
    assert 0 < source.selected.getSize() < before
    run.runMode.set(MODE_RESUME)
    run.iterations.set(6)
    assert any("changed since" in line for line in run.validate())
    weights = (run.model.getPath(), checksum(run.model.getPath()))

    os.remove(run._getExtraPath("training", "result.json"))  # as if it had been killed after its last checkpoint
    launch_here(project, run)
    assert run.isFailed()
    assert "with other settings (items" in run.getErrorMessage()  # as many others are told by their content: test_data_record.py
    assert checksum(weights[0]) == weights[1]


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


def test_picks_have_scores_and_a_box_of_their_diameter(project, imported, picker):
    pointers = {"inTomos": (imported, "Tomograms"), "inModel": (picker, "model")}
    run = finished(project, ProtCryoEtSegPickParticles, useGpu=False, scoreThreshold=0.0, count=5, tilePx=32, paddingPx=4, **pointers)
    assert run.coordinates.getSize() == 5
    assert run.coordinates.getBoxSize() == 30  # 1.5 x 250 A / 13 A, even
    assert run.coordinates.getSamplingRate() == 13.0
    assert {item.getTomoId() for item in run.coordinates.iterItems()} == {"sim_001"}
    assert all(item.getGroupId() >= 1 for item in run.coordinates.iterItems())


def test_class_masks_and_coordinates_of_classes(project, imported, segmenter):
    pointers = {"inTomos": (imported, "Tomograms"), "inModel": (segmenter, "model")}
    tiny = {"tilePx": 32, "overlapPx": 8, "smallestPart": 0.0, "largestPart": 0.0}
    run = finished(project, ProtCryoEtSegSegmentClasses, useGpu=False, **tiny, **pointers)
    mask = run.classMasks.getFirstItem()
    assert mask.getDim() == imported.Tomograms.getFirstItem().getDim()
    assert (run.confidences.getFirstItem().getTsId(), run.confidences.getFirstItem().getDim()) == ("sim_001", mask.getDim())
    assert set(np.unique(mrcfile.read(mask.getFileName()))) <= set(segmenter.model.getClasses())


def test_filaments_give_masks_and_points_and_none_where_there_is_none(project, imported):
    run = finished(project, ProtCryoEtSegSegmentFilaments, useGpu=False, inTomos=(imported, "Tomograms"), tilePx=64, overlapPx=16)
    mask = run.filamentMasks.getFirstItem()
    assert mask.getDim() == run.probabilities.getFirstItem().getDim() == imported.Tomograms.getFirstItem().getDim()
    groups = {item.getGroupId() for item in run.axisPoints.iterItems()} if hasattr(run, "axisPoints") else set()
    assert any(f"*{len(groups)}* filament" in line for line in run.summary())


def test_dog_picks_become_coordinates_and_the_best_can_be_selected(project, dog):
    scores = sorted(item.getScore() for item in dog.coordinates.iterItems())
    assert len(scores) == 20
    run = finished(project, ProtCryoEtSegSelectByScore, inCoordinates=(dog, "coordinates"), threshold=scores[12] - 1e-6)
    assert sorted(item.getScore() for item in run.selected.iterItems()) == scores[12:]
    assert (run.selected.getBoxSize(), run.selected.getSamplingRate()) == (dog.coordinates.getBoxSize(), 13.0)
    best = finished(project, ProtCryoEtSegSelectByScore, inCoordinates=(dog, "coordinates"), threshold=0.0, most=3)
    assert sorted(item.getScore() for item in best.selected.iterItems()) == scores[-3:]
    tomogram = dog.coordinates.getPrecedents().getFirstItem().clone()
    before = {tuple(item.getPosition(BOTTOM_LEFT_CORNER)) for item in dog.coordinates.iterCoordinates(tomogram)}
    assert {tuple(item.getPosition(BOTTOM_LEFT_CORNER)) for item in run.selected.iterCoordinates(tomogram)} < before


def test_the_threshold_of_the_histogram_makes_a_run(project, dog):
    (window,) = CryoEtSegScoresViewer(project=project)._visualize(dog.coordinates)
    scores = sorted(item.getScore() for item in dog.coordinates.iterItems())
    window.slider.set_val((scores[14] + scores[15]) / 2)
    assert window.button.label.get_text() == "Write a set of 5"
    with in_process(project):
        window.choose()
    assert window.told.get_text().startswith("launched: score at least")
    run = project.getRuns(refresh=True)[-1]
    assert isinstance(run, ProtCryoEtSegSelectByScore)
    assert sorted(item.getScore() for item in run.selected.iterItems()) == scores[15:]
    window.close()


def test_membranes_of_the_project_are_offered_for_the_picture_in_3d(project, simulated, dog):
    viewer = CryoEtSegPicksViewer(project=project)
    viewer.setProtocol(dog)
    names = [name for name, _ in viewer.maskSets()]
    place = next(number for number, name in enumerate(names) if name.endswith("membraneMasks") and simulated.getObjLabel() in name)
    newest = max(number for number, name in enumerate(names) if "membraneMasks" in name)
    assert viewer.masks.get() == newest + 1  # shown unless another one is chosen
    viewer.masks.set(place + 1)
    (window,) = viewer._scatter()
    membranes, particles = window.axes.collections
    assert len(particles._offsets3d[0]) == 20
    mask = mrcfile.read(simulated.membraneMasks.getFirstItem().getFileName())
    x, y, z = (np.rint(np.asarray(values) / 1.3).astype(int) for values in membranes._offsets3d)
    assert mask[z, y, x].all()
    window.close()
