"""The chain on two small tomograms: what it writes, what it repeats, and that one bad tomogram costs only itself."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from cryoetseg.core.methods import run_job, run_part, stages_of
from cryoetseg.core.particles.formats import read_particles
from cryoetseg.core.recipes.pipeline.bounds import ORACLE, PSEUDO, RATIO, STUDENT
from cryoetseg.core.recipes.pipeline.chain import Chain, Labels
from cryoetseg.core.recipes.pipeline.params import PipelineParameters
from cryoetseg.core.report.comparison import AS_MANY
from cryoetseg.core.runtime.errors import JobError
from cryoetseg.core.runtime.job import InputFile, Job, read_result
from cryoetseg.core.volumes.io import open_labels, write_volume

SCENE = {"size_z": 32, "size_y": 64, "size_x": 64, "voxel_size": 26.0, "particles": "ribosome_80s", "vesicle_count": 1, "sheet_count": 0,
         "ellipsoid_count": 0, "tube_count": 0, "actin_count": 0, "vesicle_radius_min": 400.0, "vesicle_radius_max": 500.0, "snr": 2.0,
         "tilt_step": 6.0, "occupancy": 0.2}
STEPS = {
    "train-membranes": {"iterations": 4, "rounds": 0, "batch_size": 2, "crop_px": 32},
    "train-picker": {"iterations": 4, "batch_size": 2, "patch_px": 16, "width": 4, "validation_crops": 2},
    "segment-membranes": {"smallest_component": 0.0},
    "pick-deepet": {"tile_px": 48, "height_threshold": 1e-6, "count": 20},
}


def simulated(folder, name, seed):
    """A tomogram with its truth."""
    result = run_job(Job(method="simulate", parameters=SCENE, output_folder=str(folder / name), seed=seed))
    roles = {"tomogram": "tomogram", "membrane_mask": "truth_mask", "particles": "truth_particles"}
    return [InputFile(path=str(folder / name / result.outputs_of(kind)[0].path), role=role, tilt_series_id=name)
            for kind, role in roles.items()]


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """Two tomograms; the truth is known of the first, which is the training tomogram."""
    folder = tmp_path_factory.mktemp("chain")
    inputs = [*simulated(folder, "first", 3), simulated(folder, "second", 4)[0]]
    return Job(method="pipeline", inputs=inputs, output_folder=str(folder / "out"), seed=1, parameters={
        "start": "pseudo-labels", "z_start": 12, "z_end": 20, "particle_diameter": 280.0, "steps": STEPS})


@pytest.fixture(scope="module")
def result(job):
    return run_job(job)


def test_each_tomogram_has_a_mask_and_coordinates_of_its_own_size(job, result):
    folder = Path(job.output_folder)
    for name in ("first", "second"):
        header = open_labels(folder / f"{name}_membranes.mrc").header
        assert (header.shape, header.voxel_size) == ((32, 64, 64), pytest.approx(26.0))
        table = read_particles(folder / f"{name}_particles.star")
        assert 0 < len(table) <= 20
        assert table.voxel_size == pytest.approx(26.0)
        assert ((table.zyx > -0.5) & (table.zyx < np.array([32, 64, 64]) - 0.5)).all()
    assert {(output.kind, output.tilt_series_id) for output in result.outputs if output.tilt_series_id} == {
        (kind, name) for kind in ("membrane_mask", "particles") for name in ("first", "second")}


def test_scores_stand_between_their_bounds_where_the_truth_is_known(job, result):
    scores = json.loads((Path(job.output_folder) / "scores.json").read_text())
    assert scores["second"]["scores"] == {}
    assert {STUDENT, ORACLE, AS_MANY} <= scores["first"]["scores"].keys()
    assert {PSEUDO, STUDENT, ORACLE} <= scores["first"]["labelled_scores"].keys()
    assert result.metrics["scores"][STUDENT] == scores["first"]["scores"][STUDENT]
    report = (Path(job.output_folder) / "report.html").read_text()
    for words in ("first", "second", ORACLE, RATIO, "slices 12 to 19"):
        assert words in report


def test_the_oracle_learned_from_the_truth_of_the_same_slices(job, result):
    inputs = {folder: read_result(Path(job.output_folder) / folder / "membranes" / "result.json").job for folder in ("students", "oracle")}
    labels = {folder: [item["path"] for item in record["inputs"] if item["role"] == "labels"] for folder, record in inputs.items()}
    assert labels["oracle"] == [item.path for item in job.inputs_of("truth_mask")]
    assert labels["students"] != labels["oracle"]
    assert inputs["students"]["parameters"] == inputs["oracle"]["parameters"]
    named = job.inputs_of("truth_particles")[0].tilt_series_id
    truth = read_particles(Path(job.output_folder) / "oracle" / "labels" / f"{named}_training.star")
    assert ((truth.zyx[:, 0] >= 11.5) & (truth.zyx[:, 0] < 19.5)).all()


def test_what_is_done_is_not_repeated_and_a_bad_tomogram_costs_only_itself(job, result, tmp_path):
    folder = Path(job.output_folder)
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("*/**/result.json")}
    broken = tmp_path / "broken.mrc"
    write_volume(broken, np.random.default_rng(0).normal(size=(32, 64, 64)).astype(np.float32), 26.0)
    broken.write_bytes(broken.read_bytes()[:5000])
    more = job.model_copy(update={"inputs": [*job.inputs, InputFile(path=str(broken), tilt_series_id="broken")]})
    with pytest.raises(JobError, match=r"1 of 3 tomograms failed.*broken"):
        run_job(more)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert "Not finished" in (folder / "report.html").read_text()
    assert (folder / "second_membranes.mrc").exists()


def test_a_part_does_its_own_steps_and_no_others(job, result):
    """Whatever of a part is missing that part makes again; what others made stays."""
    folder = Path(job.output_folder)
    stages = stages_of(job)
    assert [len(stage) for stage in stages] == [1, 4, 2, 1]
    made_by = {"labels/first": ["pseudo_labels/first"], "training/pseudo/picker": ["students/picker"],
               "training/oracle/membranes": ["oracle/membranes"],
               "application/second": ["found/second/membranes", "found/second/particles"],
               "application/first": ["found/first/particles", "oracle/first/membranes"]}  # fmt: skip
    assert set(made_by) < {part for stage in stages for part in stage}
    for part, steps in made_by.items():
        for step in steps:
            (folder / step / "result.json").unlink()
        kept = {path: path.stat().st_mtime_ns for path in folder.glob("*/**/result.json")}
        run_part(job, part)
        assert all((folder / step / "result.json").is_file() for step in steps), part
        assert {path: path.stat().st_mtime_ns for path in kept} == kept
    with pytest.raises(JobError, match="part 'polishing' of a pipeline"):
        run_part(job, "polishing")


def test_the_general_models_need_no_labels_and_no_training(job, tmp_path):
    own = {"start": "general", "oracle": False, "steps": {"pick-deepet": {"height_threshold": 0.05}}}
    result = run_job(job.model_copy(update={"parameters": own, "output_folder": str(tmp_path)}))
    assert not (tmp_path / "pseudo_labels").exists()
    assert not (tmp_path / "students").exists()
    for name in ("first", "second"):
        used = read_result(tmp_path / "found" / name / "membranes" / "result.json").job["inputs"]
        assert [Path(item["path"]).name for item in used if item["role"] == "model"] == ["general-membranes"]
        assert (tmp_path / f"{name}_membranes.mrc").is_file()
        assert len(read_particles(tmp_path / f"{name}_particles.star")) > 0
    assert {STUDENT, AS_MANY} <= result.metrics["scores"].keys()
    assert "general models that the package ships" in (tmp_path / "report.html").read_text()
    assert [len(stage) for stage in stages_of(job.model_copy(update={"parameters": own}))] == [2, 1]  # no labels, no training


def test_where_the_sample_is_sought_membranes_are_sought_there_alone(job, tmp_path):
    generator, points = np.random.default_rng(0), np.zeros((48, 96, 96))
    points[tuple(generator.integers((16, 0, 0), (32, 96, 96), (180, 3)).T)] = 1
    grey = generator.normal(0, 1, points.shape) - 60 * gaussian_filter(points, 2)
    write_volume(tmp_path / "a.mrc", grey.astype(np.float32), 20.0)
    inputs = [InputFile(path=str(tmp_path / "a.mrc"), role="tomogram", tilt_series_id="a")]
    run_job(Job(method="pipeline", inputs=inputs, output_folder=str(tmp_path / "out"), parameters={"start": "general", "z_auto": True}))
    first, last = read_result(tmp_path / "out" / "found" / "a" / "membranes" / "result.json").metrics["a"]["slices"].split(":")
    assert 8 <= int(first) <= 16
    assert 32 <= int(last) <= 40


@pytest.mark.parametrize(("start", "rounds"), [("pseudo-labels", 1), ("nothing", 0)])
def test_the_second_lesson_is_left_out_where_the_chain_is_as_published(job, tmp_path, monkeypatch, start, rounds):
    asked = {}

    def stop(job):
        asked[job.method] = job.parameters
        raise JobError("enough")

    monkeypatch.setattr("cryoetseg.core.recipes.pipeline.chain.run_job", stop)
    chain = Chain(job.model_copy(update={"output_folder": str(tmp_path)}), PipelineParameters(start=start, z_start=12, z_end=20))
    mask = next(Path(item.path) for item in job.inputs_of("truth_mask"))
    with pytest.raises(JobError, match="enough"):
        chain.students({"first": Labels(mask, None)})
    assert asked["train-membranes"]["rounds"] == rounds
