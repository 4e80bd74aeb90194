"""The plugin class: found by Scipion, says what is missing, starts the core with the right environment."""
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pwem
import pytest
import pyworkflow
from pyworkflow.object import String
from pyworkflow.utils import Environ
from pyworkflow.utils.process import buildRunCommand

import cryoetseg
from cryoetseg import Plugin, protocols
from cryoetseg.constants import CRYOETSEG_PYTHON, CRYOETSEG_WEIGHTS

PROTOCOLS = set(protocols.__all__)
PACKAGE = Path(cryoetseg.__file__).parent


@pytest.fixture
def variable(monkeypatch):
    """Sets a variable of the plugin for one test."""
    def put(name, value):
        monkeypatch.setitem(Plugin._vars, name, value)

    return put


class RecordingRun:
    """The part of a protocol that starting the core asks for."""

    def __init__(self, gpu):
        self.gpu, self.calls = gpu, []

    def usesGpu(self):
        return self.gpu

    def getBinThreads(self):
        return 3

    def runJob(self, program, arguments, **options):
        self.calls.append((program, arguments, options))


def test_scipion_finds_everything():
    domain = pyworkflow.Config.getDomain()
    assert {name for name in domain.getProtocols() if "CryoEtSeg" in name} == PROTOCOLS
    assert {"CryoEtSegOverlayViewer", "CryoEtSegEvaluationViewer"} <= set(domain.getViewers())
    assert {"CryoEtSegSlabRangeWizard", "CryoEtSegThresholdWizard"} <= set(domain.getWizards())
    assert (PACKAGE / cryoetseg._logo).is_file()


def test_menu_names_only_protocols_that_exist():
    conf = (PACKAGE / "protocols.conf").read_text()
    named = set(re.findall(r'"value": "(\w+)"', conf))
    assert named == PROTOCOLS
    tree = json.loads(conf.split("=", 1)[1])
    assert [section["text"] for section in tree] == ["Imports", "Tomograms", "Particles", "CryoETSeg"]


def test_protocols_stand_where_those_of_other_plugins_do():
    """A section or group that the tomography plugin does not have would be one more in the menu beside the one meant."""
    import tomo

    def groups(folder):
        lines = (folder / "protocols.conf").read_text().split("Tomography =", 1)[1].splitlines()
        tree = json.loads("".join(line for line in lines if not line.startswith(";")))
        return {section["text"]: {item["text"] for item in section["children"] if item["tag"] == "protocol_group"} for section in tree}

    ours, others = groups(PACKAGE), groups(Path(tomo.__file__).parent)
    del ours["CryoETSeg"]
    assert ours == {"Imports": set(), "Tomograms": {"Denoise", "Segmentation"}, "Particles": {"Picking"}}
    for section, names in ours.items():
        assert names <= others[section]


def test_the_core_is_complete_here():
    assert Plugin.validateInstallation() == []


def test_a_missing_interpreter_is_one_clear_line(variable):
    variable(CRYOETSEG_PYTHON, "/nowhere/python")
    (message,) = Plugin.validateInstallation()
    assert message == "CRYOETSEG_PYTHON = /nowhere/python does not exist. Set it to a Python where cryoetseg[core] is installed."


def test_an_interpreter_without_the_core_is_one_clear_line(variable, tmp_path):
    bare = tmp_path / "python"
    bare.write_text(f"#!/bin/sh\nexec {sys.executable} -S -I \"$@\"\n")
    bare.chmod(0o755)
    variable(CRYOETSEG_PYTHON, str(bare))
    (message,) = Plugin.validateInstallation()
    assert "lacks" in message
    assert "torch" in message
    assert "pip install 'cryoetseg[core]'" in message


def test_an_interpreter_that_does_not_run_is_one_clear_line(variable, tmp_path):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    variable(CRYOETSEG_PYTHON, str(broken))
    (message,) = Plugin.validateInstallation()
    assert "does not run" in message


def test_the_cores_environment_leads_to_no_other_packages(monkeypatch, variable):
    monkeypatch.setenv("PYTHONPATH", "/scipion/packages")
    variable(CRYOETSEG_WEIGHTS, "~/weights")
    environ = Plugin.getEnviron()
    assert isinstance(environ, Environ)
    assert "PYTHONPATH" not in environ
    assert environ[CRYOETSEG_WEIGHTS] == os.path.expanduser("~/weights")


