"""The plugin class: variables, the interpreter and environment of the core, the check and the recipe of its installation.

The only module at the package's root that imports Scipion.
"""
import os
import shlex
import shutil
import subprocess
import sys
from typing import Dict, List

import pwem
from pyworkflow import TOMO, VarTypes
from pyworkflow.utils import Environ

from . import __version__
from .constants import CORE_MODULES, CORE_PACKAGE, CRYOETSEG_PYTHON, CRYOETSEG_WEIGHTS, DEFAULT_WEIGHTS

# Prints the modules that the core's interpreter cannot find; looking is a hundred times faster than importing torch.
_LOOK_FOR_MODULES = "import importlib.util as u, sys; print(' '.join(m for m in sys.argv[1:] if u.find_spec(m) is None))"


class Plugin(pwem.Plugin):
    """Tomogram segmentation without labels. The numerics run as a program under ``CRYOETSEG_PYTHON``."""

    # pyworkflow looks up sys.modules[Plugin.__module__].__path__, so this must name the package, not this module
    __module__ = __package__
    _url = ""
    _processingField = [TOMO]
    _missingModules: Dict[str, List[str]] = {}

    @classmethod
    def _defineVariables(cls) -> None:
        cls._defineVar(CRYOETSEG_PYTHON, sys.executable, var_type=VarTypes.PATH,
                       description="Python 3.10 or newer where cryoetseg[core] is installed. Default: the one that runs Scipion.")
        cls._defineVar(CRYOETSEG_WEIGHTS, os.path.expanduser(DEFAULT_WEIGHTS), var_type=VarTypes.FOLDER,
                       description="Folder of weights fetched with 'cryoetseg weights fetch'.")

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
        environ[CRYOETSEG_WEIGHTS] = os.path.expanduser(cls.getVar(CRYOETSEG_WEIGHTS) or DEFAULT_WEIGHTS)
        return environ

    @classmethod
    def runCore(cls, protocol: "pwem.protocols.EMProtocol", jobFile: str) -> None:
        """Run one job file as a program; its log goes into the run's log, a failure raises.

        The executor replaces ``%(GPU)s`` by the GPU of this step, so the prefix is there only when the run uses GPUs.
        """
        command = f"{shlex.quote(cls.getCorePython())} -m cryoetseg.core"
        if protocol.usesGpu():
            command = "CUDA_VISIBLE_DEVICES=%(GPU)s " + command
        environ = cls.getEnviron()
        environ["OMP_NUM_THREADS"] = str(max(1, protocol.getBinThreads()))
        protocol.runJob(command, shlex.quote(jobFile), env=environ, numberOfMpi=1)

    @classmethod
    def hasGpu(cls) -> bool:
        """Whether this machine seems to have an NVIDIA GPU; decides the form's default only."""
        return shutil.which("nvidia-smi") is not None

    @classmethod
    def validateInstallation(cls) -> List[str]:
        """One line that says what is missing and what to do; an empty list when the core can start."""
        python = cls.getCorePython()
        if not os.path.isfile(python):
            return [f"{CRYOETSEG_PYTHON} = {python} does not exist. Set it to a Python where cryoetseg[core] is installed."]
        try:
            missing = cls._modulesMissingIn(python)
        except (OSError, subprocess.SubprocessError) as error:
            return [f"{CRYOETSEG_PYTHON} = {python} does not run ({error}). Set it to a Python where cryoetseg[core] is installed."]
        if missing:
            return [f"{CRYOETSEG_PYTHON} = {python} lacks {', '.join(missing)}. Install there: pip install 'cryoetseg[core]'."]
        return []

    @classmethod
    def _modulesMissingIn(cls, python: str) -> List[str]:
        """The core's modules that ``python`` cannot find. A complete installation is remembered, as forms ask at each launch."""
        if cls._missingModules.get(python) != []:
            found = subprocess.run([python, "-c", _LOOK_FOR_MODULES, *CORE_MODULES], env=cls.getEnviron(), check=True,
                                   capture_output=True, timeout=60)
            cls._missingModules[python] = found.stdout.decode().split()
        return cls._missingModules[python]

    @classmethod
    def defineBinaries(cls, env) -> None:
        """Recipe of an own conda environment for the core, for sites whose Scipion runs on an older Python.

        Only a recipe: nothing may run while it is defined. Afterwards CRYOETSEG_PYTHON points to the new environment's python.
        """
        name = f"{CORE_PACKAGE}-{__version__}"
        installed = f"{name}.installed"
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
