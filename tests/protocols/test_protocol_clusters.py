"""Kinds of coordinates, some of them, and membranes as objects, in a project."""
import os

import numpy as np
import pandas as pd
import pytest
from matplotlib.backend_bases import MouseEvent
from matplotlib.image import imread
from scipion_environment import in_process, log_of, new_run, run_here

from cryoetseg.convert import fileOf
from cryoetseg.protocols import (
    ProtCryoEtSegClusterParticles,
    ProtCryoEtSegCurateCoordinates,
    ProtCryoEtSegMeasureMembranes,
    ProtCryoEtSegSelectByCluster,
    ProtCryoEtSegSelectByScore,
)
from cryoetseg.viewers import CryoEtSegClustersViewer
from cryoetseg.viewers.cluster_map import ClusterMap, Member, slicesAbout
from cryoetseg.viewers.slice_stack import openArray
from cryoetseg.viewers.viewer_cluster_particles import LARGEST, TABLES


@pytest.fixture(scope="module")
def clustered(project, simulated):
    pointers = {"inCoordinates": (simulated, "coordinates"), "inMasks": (simulated, "membraneMasks")}
    run = run_here(project, ProtCryoEtSegClusterParticles, **pointers)
    assert run.isFinished(), log_of(run)
    return run


def test_every_coordinate_gets_a_cluster(simulated, clustered):
    assert clustered.coordinates.getSize() == simulated.coordinates.getSize()
    groups = {item.getGroupId() for item in clustered.coordinates.iterItems()}
    table = pd.read_csv(clustered._getItemFile("clusters", "clusters.csv"))
    assert groups == set(table.cluster)
    assert table.particles.sum() == simulated.coordinates.getSize()
    assert table.share_near_membrane.notna().any()
    assert len(clustered.getPictures()) == 3
    assert any("kind" in line for line in clustered.summary())


def test_tomograms_are_named_by_a_run_and_its_output(project, simulated, clustered):
    """The number of a set differs between the databases of runs, so in workflows that are launched as a whole it leads nowhere."""
    group = str(clustered.coordinates.getFirstItem().getGroupId())
    runs = [run_here(project, ProtCryoEtSegSelectByCluster, inCoordinates=(clustered, "coordinates"), clusters=group),
            run_here(project, ProtCryoEtSegSelectByScore, inCoordinates=(clustered, "coordinates"), threshold=-9.0),
            run_here(project, ProtCryoEtSegCurateCoordinates, inCoordinates=(clustered, "coordinates"))]
    for made in (clustered.coordinates, *(run.selected for run in runs[:2]), runs[2].curated):
        pointer = made._precedentsPointer
        assert (pointer.getObjValue().getObjId(), pointer.getExtended()) == (simulated.getObjId(), "tomograms")
        assert made.getPrecedents().getSize() == 2


def test_some_clusters_are_kept(project, clustered):
    groups = [item.getGroupId() for item in clustered.coordinates.iterItems()]
    wanted = max(groups)
    run = run_here(project, ProtCryoEtSegSelectByCluster, inCoordinates=(clustered, "coordinates"), clusters=str(wanted))
    assert run.isFinished(), log_of(run)
    assert run.selected.getSize() == groups.count(wanted)
    assert new_run(project, ProtCryoEtSegSelectByCluster, inCoordinates=(clustered, "coordinates"), clusters="ribosomes").validate()


def press(window, axes, place):
    """A press of the left mouse button at a place of axes, as matplotlib gets it from the screen."""
    x, y = axes.transData.transform(place)
    window.figure.canvas.callbacks.process("button_press_event", MouseEvent("button_press_event", window.figure.canvas, x, y, 1))


@pytest.fixture
def window(project, clustered):
    viewer = CryoEtSegClustersViewer(project=project)
    viewer.setProtocol(clustered)
    (window,) = viewer._getVisualizeDict()["showMap"]("showMap")
    yield window
    window.close()


