"""The demo's project: bad input is told before anything runs, what is done is kept, what fails is explained."""
import os

import mrcfile
import numpy as np
import pytest
from scipion_environment import SMALL_SAMPLE, positions

from cryoetseg.core.runtime.errors import InputError, JobError
from cryoetseg.demo import launching
from cryoetseg.demo import project as demo_project
from cryoetseg.protocols import ProtCryoEtSegEvaluateSegmentation, ProtCryoEtSegSimulateTomograms


def write(path, voxel_size):
    with mrcfile.new(path, np.zeros((4, 4, 4), np.float32)) as volume:
        volume.voxel_size = voxel_size
    return path


def test_the_voxel_size_comes_from_the_header_unless_given(tmp_path):
    path = write(tmp_path / "known.mrc", 13.48)
    assert demo_project._voxel_size(path, None) == pytest.approx(13.48, abs=1e-4)
    assert demo_project._voxel_size(path, 10.0) == 10.0


@pytest.mark.parametrize("voxel_size", [0.0, 1.0])
def test_an_unlikely_voxel_size_is_asked_for(tmp_path, voxel_size):
    with pytest.raises(InputError, match="add --voxel-size"):
        demo_project._voxel_size(write(tmp_path / "unknown.mrc", voxel_size), None)


def test_a_file_that_is_no_tomogram_is_told(tmp_path):
    path = tmp_path / "text.mrc"
    path.write_text("no tomogram")
    with pytest.raises(InputError, match="cannot read the header"):
        demo_project._voxel_size(path, None)


@pytest.mark.parametrize(("depth", "expected"), [(180, (82, 98)), (16, (0, 16)), (7, (0, 7))])
def test_the_middle_of_a_tomogram_is_taken(depth, expected):
    assert demo_project._middle(depth) == expected


def test_a_finished_run_is_kept(project, simulated):
    label, ends = simulated.getObjLabel(), str(simulated.endTime)
    again = launching.finished(project, ProtCryoEtSegSimulateTomograms, label, {})
    assert again.getObjId() == simulated.getObjId()
    assert str(again.endTime) == ends


def test_results_are_found_from_anywhere(project, simulated, monkeypatch, tmp_path):
    demo = demo_project._demo(project, {"source": simulated})
    monkeypatch.chdir(tmp_path)
    assert sorted(demo.runs["source"].results) == ["sim_001", "sim_002"]
    assert all(path.is_file() for path in demo.runs["source"].results.values())
    assert demo.runs["source"].summary[0].startswith("*2* tomograms")


def test_bad_values_are_told_before_anything_runs(project):
    with pytest.raises(JobError, match=r"refused: .*odd box"):
        launching.finished(project, ProtCryoEtSegSimulateTomograms, "refused", {**SMALL_SAMPLE, "boxSize": 3})


def test_a_run_that_fails_is_explained(project, monkeypatch):
    monkeypatch.setattr(launching, "POLL_SECONDS", 0.2)
    values = {**SMALL_SAMPLE, "particles": "no_such_molecule"}
    with pytest.raises(JobError, match=r"error: .*no_such_molecule.*run the same command again"):
        launching.finished(project, ProtCryoEtSegSimulateTomograms, "broken", values)


def test_a_run_with_other_values_is_another_run(project, simulated):
    assert launching.has_values(simulated, SMALL_SAMPLE)
    assert launching.has_values(simulated, {**SMALL_SAMPLE, "voxelSize": 13.0000001})  # as a header's single precision gives
    assert not launching.has_values(simulated, {**SMALL_SAMPLE, "snr": 0.1})
    values = {"predicted": (simulated, "membraneMasks"), "truth": (simulated, "membraneMasks"), "zLast": 7}
    run = launching.new_run(project, ProtCryoEtSegEvaluateSegmentation, "scores", values)
    assert launching.has_values(run, values)
    assert not launching.has_values(run, {**values, "truth": (simulated, "classMasks")})


def test_refused_values_leave_no_run_behind(project):
    assert "refused" not in [run.getObjLabel() for run in project.getRuns()]


def test_the_window_opens_a_new_project_as_well(monkeypatch, tmp_path):
    import subprocess

    from pyworkflow.project import Manager

    opened = []
    monkeypatch.setattr(demo_project, "prepare", lambda home: {})  # the Scipion of the tests is prepared already
    monkeypatch.setattr(subprocess, "run", lambda command, check: opened.append(command) or subprocess.CompletedProcess(command, 0))
    here = os.getcwd()
    assert demo_project.open_window(tmp_path, "mine") == 0
    assert opened[0][-1] == "mine"
    assert os.getcwd() == here
    assert Manager().loadProject("mine").getSettings().getProtocolView() == "Tomography"
    os.chdir(here)


def test_published_positions_come_through_scipion_unchanged(project):
    """Scipion counts from the corner of the tomogram, as this program does; what is scored is what is published."""
    from tomo.protocols import ProtImportCoordinates3D

    real, picks = demo_project.REAL, demo_project.REAL["picks"]
    source = demo_project._import(project, "import real tomogram", real["tomogram"], real["samplingRate"])
    published = launching.finished(project, ProtImportCoordinates3D, "import published ribosomes", {
        "filesPath": str(picks.parent), "filesPattern": picks.name, "boxSize": 12, "importTomograms": (source, "Tomograms")})
    found = positions(published.outputCoordinates)["empiar11658_171"]
    np.testing.assert_allclose(found, np.loadtxt(picks), atol=1e-3)
