"""The Scipion side on the Python that Scipion's installer brings: 3.8, without torch.

A Python 3.8 is looked for in $CRYOETSEG_PYTHON38, on the PATH and among those of pyenv; what it lacks (pydantic, Scipion) skips the
tests that need it.
The grammar alone is checked everywhere by the tests of the house.
"""
import os
import shutil
import subprocess
from pathlib import Path

import pytest

import cryoetseg

PACKAGE = Path(cryoetseg.__file__).parent
CORE = PACKAGE / "core"
FILES = sorted(str(path) for path in PACKAGE.rglob("*.py") if CORE not in path.parents)
FILES += sorted(map(str, CORE.rglob("*params.py"))) + [str(CORE / "runtime" / f"{name}.py") for name in ("errors", "files", "job")]
FILES += [str(CORE / "models" / "shelf.py")]
COMPILE = "import sys\nfor path in sys.argv[1:]: compile(open(path, encoding='utf-8').read(), path, 'exec')"
IMPORT = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]; sys.exit('torch' in sys.modules)"
RECORDS = ["cryoetseg", "cryoetseg.constants", "cryoetseg.scipion_home", "cryoetseg.demo.project", "cryoetseg.core.runtime.job",
           "cryoetseg.core.models.shelf", "cryoetseg.core.simulation.params", "cryoetseg.core.foundation.params",
           "cryoetseg.core.metrics.params"]
SCIPION_SIDE = [f"cryoetseg.{name}" for name in ("_plugin", "objects", "convert", "protocols", "viewers", "wizards")]


def run38(python, code, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONHOME", None)
    return subprocess.run([python, "-c", code, *arguments], env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def python38():
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [os.environ.get("CRYOETSEG_PYTHON38"), shutil.which("python3.8"), *map(str, sorted(pyenv.glob("3.8.*/bin/python")))]
    for python in filter(None, candidates):
        if run38(python, "import sys; sys.exit(sys.version_info[:2] != (3, 8))").returncode == 0:
            return python
    pytest.skip("no working Python 3.8: set CRYOETSEG_PYTHON38")


def need(python, module):
    if run38(python, f"import {module}").returncode:
        pytest.skip(f"{python} has no {module}")


def test_it_compiles(python38):
    done = run38(python38, COMPILE, *FILES)
    assert done.returncode == 0, done.stderr


def test_jobs_and_parameters_import(python38):
    need(python38, "pydantic")
    done = run38(python38, IMPORT, *RECORDS)
    assert done.returncode == 0, done.stderr


def test_protocols_viewers_and_wizards_import(python38):
    need(python38, "pydantic")
    need(python38, "tomo")
    done = run38(python38, IMPORT, *SCIPION_SIDE)
    assert done.returncode == 0, done.stderr
