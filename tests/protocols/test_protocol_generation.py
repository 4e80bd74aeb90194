"""Training a particle generator and generating with it in Scipion, from coordinates with groups to subtomograms with classes."""
import numpy as np
import pytest
from scipion_environment import log_of, new_run, run_here

from cryoetseg.protocols import ProtCryoEtSegGenerateParticles, ProtCryoEtSegTrainGenerator
from cryoetseg.viewers import CryoEtSegGenerationViewer

SHORT = {"iterations": 2, "batchSize": 2, "boxPx": 16, "channels": 8, "validationItems": 2, "noiseSteps": 20, "checkpointInterval": 2,
         "useGpu": False}


@pytest.fixture(scope="module")
def coordinates(project, simulated):
    """Coordinates of the simulated tomograms in two groups, each twice, as a class needs at least eight."""
    from tomo.objects import SetOfCoordinates3D

    found = SetOfCoordinates3D.create(simulated._getPath(), suffix="two_groups")
    found.copyInfo(simulated.coordinates)
    found.setPrecedents(simulated.tomograms)
    for number, item in enumerate(2 * [item.clone() for item in simulated.coordinates.iterItems()]):
        item.setObjId(None)
        item.setGroupId(1 + number % 2)
        item._groupName.set("")  # as of a program that knows numbers alone
        found.append(item)
    found.write()
    simulated._defineOutputs(twoGroups=found)
    return simulated


@pytest.fixture(scope="module")
def trained(project, simulated, coordinates):
    pointers = {"inTomos": (simulated, "tomograms"), "inCoordinates": (coordinates, "twoGroups")}
    run = run_here(project, ProtCryoEtSegTrainGenerator, **SHORT, **pointers)
    assert run.isFinished(), log_of(run)
    return run


@pytest.fixture(scope="module")
def generated(project, trained):
    run = run_here(project, ProtCryoEtSegGenerateParticles, inModel=(trained, "model"), count=2, steps=2, useGpu=False)
    assert run.isFinished(), log_of(run)
    return run


def test_the_model_knows_the_groups_as_classes(trained):
    assert trained.model.getMethod() == "generator"
    assert trained.model.getClasses() == {0: "class1", 1: "class2"}
    assert any("*2* steps" in line for line in trained.summary())


def test_each_subtomogram_carries_its_class_and_how_it_was_sampled(project, generated):
    items = [item.clone() for item in project.getProtocol(generated.getObjId()).subtomograms.iterItems()]
    assert [(item.getClassId(), item._particleClass.get()) for item in items] == [(1, "class1")] * 2 + [(2, "class2")] * 2
    assert {item.getDim() for item in items} == {(16, 16, 16)}
    assert {item.getSamplingRate() for item in items} == {13.0}
    sampled = {(item._sampler.get(), item._steps.get(), item._guidance.get(), item._seed.get()) for item in items}
    assert sampled == {("dpm_solver", 2, 1.0, 0)}
    assert all(0 <= item._positionZ.get() <= 1 for item in items)
    assert "4* subtomograms: 2 class1, 2 class2" in generated.summary()[0]


def test_the_viewer_shows_them_beside_what_was_learned_from(project, generated):
    viewer = CryoEtSegGenerationViewer(project=project, protocol=generated)
    made, real = viewer.cubes(1, 2), viewer.real()
    assert {name: len(cubes) for name, cubes in made.items()} == {"class1": 2, "class2": 2}
    assert real["cubes"]["class1"].shape == (3, 16, 16, 16)
    assert np.isfinite(real["power"]["class2"]).all()


def test_what_cannot_be_sampled_is_said_before_the_run(project, trained):
    run = new_run(project, ProtCryoEtSegGenerateParticles, inModel=(trained, "model"), classes="class1, tric", guidance=12.0)
    messages = " ".join(run.validate())
    assert "unknown class 'tric'. Allowed: all, class1, class2" in messages
    assert "guidance" in messages
