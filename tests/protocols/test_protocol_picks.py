"""Picks and filaments that need no training: coordinates, those with the best scores, and how they look."""
import mrcfile
import numpy as np
import pytest
from scipion_environment import finished, in_process
from tomo.constants import BOTTOM_LEFT_CORNER

from cryoetseg.protocols import ProtCryoEtSegPickDog, ProtCryoEtSegSegmentFilaments, ProtCryoEtSegSelectByScore
from cryoetseg.viewers import CryoEtSegPicksViewer, CryoEtSegScoresViewer


@pytest.fixture(scope="module")
def dog(project, imported):
    return finished(project, ProtCryoEtSegPickDog, inTomos=(imported, "Tomograms"), particleDiameter=250.0, count=20)


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


def test_filaments_give_masks_and_points_and_none_where_there_is_none(project, imported):
    run = finished(project, ProtCryoEtSegSegmentFilaments, useGpu=False, inTomos=(imported, "Tomograms"), tilePx=64, overlapPx=16)
    mask = run.filamentMasks.getFirstItem()
    assert mask.getDim() == run.probabilities.getFirstItem().getDim() == imported.Tomograms.getFirstItem().getDim()
    groups = {item.getGroupId() for item in run.axisPoints.iterItems()} if hasattr(run, "axisPoints") else set()
    assert any(f"*{len(groups)}* filament" in line for line in run.summary())
