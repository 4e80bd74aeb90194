"""Projects that do not lie on this machine, through copick's own library: in fsspec's memory, in S3 and behind SSH on the loopback."""
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from cryoetseg.core.interchange import copick_fetch
from cryoetseg.core.interchange.copick_project import parse_pattern, read_project
from cryoetseg.core.particles.formats import read_particles
from cryoetseg.core.runtime.errors import InputError
from cryoetseg.core.runtime.names import inside
from cryoetseg.core.volumes.io import read_labels, read_volume

MISSING = 77  # exit code of the program below
ROOT = Path(__file__).resolve().parents[3]
PROGRAM = Path(__file__).with_name("copick_far.py")


@pytest.mark.parametrize("kind", ["memory", "s3", "ssh"])
def test_what_is_named_arrives_as_a_project_on_this_machine(tmp_path, kind):
    python = os.environ.get("CRYOETSEG_COPICK_PYTHON", "")
    if not python:
        pytest.skip("CRYOETSEG_COPICK_PYTHON names no interpreter with the library copick")
    words = [python, str(PROGRAM), kind, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)})
    if done.returncode == MISSING:
        pytest.skip(f"that interpreter cannot serve {kind}: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == [{"run": "TS_02", "tomograms": 1, "picks": 1, "segmentations": 1}]
    project = read_project(tmp_path / "here" / copick_fetch.CONFIG)
    assert project.objects()["ribosome"]["radius"] == 150
    (tomogram,) = project.tomograms(parse_pattern(""))
    assert (tomogram.run, tomogram.uri, read_volume(tomogram.path)[0][1, 0, 0]) == ("TS_02", "wbp@10", 130)
    (picks,) = project.picks(parse_pattern("ribosome:carol/7"))
    assert read_particles(picks.path, voxel_size=10.0).zyx.tolist() == [[3, 2, 1]]
    (mask,) = project.segmentations(parse_pattern("membrane"))
    assert np.flatnonzero(read_labels(mask.path)[0].any(axis=(1, 2))).tolist() == [5]
    with pytest.raises(InputError, match=r"cryoetseg data fetch 'copick:.*c\.json"):
        read_project(tmp_path / "c.json")


@pytest.mark.parametrize("name", ["..", "a/b", "/etc"])
def test_a_name_leads_nowhere_else(name):
    with pytest.raises(InputError, match="names without"):
        inside(name)
    with pytest.raises(InputError, match="names without"):
        copick_fetch._copy({f"0/../../{name}": b"x"}, Path("nowhere"))


def test_without_the_library_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "copick", None)
    with pytest.raises(InputError, match="pip install copick"):
        copick_fetch.fetch("copick:c.json?wbp", tmp_path)
