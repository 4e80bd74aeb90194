"""The workflow templates load into a project as connected workflows whose first steps run and whose others accept what those give."""
import re
import shutil

import mrcfile
import numpy as np
import pytest
import pyworkflow
from pyworkflow.object import Pointer
from scipion_environment import log_of
from tomo.objects import SetOfSubTomograms

from cryoetseg.core.runtime.params import parameters_from
from cryoetseg.protocols.form_builder import parametersOf

SIMULATION = {"count": "1", "voxelSize": "13.0", "sizeZ": "32", "sizeY": "64", "sizeX": "64"}
IMPORT = {"filesPattern": "{TS}.mrc", "samplingRate": "13.0"}
# By template: values typed into its window, its protocols in order, how many connections they have, how many of them need no model
TEMPLATES = {
    "unsupervised_segmentation": (
        {**IMPORT, "zStart": "12", "zLast": "17", "particleDiameter": "250.0", "pickerDiameter": "250.0"},
        ["ImportTomograms", "SegmentSlabs", "TrainMembranes", "SegmentMembranes", "TrainPicker", "PickParticles"], 9, 2),
    "general_models": (IMPORT, ["ImportTomograms", "SegmentMembranes", "PickParticles", "ClusterParticles", "ExportCoordinates"], 5, 3),
    "general_models_streaming": (
        {"threads": "3", "pickingThreads": "3"}, ["SegmentMembranes", "PickParticles", "ClusterParticles", "ExportCoordinates"], 3, 2),
    "denoise_and_pick": (
        {**IMPORT, **SIMULATION, "particleDiameter": "250.0"},
        ["ImportTomograms", "SimulateTomograms", "TrainDual", "DenoiseDual", "PickDog"], 5, 3),
    "simulate_and_train": (
        {**IMPORT, **SIMULATION, "particles": "ribosome_80s", "snr": "0.3", "pickerDiameter": "250.0"},
        ["SimulateTomograms", "TrainMembranes", "TrainPicker", "TrainSegmenter", "ImportTomograms", "SegmentMembranes", "PickParticles",
         "SegmentClasses"], 12, 5),
    "adapt_subtomograms": (
        {"filesPattern": "sub_*.mrc", "samplingRate": "13.0", "sourceCount": "4"},
        ["ImportSubTomograms", "TrainVoxUda", "SegmentSubtomograms"], 3, 2),
}
LEFT_OPEN = {"general_models_streaming": "inTomos"}  # inputs that the user connects to a reconstruction of theirs
UNTOLD = {"outputSubTomograms": SetOfSubTomograms}  # tomo's import does not say before its run what it will give


@pytest.fixture(scope="module")
def folder(simulated, tmp_path_factory):
    """One tomogram and three subtomograms to import."""
    folder = tmp_path_factory.mktemp("template")
    tomogram = simulated.tomograms.getFirstItem().getFileName()
    shutil.copy(tomogram, folder / "sim_001.mrc")
    for number in range(3):
        with mrcfile.new(folder / f"sub_{number}.mrc", np.ascontiguousarray(mrcfile.read(tomogram)[:, number:number + 32, :32])) as file:
            file.voxel_size = 13.0
    return folder


@pytest.fixture(scope="module", params=TEMPLATES)
def loaded(request, project, folder):
    """The name of a template and its runs in order, loaded as Scipion's window does."""
    plugin = pyworkflow.Config.getDomain().getPlugins()["cryoetseg"]._pluginInstance
    (template,) = [item for item in plugin.getTemplates() if item.getObjId() == f"cryoetseg-{request.param}"]
    assert template.description.startswith(request.param.replace("_", " ").capitalize())
    template.replaceEnvVariables()
    template.parseContent()
    values = {**TEMPLATES[request.param][0], **({} if request.param in LEFT_OPEN else {"filesPath": str(folder)})}
    assert {field.getAlias() for field in template.getParams().values()} == set(values)
    for alias, value in values.items():
        assert template.setParamValue(alias, value)
    return request.param, list(project.loadProtocols(filename=template.createTemplateFile()).values())


def pointers_of(run):
    return [(name, attribute) for name, attribute in run.iterDefinitionAttributes() if isinstance(attribute, Pointer)]


def test_every_input_is_an_output_of_the_right_kind(loaded):
    name, runs = loaded
    domain = pyworkflow.Config.getDomain()
    connected = 0
    for run in runs:
        for parameter, pointer in pointers_of(run):
            if not pointer.hasValue() and parameter == LEFT_OPEN.get(name):
                continue
            if not pointer.hasValue():
                assert run.getParam(parameter).allowsNull or not run.evalParamCondition(parameter), (run.getClassName(), parameter)
                continue
            made = {**UNTOLD, **(pointer.getObjValue()._possibleOutputs or {})}[pointer.getExtended()]
            allowed = [domain.findClass(word) for word in re.findall(r"\w+", str(run.getParam(parameter).pointerClass))]
            assert issubclass(made, tuple(allowed)), (run.getClassName(), parameter)
            connected += 1
    assert connected == TEMPLATES[name][2]


def test_its_protocols_and_values_are_those_of_the_template(loaded):
    name, runs = loaded
    assert [run.getClassName().replace("CryoEtSeg", "")[len("Prot"):] for run in runs] == TEMPLATES[name][1]
    for run in runs:
        if hasattr(run, "_model"):
            parameters_from(run._model, parametersOf(run, run._model))
    for alias, value in TEMPLATES[name][0].items():
        wanted = {"pickerDiameter": "particleDiameter", "threads": "numberOfThreads", "pickingThreads": "numberOfThreads"}.get(alias, alias)
        assert value in [str(getattr(run, wanted).get()) for run in runs if hasattr(run, wanted)], alias


def test_imports_run_and_the_next_steps_accept_what_they_give(project, simulated, loaded):
    """The simulation stands for the template's own; models are trained nowhere here, so those who need one miss nothing else."""
    name, runs = loaded
    for run in runs:
        for parameter, pointer in pointers_of(run):
            if parameter == LEFT_OPEN.get(name):
                pointer.set(simulated)
                pointer.setExtended("tomograms")
            elif pointer.hasValue() and pointer.getObjValue().getClassName() == simulated.getClassName():
                output = pointer.getExtended()
                pointer.set(simulated)
                pointer.setExtended(output)
        if run.getClassName().startswith("ProtImport"):
            # as a process: that of subtomograms stores its output twice at its end, which is an error only in this one
            project.launchProtocol(run, wait=True)
            assert run.isFinished(), log_of(run)
    ready = 0
    for run in runs:
        made = [pointer.get() is not None for _, pointer in pointers_of(run) if pointer.hasValue()]
        if all(made):
            assert run.validate() == [], run.getClassName()
            ready += 1
    assert ready == TEMPLATES[name][3]
