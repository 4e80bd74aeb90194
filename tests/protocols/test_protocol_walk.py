"""Each protocol tells what it is: help, summary, methods, citations that exist, and one message for each missing input."""
import re

import pytest
from pyworkflow.object import Pointer
from pyworkflow.protocol import Group, Line, PointerParam

from cryoetseg import bibtex, protocols
from cryoetseg.core.runtime.params import describe
from cryoetseg.protocols.form_builder import attributeName

CLASSES = [getattr(protocols, name) for name in protocols.__all__]
KEYS = set(re.findall(r"@\w+\{(\w+),", bibtex.__doc__))
# The last two cite what their model does, once there is one
WITHOUT_PAPERS = {f"ProtCryoEtSeg{name}" for name in (
    "SelectByScore", "SelectByCluster", "ExportCoordinates", "EvaluatePicking", "EvaluateSegmentation", "ImportModel", "ExportModel",
    "CurateCoordinates", "CurateMembranes", "ExportCopick", "ImportCopick", "ExportDual",
    "ThresholdMembranes", "MeasureMembranes", "PickParticles",  # the last: the general picker has none
)}
pytestmark = pytest.mark.parametrize("protocolClass", CLASSES, ids=lambda made: made.__name__[len("ProtCryoEtSeg"):])


def test_help_says_what_it_does(protocolClass):
    lines = protocolClass.__doc__.strip().splitlines()
    assert len(lines[0]) > 40
    assert lines[0] != protocolClass.__mro__[1].__doc__
    assert protocolClass._label == protocolClass.getClassLabel(prependPackageName=False)


def test_every_parameter_has_a_label_and_help(protocolClass):
    scipions = {"numberOfMpi", "numberOfThreads", "hostName", "runName", "runMode", "expertLevel", "gpuList", "useGpu", "binThreads"}
    run = protocolClass()
    names = [name for name, _ in run.iterDefinitionAttributes() if name not in scipions and not name.startswith("_")]
    bare = [name for name in names if not (run.getParam(name).getLabel() and str(run.getParam(name).getHelp()).strip())]
    assert bare == []


def test_a_new_run_has_a_summary_methods_and_citations(project, protocolClass):
    run = project.newProtocol(protocolClass)
    assert run.summary()
    assert isinstance(run._methods(), list)
    cited = run._citations() or []
    assert set(cited) <= KEYS
    assert cited or protocolClass.__name__ in WITHOUT_PAPERS


def test_missing_inputs_are_asked_for(project, protocolClass):
    run = project.newProtocol(protocolClass)
    needed = [name for name, attribute in run.iterDefinitionAttributes() if isinstance(attribute, Pointer)
              and isinstance(run.getParam(name), PointerParam) and not run.getParam(name).allowsNull and run.evalParamCondition(name)]
    errors = run.validate()
    for name in needed:
        assert any(run.getParam(name).getLabel() in line for line in errors), (name, errors)
    assert not any("Traceback" in line or "NoneType" in line for line in errors)


def test_every_parameter_of_the_method_is_on_the_form(project, protocolClass):
    def names(container):
        for name, param in container.iterParams():
            yield from names(param) if isinstance(param, (Group, Line)) else [name]

    shown = {name for section in project.newProtocol(protocolClass).iterDefinitionSections() for name in names(section)}
    fields = describe(protocolClass._model) if hasattr(protocolClass, "_model") else []
    assert [field.name for field in fields if attributeName(field.name) not in shown] == []
