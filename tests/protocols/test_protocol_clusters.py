"""Kinds of coordinates, some of them, and membranes as objects, in a project."""
import pandas as pd
import pytest
from scipion_environment import log_of, new_run, run_here

from cryoetseg.protocols import ProtCryoEtSegClusterParticles, ProtCryoEtSegMeasureMembranes, ProtCryoEtSegSelectByCluster


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


def test_some_clusters_are_kept(project, clustered):
    groups = [item.getGroupId() for item in clustered.coordinates.iterItems()]
    wanted = max(groups)
    run = run_here(project, ProtCryoEtSegSelectByCluster, inCoordinates=(clustered, "coordinates"), clusters=str(wanted))
    assert run.isFinished(), log_of(run)
    assert run.selected.getSize() == groups.count(wanted)
    assert new_run(project, ProtCryoEtSegSelectByCluster, inCoordinates=(clustered, "coordinates"), clusters="ribosomes").validate()


def test_membranes_are_measured(project, simulated):
    run = run_here(project, ProtCryoEtSegMeasureMembranes, inMasks=(simulated, "membraneMasks"), smallestComponent=1e5)
    assert run.isFinished(), log_of(run)
    assert run.membraneInstances.getSize() == simulated.membraneMasks.getSize()
    first = run.membraneInstances.getFirstItem()
    assert first.getFileName().endswith("_instances.mrc")
    assert first.getVolName() == simulated.membraneMasks.getFirstItem().getVolName()
    table = pd.read_csv(run._getOutputFile(first.getTsId(), run._readResult(first.getTsId()), "table"))
    assert (table.area > 0).all()
