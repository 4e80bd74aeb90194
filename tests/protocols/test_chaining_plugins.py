"""Chaining with plugins that are not in the development environment: each test runs where its plugin can be imported.

``pip install -c constraints.txt scipion-em-membrain scipion-em-deepfinder`` (for the consensus ``scipion-em-tomoviz``) brings them. The
plugins are real; the programs they start are not here, so a line of shell stands for MemBrain-seg.
"""
import os
import sys
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from pyworkflow.object import Pointer
from scipion_environment import groups, launch_here, log_of, new_run, positions, run_here
from tomo.objects import SetOfTomoMasks

from cryoetseg.protocols import (
    ProtCryoEtSegEvaluatePicking,
    ProtCryoEtSegEvaluateSegmentation,
    ProtCryoEtSegPickDog,
    ProtCryoEtSegTrainMembranes,
    ProtCryoEtSegTrainPicker,
)

CLOSE = 0.01  # voxels


# --------------------------- MemBrain-seg -----------------------------------


@pytest.fixture
def membrain(tmp_path, monkeypatch):
    """The plugin's protocols with a program that writes what it is given under the name that MemBrain-seg writes."""
    protocols = pytest.importorskip("membrain.protocols", reason="scipion-em-membrain is not installed", exc_type=ImportError)
    program = tmp_path / "membrain"
    program.write_text("""#!/bin/bash
while [ $# -gt 0 ]; do case $1 in
  skeletonize) suffix=_skel;; segment) suffix=_MemBrain_seg_v10_beta.ckpt_segmented;;
  --label-path|--tomogram-path) input=$2; shift;; --out-folder) folder=$2; shift;; esac; shift; done
name=$(basename "$input"); cp "${MEMBRAIN_TEST_MASKS:-$(dirname "$input")}/$name" "$folder/${name%.mrc}$suffix.mrc"
""")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setitem(sys.modules["membrain"].Plugin._vars, "MEMBRAIN_SEG_ENV_ACTIVATION", "true")  # instead of conda's
    return protocols


def test_masks_go_through_membrain_and_come_back(project, simulated, membrain):
    """Ids, voxel size, origin and voxels of our masks survive its protocol, and its masks are scored and learned from by ours."""
    run = run_here(project, membrain.ProtMemBrainSkeletonize, inTomoMasks=(simulated, "membraneMasks"))
    assert run.isFinished(), log_of(run)
    ours = {item.getTsId(): item.clone() for item in simulated.membraneMasks.iterItems()}
    for item in run.tomoMasks.iterItems():
        mask = ours.pop(item.getTsId())
        assert (item.getSamplingRate(), item.getDim()) == (mask.getSamplingRate(), mask.getDim())
        assert item.getOrigin().getShifts() == mask.getOrigin().getShifts()
        assert os.path.samefile(item.getVolName(), mask.getVolName())
    assert not ours
    scores = run_here(project, ProtCryoEtSegEvaluateSegmentation, predicted=(run, "tomoMasks"), truth=(simulated, "membraneMasks"))
    assert scores.isFinished(), log_of(scores)
    assert scores.scoreDice.get() == pytest.approx(1.0)
    pointers = {"inTomos": (simulated, "tomograms"), "inMasks": (run, "tomoMasks")}
    assert new_run(project, ProtCryoEtSegTrainMembranes, iterations=1, **pointers).validate() == []


def test_tomograms_go_into_membrain_and_its_masks_into_ours(project, simulated, membrain, tmp_path, monkeypatch):
    masks = {item.getTsId(): item.getFileName() for item in simulated.membraneMasks.iterItems()}
    for item in simulated.tomograms.iterItems():
        os.symlink(os.path.abspath(masks[item.getTsId()]), tmp_path / os.path.basename(item.getFileName()))
    monkeypatch.setenv("MEMBRAIN_TEST_MASKS", str(tmp_path))
    run = run_here(project, membrain.ProtMemBrainSeg, inTomograms=(simulated, "tomograms"))
    assert run.isFinished(), log_of(run)
    assert isinstance(run.tomoMasks, SetOfTomoMasks)
    scores = run_here(project, ProtCryoEtSegEvaluateSegmentation, predicted=(run, "tomoMasks"), truth=(simulated, "membraneMasks"))
    assert scores.isFinished(), log_of(scores)
    assert scores.scoreDice.get() == pytest.approx(1.0)


