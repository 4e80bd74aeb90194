"""DUAL in Scipion: two unpaired sets make a model, the model makes tomograms in the frame of their input, and the whole chain of labels."""
import mrcfile
import numpy as np
import pytest
from scipion_environment import finished, launch_here, log_of, new_run

from cryoetseg.protocols import (
    ProtCryoEtSegConvertDual,
    ProtCryoEtSegDenoiseDual,
    ProtCryoEtSegExportDual,
    ProtCryoEtSegFillWedge,
    ProtCryoEtSegSimulateDual,
    ProtCryoEtSegTrainDual,
    ProtCryoEtSegTrainWedge,
    ProtCryoEtSegTransferDual,
)

SHORT = {"iterations": 2, "batchSize": 2, "patchPx": 16, "judgeChannels": "2,4", "filterRadius": 3, "validationPatches": 2,
         "modelVoxelSize": 0.0, "useGpu": False}


@pytest.fixture(scope="module")
def dual(project, simulated):
    small = {"denoiserChannels": "2,4", "generatorChannels": "2,4", "noiseChannels": "2,2,4"}
    return finished(project, ProtCryoEtSegTrainDual, inTomos=(simulated, "tomograms"), inClean=(simulated, "grandModels"), **SHORT, **small)


@pytest.fixture(scope="module")
def wedge(project, simulated):
    return finished(project, ProtCryoEtSegTrainWedge, inTomos=(simulated, "tomograms"), fillChannels="2,4", cutChannels="2,4", **SHORT)


@pytest.mark.slow
def test_the_model_knows_what_it_serves(dual, wedge):
    assert (dual.model.getMethod(), wedge.model.getMethod()) == ("dual", "dual-wedge")
    assert dual.model.getSamplingRate() == pytest.approx(13.0)
    assert "DUAL" in "\n".join(dual.methods())
    assert dual.getMetricFiles()


@pytest.mark.slow
@pytest.mark.parametrize(("protocol", "source"), [
    (ProtCryoEtSegDenoiseDual, "tomograms"), (ProtCryoEtSegConvertDual, "tomograms"), (ProtCryoEtSegSimulateDual, "grandModels"),
])
def test_tomograms_come_out_in_the_frame_of_what_went_in(project, simulated, dual, protocol, source):
    run = finished(project, protocol, inTomos=(simulated, source), inModel=(dual, "model"), useGpu=False)
    assert run.tomograms.getSize() == 2
    assert run.tomograms.getSamplingRate() == pytest.approx(13.0)
    before = {item.getTsId(): item.getOrigin().getShifts() for item in getattr(simulated, source).iterItems()}
    for item in run.tomograms.iterItems():
        assert item.getOrigin().getShifts() == pytest.approx(before[item.getTsId()])
        assert mrcfile.read(item.getFileName()).shape == (32, 64, 64)
    assert f"2 tomograms (sim_001, sim_002) were {protocol._done} after [Zeng2024] by a network" in run._methods()[0]
    first, second = run.getBeforeAndAfter()["sim_001"]
    assert not np.array_equal(mrcfile.read(first), mrcfile.read(second))
    assert len({run._makeJob(name).seed for name in before}) == 2  # one noise for all tomograms would look like structure


def test_a_model_is_taken_out_of_a_training_that_has_no_output(project, simulated, wedge, monkeypatch):
    empty = new_run(project, ProtCryoEtSegTrainWedge, inTomos=(simulated, "tomograms"))
    project.saveProtocol(empty)
    early = project.newProtocol(ProtCryoEtSegExportDual, inTraining=empty)
    assert "no weights yet" in " ".join(early.validate())
    run = new_run(project, ProtCryoEtSegExportDual, inTraining=wedge, useGpu=False)
    launch_here(project, run)
    assert run.isFinished(), log_of(run)
    assert run.model.getMethod() == "dual-wedge"
    assert run.model.getPath() != wedge.model.getPath()
    assert "dual-wedge" in run.summary()[0]
    assert run._citations() == ["Zeng2024"]


@pytest.mark.slow
def test_the_wedge_is_filled_by_either_model(project, simulated, imported, dual, wedge):
    filled = []
    for source in (dual, wedge):
        run = finished(project, ProtCryoEtSegFillWedge, inTomos=(imported, "Tomograms"), inModel=(source, "model"), useGpu=False)
        assert run.tomograms.getSize() == 1
        filled.append(mrcfile.read(run.tomograms.getFirstItem().getFileName()))
    assert not np.array_equal(*filled)
    other = new_run(project, ProtCryoEtSegDenoiseDual, inTomos=(simulated, "tomograms"), inModel=(wedge, "model"))
    assert any("trained for 'dual-wedge'" in line for line in other.validate())


@pytest.mark.slow
def test_labels_by_simulation(project, simulated, dual):
    run = finished(project, ProtCryoEtSegTransferDual, inTomos=(simulated, "tomograms"), inModel=(dual, "model"),
                   inGrandModels=(simulated, "grandModels"), inMasks=(simulated, "classMasks"), iterations=2, batchSize=1, patchPx=16,
                   heldOut=0.0, useGpu=False)
    assert run.model.getMethod() == "segmenter"
    assert sorted(item.getTsId() for item in run.classMasks.iterItems()) == ["sim_001", "sim_002"]
    assert "synthetic ones" in "\n".join(run.summary())


def test_a_tilt_range_without_a_wedge_is_refused(project, simulated):
    run = new_run(project, ProtCryoEtSegFillWedge, inTomos=(simulated, "tomograms"), tiltMin=-90.0, tiltMax=90.0)
    assert any("tilt range of 180 degrees" in line for line in run.validate())


def test_half_maps_of_the_tomograms_tell_the_noise(project, simulated, tmp_path):
    run = new_run(project, ProtCryoEtSegTrainDual, inTomos=(simulated, "tomograms"), inClean=(simulated, "grandModels"))
    assert {item.role for item in run._getInputs("training")} == {"noisy", "clean"}
    for name, tomogram in run._tomograms().items():
        halves = [tmp_path / f"{name}_{half}.mrc" for half in ("odd", "even")]
        tomogram.setHalfMaps([str(half) for half in halves])
        if name == "sim_001":
            for half in halves:
                half.write_bytes(b"")
    assert {item.role for item in run._getInputs("training")} == {"noisy", "clean"}  # those of one tomogram alone would not do
    for half in ("odd", "even"):
        (tmp_path / f"sim_002_{half}.mrc").write_bytes(b"")
    found = {item.role: item for item in run._getInputs("training") if item.tilt_series_id == "sim_002"}
    assert found["half1"].path == str(tmp_path / "sim_002_odd.mrc")
    assert found["half2"].path == str(tmp_path / "sim_002_even.mrc")
    assert found["half1"].voxel_size == found["noisy"].voxel_size
