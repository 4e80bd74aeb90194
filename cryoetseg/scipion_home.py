"""Scipion without its installer: the few files and variables it needs, for the demo, the tests and the project window.

Call :func:`prepare` before anything imports pyworkflow, which reads its configuration at import.
"""
import os
import sys
from pathlib import Path
from typing import Dict, Union

from cryoetseg.core.runtime.files import write_text

# What Scipion reads about this machine; the queue engine is for sites to fill in.
HOSTS = """[localhost]
PARALLEL_COMMAND = mpirun -np %_(JOB_NODES)d %_(COMMAND)s
NAME = localhost
MANDATORY = False
SUBMIT_COMMAND = sbatch %_(JOB_SCRIPT)s
SUBMIT_TEMPLATE = #!/bin/bash
        %_(JOB_COMMAND)s
CANCEL_COMMAND = scancel %_(JOB_ID)s
CHECK_COMMAND = squeue -j %_(JOB_ID)s
QUEUES = { }
"""


def variables(home: Union[str, Path]) -> Dict[str, str]:
    """Environment variables of a Scipion that lives in the folder ``home``."""
    home = Path(home).absolute()
    return {
        "SCIPION_HOME": str(home),
        "SCIPION_USER_DATA": str(home / "user_data"),
        "SCIPION_HOSTS": str(home / "config" / "hosts.conf"),
        "SCIPION_DOMAIN": "pwem",
        # runs are started by this name; without it by whatever python3 comes first on PATH
        "SCIPION_PYTHON": sys.executable,
        "SCIPION_PRIORITY_PACKAGE_LIST": "pwem tomo cryoetseg",
        # no statistics leave this machine, no test data come in
        "SCIPION_NOTIFY": "False",
        "SCIPION_TEST_NOSYNC": "True",
    }


def prepare(home: Union[str, Path]) -> Dict[str, str]:
    """Make ``home`` usable by Scipion and set this process's environment; returns the variables.

    A Scipion that is installed and set up keeps its own configuration of hosts and packages; projects go below ``home`` either way,
    so that none of the user's is touched.
    """
    values = variables(home)
    hosts = Path(values["SCIPION_HOSTS"])
    if _is_set_up(os.environ.get("SCIPION_HOME", "")):
        del values["SCIPION_HOME"], values["SCIPION_HOSTS"]
    elif not hosts.is_file():
        write_text(hosts, HOSTS)
    Path(values["SCIPION_USER_DATA"]).mkdir(parents=True, exist_ok=True)
    os.environ.update(values)
    return values


def _is_set_up(scipion_home: str) -> bool:
    return bool(scipion_home) and os.path.isfile(os.path.join(scipion_home, "config", "hosts.conf"))


def load_plugins() -> None:
    """Let Scipion find its plugins, this one among them; needs :func:`prepare` before."""
    import pyworkflow

    pyworkflow.Config.setDomain("pwem")
    pyworkflow.Config.getDomain().getPlugins()
