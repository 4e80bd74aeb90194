"""The workflow templates load into a project as one connected workflow whose first step runs."""
import shutil

import pytest
import pyworkflow
from pyworkflow.object import Pointer
from scipion_environment import launch_here, log_of

from cryoetseg.core.runtime.params import parameters_from
from cryoetseg.protocols.form_builder import parametersOf

PATTERN = "{TS}.mrc"


@pytest.fixture(scope="module")
def workflow(project, simulated, tmp_path_factory):
    """The runs of the template by class, loaded as Scipion's window does, for a folder with one tomogram."""
    folder = tmp_path_factory.mktemp("template")
    shutil.copy(simulated.tomograms.getFirstItem().getFileName(), folder / "sim_001.mrc")
    plugin = pyworkflow.Config.getDomain().getPlugins()["cryoetseg"]._pluginInstance
    (template,) = [item for item in plugin.getTemplates() if item.getObjId() == "cryoetseg-unsupervised_segmentation"]
    assert template.description.startswith("Unsupervised segmentation")
    template.replaceEnvVariables()
    template.parseContent()
    values = {"filesPath": str(folder), "filesPattern": PATTERN, "samplingRate": "13.0", "zStart": "12", "zEnd": "18",
              "particleDiameter": "250.0", "pickerDiameter": "250.0"}
    assert {field.getAlias() for field in template.getParams().values()} == set(values)
    for alias, value in values.items():
        assert template.setParamValue(alias, value)
    return {run.getClassName(): run for run in project.loadProtocols(filename=template.createTemplateFile()).values()}


def pointers_of(run):
    return [(name, attribute) for name, attribute in run.iterDefinitionAttributes() if isinstance(attribute, Pointer)]


def test_every_input_is_an_output_of_the_right_kind(workflow):
    domain = pyworkflow.Config.getDomain()
    connected = 0
    for run in workflow.values():
        for name, pointer in pointers_of(run):
            if not pointer.hasValue():
                continue
            made = pointer.getObjValue()._possibleOutputs[pointer.getExtended()]
            allowed = [domain.findClass(word.strip()) for word in str(run.getParam(name).pointerClass).split(",")]
            assert issubclass(made, tuple(allowed)), (run.getClassName(), name)
            connected += 1
        assert all(pointer.hasValue() for name, pointer in pointers_of(run) if name.startswith("in")), run.getClassName()
    assert connected == 9


def test_the_chain_ends_in_membranes_and_particles(workflow):
    assert [name.replace("ProtCryoEtSeg", "") for name in workflow] == [
        "ProtImportTomograms", "SegmentSlabs", "TrainMembranes", "SegmentMembranes", "TrainPicker", "PickParticles"]
    outputs = {name for run in workflow.values() for name in run._possibleOutputs}
    assert {"Tomograms", "membraneMasks", "coordinates", "model", "probabilities"} == outputs


def test_values_of_the_template_are_allowed(workflow):
    for run in list(workflow.values())[1:]:
        parameters_from(run._model, parametersOf(run, run._model))
    slabs = workflow["ProtCryoEtSegSegmentSlabs"]
    assert (slabs.zStart.get(), slabs.zEnd.get()) == (12, 18)


def test_the_first_step_runs_and_the_second_one_accepts_it(project, workflow):
    run = workflow["ProtImportTomograms"]
    launch_here(project, run)
    assert run.isFinished(), log_of(run)
    assert run.Tomograms.getTSIds() == ["sim_001"]
    assert workflow["ProtCryoEtSegSegmentSlabs"].validate() == []
