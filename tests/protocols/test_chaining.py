"""What we make goes into other plugins' protocols, and what they make comes into ours."""
import os
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from scipion_environment import log_of, run_here
from tomo.protocols import ProtExportCoordinates3D, ProtImportTomograms, ProtImportTomomasks, ProtMaskCoordinates, ProtTomoApplyTomoMask

from cryoetseg.protocols import ProtCryoEtSegEvaluateSegmentation


def test_masks_are_applied_by_tomo(project, simulated):
    pointers = {"inTomoSet": (simulated, "tomograms"), "inMaskSet": (simulated, "membraneMasks")}
    run = run_here(project, ProtTomoApplyTomoMask, sigmaGaussian=1, **pointers)
    assert run.isFinished(), log_of(run)
    masked = {item.getTsId(): item.clone() for item in run.maskedTomograms.iterItems()}
    assert sorted(masked) == ["sim_001", "sim_002"]
    membranes = {item.getTsId(): item.getFileName() for item in simulated.membraneMasks.iterItems()}
    inside = mrcfile.read(membranes["sim_001"]) > 0
    assert np.ptp(mrcfile.read(masked["sim_001"].getFileName())[inside]) > 0


def test_coordinates_are_filtered_by_tomo(project, simulated):
    run = run_here(project, ProtMaskCoordinates, inputCoordinates=(simulated, "coordinates"), inputSegmentations=(simulated, "classMasks"))
    assert run.isFinished(), log_of(run)
    assert 0 < run.Coordinates.getSize() <= simulated.coordinates.getSize()


def test_coordinates_are_exported_by_tomo(project, simulated):
    run = run_here(project, ProtExportCoordinates3D, inputCoordinates=(simulated, "coordinates"), outputFormat=0)
    assert run.isFinished(), log_of(run)
    lines = [line for path in Path(run._getExportPath()).iterdir() for line in path.read_text().splitlines()]
    assert len(lines) >= simulated.coordinates.getSize()


def test_masks_imported_by_another_plugin_can_be_scored(project, simulated, tmp_path):
    """Imported tomograms and masks carry ids and origins of the importer's; the join is by tilt-series id alone."""
    for item in simulated.tomograms.iterItems():
        os.symlink(os.path.abspath(item.getFileName()), tmp_path / f"{item.getTsId()}.mrc")
    for item in simulated.membraneMasks.iterItems():
        os.symlink(os.path.abspath(item.getFileName()), tmp_path / f"{item.getTsId()}_mask.mrc")
    tomograms = run_here(project, ProtImportTomograms, filesPath=str(tmp_path), filesPattern="sim_00[12].mrc", samplingRate=13.0)
    assert tomograms.isFinished(), log_of(tomograms)
    pattern = {"filesPath": str(tmp_path), "filesPattern": "{TS}_mask.mrc"}
    masks = run_here(project, ProtImportTomomasks, inputTomos=(tomograms, "Tomograms"), **pattern)
    assert masks.isFinished(), log_of(masks)
    run = run_here(project, ProtCryoEtSegEvaluateSegmentation, predicted=(masks, "tomomasks"), truth=(simulated, "membraneMasks"))
    assert run.isFinished(), log_of(run)
    assert run.scoreDice.get() == pytest.approx(1.0)
