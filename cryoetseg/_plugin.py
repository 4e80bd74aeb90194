"""The plugin class: variables, the interpreter and environment of the core, the check and the recipe of its installation.

The only module at the package's root that imports Scipion.
"""
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

import pwem
from pyworkflow import TOMO, VarTypes
from pyworkflow.utils import Environ

from . import __version__
from .constants import CORE_MODULES, CORE_PACKAGE, CRYOETSEG_PYTHON, CRYOETSEG_WEIGHTS, DEFAULT_WEIGHTS, JOB_VARIABLE
from .core.runtime.errors import ERROR_FILE, JobError

ERROR_NAME = "error.txt"  # of the program, beside its job
PROBE_SECONDS = 60.0  # nobody waits longer for an estimate
INSTALLED = ".installed"  # ending of the file in which the recipe notes the Python that it made
# Prints the modules that the core's interpreter cannot find; looking is a hundred times faster than importing torch.
_LOOK_FOR_MODULES = "import importlib.util as u, sys; print(' '.join(m for m in sys.argv[1:] if u.find_spec(m) is None))"


def pageName(protClass: type) -> str:
    """The page of a protocol: ``ProtCryoEtSegSegmentSlabs`` -> ``segment_slabs``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", protClass.__name__.replace("ProtCryoEtSeg", "")).lower()


class Plugin(pwem.Plugin):
    """Tomogram segmentation without labels. The numerics run as a program under ``CRYOETSEG_PYTHON``."""

    # pyworkflow looks up sys.modules[Plugin.__module__].__path__, so this must name the package, not this module
    __module__ = __package__
    _url = ""
    _processingField = [TOMO]
    _missingModules: Dict[Tuple[str, ...], List[str]] = {}
    _gpuCount: List[int] = []  # of this machine, once it was asked for

    @classmethod
    def getUrl(cls, protClass: Optional[type] = None) -> str:
        """Where a protocol is explained, for the help of its form: its page in a checkout, empty elsewhere."""
        docs = Path(__file__).resolve().parents[1] / "docs"
        page = docs / "index.md" if protClass is None else docs / "protocols" / f"{pageName(protClass)}.md"
        return page.as_uri() if page.is_file() else cls._url

    @classmethod
    def _defineVariables(cls) -> None:
        cls._defineVar(CRYOETSEG_PYTHON, cls._installedPython() or sys.executable, var_type=VarTypes.PATH,
                       description="Python 3.10 or newer where cryoetseg[core] is installed. Default: the one that 'scipion3 installb "
                                   "cryoetseg-core' made, else the one that runs Scipion.")
        cls._defineVar(CRYOETSEG_WEIGHTS, os.path.expanduser(DEFAULT_WEIGHTS), var_type=VarTypes.FOLDER,
                       description="Folder of weights fetched with 'cryoetseg weights fetch'.")

    @classmethod
    def _installedPython(cls) -> str:
        """The Python of the environment that the recipe below has made; empty where it has not run."""
        name = f"{CORE_PACKAGE}-{__version__}"
        note = os.path.join(pwem.Config.EM_ROOT, name, f"{name}{INSTALLED}")
        if not os.path.isfile(note):
            return ""
        with open(note, encoding="utf-8") as stream:
            lines = stream.read().split("\n")
        return next((line.strip() for line in lines if os.path.isfile(line.strip())), "")

    @classmethod
    def getCorePython(cls) -> str:
        """Path of the interpreter that runs the core."""
        return os.path.expanduser(cls.getVar(CRYOETSEG_PYTHON) or sys.executable)

    @classmethod
    def getEnviron(cls) -> Environ:
        """The core's environment: this one without what would lead another interpreter to Scipion's packages.

        pyworkflow's Environ, because ``runJob`` asks it for a prefix; a plain dict fails there.
        """
        environ = Environ(os.environ)
        for name in ("PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "MPLBACKEND"):
            environ.pop(name, None)
        environ[CRYOETSEG_WEIGHTS] = cls.getWeightsFolder()
        return environ

    @classmethod
    def runCore(cls, protocol: "pwem.protocols.EMProtocol", jobFile: str) -> None:
        """Run one job file as a program; its log goes into the run's log, a failure raises :class:`JobError` with the program's message.

        The executor replaces ``%(GPU)s`` by the GPU of this step, so the prefix is there only when the run uses GPUs.
        """
        command = f"{shlex.quote(cls.getCorePython())} -m cryoetseg.core"
        if protocol.usesGpu():
            command = "CUDA_VISIBLE_DEVICES=%(GPU)s " + command
        environ = cls.getEnviron()
        environ["OMP_NUM_THREADS"] = str(max(1, protocol.getBinThreads()))
        environ[ERROR_FILE] = os.path.abspath(os.path.join(os.path.dirname(jobFile), ERROR_NAME))
        if os.path.exists(environ[ERROR_FILE]):
            os.remove(environ[ERROR_FILE])
        argument = shlex.quote(jobFile)
        if "%" in jobFile:  # pyworkflow takes it for a place to put the GPU's number
            environ[JOB_VARIABLE], argument = jobFile, f'"${JOB_VARIABLE}"'
        try:
            protocol.runJob(command, argument, env=environ, numberOfMpi=1)
        except Exception as error:  # pyworkflow raises what a shell says, "non-zero exit status 2"
            raise JobError(cls._reasonOf(environ[ERROR_FILE]) or str(error)) from error

    @staticmethod
    def _reasonOf(path: str) -> str:
        """The message that a program left in its error file; empty where it left none, as after a kill."""
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8") as stream:
            text = stream.read().strip()
        return text[len("error: "):] if text.startswith("error: ") else text

    @classmethod
    def probe(cls, jobFile: str, threads: int) -> Dict[str, float]:
        """The ``voxels`` of a piece of the job's tomogram and the ``seconds`` that they took on so many processor cores.

        Raises what :mod:`subprocess` raises where the program fails or takes too long to be worth it.
        """
        command = [cls.getCorePython(), "-m", "cryoetseg.core.probe", jobFile]
        environ = {**cls.getEnviron(), "OMP_NUM_THREADS": str(max(1, threads))}
        done = subprocess.run(command, env=environ, check=True, capture_output=True, timeout=PROBE_SECONDS)
        return dict(json.loads(done.stdout.decode().splitlines()[-1]))

    @classmethod
    def hasGpu(cls) -> bool:
        """Whether this machine shows an NVIDIA GPU; the form's default."""
        return shutil.which("nvidia-smi") is not None and cls.getGpuCount() > 0

    @classmethod
    def getGpuCount(cls) -> int:
        """How many NVIDIA GPUs this machine shows; a driver that does not answer counts as none."""
        if not cls._gpuCount:
            try:
                listed = subprocess.run(["nvidia-smi", "-L"], check=True, capture_output=True, timeout=30).stdout.decode()
            except (OSError, subprocess.SubprocessError):
                listed = ""
            cls._gpuCount.append(sum(line.startswith("GPU ") for line in listed.splitlines()))
        return cls._gpuCount[0]

    @classmethod
    def getWeightsFolder(cls) -> str:
        """Folder of the fetched weights."""
        return os.path.expanduser(cls.getVar(CRYOETSEG_WEIGHTS) or DEFAULT_WEIGHTS)

    @classmethod
    def validateInstallation(cls) -> List[str]:
        """One line that says what is missing and what to do; an empty list when the core can start."""
        python = cls.getCorePython()
        if not os.path.isfile(python):
            return [f"{CRYOETSEG_PYTHON} = {python} does not exist. Set it to a Python where cryoetseg[core] is installed."]
        try:
            missing = cls.modulesMissing(CORE_MODULES)
        except (OSError, subprocess.SubprocessError) as error:
            return [f"{CRYOETSEG_PYTHON} = {python} does not run ({error}). Set it to a Python where cryoetseg[core] is installed."]
        if missing:
            return [f"{CRYOETSEG_PYTHON} = {python} lacks {', '.join(missing)}. Install there: pip install 'cryoetseg[core]'."]
        return []

    @classmethod
    def modulesMissing(cls, modules: Sequence[str]) -> List[str]:
        """Those of ``modules`` that the core's Python cannot find. Complete ones are remembered, as forms ask at each launch."""
        asked = (cls.getCorePython(), *modules)
        if cls._missingModules.get(asked) != []:
            found = subprocess.run([asked[0], "-c", _LOOK_FOR_MODULES, *modules], env=cls.getEnviron(), check=True,
                                   capture_output=True, timeout=60)
            cls._missingModules[asked] = found.stdout.decode().split()
        return cls._missingModules[asked]

    @classmethod
    def defineBinaries(cls, env) -> None:
        """Recipe of an own conda environment for the core, for sites whose Scipion runs on an older Python.

        Only a recipe: nothing may run while it is defined. Afterwards CRYOETSEG_PYTHON is the new environment's python by itself.
        """
        name = f"{CORE_PACKAGE}-{__version__}"
        installed = f"{name}{INSTALLED}"
        commands = " ".join([
            cls.getCondaActivationCmd(),
            f"conda create -y -n {name} -c conda-forge python=3.11 &&",
            f"conda run -n {name} python -m pip install {shlex.quote(cls._coreRequirement())} &&",
            f"conda run -n {name} python -c 'import sys; print(sys.executable)' > {installed}",
        ])
        env.addPackage(CORE_PACKAGE, version=__version__, tar="void.tgz", commands=[(commands, installed)],
                       neededProgs=[] if cls.getCondaActivationCmd() else ["conda"], default=False, vars=cls.getEnviron())

    @classmethod
    def _coreRequirement(cls) -> str:
        """What pip installs: the source folder in a checkout, else the released version."""
        source = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        if os.path.isfile(os.path.join(source, "setup.py")):
            return f"{source}[core]"
        return f"cryoetseg[core]=={__version__}"
