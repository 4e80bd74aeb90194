"""From one command to many jobs: which there are, how they are named, and that together they do the same as the one."""

import numpy as np
import pytest

from cryoetseg.core.batch.split import jobs_in, jobs_of, names_of
from cryoetseg.core.methods import METHODS, run_job
from cryoetseg.core.runtime.errors import InputError, JobError, ParameterError
from cryoetseg.core.runtime.job import InputFile, Job, write_job
from cryoetseg.core.volumes.io import write_volume


def tomograms(*paths):
    return [InputFile(path=str(path), tilt_series_id=path.stem, voxel_size=7.0, contrast="bright") for path in paths]


def test_each_tomogram_is_a_job_with_the_model_and_a_folder_of_its_own(tmp_path):
    model = InputFile(path=str(tmp_path), role="model")
    job = Job(method="pick-deepet", output_folder="/out", inputs=[model, *tomograms(tmp_path / "a.mrc", tmp_path / "b.mrc")], seed=3)
    first, second = jobs_of(job)
    assert (first.number, first.name, first.job.output_folder) == (1, "a", "/out/a")
    assert (second.number, second.name, second.job.output_folder) == (2, "b", "/out/b")
    assert second.job.inputs == [model, job.inputs[2]]
    assert (first.job.seed, second.job.seed) == (3, 3)


def test_what_draws_other_noise_for_each_input_keeps_doing_so(tmp_path):
    inputs = [item.model_copy(update={"role": "grand_model"}) for item in tomograms(tmp_path / "a.mrc", tmp_path / "b.mrc")]
    assert [item.job.seed for item in jobs_of(Job(method="simulate-dual", output_folder="/out", inputs=inputs, seed=3))] == [3, 4]


def test_together_they_make_what_the_one_command_makes(tmp_path):
    paths = [tmp_path / f"{name}.mrc" for name in "ab"]
    for seed, path in enumerate(paths):
        write_volume(path, np.random.default_rng(seed).normal(size=(8, 16, 16)).astype(np.float32), 10.0)
    job = Job(method="pick-dog", parameters={"particle_diameter": 60.0}, output_folder=str(tmp_path / "one"), inputs=tomograms(*paths))
    run_job(job)
    for planned in jobs_of(job.model_copy(update={"output_folder": str(tmp_path / "many")})):
        run_job(planned.job)
    for name in "ab":
        whole = (tmp_path / "one" / f"{name}_particles.star").read_text().splitlines()
        part = (tmp_path / "many" / name / f"{name}_particles.star").read_text().splitlines()
        assert [line for line in whole if line.startswith(name)] == [line for line in part if line.startswith(name)]
        assert any(line.startswith(name) for line in whole)


@pytest.mark.parametrize("pattern", ["", "*.mrc", "TS_?.mrc"])
def test_a_folder_or_pattern_stands_for_its_tomograms_in_order(tmp_path, pattern):
    for name in ("TS_2.mrc", "TS_1.mrc", "TS_1.json", ".TS_0.part.mrc"):
        (tmp_path / name).touch()
    jobs = jobs_of(Job(method="pick-dog", output_folder="/out", inputs=tomograms(tmp_path / pattern if pattern else tmp_path)))
    assert [item.name for item in jobs] == ["TS_1", "TS_2"]
    assert [(item.job.inputs[0].voxel_size, item.job.inputs[0].contrast) for item in jobs] == [(7.0, "bright")] * 2


