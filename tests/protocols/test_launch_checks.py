"""What a form tells before anything is launched: what this machine lacks, and inputs that Scipion filled in."""
import json
import subprocess
from pathlib import Path

import pytest
from pyworkflow.gui.form import FormWindow
from pyworkflow.object import Pointer
from pyworkflow.protocol import MultiPointerParam, PointerParam
from scipion_environment import new_run

from cryoetseg import Plugin, protocols
from cryoetseg.core.foundation import weights
from cryoetseg.core.models.shelf import shipped_folder
from cryoetseg.protocols import (
    ProtCryoEtSegPickDog,
    ProtCryoEtSegSegmentMembranes,
    ProtCryoEtSegSegmentSlabs,
    ProtCryoEtSegTrainMembranes,
    ProtCryoEtSegTrainPicker,
)

TINY, DIFFUSION, FOLDER = range(3)  # choices of the backbone
PUBLISHED, SLICES, CELLPOSE = 1, 1, 1
CLASSES = [getattr(protocols, name) for name in protocols.__all__]


@pytest.fixture
def slabs(project, simulated, monkeypatch, tmp_path):
    """Messages of the form of segment slabs for some values, on a machine with nothing fetched and no Cellpose."""
    monkeypatch.setitem(Plugin._vars, "CRYOETSEG_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setattr(Plugin, "_missingModules", {(Plugin.getCorePython(), "cellpose"): ["cellpose"]})

    def messages(**values):
        return new_run(project, ProtCryoEtSegSegmentSlabs, inTomos=(simulated, "tomograms"), **{"useGpu": False, **values}).validate()

    return messages


def fetched(folder, name):
    """Weights as they lie when they are fetched, without their content."""
    for file in weights.SOURCES[name].files:
        path = Path(folder) / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"_class_name": "UNet2DConditionModel"}) if file.endswith("unet/config.json") else "")


def test_the_defaults_need_nothing(slabs):
    assert slabs() == []


@pytest.mark.parametrize(("values", "message"), [
    ({"backbone": DIFFUSION}, "weights fetch stable-diffusion-v1-4"),
    ({"preset": PUBLISHED}, "weights fetch stable-diffusion-v1-4"),
    ({"backbone": FOLDER, "backboneFolder": "nonsense"}, "backbone 'nonsense' is neither a known name nor a folder"),
    ({"backbone": FOLDER}, "neither a known name nor a folder"),
    ({"separation": SLICES, "splitter": CELLPOSE}, "has no Cellpose"),
])
def test_what_is_not_installed_is_told_with_what_to_do(slabs, values, message):
    found = [line for line in slabs(**values) if message in line]
    assert len(found) == 1
    assert "What to do" in found[0]


def test_what_is_installed_passes(slabs, tmp_path, monkeypatch):
    fetched(tmp_path / "weights", "stable-diffusion-v1-4")
    fetched(tmp_path / "weights", "cellpose-sam")
    assert slabs(backbone=DIFFUSION) == []
    monkeypatch.setattr(Plugin, "_missingModules", {(Plugin.getCorePython(), "cellpose"): []})
    assert slabs(preset=PUBLISHED) == []
    (tmp_path / "weights" / "cellpose-sam" / "cpsam").unlink()
    assert "weights fetch cellpose-sam" in slabs(preset=PUBLISHED)[0]


def test_a_folder_must_hold_a_whole_network(slabs, tmp_path, backbone):
    assert slabs(backbone=FOLDER, backboneFolder=backbone) == []
    (tmp_path / "config.json").write_text(json.dumps({"_class_name": "UNet2DModel"}))
    assert "lacks the weights of its network" in slabs(backbone=FOLDER, backboneFolder=str(tmp_path))[0]
    (tmp_path / "config.json").write_text(json.dumps({"_class_name": "BertModel"}))
    assert "BertModel" in slabs(backbone=FOLDER, backboneFolder=str(tmp_path))[0]


def test_choices_say_what_is_not_installed(slabs, tmp_path):
    def offered():
        return ProtCryoEtSegSegmentSlabs().getParam("backbone").choices

    assert offered() == ["cryoet-tiny", "stable-diffusion-v1-4 (not installed)", "a folder"]
    fetched(tmp_path / "weights", "stable-diffusion-v1-4")
    assert offered() == ["cryoet-tiny", "stable-diffusion-v1-4", "a folder"]


@pytest.mark.parametrize(("count", "values", "message"), [
    (0, {"useGpu": True}, "shows no NVIDIA GPU"),
    (2, {"useGpu": True, "gpuList": "0 2"}, "*GPU IDs* holds 2. Allowed: 0 to 1"),
    (2, {"useGpu": True, "gpuList": "0 1"}, ""),
    (0, {"useGpu": False}, ""),
])
def test_gpus_that_are_not_here_are_told(project, simulated, monkeypatch, count, values, message):
    monkeypatch.setattr(Plugin, "_gpuCount", [count])
    found = new_run(project, ProtCryoEtSegSegmentMembranes, inTomos=(simulated, "tomograms"), **values).validate()
    assert len(found) == bool(message)
    assert not message or message in found[0]