# --------------------------- DeepFinder -------------------------------------


def test_coordinates_go_through_deepfinders_lists_and_come_back(project, simulated, tmp_path, monkeypatch):
    """What its training is given, written as its object lists, and read by its import: positions, classes, ids and voxel size."""
    protocols = pytest.importorskip("deepfinder.protocols", reason="scipion-em-deepfinder is not installed", exc_type=ImportError)
    from deepfinder.convert import objl_write

    monkeypatch.setitem(sys.modules["deepfinder"].Plugin._vars, "DF_HOME", str(tmp_path))  # must exist, nothing in it is needed
    expected = positions(simulated.coordinates)
    for entry in protocols.ProtDeepFinderBase._getObjlFromInputCoordinates(simulated.coordinates):
        tomogram, objects = entry["tomo"], entry["objl"]
        found = np.array([[item["x"], item["y"], item["z"]] for item in objects], dtype=float)
        np.testing.assert_allclose(found, expected[tomogram.getTsId()], atol=CLOSE)
        objl_write(objects, str(tmp_path / f"{Path(tomogram.getFileName()).stem}.xml"))
    run = run_here(project, protocols.ImportCoordinates3D, filesPath=str(tmp_path), filesPattern="*.xml", boxSize=30,
                   importTomograms=(simulated, "tomograms"))
    assert run.isFinished(), log_of(run)
    assert groups(run.coordinates) == groups(simulated.coordinates)
    assert run.coordinates.getSamplingRate() == simulated.coordinates.getSamplingRate()
    scores = run_here(project, ProtCryoEtSegEvaluatePicking, predicted=(run, "coordinates"), truth=(simulated, "coordinates"), radiusPx=1.0)
    assert scores.isFinished(), log_of(scores)
    assert scores.scoreF1.get() == pytest.approx(1.0)
    pointers = {"inTomos": (simulated, "tomograms"), "inCoordinates": (run, "coordinates")}
    assert new_run(project, ProtCryoEtSegTrainPicker, iterations=1, **pointers).validate() == []


# --------------------------- consensus --------------------------------------


def test_consensus_of_two_pickers(project, simulated):
    """What both found, once each, and nothing else; it counts in whole voxels, so a result lies within one and a half of both."""
    protocols = pytest.importorskip("tomoviz.protocols", reason="scipion-em-tomoviz is not installed", exc_type=ImportError)
    picked = run_here(project, ProtCryoEtSegPickDog, inTomos=(simulated, "tomograms"), particleDiameter=250.0, count=20)
    radius = 6
    run = project.newProtocol(protocols.ProtTomoConsensusPicking, consensusRadius=radius)
    run.inputCoordinates.set([Pointer(simulated, extended="coordinates"), Pointer(picked, extended="coordinates")])
    launch_here(project, run)
    assert run.isFinished(), log_of(run)
    truth, picks, both = positions(simulated.coordinates), positions(picked.coordinates), positions(run.consensusCoordinates)
    assert run.consensusCoordinates.getSamplingRate() == simulated.coordinates.getSamplingRate()
    for tsId, found in both.items():
        for other in (truth[tsId], picks[tsId]):
            distance = np.linalg.norm(found[:, None] - other[None], axis=2).min(axis=1)
            assert distance.max() < radius + 1.5
        pairs = np.linalg.norm(truth[tsId][:, None] - picks[tsId][None], axis=2).min(axis=1)
        assert abs(len(found) - np.count_nonzero(pairs < radius)) <= 2
    assert sum(map(len, both.values())) > 3
    scores = run_here(project, ProtCryoEtSegEvaluatePicking, predicted=(run, "consensusCoordinates"), truth=(simulated, "coordinates"))
    assert scores.isFinished(), log_of(scores)
    assert scores.scorePrecision.get() == pytest.approx(1.0)


def test_mask_files_of_ours_are_whole_numbers(simulated):
    """Other plugins read labels as integers."""
    for item in simulated.membraneMasks.iterItems():
        assert mrcfile.read(item.getFileName()).dtype == np.int8
