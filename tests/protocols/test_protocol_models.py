"""Models as files that come and go, and the refusal of those that a protocol cannot take, before anything is launched."""
import os
import shutil

import pytest
from scipion_environment import log_of, new_run, run_here

from cryoetseg import protocols
from cryoetseg.core.models.card import read_card
from cryoetseg.core.models.shelf import shipped_folder
from cryoetseg.objects import CryoEtSegModel
from cryoetseg.protocols import ProtCryoEtSegExportModel, ProtCryoEtSegImportModel, ProtCryoEtSegPickParticles

CLASSES = [getattr(protocols, name) for name in protocols.__all__]
FIELDS = ("inModel", "inStart")
TAKERS = [pytest.param(made, name, id=made.__name__[len("ProtCryoEtSeg"):]) for made in CLASSES for name in FIELDS
          if made().getParam(name) is not None]
CHOSEN = 2  # of where a training starts: a model


def imported(project, folder):
    run = run_here(project, ProtCryoEtSegImportModel, folder=str(folder))
    assert run.isFinished(), log_of(run)
    return run


@pytest.fixture(scope="module")
def picker(project):
    """The general picker as somebody else may have given it."""
    return imported(project, shipped_folder("general", "picker"))


@pytest.fixture(scope="module")
def embedding(project):
    """A model that no protocol of the window takes."""
    return imported(project, shipped_folder("general", "embedding"))


def messages(project, simulated, protocolClass, field, model):
    """What the form of a protocol says that has nothing but tomograms and a model."""
    values = {"startFrom": CHOSEN} if field == "inStart" else {}
    tomograms = {"inTomos": (simulated, "tomograms")} if protocolClass().getParam("inTomos") is not None else {}
    return new_run(project, protocolClass, **values, **tomograms, **{field: (model, "model")}).validate()


def test_all_protocols_that_take_a_model_are_here():
    assert len(TAKERS) > 12


@pytest.mark.parametrize(("protocolClass", "field"), [case for case in TAKERS if case.values[0] is not ProtCryoEtSegExportModel])
def test_a_model_for_something_else_is_refused(project, simulated, embedding, protocolClass, field):
    found = [line for line in messages(project, simulated, protocolClass, field, embedding) if "was trained for 'embedding'" in line]
    assert len(found) == 1
    assert "Allowed: a model for" in found[0]
    assert "What to do: choose" in found[0]


@pytest.mark.parametrize(("protocolClass", "field"), TAKERS)
def test_a_model_whose_folder_is_gone_or_damaged_is_refused(project, simulated, tmp_path, protocolClass, field):
    run = imported(project, shipped_folder("general", "picker"))
    weights = os.path.join(project.path, run.model.getPath(), "model.safetensors")
    with open(weights, "ab") as stream:
        stream.write(b"x")
    assert any("is damaged or was exchanged" in line for line in messages(project, simulated, protocolClass, field, run))
    shutil.rmtree(os.path.dirname(weights))
    assert any("is not a model folder" in line for line in messages(project, simulated, protocolClass, field, run))


def test_a_model_goes_out_and_comes_back(project, picker, tmp_path):
    target = tmp_path / "shared" / "picker"
    run = run_here(project, ProtCryoEtSegExportModel, inModel=(picker, "model"), folder=str(target))
    assert run.isFinished(), log_of(run)
    assert sorted(os.listdir(target)) == ["card.json", "model.safetensors"]
    again = imported(project, target)
    assert read_card(again.model.getPath()) == read_card(picker.model.getPath())
    assert again.model.getPath() != picker.model.getPath()
    assert again._citations() == picker._citations()
    once_more = new_run(project, ProtCryoEtSegExportModel, inModel=(picker, "model"), folder=str(target))
    assert once_more.validate() == []  # an earlier model is replaced


def test_damaged_and_foreign_folders_are_told(project, picker, tmp_path):
    damaged = tmp_path / "damaged"
    shutil.copytree(picker.model.getPath(), damaged)
    with open(damaged / "model.safetensors", "ab") as stream:
        stream.write(b"x")
    for folder, message in ((damaged, "SHA-256"), (tmp_path, "is not a model folder"), (tmp_path / "none", "is not a model folder")):
        assert any(message in line for line in new_run(project, ProtCryoEtSegImportModel, folder=str(folder)).validate())


def test_nothing_else_is_replaced_by_a_model(project, picker, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for folder in (tmp_path, tmp_path / "notes.txt"):
        (message,) = new_run(project, ProtCryoEtSegExportModel, inModel=(picker, "model"), folder=str(folder)).validate()
        assert "exists and is not a model" in message
    run = new_run(project, ProtCryoEtSegExportModel, inModel=(picker, "model"), folder=str(tmp_path))
    with pytest.raises(Exception, match="is not a model"):
        run.exportStep(picker.model.getPath(), str(tmp_path))
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_another_voxel_size_is_a_warning(project, simulated):
    run = new_run(project, ProtCryoEtSegPickParticles, inTomos=(simulated, "tomograms"))
    model = CryoEtSegModel("folder", "picker")
    for size, count in ((13.0, 0), (None, 0), (8.0, 1)):
        model.setSamplingRate(size)
        run.inModel.set(model)
        warnings = run._voxelWarnings()
        assert len(warnings) == count
        assert not count or "will be resampled" in warnings[0]