def test_the_gpu_of_a_queue_is_not_looked_for_here(project, simulated, monkeypatch):
    monkeypatch.setattr(Plugin, "_gpuCount", [0])
    run = new_run(project, ProtCryoEtSegSegmentMembranes, inTomos=(simulated, "tomograms"), useGpu=True)
    run._useQueue.set(True)
    assert run.validate() == []


def test_gpus_are_counted_by_the_driver(monkeypatch, tmp_path):
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 'GPU 0: X (UUID: a)'\necho 'GPU 1: X (UUID: b)'\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setattr(Plugin, "_gpuCount", [])
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert (Plugin.hasGpu(), Plugin.getGpuCount()) == (True, 2)
    monkeypatch.setattr(Plugin, "_gpuCount", [])
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **options: (_ for _ in ()).throw(OSError("no driver")))
    assert not Plugin.hasGpu()


def test_float16_needs_a_gpu(project, simulated, monkeypatch):
    monkeypatch.setattr(Plugin, "_gpuCount", [1])
    values = {"inTomos": (simulated, "tomograms"), "inMasks": (simulated, "membraneMasks"), "precision": 3}
    assert "float16 needs a GPU" in new_run(project, ProtCryoEtSegTrainMembranes, useGpu=False, **values).validate()[0]
    assert new_run(project, ProtCryoEtSegTrainMembranes, useGpu=True, **values).validate() == []


def test_a_pick_without_gpu_asks_for_none(project, simulated):
    assert new_run(project, ProtCryoEtSegPickDog, inTomos=(simulated, "tomograms")).validate() == []


class Suggesting:
    """The part of Scipion's form that fills in inputs from the run that was selected."""

    def __init__(self, run):
        self.previousProt = run

    def getPreviousProtOutput(self):
        return self.previousProt.iterOutputAttributes()


@pytest.mark.parametrize("protocolClass", CLASSES, ids=lambda item: item.__name__)
def test_no_object_is_filled_in_twice(simulated, protocolClass):
    form, run, filled = Suggesting(simulated), protocolClass(), []
    for _, param in run.getDefinition().iterAllParams():
        if isinstance(param, PointerParam) and not isinstance(param, MultiPointerParam):
            pointer = FormWindow.suggestValueFromPreviousProt(form, param, Pointer())
            filled += [pointer.getExtended()] if pointer.hasValue() else []
    assert len(filled) == len(set(filled)), filled


def test_a_first_input_is_still_filled_in(simulated):
    param = ProtCryoEtSegSegmentSlabs().getParam("inTomos")
    assert FormWindow.suggestValueFromPreviousProt(Suggesting(simulated), param, Pointer()).getExtended() == "tomograms"


@pytest.fixture
def start(project, simulated):
    """Messages of a training for its start and its empty tomograms."""
    labels = {ProtCryoEtSegTrainMembranes: {"inMasks": (simulated, "membraneMasks")},
              ProtCryoEtSegTrainPicker: {"inCoordinates": (simulated, "coordinates")}}

    def made(protocolClass, **values):
        return new_run(project, protocolClass, inTomos=(simulated, "tomograms"), useGpu=False, **labels[protocolClass], **values)

    return made


def test_the_general_model_is_a_start_for_membranes(start):
    run = start(ProtCryoEtSegTrainMembranes, startFrom=1)
    assert run.validate() == []
    (file,) = [item for item in run._getInputs("training") if item.role == "start"]
    assert file.path == str(shipped_folder("general", "membranes"))
    assert not [item for item in start(ProtCryoEtSegTrainMembranes)._getInputs("training") if item.role == "start"]


def test_a_start_must_be_chosen_and_fit(start, project, simulated, monkeypatch):
    from cryoetseg.protocols import ProtCryoEtSegImportModel

    assert "*Model to start from* cannot be EMPTY" in start(ProtCryoEtSegTrainPicker, startFrom=2).validate()[0]
    folder = str(shipped_folder("general", "picker"))
    imported = project.newProtocol(ProtCryoEtSegImportModel, folder=folder)
    project.launchProtocol(imported, wait=True)
    run = start(ProtCryoEtSegTrainPicker, startFrom=2, inStart=(imported, "model"))
    assert not any("has the network" in error for error in run.validate())
    monkeypatch.setattr(ProtCryoEtSegTrainPicker, "_startNetworks", ("residual-unet3d",))
    assert "has the network 'centre-unet3d'. Allowed: residual-unet3d" in run.validate()[0]


def test_empty_tomograms_are_inputs_and_none_of_the_labelled(start, simulated):
    run = start(ProtCryoEtSegTrainMembranes, inEmpty=(simulated, "tomograms"))
    assert "sim_001, sim_002 are among *Tomograms*, with labels" in run.validate()[0]
    assert [item.role for item in run._getInputs("training")].count("empty") == 2
