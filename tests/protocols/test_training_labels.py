"""Labels that do not fit their tomograms are told before a training is launched."""
import mrcfile
import pytest
from pyworkflow.object import Pointer
from tomo.objects import SetOfTomograms

from cryoetseg.protocols import ProtCryoEtSegTrainMembranes, ProtCryoEtSegTrainPicker


@pytest.fixture
def binned(simulated, tmp_path):
    """A simulated tomogram at twice the voxel size and half the size, with the same id."""
    tomogram = simulated.tomograms.getFirstItem().clone()
    data = mrcfile.read(tomogram.getFileName())[::2, ::2, ::2].copy()
    with mrcfile.new(tmp_path / "sim_001.mrc", data) as volume:
        volume.voxel_size = 26.0
    made = SetOfTomograms.create(str(tmp_path))
    made.setSamplingRate(26.0)
    tomogram.setLocation(str(tmp_path / "sim_001.mrc"))
    tomogram.setSamplingRate(26.0)
    tomogram.setOrigin(None)
    made.append(tomogram)
    made.write()
    return made


def test_masks_of_another_size_are_refused_unless_resampled(simulated, binned):
    run = ProtCryoEtSegTrainMembranes()
    run.inTomos, run.inMasks = Pointer(binned), Pointer(simulated.membraneMasks)
    (message,) = run._validateInputs()
    assert "64 x 64 x 32 voxels of 13 Å against 32 x 32 x 16 voxels of 26 Å" in message
    assert "Resample labels" in message
    run.resampleLabels.set(True)
    assert run._validateInputs() == []


def test_coordinates_follow_the_binning_and_those_outside_are_told(simulated, binned):
    run = ProtCryoEtSegTrainPicker()
    run.inTomos, run.inCoordinates = Pointer(binned), Pointer(simulated.coordinates)
    assert run._validateInputs() == []
    simulated.coordinates.setSamplingRate(52.0)
    try:
        (message,) = run._validateInputs()
    finally:
        simulated.coordinates.setSamplingRate(13.0)
    assert "lie outside its 32 x 32 x 16 voxels of 26 Å" in message
    assert "another binning is the usual cause" in message


def test_labels_of_other_tomograms_and_empty_slices_are_told(simulated):
    tomogram = simulated.tomograms.getFirstItem().clone()
    run = ProtCryoEtSegTrainMembranes()
    run.inTomos, run.inMasks = Pointer(simulated.tomograms), Pointer(simulated.membraneMasks)
    run.zStart.set(20)
    run.zLast.set(40)
    assert "Allowed: 0 to 31" in run._validateInputs()[0]
    tomogram.setTsId("another")
    run._tomogramsById = {"another": tomogram}
    run.getTrainingIds = lambda: []
    assert "no tilt-series id in common" in run._validateInputs()[0]