def test_tomograms_of_one_file_name_are_called_by_their_folders(tmp_path):
    for name in ("TS_01", "TS_02"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rec.mrc").touch()
    jobs = jobs_of(Job(method="pick-dog", output_folder="/out", inputs=tomograms(tmp_path / "TS_*" / "rec.mrc")))
    assert [(item.name, item.job.inputs[0].tilt_series_id, item.job.output_folder) for item in jobs] == [
        ("TS_01", "TS_01", "/out/TS_01"), ("TS_02", "TS_02", "/out/TS_02")]  # fmt: skip


def test_names_are_different_whatever_the_layout(tmp_path):
    paths = [tmp_path / folder / f"{stem}.mrc" for folder in ("a", "b") for stem in ("odd", "even")]
    assert names_of(paths) == ["a_odd", "a_even", "b_odd", "b_even"]


def test_a_zarr_tomogram_is_a_tomogram_and_no_folder_of_them(tmp_path):
    (tmp_path / "TS_1.zarr").mkdir()
    assert [item.name for item in jobs_of(Job(method="pick-dog", output_folder="/o", inputs=tomograms(tmp_path / "TS_1.zarr")))] == ["TS_1"]


def test_nothing_to_work_on_and_equal_names_are_refused(tmp_path):
    with pytest.raises(InputError, match="no tomogram in"):
        jobs_of(Job(method="pick-dog", output_folder="/out", inputs=tomograms(tmp_path)))
    with pytest.raises(InputError, match="several tomograms are called rec"):
        jobs_of(Job(method="pick-dog", output_folder="/out", inputs=tomograms(tmp_path / "a" / "rec.mrc", tmp_path / "b" / "rec.mrc")))


def test_a_training_stays_one_job_with_all_its_inputs(tmp_path):
    inputs = [*tomograms(tmp_path / "a.mrc", tmp_path / "b.mrc"), InputFile(path="l.mrc", role="labels")]
    jobs = jobs_of(Job(method="train-membranes", output_folder="/out", inputs=inputs))
    assert [(item.name, item.job.inputs) for item in jobs] == [("train-membranes", inputs)]


def test_what_belongs_to_several_inputs_is_not_torn_apart(tmp_path):
    inputs = [InputFile(path="s.mrc", role="subtomogram"), *tomograms(tmp_path / "a.mrc", tmp_path / "b.mrc")]
    assert len(jobs_of(Job(method="segment-subtomograms", output_folder="/out", inputs=inputs))) == 1


def test_one_job_a_seed():
    jobs = jobs_of(Job(method="simulate", output_folder="/out"), seeds=(8, 11))
    assert [(item.job.seed, item.job.output_folder) for item in jobs] == [(8, "/out/seed08"), (9, "/out/seed09"), (10, "/out/seed10")]
    with pytest.raises(ParameterError, match="seeds for pick-dog"):
        jobs_of(Job(method="pick-dog", output_folder="/out"), seeds=(0, 2))


def test_job_files_count_once_and_records_beside_their_results_are_no_further_jobs(tmp_path):
    for name in ("10", "9"):
        job = Job(method="simulate", output_folder=str(tmp_path / f"out{name}"), seed=int(name))
        write_job(tmp_path / f"{name}.json", job)
        write_job(tmp_path / f"out{name}" / "job.json", job)
    (tmp_path / "notes.json").write_text("{}")
    assert [(item.number, item.name, item.job.seed) for item in jobs_in([tmp_path])] == [(1, "10", 10), (2, "9", 9)]
    assert [item.name for item in jobs_in([tmp_path / "9.json", tmp_path / "10.json"])] == ["9", "10"]


def test_job_files_that_contradict_each_other_or_are_none_are_refused(tmp_path):
    write_job(tmp_path / "1.json", Job(method="simulate", output_folder="/out", seed=1))
    write_job(tmp_path / "2.json", Job(method="simulate", output_folder="/out", seed=2))
    with pytest.raises(JobError, match=r"2\.json and another job file write into /out"):
        jobs_in([tmp_path])
    (tmp_path / "empty").mkdir()
    with pytest.raises(JobError, match="no job file"):
        jobs_in([tmp_path / "empty"])


def test_every_method_that_can_be_split_is_known():
    """A method that works tomogram by tomogram and is not split would run on one machine only."""
    splittable = {name for name, method in METHODS.items() if method.each or method.parts}
    assert {name for name in METHODS if name.startswith(("segment-", "pick-", "denoise-", "convert-", "fill-"))} <= splittable
