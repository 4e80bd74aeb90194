"""The command: two kinds of particles in a simulated tomogram, their list, their averages, likeness, selection."""
import numpy as np
import pandas as pd
import pytest

from cryoetseg.core.cli import main
from cryoetseg.core.particles.formats import read_particles, write_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.volumes.io import write_volume


def run(*words):
    with pytest.raises(SystemExit) as stop:
        main([str(word) for word in words])
    return stop.value.code


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """Balls of radius 50 A and shells of radius 110 A, bright, 12 of each, and their list with true classes."""
    folder = tmp_path_factory.mktemp("sample")
    rng = np.random.default_rng(0)
    volume = rng.standard_normal((40, 176, 176)).astype(np.float32)
    places = np.array([[20, 17 + 35 * row, 17 + 35 * column] for row in range(5) for column in range(5)], float)[:24]
    places += rng.uniform(-0.5, 0.5, places.shape)
    kind = np.arange(24) % 2 + 1
    axes = np.stack(np.meshgrid(*map(np.arange, volume.shape), indexing="ij"))
    for place, number in zip(places, kind):
        distance = np.sqrt(((axes - place[:, None, None, None]) ** 2).sum(0)) * 12.5
        volume += 3.0 * ((distance < 50) if number == 1 else (np.abs(distance - 100) < 20))
    write_volume(folder / "TS_01.mrc", volume, 12.5)
    write_particles(ParticleTable.from_points(places, voxel_size=12.5, tilt_series_id="TS_01"), folder / "picks.star")
    write_particles(ParticleTable.from_points(places[kind == 2][:2], voxel_size=12.5, tilt_series_id="TS_01"), folder / "like.star")
    return folder, kind


def test_cluster_and_select(sample, tmp_path):
    folder, kind = sample
    assert run("particles", "cluster", folder / "TS_01.mrc", "--particles", folder / "picks.star", "--out", tmp_path, "--contrast",
               "bright", "--like", folder / "like.star", "--device", "cpu") == 0
    table = read_particles(tmp_path / "particles.star")
    groups = [set(table.class_id[kind == number]) - {0} for number in (1, 2)]
    assert [len(group) for group in groups] == [1, 1]
    assert groups[0] != groups[1]
    assert (table.class_id > 0).sum() >= 20  # few are unsure
    rows = pd.read_csv(tmp_path / "clusters.csv")
    assert rows.particles.sum() == 24
    diameters = rows.set_index("cluster").diameter_of_average
    assert diameters[min(groups[1])] > 1.5 * diameters[min(groups[0])]
    counts = pd.read_csv(tmp_path / "counts.csv").set_index("cluster")
    assert counts.loc["all", "particles"] == 24
    field = 40 * 176 * 176 * (12.5e-4) ** 3
    assert 0.3 * field < counts.loc["all", "sample_um3"] <= 1.01 * field
    assert counts.loc["all", "per_um3"] == pytest.approx(24 / counts.loc["all", "sample_um3"], rel=1e-3)
    ranked = read_particles(tmp_path / "ranked.star")
    assert set(ranked.class_id[:8]) <= groups[1] | {0}
    made = ("map.png", "gallery.png", "counts.png", "cluster_01.mrc", "cluster_02.mrc")
    assert all((tmp_path / name).exists() for name in made)
    wanted = groups[1].pop()
    assert run("particles", "select", tmp_path / "particles.star", "--clusters", wanted, "--out", tmp_path / "shells.csv") == 0
    assert len(read_particles(tmp_path / "shells.csv")) == (table.class_id == wanted).sum()


def test_what_was_embedded_is_not_embedded_again(sample, tmp_path, monkeypatch):
    from cryoetseg.core.clusters import embed

    folder, _ = sample
    words = ("particles", "cluster", folder / "TS_01.mrc", "--particles", folder / "picks.star", "--out", tmp_path, "--contrast", "bright",
             "--device", "cpu")
    assert run(*words) == 0
    monkeypatch.setattr(embed, "forward", lambda *_: pytest.fail("boxes were embedded again"))
    assert run(*words, "--confidence", "0.6") == 0


def test_what_does_not_fit_is_refused(sample, tmp_path, capsys):
    folder, _ = sample
    outside = ParticleTable.from_points([[20.0, 500.0, 16.0]], voxel_size=12.5, tilt_series_id="TS_01")
    write_particles(outside, tmp_path / "outside.star")
    assert run("particles", "cluster", folder / "TS_01.mrc", "--particles", tmp_path / "outside.star", "--out", tmp_path / "a",
               "--contrast", "bright") != 0
    assert "outside" in capsys.readouterr().err
    assert run("particles", "select", folder / "picks.star", "--clusters", "7", "--out", tmp_path / "b") != 0
    assert "no particle of the classes 7" in capsys.readouterr().err