@pytest.mark.parametrize(("gpu", "prefix"), [(True, "CUDA_VISIBLE_DEVICES=%(GPU)s "), (False, "")])
def test_the_gpu_of_a_step_is_an_environment_variable_of_its_command(variable, gpu, prefix):
    variable(CRYOETSEG_PYTHON, "/opt/my python/bin/python")
    run = RecordingRun(gpu)
    Plugin.runCore(run, "extra/a b/job.json")
    ((program, arguments, options),) = run.calls
    assert program == prefix + "'/opt/my python/bin/python' -m cryoetseg.core"
    assert arguments == "'extra/a b/job.json'"
    assert options["env"]["OMP_NUM_THREADS"] == "3"


@pytest.mark.parametrize("gpus", [[0], []])
def test_a_percent_sign_in_a_name_is_no_place_for_the_gpu(variable, gpus, tmp_path):
    variable(CRYOETSEG_PYTHON, sys.executable)
    job = tmp_path / "50%" / "job.json"
    run = RecordingRun(bool(gpus))
    Plugin.runCore(run, str(job))
    ((program, arguments, options),) = run.calls
    command = buildRunCommand(program.replace("-m cryoetseg.core", "-c 'import sys; print(sys.argv[1])'"), arguments, 1, gpuList=gpus)
    told = subprocess.run(command, shell=True, env=options["env"], capture_output=True, text=True, check=True)
    assert told.stdout == f"{job}\n"


def test_jobs_of_a_run_with_gpu_ask_for_cuda():
    from cryoetseg.protocols import ProtCryoEtSegSimulateTomograms

    run = ProtCryoEtSegSimulateTomograms(useGpu=True)
    run.workingDir = String("Runs/1")
    assert run._makeJob("sim").device == "cuda"
    run.useGpu.set(False)
    assert run._makeJob("sim").device == "cpu"


def test_the_recipe_of_the_core_runs_nothing(monkeypatch):
    recorded = {}

    class Installation:
        def addPackage(self, name, **options):
            recorded[name] = options

    monkeypatch.setattr(subprocess, "run", lambda *args, **options: pytest.fail("the recipe ran something"))
    Plugin.defineBinaries(Installation())
    ((commands, flag),) = recorded["cryoetseg-core"]["commands"]
    assert "[core]" in commands
    assert commands.endswith(flag)


def test_the_environment_of_the_recipe_is_found_by_itself(monkeypatch, tmp_path):
    monkeypatch.setattr(pwem.Config, "EM_ROOT", str(tmp_path))
    assert Plugin._installedPython() == ""
    name = f"cryoetseg-core-{cryoetseg.__version__}"
    (tmp_path / name).mkdir()
    (tmp_path / name / f"{name}.installed").write_text(f"a line that conda printed\n{sys.executable}\n")
    assert Plugin._installedPython() == sys.executable
    monkeypatch.setattr(Plugin, "_vars", {})
    monkeypatch.delenv(CRYOETSEG_PYTHON, raising=False)
    Plugin._defineVariables()
    assert Plugin.getCorePython() == sys.executable
    (tmp_path / name / f"{name}.installed").write_text("/nowhere/python\n")
    assert Plugin._installedPython() == ""


def test_the_package_imports_without_scipion():
    code = "import sys, cryoetseg, cryoetseg.core.runtime.job; sys.exit(any(m in sys.modules for m in ('pwem', 'pyworkflow', 'torch')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", sorted(protocols.__all__))
def test_the_help_of_each_form_leads_to_its_page(name):
    page = urlsplit(getattr(protocols, name).getUrl()).path
    assert Path(unquote(page)).read_text(encoding="utf-8").splitlines()[2] == f"# {getattr(protocols, name)._label}"


def test_a_package_without_its_documentation_names_no_page(monkeypatch, tmp_path):
    monkeypatch.setattr("cryoetseg._plugin.__file__", str(tmp_path / "cryoetseg" / "_plugin.py"))
    assert Plugin.getUrl(protocols.ProtCryoEtSegPickDog) == ""
