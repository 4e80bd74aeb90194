"""Segmenting slabs in Scipion: masks and candidates of the tomograms' size, id, origin and voxel size, joined to what follows."""
import mrcfile
import numpy as np
import pytest
from scipion_environment import log_of, run_here
from tomo.constants import BOTTOM_LEFT_CORNER
from tomo.protocols import ProtMaskCoordinates
from tomo.tests.test_base_centralized_layer import TestBaseCentralizedLayer

from cryoetseg.convert import readParticles
from cryoetseg.protocols import ProtCryoEtSegEvaluatePicking, ProtCryoEtSegEvaluateSegmentation, ProtCryoEtSegSegmentSlabs

RANGE = (12, 18)


@pytest.fixture(scope="module")
def scipion_checks():
    return TestBaseCentralizedLayer("checkTomoMasks")


def test_masks_pass_scipions_checks(segmented, scipion_checks):
    scipion_checks.checkTomoMasks(segmented.membraneMasks, expectedSetSize=2, expectedSRate=13.0, expectedDimensions=[64, 64, 32])
    for mask in segmented.membraneMasks.iterItems():
        with mrcfile.open(mask.getFileName()) as volume:
            assert volume.data.dtype == np.int8
            assert not volume.data[: RANGE[0]].any()
            assert not volume.data[RANGE[1] :].any()


def test_masks_keep_what_belongs_to_their_tomogram(segmented, simulated):
    tomograms = {item.getTsId(): item.clone() for item in simulated.tomograms.iterItems()}
    for mask in segmented.membraneMasks.iterItems():
        tomogram = tomograms[mask.getTsId()]
        assert mask.getVolName() == tomogram.getFileName()
        assert mask.getOrigin().getShifts() == tomogram.getOrigin().getShifts()
        assert mask.getAcquisition().getAngleMax() == 60.0


def test_candidates_are_those_of_the_core(segmented, scipion_checks):
    coordinates = segmented.coordinates
    scipion_checks.checkCoordinates(coordinates, expectedSetSize=coordinates.getSize(), expectedBoxSize=30, expectedSRate=13.0)
    for tomogram in [item.clone() for item in segmented.inTomos.get().iterItems()]:
        result = segmented._readResult(tomogram.getTsId())
        listed = readParticles(segmented._getOutputFile(tomogram.getTsId(), result, "particles"))
        found = [(*item.getPosition(BOTTOM_LEFT_CORNER), item.getScore()) for item in coordinates.iterCoordinates(tomogram)]
        np.testing.assert_allclose(np.reshape(found, (-1, 4)), [(*item[:3], item.score) for item in listed] or np.zeros((0, 4)), atol=1e-3)
        assert len(listed) == result.metrics["particles"]


def test_jobs_can_be_repeated_outside_scipion(segmented):
    result = segmented._readResult("sim_001")
    assert (result.method, result.job["inputs"][0]["voxel_size"], result.job["inputs"][0]["contrast"]) == ("segment-slabs", 13.0, "dark")
    assert (result.job["parameters"]["z_start"], result.job["parameters"]["z_end"]) == RANGE
    assert result.sha256


def test_information_for_the_user(segmented):
    assert "*2* tomograms" in segmented.summary()[0]
    text = " ".join(segmented._methods())
    assert "slices 12 to 17" in text
    assert "a membrane threshold of" in text
    assert "separation volume (slices)" in text  # what is other than published, with the published value
    assert any("10.48550/arXiv.2312.06716" in line for line in segmented.citations())


def test_only_what_was_used_is_cited(segmented):
    """The backbone of this run is no Stable Diffusion, and no paper is cited for every protocol of the package."""
    assert segmented._citations() == ["Uddin2026", "Zhang2024"]
    assert ProtCryoEtSegSegmentSlabs(backbone=1)._citations() == ["Uddin2026", "Zhang2024", "Rombach2022"]
    assert not [line for line in segmented.citations() if "Package references" in line]
    assert not [line for line in segmented.methods() if "Rombach" in line]
    assert ProtCryoEtSegEvaluatePicking().citations() == ["No references provided"]


def test_results_are_scored(project, simulated, segmented):
    window = {"zStart": RANGE[0], "zLast": RANGE[1] - 1}
    masks = run_here(project, ProtCryoEtSegEvaluateSegmentation, predicted=(segmented, "membraneMasks"), truth=(simulated, "membraneMasks"),
                     **window)
    assert masks.isFinished(), log_of(masks)
    assert 0 <= masks.scoreDice.get() < 1
    pointers = {"predicted": (segmented, "coordinates"), "truth": (simulated, "coordinates")}
    picks = run_here(project, ProtCryoEtSegEvaluatePicking, **pointers, **window)
    assert picks.isFinished(), log_of(picks)
    assert 0 <= picks.scoreF1.get() <= 1


def test_candidates_go_into_tomo(project, simulated, segmented):
    pointers = {"inputCoordinates": (segmented, "coordinates"), "inputSegmentations": (simulated, "classMasks")}
    run = run_here(project, ProtMaskCoordinates, **pointers)
    assert run.isFinished(), log_of(run)
