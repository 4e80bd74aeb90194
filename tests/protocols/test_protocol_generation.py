"""Training a particle generator and generating with it in Scipion, from coordinates with groups to subtomograms with classes."""
import mrcfile
import numpy as np
import pytest
from scipion_environment import log_of, new_run, run_here

from cryoetseg.convert import byTsId, particlesOf
from cryoetseg.protocols import ProtCryoEtSegGenerateParticles, ProtCryoEtSegPasteParticles, ProtCryoEtSegTrainGenerator
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


def test_made_particles_become_labels_beside_the_known_ones(project, simulated, coordinates, trained):
    run = run_here(project, ProtCryoEtSegPasteParticles, inTomos=(simulated, "tomograms"), inCoordinates=(coordinates, "twoGroups"),
                   inModel=(trained, "model"), classes="class2", count=1, spacing=60.0, steps=2, useGpu=False)
    assert run.isFinished(), log_of(run)
    assert sum(map(len, map(voxels, listed(run.coordinates, run.tomograms)))) == simulated.twoGroups.getSize() + 2
    for made, real, all_of_it, known in zip(volumes(run), volumes(simulated), listed(run.coordinates, run.tomograms),
                                            listed(simulated.twoGroups, simulated.tomograms)):
        assert {item.className for item in all_of_it} == {"class1", "class2"}
        (new,) = [place for place in voxels(all_of_it) if place not in voxels(known)]
        changed = np.abs(made - real) > 1e-3
        assert changed[new]
        changed[tuple(slice(middle - 8, middle + 8) for middle in new)] = False
        assert changed.mean() < 0.01  # hot voxels, which cleaning takes away
    assert run.coordinates.getBoxSize() == 16
    assert run.coordinates.getPrecedents().getFirstItem().getFileName() == run.tomograms.getFirstItem().getFileName()
    assert f"*2* particles set into *2* tomograms, which held *{simulated.twoGroups.getSize()}* known ones" in run.summary()[0]


def volumes(run):
    """The tomograms of a run by id."""
    return [mrcfile.read(item.getFileName()) for _, item in sorted(byTsId(run.tomograms).items())]


def listed(coordinates, tomograms):
    """Particles of each tomogram by id."""
    return [particlesOf(coordinates, item, 13.0) for _, item in sorted(byTsId(tomograms).items())]


def voxels(particles):
    """Places (z, y, x), whole."""
    return [tuple(round(value) for value in (item.z, item.y, item.x)) for item in particles]


def test_a_tomogram_of_other_voxels_is_refused_before_a_particle_is_made(project, simulated, trained):
    run = new_run(project, ProtCryoEtSegPasteParticles, inTomos=(simulated, "tomograms"), inModel=(trained, "model"), classes="tric")
    trained.model.setSamplingRate(10.0)
    assert any("Allowed: 10 Å, those of the model" in line for line in run.validate())
    assert any("unknown class 'tric'" in line for line in run.validate())
    trained.model.setSamplingRate(13.0)
