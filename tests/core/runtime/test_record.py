"""A run leaves its record; a job that is done is not repeated, one that changed is."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from cryoetseg.core.runtime.checksums import sha256
from cryoetseg.core.runtime.errors import FolderBusyError, InputError, OutputError, ParameterError
from cryoetseg.core.runtime.files import write_text
from cryoetseg.core.runtime.job import InputFile, Job, MethodOutcome, Output, read_job, read_result
from cryoetseg.core.runtime.record import current_inputs, finished_result, peak_memory_bytes, recorded_run


class CountingMethod:
    """Writes one file and remembers how often it was run."""

    def __init__(self):
        self.runs = 0

    def __call__(self, job):
        self.runs += 1
        write_text(f"{job.output_folder}/out.txt", f"run {self.runs}")
        return MethodOutcome(outputs=[Output(kind="table", path="out.txt")], metrics={"runs": self.runs}, warnings=["thin ice"])


@pytest.fixture
def method():
    return CountingMethod()


@pytest.fixture
def job(tmp_path):
    (tmp_path / "in.txt").write_text("input")
    return Job(
        method="count", parameters={"a": 1}, inputs=[InputFile(path=str(tmp_path / "in.txt"))], output_folder=str(tmp_path / "out"), seed=5
    )


def test_the_record_says_what_was_done(tmp_path, job, method):
    result = recorded_run(job, method)
    assert read_result(tmp_path / "out" / "result.json") == result
    assert read_job(tmp_path / "out" / "job.json") == job
    assert result.sha256 == {job.inputs[0].path: sha256(job.inputs[0].path)}
    assert result.seconds >= 0
    assert result.peak_memory_bytes > 2**20
    assert {"python", "numpy"} <= set(result.versions)
    assert result.warnings == ["thin ice"]


def test_the_identical_job_is_not_repeated(job, method):
    assert recorded_run(job, method) == recorded_run(job, method)
    assert method.runs == 1


@pytest.mark.parametrize("change", [{"parameters": {"a": 2}}, {"seed": 6}, {"device": "cpu"}])
def test_a_changed_job_runs(job, method, change):
    recorded_run(job, method)
    recorded_run(job.model_copy(update=change), method)
    assert method.runs == 2


def test_changed_input_runs(job, method):
    recorded_run(job, method)
    write_text(job.inputs[0].path, "other input")
    recorded_run(job, method)
    assert method.runs == 2


def test_a_lost_output_is_made_again(tmp_path, job, method):
    recorded_run(job, method)
    (tmp_path / "out" / "out.txt").unlink()
    recorded_run(job, method)
    assert (tmp_path / "out" / "out.txt").read_text() == "run 2"


def test_a_damaged_record_counts_as_not_done(tmp_path, job, method):
    recorded_run(job, method)
    (tmp_path / "out" / "result.json").write_text(json.dumps({"method": "count"}))
    assert finished_result(job) is None


def test_a_failing_run_leaves_the_earlier_results(tmp_path, job, method):
    earlier = recorded_run(job, method)

    def failing(job):
        raise ParameterError("nothing fits")

    with pytest.raises(ParameterError):
        recorded_run(job.model_copy(update={"seed": 9}), failing)
    assert read_result(tmp_path / "out" / "result.json") == earlier
    assert (tmp_path / "out" / "out.txt").read_text() == "run 1"


def test_a_missing_input_stops_before_anything_is_written(tmp_path, job, method):
    missing = job.model_copy(update={"inputs": [InputFile(path=str(tmp_path / "none.mrc"))]})
    with pytest.raises(InputError, match=r"none\.mrc"):
        recorded_run(missing, method)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["result.json", "job.json"])
def test_a_folder_where_the_record_goes_is_left_as_it_is(tmp_path, job, method, name):
    write_text(tmp_path / "out" / name / "notes.txt", "mine")
    with pytest.raises(OutputError, match="is a folder"):
        recorded_run(job, method)
    assert sorted(path.name for path in tmp_path.glob("out/[!.]*")) == [name]
    assert (tmp_path / "out" / name / "notes.txt").read_text() == "mine"


def test_peak_memory_is_that_of_the_program_not_of_its_parent():
    held = np.ones(40_000_000)  # 320 MB in this process
    code = "from cryoetseg.core.runtime.record import peak_memory_bytes; print(peak_memory_bytes())"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 1e6 < int(child.stdout) < held.nbytes <= peak_memory_bytes()


@pytest.mark.parametrize("named", ["", "model"])
def test_a_model_trained_anew_is_another_input(tmp_path, job, method, named):
    write_text(tmp_path / "training" / "model" / "card.json", '{"sha256": "first"}')
    job = job.model_copy(update={"inputs": [InputFile(path=str(tmp_path / "training" / named), role="model")]})
    recorded_run(job, method)
    recorded_run(job, method)
    assert method.runs == 1
    write_text(tmp_path / "training" / "model" / "card.json", '{"sha256": "second"}')
    recorded_run(job, method)
    assert method.runs == 2


def test_half_an_output_is_made_again(tmp_path, job, method):
    recorded_run(job, method)
    (tmp_path / "out" / "out.txt").write_text("run")
    recorded_run(job, method)
    assert (tmp_path / "out" / "out.txt").read_text() == "run 2"


def test_an_output_of_the_same_size_with_other_content_is_made_again(tmp_path, job, method):
    recorded_run(job, method)
    (tmp_path / "out" / "out.txt").write_text("xxxxx")
    recorded_run(job, method)
    assert (tmp_path / "out" / "out.txt").read_text() == "run 2"


def test_the_record_tells_sizes_and_checksums_of_outputs(tmp_path, job, method):
    (output,) = recorded_run(job, method).outputs
    assert (output.size, output.sha256) == (5, sha256(tmp_path / "out" / "out.txt"))


@pytest.mark.parametrize("kind", ["folder", "weights"])
def test_a_changed_file_in_a_folder_is_another_input(tmp_path, job, method, kind):
    folder = tmp_path / kind
    write_text(folder / "0" / "chunk", "ab")
    inputs, files = ([InputFile(path=str(folder))], []) if kind == "folder" else ([], [str(folder)])
    job = job.model_copy(update={"inputs": inputs})
    recorded_run(job, method, files=files)
    recorded_run(job, method, files=files)
    assert method.runs == 1
    write_text(folder / "0" / "chunk", "aB")
    recorded_run(job, method, files=files)
    assert method.runs == 2


def test_a_run_that_a_time_limit_ended_goes_on(job):
    ends = iter(["time limit", "length"])

    def training(job):
        return MethodOutcome(metrics={"ended_by": next(ends)})

    assert recorded_run(job, training).metrics == {"ended_by": "time limit"}
    assert finished_result(job) is None
    assert recorded_run(job, training).metrics == {"ended_by": "length"}
    assert recorded_run(job, training).metrics == {"ended_by": "length"}


def test_what_fails_after_the_work_leaves_no_record_and_is_done_alone_the_next_time(tmp_path, job, method):
    def no_figure(result):
        raise OSError("the figure fails")

    with pytest.raises(OSError, match="figure"):
        recorded_run(job, method, no_figure)
    assert finished_result(job) is None
    assert not (tmp_path / "out" / "result.json").exists()

    def figure(result):
        write_text(tmp_path / "out" / "figure.txt", "drawn")
        return result.model_copy(update={"outputs": [*result.outputs, Output(kind="figure", path="figure.txt")]})

    result = recorded_run(job, method, figure)
    assert method.runs == 1
    assert [output.path for output in result.outputs] == ["out.txt", "figure.txt"]
    assert finished_result(job) == result == read_result(tmp_path / "out" / "result.json")
    assert sorted(name for name in os.listdir(tmp_path / "out") if name[0] != ".") == ["figure.txt", "job.json", "out.txt", "result.json"]


def test_the_old_record_vouches_for_nothing_once_its_files_change(tmp_path, job, method):
    recorded_run(job, method)

    def killed(job):
        write_text(tmp_path / "out" / "out.txt", "half way")
        raise KeyboardInterrupt

    other = job.model_copy(update={"seed": 6})
    with pytest.raises(KeyboardInterrupt):
        recorded_run(other, killed)
    assert read_job(tmp_path / "out" / "job.json") == other
    assert finished_result(job) is None
    assert not (tmp_path / "out" / "result.json").exists()


def test_an_earlier_result_that_a_failed_run_did_not_touch_counts_again(tmp_path, job, method):
    earlier = recorded_run(job, method)

    def failing(job):
        write_text(tmp_path / "out" / "other.txt", "half way")
        raise ParameterError("no more")

    with pytest.raises(ParameterError):
        recorded_run(job.model_copy(update={"seed": 6}), failing)
    assert finished_result(job) == earlier
    assert read_job(tmp_path / "out" / "job.json") == job


def test_a_second_run_in_the_folder_is_refused_while_the_first_goes_on(job, method):
    def slow(job):
        with pytest.raises(FolderBusyError):
            recorded_run(job.model_copy(update={"seed": 6}), method)
        return method(job)

    assert recorded_run(job, slow).metrics == {"runs": 1}
    assert method.runs == 1


def test_other_processes_of_one_training_write_no_record(tmp_path, job, method, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    seen = []
    recorded_run(job, lambda job: seen.append(current_inputs()) or MethodOutcome())
    assert seen[0].sha256 == {job.inputs[0].path: sha256(job.inputs[0].path)}
    assert not (tmp_path / "out").exists()
