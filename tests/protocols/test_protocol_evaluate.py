"""Both evaluations: scores are those of the volumes and positions given, and stay with the run."""
import mrcfile
import pytest
from scipion_environment import log_of, new_run, run_here

from cryoetseg.convert import readParticles
from cryoetseg.protocols import ProtCryoEtSegEvaluatePicking, ProtCryoEtSegEvaluateSegmentation, ProtCryoEtSegSegmentSlabs


@pytest.fixture(scope="module")
def segmentation(project, simulated):
    """All classes scored against the membranes alone: overlaps, but not fully."""
    run = run_here(project, ProtCryoEtSegEvaluateSegmentation, predicted=(simulated, "classMasks"), truth=(simulated, "membraneMasks"))
    assert run.isFinished(), log_of(run)
    return run


@pytest.fixture(scope="module")
def picking(project, simulated, copied):
    pointers = {"predicted": (copied, "selected"), "truth": (simulated, "coordinates")}
    run = run_here(project, ProtCryoEtSegEvaluatePicking, radiusPx=2.0, **pointers)
    assert run.isFinished(), log_of(run)
    return run


def dice_of(first, second):
    first, second = mrcfile.read(first) > 0, mrcfile.read(second) > 0
    return 2 * (first & second).sum() / (first.sum() + second.sum())


def test_dice_is_that_of_the_files(simulated, segmentation):
    classes = {item.getTsId(): item.getFileName() for item in simulated.classMasks.iterItems()}
    truth = {item.getTsId(): item.getFileName() for item in simulated.membraneMasks.iterItems()}
    expected = {tsId: dice_of(classes[tsId], truth[tsId]) for tsId in classes}
    found = {tsId: scores["Dice"] for tsId, scores in segmentation.getMainScores().items()}
    assert found == pytest.approx(expected, abs=1e-6)
    assert 0 < segmentation.scoreDice.get() < 1
    assert segmentation.scoreDice.get() == pytest.approx(sum(expected.values()) / 2)


def test_scores_are_kept_in_the_project(project, segmentation):
    again = project.getProtocol(segmentation.getObjId())
    assert again.scoreDice.get() == segmentation.scoreDice.get()
    assert any(f"Dice *{segmentation.scoreDice.get():.3f}*" in line for line in segmentation.summary())
    assert sorted(segmentation.getResultFiles()) == ["sim_001", "sim_002"]


def test_a_copy_of_the_truth_is_perfect(picking):
    assert picking.scoreF1.get() == 1.0
    assert picking._readResult("sim_001").metrics["mean_distance_px"] == 0.0
    assert picking.getCurves()["sim_001"]["recall"][-1] == 1.0


def test_evaluations_ask_for_no_gpu(picking):
    assert not picking.usesGpu()


@pytest.mark.parametrize(("values", "message"), [
    ({"zStart": 8, "zLast": 4}, "Allowed: 8 or more"),
    ({"truthGroups": "ribosomes"}, "Allowed: numbers separated by commas"),
    ({"radiusPx": 0.0}, "radius_px"),
])
def test_bad_values_of_picking_give_one_helpful_message(project, simulated, copied, values, message):
    run = new_run(project, ProtCryoEtSegEvaluatePicking, predicted=(copied, "selected"), truth=(simulated, "coordinates"), **values)
    assert any(message in line for line in run.validate())


@pytest.mark.parametrize(("protocolClass", "output"), [
    (ProtCryoEtSegEvaluatePicking, "coordinates"), (ProtCryoEtSegEvaluateSegmentation, "membraneMasks"),
])
def test_a_set_is_not_scored_against_itself(project, simulated, segmented, protocolClass, output):
    (message,) = new_run(project, protocolClass, predicted=(simulated, output), truth=(simulated, output)).validate()
    assert "the same set" in message
    assert new_run(project, protocolClass, predicted=(segmented, output), truth=(simulated, output)).validate() == []


@pytest.mark.parametrize("groups", ["", "1", "1,2", " 1, 3 7 "])
def test_groups_can_be_written_in_any_way(project, simulated, copied, groups):
    pointers = {"predicted": (copied, "selected"), "truth": (simulated, "coordinates")}
    run = new_run(project, ProtCryoEtSegEvaluatePicking, truthGroups=groups, **pointers)
    assert run.validate() == []
    assert run._getGroups() == {int(word) for word in groups.replace(",", " ").split()}


def test_groups_restrict_the_truth(project, simulated, copied):
    pointers = {"predicted": (copied, "selected"), "truth": (simulated, "coordinates")}
    run = new_run(project, ProtCryoEtSegEvaluatePicking, truthGroups="99", **pointers)
    project._setupProtocol(run)
    run.makePathsAndClean()
    run._writeInputs("sim_001")
    assert readParticles(run._getListFile("sim_001", "truth")) == []
    assert len(readParticles(run._getListFile("sim_001", "predicted"))) > 0


def test_masks_are_refused_as_tomograms(project, simulated):
    run = new_run(project, ProtCryoEtSegSegmentSlabs, inTomos=(simulated, "membraneMasks"))
    assert any("holds masks. Allowed: tomograms" in line for line in run.validate())


@pytest.mark.parametrize(("values", "message"), [
    ({"zStart": 10, "zLast": 9}, "Allowed: 10 or more"),
    ({"zStart": 40, "zLast": 0}, "Allowed: 0 to 31"),
    ({"zLast": 32}, "Slices 0 to 32 are not in sim_001 (32 slices), sim_002 (32 slices)"),
])
def test_slab_ranges_outside_are_refused(project, simulated, values, message):
    run = new_run(project, ProtCryoEtSegSegmentSlabs, inTomos=(simulated, "tomograms"), **values)
    assert any(message in line for line in run.validate())
