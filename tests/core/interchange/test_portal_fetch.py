"""Fetching from the data portal: its own client against recorded answers of its service, in the interpreter that has the client."""
import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from cryoetseg.core.interchange.portal_fetch import fetch
from cryoetseg.core.particles.formats import read_particles
from cryoetseg.core.runtime.errors import InputError
from cryoetseg.core.volumes.io import write_volume

ROOT = Path(__file__).resolve().parents[3]
POINTS = [{"type": "orientedPoint", "location": {"x": 1, "y": 2, "z": 3}, "xyz_rotation_matrix": np.eye(3).tolist()}]


def answers(url, size):
    """Rows of the service by its root field, with the field names of its schema."""
    files = f"{url}/files"
    return {
        "datasets": [{"id": 10004, "title": "test dataset", "datasetPublications": "10.1/x"}],
        "runs": [{"id": 1, "name": "Position_1"}, {"id": 2, "name": "Position_2"}, {"id": 3, "name": "../x"}],
        "tomograms": [{"id": 7, "voxelSpacing": 7.84, "httpsMrcFile": f"{files}/Position_1.mrc", "fileSizeMrc": size,
                       "processing": "denoised", "isVisualizationDefault": True}],
        "annotations": [{"id": 100, "objectName": "cytosolic ribosome", "groundTruthStatus": True,
                         "httpsMetadataPath": f"{files}/ribosome-1.0.json"}],
        "annotationShapes": [{"id": 5, "shapeType": "OrientedPoint"}],
        "annotationFiles": [{"id": 9, "format": "ndjson", "httpsPath": f"{files}/ribosome-1.0_orientedpoint.ndjson"}],
    }


@pytest.fixture
def service(tmp_path):
    """The portal's service on this machine: answers to queries, and files; its address."""
    with mrcfile.new(tmp_path / "Position_1.mrc") as file:
        file.set_data(np.arange(60, dtype=np.float32).reshape(3, 4, 5))
        file.voxel_size = 7.84
    (tmp_path / "ribosome-1.0.json").write_text(json.dumps({"annotation_object": {"name": "cytosolic ribosome"}}))
    (tmp_path / "ribosome-1.0_orientedpoint.ndjson").write_text("\n".join(map(json.dumps, POINTS)))

    class Service(BaseHTTPRequestHandler):
        def do_POST(self):
            query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["query"]
            root, fields = re.search(r"\{\s*(\w+)[^{]*\{([^}]*)\}", re.sub(r"\(.*\)", "", query, flags=re.DOTALL)).groups()
            rows = answers(f"http://127.0.0.1:{self.server.server_port}", (tmp_path / "Position_1.mrc").stat().st_size)[root]
            self._answer(json.dumps({"data": {root: [{name: row.get(name) for name in fields.split()} for row in rows]}}).encode())

        def do_GET(self):
            self._answer((tmp_path / Path(self.path).name).read_bytes())

        def _answer(self, body):
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/graphql"
    server.shutdown()


FETCH = ("import json, sys; from pathlib import Path; from cryoetseg.core.interchange.portal_fetch import fetch; "
         "print(json.dumps(fetch(sys.argv[1], Path(sys.argv[2]), sys.argv[3])))")


@pytest.fixture
def fetched():
    """Fetch in the interpreter that has the client."""
    python = os.environ.get("CRYOETSEG_COPICK_PYTHON", "")
    if not python:
        pytest.skip("CRYOETSEG_COPICK_PYTHON names no interpreter with cryoet-data-portal (copick brings it)")

    def run(*arguments):
        return subprocess.run([python, "-c", FETCH, *map(str, arguments)], capture_output=True, text=True, check=False,
                              env={**os.environ, "PYTHONPATH": str(ROOT)})

    return run


def test_a_run_is_fetched_with_voxel_size_licence_and_annotations(fetched, service, tmp_path):
    out = tmp_path / "out"
    for _ in range(2):  # the second time nothing is fetched
        done = fetched("portal:10004/Position_1", out, service)
        assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout.splitlines()[-1])
    assert (row["voxel_size"], row["processing"], row["licence"][:7]) == (7.84, "denoised", "CC0-1.0")
    with mrcfile.open(out / "10004" / row["tomogram"]) as file:
        assert file.data[2, 3, 4] == 59
    table = read_particles(out / "10004" / row["annotations"][0]["path"])
    assert (table.zyx.tolist(), table.voxel_size, table.tilt_series_ids()) == ([[3, 2, 1]], 7.84, ["Position_1"])
    assert table.class_names == {1: "cytosolic ribosome"}
    assert json.loads((out / "10004" / "portal.json").read_text())["title"] == "test dataset"
    assert not list(out.rglob(".fetch_*"))


def test_a_method_is_scored_by_the_ids_of_the_portal(service, tmp_path, monkeypatch, capsys):
    """What benchmarks/portal_score.py does with an address: asks, fetches, picks, counts with beta 4."""
    pytest.importorskip("cryoet_data_portal", reason="the portal's client is not installed here: pip install cryoetseg[portal]")
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import portal_score

    blobs, grid = [(10, 20, 30), (12, 44, 50)], np.stack(np.meshgrid(*map(np.arange, (24, 64, 72)), indexing="ij"), -1)
    volume = np.random.default_rng(1).normal(0, 0.3, grid.shape[:3])
    for blob in blobs:
        volume -= np.exp(-((grid - np.array(blob)) ** 2).sum(-1) / (2 * 2.2**2))
    write_volume(tmp_path / "Position_1.mrc", volume.astype(np.float32), 7.84)
    points = [{**POINTS[0], "location": dict(zip("zyx", map(float, blob)))} for blob in blobs]
    (tmp_path / "ribosome-1.0_orientedpoint.ndjson").write_text("\n".join(map(json.dumps, points)))
    method = ["pick", "dog", "--particle-diameter", "47", "--selection", "count", "--count", "3"]
    monkeypatch.setattr(sys, "argv", ["portal_score.py", "portal:10004/Position_1", "--server", service, "--out", str(tmp_path / "out"),
                                      "--object", "cytosolic ribosome=47:2", "--any-class", "--", *method])
    assert portal_score.main() == 0
    *_, row, _ = capsys.readouterr().out.strip().splitlines()
    assert row == "| cytosolic ribosome | 47 | 2 | 2 | 1 | 0 | 0.971 |"


def test_a_run_leads_nowhere_else(fetched, service, tmp_path):
    done = fetched("portal:10004/../x", tmp_path / "out", service)
    assert "names without / and .." in done.stderr
    assert not (tmp_path / "out").exists()


def test_no_connection_is_a_clear_error(fetched, tmp_path):
    done = fetched("portal:10004", tmp_path, "http://127.0.0.1:9/graphql")
    assert "OutputError: the portal does not answer" in done.stderr


def test_addresses_and_a_missing_client_are_told(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="portal:10004/Position_161"):
        fetch("portal:Position_1", tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "cryoet_data_portal", None)
    with pytest.raises(InputError, match="pip install cryoet-data-portal"):
        fetch("portal:10004", tmp_path)
