"""Picking as a job, from file to file."""
import numpy as np
import pytest

from cryoetseg.core.metrics.picking import precision_recall_f1
from cryoetseg.core.particles.formats import read_particles
from cryoetseg.core.picking.apply import run
from cryoetseg.core.runtime.errors import InputError, ParameterError
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.volumes.io import write_volume

CENTRES = np.array([[10.0, 12.0, 30.0], [24.0, 30.0, 10.0], [12.0, 34.0, 34.0]])


@pytest.fixture
def dark_tomogram(tmp_path):
    grid = np.stack(np.meshgrid(*map(np.arange, (36, 44, 44)), indexing="ij"), axis=-1)
    volume = -sum(np.exp(-((grid - centre) ** 2).sum(-1) / 2 / 3.0**2) for centre in CENTRES).astype(np.float32)
    write_volume(tmp_path / "TS_1.mrc", volume, 20.0)
    return tmp_path / "TS_1.mrc"


def job(path, folder, contrast="dark", **parameters):
    return Job(method="pick-dog", parameters={"particle_diameter": 200.0, **parameters}, output_folder=str(folder),
               inputs=[InputFile(path=str(path), contrast=contrast)])


def test_dark_particles_are_found_and_written_with_scores(dark_tomogram, tmp_path):
    outcome = run(job(dark_tomogram, tmp_path / "out", count=3))
    table = read_particles(tmp_path / "out" / outcome.outputs[0].path)
    assert outcome.outputs[0].kind == "particles"
    assert (table.voxel_size, table.tilt_series_ids()) == (20.0, ["TS_1"])
    assert precision_recall_f1(table.zyx, CENTRES, 1.0).f1 == 1.0
    assert table.has_scores
    assert outcome.metrics["particles"] == 3


def test_contrast_turns_what_is_picked(dark_tomogram, tmp_path):
    run(job(dark_tomogram, tmp_path / "out", contrast="bright", count=3))
    assert precision_recall_f1(read_particles(tmp_path / "out/TS_1_particles.star").zyx, CENTRES, 1.0).f1 == 0.0


def test_threshold_selects_the_strong_ones(dark_tomogram, tmp_path):
    run(job(dark_tomogram, tmp_path / "out", selection="threshold", threshold=15.0))
    assert precision_recall_f1(read_particles(tmp_path / "out/TS_1_particles.star").zyx, CENTRES, 1.0).f1 == 1.0


def test_gold_does_not_outshine_particles(tmp_path):
    grid = np.stack(np.meshgrid(*map(np.arange, (36, 44, 44)), indexing="ij"), axis=-1)
    volume = np.random.default_rng(0).normal(0, 0.05, grid.shape[:3])
    volume += sum(np.exp(-((grid - centre) ** 2).sum(-1) / 2 / 3.0**2) for centre in CENTRES)
    for gold in [(30, 10, 34), (5, 34, 10), (20, 20, 20)]:
        volume[tuple(slice(at - 1, at + 2) for at in gold)] += 12
    write_volume(tmp_path / "TS_1.mrc", -volume.astype(np.float32), 20.0)
    found = {}
    for clip, cleaning in ((3.0, "off"), (0.0, "off"), (0.0, "auto")):
        folder = tmp_path / f"{clip}_{cleaning}"
        run(job(tmp_path / "TS_1.mrc", folder, count=3, clip=clip, cleaning=cleaning))
        found[clip, cleaning] = precision_recall_f1(read_particles(folder / "TS_1_particles.star").zyx, CENTRES, 1.0).f1
    assert found == {(3.0, "off"): 1.0, (0.0, "off"): 0.0, (0.0, "auto"): 1.0}


def test_borders_and_empty_corners_give_no_picks(tmp_path):
    grid = np.stack(np.meshgrid(*map(np.arange, (36, 44, 44)), indexing="ij"), axis=-1)
    volume = np.random.default_rng(0).normal(10, 0.4, grid.shape[:3])
    volume -= sum(np.exp(-((grid - centre) ** 2).sum(-1) / 2 / 3.0**2) for centre in CENTRES)
    padded = np.pad(volume, ((0, 0), (16, 16), (16, 16))).astype(np.float32)
    write_volume(tmp_path / "TS_1.mrc", padded, 20.0)
    found = {}
    for cleaning in ("auto", "off"):
        outcome = run(job(tmp_path / "TS_1.mrc", tmp_path / cleaning, count=3, cleaning=cleaning, clip=0))
        zyx = read_particles(tmp_path / f"{cleaning}/TS_1_particles.star").zyx
        found[cleaning] = precision_recall_f1(zyx, np.array(CENTRES) + np.array([0, 16, 16]), 1.0).f1
        assert ("show no sample" in "".join(outcome.warnings)) == (cleaning == "auto")
    assert found["auto"] == 1.0
    assert found["off"] < 0.5  # the padding's edge outshines all


def test_picks_near_the_faces_are_left_out(dark_tomogram, tmp_path):
    """The third particle lies 9.5 voxels of 20 A inside a face, the others 10.5."""
    run(job(dark_tomogram, tmp_path / "out", count=3, border=200.0))
    found = read_particles(tmp_path / "out/TS_1_particles.star").zyx
    nearest = np.linalg.norm(found[:, None] - CENTRES, axis=-1).min(axis=0)
    assert (nearest < 1).tolist() == [True, True, False]
    assert np.minimum(found + 0.5, np.array([36, 44, 44]) - 0.5 - found).min() >= 10


def test_bad_jobs_are_refused(dark_tomogram, tmp_path):
    with pytest.raises(ParameterError, match="finer"):
        run(job(dark_tomogram, tmp_path, particle_diameter=20.0))
    with pytest.raises(ParameterError, match="unknown"):
        run(job(dark_tomogram, tmp_path, diameter=20.0))
    with pytest.raises(InputError, match="tomogram"):
        run(Job(method="pick-dog", output_folder=str(tmp_path)))
