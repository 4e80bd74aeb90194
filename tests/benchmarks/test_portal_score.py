"""Scoring on what the portal's client left: a record and lists as ``data fetch`` writes them, and a real method on the tomogram."""
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from cryoetseg.core.volumes.io import write_volume

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
BLOBS, VOXEL_SIZE = [(10, 20, 30), (12, 44, 50)], 10.0  # z, y, x


@pytest.fixture
def dataset(tmp_path):
    """Dataset 10004 with one run: dark blobs, annotated once as ground truth and once, elsewhere, by a method."""
    place = tmp_path / "10004" / "Position_1" / "Reconstructions" / "VoxelSpacing10.000"
    grid = np.stack(np.meshgrid(*map(np.arange, (24, 64, 72)), indexing="ij"), -1)
    volume = np.random.default_rng(1).normal(0, 0.3, grid.shape[:3])
    for blob in BLOBS:
        volume -= np.exp(-((grid - np.array(blob)) ** 2).sum(-1) / (2 * 2.2**2))
    write_volume(place / "Tomograms" / "Position_1.mrc", volume.astype(np.float32), VOXEL_SIZE)
    annotations = []
    for number, (truth, shift) in enumerate([(True, 0), (False, 15)]):
        path = place / "Annotations" / str(number) / "ribosome-1.0_orientedpoint.ndjson"
        path.parent.mkdir(parents=True)
        points = [{"type": "point", "location": dict(zip("zyx", (float(value + shift) for value in blob)))} for blob in BLOBS]
        path.write_text("\n".join(map(json.dumps, points)))
        annotations.append({"object": "ribosome", "ground_truth": truth, "path": str(path.relative_to(tmp_path / "10004"))})
    (tmp_path / "10004" / "portal.json").write_text(json.dumps({"dataset": 10004, "runs": [{
        "run": "Position_1", "voxel_size": VOXEL_SIZE, "tomogram": "Position_1/Reconstructions/VoxelSpacing10.000/Tomograms/Position_1.mrc",
        "annotations": annotations}]}))
    return tmp_path / "10004"


def test_a_method_is_scored_against_the_ground_truth(dataset, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import portal_score

    method = ["pick", "dog", "--particle-diameter", "60", "--selection", "count", "--count", "3"]
    words = ["portal_score.py", str(dataset), "--out", str(tmp_path / "out"), "--object", "ribosome=60:2", "--any-class", "--", *method]
    monkeypatch.setattr(sys, "argv", words)
    assert portal_score.main() == 0
    *_, row, total = capsys.readouterr().out.strip().splitlines()
    assert row == "| ribosome | 60 | 2 | 2 | 1 | 0 | 0.971 |"  # 34 / (34 + 1)
    assert total.endswith("| 0.971 |")
