"""Projects that do not lie on this machine, through copick's own library: here in fsspec's memory, which is no folder either."""
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
from cryoetseg.core.volumes.io import read_labels, read_volume

ROOT = Path(__file__).resolve().parents[3]
FETCH = """
import json, sys
from pathlib import Path
import copick, numpy as np
from copick.models import CopickPoint, CopickLocation
root = copick.from_file(sys.argv[1])
for name in ("TS_01", "TS_02"):
    run = root.new_run(name)
    for size in (10.0, 20.0):
        run.new_voxel_spacing(size).new_tomogram("wbp").from_numpy(np.arange(64 * 10 * 12, dtype=np.float32).reshape(64, 10, 12) + size)
    picks = run.new_picks("ribosome", "7", "carol")
    picks.points = [CopickPoint(location=CopickLocation(x=10.0, y=20.0, z=30.0), score=0.5)]
    picks.store()
    mask = np.zeros((64, 10, 12), dtype=np.uint8)
    mask[5] = 1
    run.new_segmentation(10.0, "membrane", "7", False, "carol").from_numpy(mask)
from cryoetseg.core.interchange.copick_fetch import fetch
for _ in range(2):
    rows = fetch(f"copick:{sys.argv[1]}?wbp@10&run=TS_0[2-9]", Path(sys.argv[2]))
print(json.dumps(rows))
"""


def test_what_is_named_arrives_as_a_project_on_this_machine(tmp_path):
    python = os.environ.get("CRYOETSEG_COPICK_PYTHON", "")
    if not python:
        pytest.skip("CRYOETSEG_COPICK_PYTHON names no interpreter with the library copick")
    (tmp_path / "c.json").write_text(json.dumps({
        "config_type": "filesystem", "name": "far", "version": "1.0.0", "user_id": "carol", "session_id": "7", "overlay_root": "memory://p",
        "pickable_objects": [{"name": "ribosome", "is_particle": True, "label": 1, "radius": 150}, {
            "name": "membrane", "is_particle": False, "label": 2}]}))
    words = [python, "-c", FETCH, str(tmp_path / "c.json"), str(tmp_path / "here")]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)})
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
        copick_fetch._safe(name)
    with pytest.raises(InputError, match="names without"):
        copick_fetch._copy({f"0/../../{name}": b"x"}, Path("nowhere"))


def test_without_the_library_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "copick", None)
    with pytest.raises(InputError, match="pip install copick"):
        copick_fetch.fetch("copick:c.json?wbp", tmp_path)