def test_a_point_of_the_map_opens_its_slices(clustered, window):
    member, place = window.found.members[3], window.found.places[3]
    press(window, window.map, place)
    assert np.allclose(np.ravel(window.mark.get_data()), place)
    tomogram = clustered.coordinates.getPrecedents().getFirstItem()
    volume, z = openArray(fileOf(tomogram)), int(np.rint(member.zyx[0]))
    shown = window.slices[0].images[0].get_array()
    assert f"{member.tsId}, cluster {member.cluster}" in window.slices[0].get_title() or member.cluster == 0
    assert f"z = {z}" in window.slices[0].get_title()
    found = np.argwhere(np.isclose(volume[z], shown[0, 0]))
    assert any(np.array_equal(volume[z, row:row + shown.shape[0], column:column + shown.shape[1]], shown) for row, column in found)
    press(window, window.map, window.found.places.max(axis=0) + 1e4)  # beside all points
    assert np.allclose(np.ravel(window.mark.get_data()), place)


def test_the_circle_of_a_slice_is_where_the_particle_is():
    volume = np.zeros((40, 60, 60), np.float32)
    volume[20, 5, 50] = 1
    for number, (_, image, place) in enumerate(slicesAbout(volume, Member(1, "TS_1", (20, 5, 50), 10.0, 200.0))):
        assert image[tuple(np.rint(place).astype(int))] == 1, "zyx"[number]


def test_chosen_averages_become_a_set(project, clustered, window):
    groups = [item.getGroupId() for item in clustered.coordinates.iterItems()]
    wanted = max(groups)
    window.write()  # nothing is chosen: nothing is written
    assert window.told.get_text() == ""
    for number in (wanted, min(groups), min(groups)):  # the second one is chosen and left out again
        press(window, window.averages[number], (1, 1))
    assert window.chosen == {wanted}
    assert window.button.label.get_text() == f"Write a set of {groups.count(wanted)}"
    with in_process(project):
        window.write()
    run = [item for item in project.getRuns() if isinstance(item, ProtCryoEtSegSelectByCluster)][-1]
    assert run.isFinished(), log_of(run)
    assert run.selected.getSize() == groups.count(wanted)
    assert window.told.get_text() == f"launched: clusters {wanted}"


@pytest.mark.parametrize(("entry", "file"), [("showGallery", "gallery.png"), ("showCounts", "counts.png")])
def test_pictures_of_the_engine_are_shown_whole(project, clustered, entry, file):
    viewer = CryoEtSegClustersViewer(project=project)
    viewer.setProtocol(clustered)
    (view,) = viewer._getVisualizeDict()[entry](entry)
    (shown,) = view.figure.axes[0].images
    picture = imread(clustered._getItemFile("clusters", file))
    np.testing.assert_array_equal(shown.get_array(), picture)
    width, height = view.figure.get_size_inches()
    assert width / height == pytest.approx(picture.shape[1] / picture.shape[0], rel=0.01)
    assert width <= LARGEST[0] + 1e-6
    assert height <= LARGEST[1] + 1e-6
    view.close()


def test_tables_are_those_of_kinds_and_of_counts(project, clustered):
    viewer = CryoEtSegClustersViewer(project=project)
    viewer.setProtocol(clustered)
    assert [os.path.basename(path) for path in viewer._files(*TABLES)] == ["clusters.csv", "counts.csv"]
    viewer.setProtocol(project.newProtocol(ProtCryoEtSegClusterParticles))
    for entry in ("showMap", "showGallery", "showCounts", "showTables"):
        (message,) = viewer._getVisualizeDict()[entry](entry)
        assert message.getMessage()


def test_the_map_counts_all_particles(clustered):
    found = ClusterMap(clustered._getItemFile("clusters"))
    assert sum(found.counts.values()) == clustered.coordinates.getSize() == len(found.members)
    assert set(found.averages) == set(found.clusters)


def test_membranes_are_measured(project, simulated):
    run = run_here(project, ProtCryoEtSegMeasureMembranes, inMasks=(simulated, "membraneMasks"), smallestComponent=1e5)
    assert run.isFinished(), log_of(run)
    assert run.membraneInstances.getSize() == simulated.membraneMasks.getSize()
    first = run.membraneInstances.getFirstItem()
    assert first.getFileName().endswith("_instances.mrc")
    assert first.getVolName() == simulated.membraneMasks.getFirstItem().getVolName()
    table = pd.read_csv(run._getOutputFile(first.getTsId(), run._readResult(first.getTsId()), "table"))
    assert (table.area > 0).all()
