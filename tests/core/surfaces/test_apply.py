"""The commands from a mask on disk to tables, meshes and lists."""
import numpy as np
import pandas as pd
import pytest
import trimesh

from cryoetseg.core.cli import main
from cryoetseg.core.particles.formats import read_particles, write_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.runtime.job import read_result
from cryoetseg.core.volumes.io import read_labels, write_volume


def run(*words):
    with pytest.raises(SystemExit) as stop:
        main([str(word) for word in words])
    return stop.value.code


@pytest.fixture(scope="module")
def mask(space, tmp_path_factory):
    """A vesicle of radius 150 A and a sheet, 300 A off its middle."""
    path = tmp_path_factory.mktemp("mask") / "TS_03_membranes.mrc"
    z, y, x = space((640, 500, 500), 10.0)
    write_volume(path, ((np.abs(np.sqrt(x * x + y * y + (z - 80) ** 2) - 150) <= 25) | (np.abs(z + 220) <= 25)).astype(np.int8), 10.0)
    return path


def test_measure(mask, tmp_path):
    assert run("membranes", "measure", mask, "--out", tmp_path, "--mesh", "both") == 0
    table = pd.read_csv(tmp_path / "TS_03_membranes_measures.csv")
    assert len(table) == 2
    assert sorted(table.closed) == [False, True]
    vesicle = table[table.closed].iloc[0]
    assert vesicle.area == pytest.approx(4 * np.pi * 150**2, rel=0.03)
    assert vesicle.nearest == pytest.approx(150, rel=0.05)
    labels, _ = read_labels(tmp_path / "TS_03_membranes_instances.mrc")
    assert np.count_nonzero(labels == vesicle.label) * 1000 == vesicle.mask_volume
    for ending in ("ply", "obj"):
        mesh = trimesh.load(tmp_path / "TS_03_membranes_meshes" / f"membrane_{int(vesicle.label):03d}.{ending}")
        assert mesh.is_watertight
        assert mesh.volume == pytest.approx(vesicle.enclosed_volume, rel=1e-3)
        assert mesh.bounds.mean(axis=0) == pytest.approx([250, 250, 400], abs=5)
    assert any(output.kind == "figure" for output in read_result(tmp_path / "result.json").outputs)


def test_points_and_distances(mask, tmp_path):
    assert run("membranes", "points", mask, "--out", tmp_path / "points", "--spacing", 80, "--format", "dynamo") == 0
    table = read_particles(tmp_path / "points" / "TS_03_membranes_points.tbl")
    assert set(table.class_id) == {1, 2}
    assert table.tilt_series_ids() == ["TS_03"]
    picks = ParticleTable.from_points([[39.5, 24.5, 24.5], [20.5, 24.5, 24.5]], voxel_size=10.0, tilt_series_id="TS_03")
    write_particles(picks, tmp_path / "picks.star")
    assert run("membranes", "distance", mask, "--particles", tmp_path / "picks.star", "--out", tmp_path / "far", "--near", 60,
               "--keep", "far") == 0
    rows = pd.read_csv(tmp_path / "far" / "distances.csv")
    assert rows.side[0] == "inside"
    assert rows.distance_A[0] == pytest.approx(-150, abs=5)
    assert len(read_particles(tmp_path / "far" / "particles.star")) == 1


def test_what_cannot_be_measured_is_refused(tmp_path, capsys):
    write_volume(tmp_path / "empty.mrc", np.zeros((16, 16, 16), np.int8), 10.0)
    write_volume(tmp_path / "probability.mrc", np.random.default_rng(0).random((16, 16, 16), dtype=np.float32), 10.0)
    assert run("membranes", "measure", tmp_path / "empty.mrc", "--out", tmp_path / "a") != 0
    assert "holds no membrane" in capsys.readouterr().err
    assert run("membranes", "measure", tmp_path / "probability.mrc", "--out", tmp_path / "b") != 0
    assert "probability map" in capsys.readouterr().err
