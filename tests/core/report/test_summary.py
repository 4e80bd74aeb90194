"""The summary scores what has a truth, shows what has none, and is one file."""

import numpy as np
import pytest

from cryoetseg.core.particles.formats import write_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.report.html import Step
from cryoetseg.core.report.known import Known
from cryoetseg.core.report.summary import Segmented, write_summary
from cryoetseg.core.runtime.job import InputFile, Job, Output, Result, write_result
from cryoetseg.core.volumes.io import write_volume

SHAPE, VOXEL_SIZE = (16, 40, 40), 10.0
CENTRES = np.array([[8, 30, 10], [7, 32, 30]])


def write_record(folder, method, name, tomogram, parameters, metrics):
    job = Job(method=method, parameters=parameters, inputs=[InputFile(path=str(tomogram))], output_folder=str(folder))
    outputs = [Output(kind="membrane_mask", path=f"{name}_membranes.mrc"), Output(kind="particles", path=f"{name}_particles.star")]
    result = Result(
        method=method, job=job.model_dump(), outputs=outputs, metrics=metrics, seconds=1, peak_memory_bytes=1, device="cpu", versions={},
        sha256={}, command=["cryoetseg"],
    )  # fmt: skip
    write_result(folder / "result.json", result)
    return folder / "result.json"


@pytest.fixture
def item(tmp_path):
    """A tomogram with one membrane and two particles, segmented perfectly."""
    grid = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), -1)
    membrane = np.zeros(SHAPE, np.int8)
    membrane[:, 10:13] = 1
    bright = 2.0 * membrane + np.random.default_rng(0).normal(0, 0.3, SHAPE)
    for centre in CENTRES:
        bright += 3 * (np.linalg.norm(grid - centre, axis=-1) < 4)
    write_volume(tmp_path / "cell.mrc", -bright.astype(np.float32), VOXEL_SIZE)
    for folder in ("truth", "found"):
        write_volume(tmp_path / folder / "cell_membranes.mrc", membrane, VOXEL_SIZE)
        write_particles(ParticleTable.from_points(CENTRES, voxel_size=VOXEL_SIZE), tmp_path / folder / "cell_particles.star")
    found = write_record(tmp_path / "found", "segment-slabs", "cell", tmp_path / "cell.mrc", {"particle_diameter": 80.0},
                         {"slices": "4:12"})
    return Segmented(found, found, write_record(tmp_path / "truth", "simulate", "cell", tmp_path / "cell.mrc", {}, {}))


def row(table, method):
    return dict(zip(table.columns, next(row for row in table.rows if row[0] == method)))


def test_a_perfect_result_scores_one_and_stands_beside_baselines(tmp_path, item):
    (table,) = write_summary([item, item], tmp_path / "report", "Demo")
    ours = row(table, "cryoetseg")
    assert ours["membrane Dice"] == ours["particle F1"] == 1.0
    assert [line[0] for line in table.rows] == ["cryoetseg", "Gaussian + Otsu", "sheet filter", "DoG, as many", "DoG, best count"]
    text = (tmp_path / "report" / "report.html").read_text()
    assert text.count("data:image/png") == 3
    assert "Slices 4 to 11 of 16" in text
    assert "2 particle candidates of about 80 Å" in text
    assert text.count("<h3>simulate</h3>") == 2


def test_every_word_of_the_scores_is_explained_once(tmp_path, item):
    (table,) = write_summary([item], tmp_path / "report", "Demo")
    text = (tmp_path / "report" / "report.html").read_text()
    for word in [*(line[0] for line in table.rows), *table.columns[1:]]:
        assert text.count(f"<dt>{word}</dt>") == 1, word


def test_without_truth_there_are_pictures_and_counts_but_no_scores(tmp_path, item):
    assert write_summary([Segmented(item.membranes, item.particles)], tmp_path / "report", "Mine") == []
    text = (tmp_path / "report" / "report.html").read_text()
    assert text.count("data:image/png") == 1
    assert "Gaussian" not in text


def test_masks_and_picks_of_two_runs_are_counted_against_what_is_known(tmp_path, item):
    """One of three known particles was not picked, and precision is not told, since more may be there."""
    picked = write_record(tmp_path / "picked", "pick-deepet", "cell", tmp_path / "cell.mrc", {}, {"particle_diameter": 80.0})
    write_particles(ParticleTable.from_points(CENTRES, voxel_size=VOXEL_SIZE), tmp_path / "picked" / "cell_particles.star")
    known = Known("published", "Some are published.", np.array([[8, 30, 10], [7, 32, 30], [3, 3, 3]]), 2.0, (1, 9))
    (table,) = write_summary([Segmented(item.membranes, picked, None, known)], tmp_path / "report", "Real")
    assert row(table, "cryoetseg") == {"method": "cryoetseg", "in the best 1": pytest.approx(1 / 3), "in the best 9": pytest.approx(2 / 3),
                                       "in all": pytest.approx(2 / 3), "picks": 2}
    text = (tmp_path / "report" / "report.html").read_text()
    assert text.count("data:image/png") == 2
    assert "Some are published." in text
    assert "precision" not in text.split("How this was made")[0].replace("precision would mislead", "")
    assert "<h3>pick-deepet</h3>" in text


def test_what_to_do_next_is_told_with_its_commands(tmp_path, item):
    write_summary([item], tmp_path / "report", "Demo", steps=[Step("Look at it.", "make gui PROJECT='my cell'")])
    text = (tmp_path / "report" / "report.html").read_text()
    assert "<li>Look at it.<br><code>make gui PROJECT=&#39;my cell&#39;</code></li>" in text
