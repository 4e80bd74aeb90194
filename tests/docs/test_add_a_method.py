"""The example of the developer guide works as it stands there: put into a copy of the package, it runs and has its form."""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import mrcfile
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "developer" / "add_a_method.md"
FILE = re.compile(r"`((?:cryoetseg|tests)/[\w/]+\.py)`:\n\n```python\n(.*?)```", re.DOTALL)
pytestmark = pytest.mark.slow
OPEN_THE_FORM = """
import scipion_environment
from cryoetseg.protocols.protocol_sharpen import ProtCryoEtSegSharpen
run = ProtCryoEtSegSharpen()
print(run.detailSize.get(), run.getParam("detailSize").getLabel(), run.getParam("mirror").expertLevel.get())
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the package with the blocks of the page in it."""
    folder = tmp_path_factory.mktemp("package")
    shutil.copytree(ROOT / "cryoetseg", folder / "cryoetseg", ignore=shutil.ignore_patterns("weights"))
    text = PAGE.read_text(encoding="utf-8")
    files = FILE.findall(text)
    assert len(files) == 6
    for name, content in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    line = re.search(r'```python\n(    "sharpen": Method.*?)```', text, re.DOTALL)[1]
    insert(folder / "cryoetseg/core/methods.py", "METHODS = {\n", line)
    insert(folder / "cryoetseg/core/cli.py", "COMMANDS = (", '"sharpen", ')
    return folder


def insert(path, after, text):
    before = path.read_text(encoding="utf-8")
    assert after in before
    path.write_text(before.replace(after, after + text, 1), encoding="utf-8")


def python(folder, *words):
    """Run Python where the copy is found before the installed package."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT / "tests")]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_command_sharpens(copy):
    volume = np.random.default_rng(0).standard_normal((12, 16, 16)).astype(np.float32)
    with mrcfile.new(copy / "t.mrc", volume) as file:
        file.voxel_size = 10.0
    python(copy, "-c", "from cryoetseg.core.cli import main; main()",
           "sharpen", "t.mrc", "--out", "out", "--strength", "3", "--detail-size", "15")
    with mrcfile.open(copy / "out" / "t_sharpened.mrc") as file:
        assert file.data.std() > 2 * volume.std()
        assert float(file.voxel_size.x) == 10.0
    assert (copy / "out" / "result.json").is_file()


def test_its_tests_pass(copy):
    assert "4 passed" in python(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", "tests/core/sharpening")


def test_its_form_is_made_from_the_parameters(copy):
    assert python(copy, "-c", OPEN_THE_FORM).splitlines()[-1] == "30.0 Detail size (Å) 1"
