"""job.json and result.json: what is written is what is read, and nothing else is accepted."""

import json
import os

import pytest

from cryoetseg.core.runtime.errors import JobError
from cryoetseg.core.runtime.job import InputFile, Job, Output, Result, read_job, read_result, write_job, write_result


@pytest.fixture
def job(tmp_path):
    inputs = [InputFile(path="a.mrc", voxel_size=13.48, tilt_series_id="TS_01"), InputFile(path="b.mrc", role="truth", contrast="bright")]
    return Job(method="segment-slabs", parameters={"z_start": 40, "z_end": 72}, inputs=inputs, output_folder=str(tmp_path), seed=3)


def test_a_job_survives_its_file(tmp_path, job):
    write_job(tmp_path / "job.json", job)
    assert read_job(tmp_path / "job.json") == job


def test_a_result_survives_its_file(tmp_path, job):
    result = Result(
        method=job.method, job=job.model_dump(), outputs=[Output(kind="particles", path="a.star", voxel_size=13.48)],
        metrics={"count": 3, "scores": [0.1]}, seconds=1.5, peak_memory_bytes=10**10, device="cpu", versions={"python": "3.11"},
        sha256={"a.mrc": "00"}, command=["cryoetseg"],
    )  # fmt: skip
    write_result(tmp_path / "result.json", result)
    assert read_result(tmp_path / "result.json") == result


def test_inputs_are_found_by_their_role(job):
    assert [item.path for item in job.inputs_of("truth")] == ["b.mrc"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"methods": "x"}, "methods"),
        ({"seed": "many"}, "seed"),
        ({"inputs": [{"voxel_size": 1.0}]}, "path"),
        ({"output_folder": None}, "output_folder"),
    ],
)
def test_a_wrong_field_is_named(tmp_path, job, change, named):
    path = tmp_path / "job.json"
    path.write_text(json.dumps({**job.model_dump(), **change}))
    with pytest.raises(JobError, match=named):
        read_job(path)


def test_a_damaged_file_is_a_job_error(tmp_path):
    path = tmp_path / "job.json"
    path.write_text('{"method": ')
    with pytest.raises(JobError, match=r"job\.json"):
        read_job(path)


@pytest.mark.parametrize("job", [
    {"output_folder": os.fsdecode(b"d\xff/out")}, {"output_folder": "out", "inputs": [{"path": os.fsdecode(b"d\xff/a.mrc")}]},
    {"output_folder": "out", "inputs": [{"path": "a.mrc", "tilt_series_id": "\ud800"}]},
    {"output_folder": "out", "parameters": {"names": [os.fsdecode(b"\xff")]}}])
def test_names_that_are_not_in_utf_8_are_refused_before_anything_runs(job):
    with pytest.raises(JobError, match="not in UTF-8"):
        Job(method="pick-dog", **job)


@pytest.mark.parametrize("name", ["", "  "])
def test_an_output_folder_has_a_name(name):
    with pytest.raises(JobError, match="has no name"):
        Job(method="pick-dog", output_folder=name)


@pytest.mark.parametrize("seed", [-(2**63) - 1, 2**64, 10**23])
def test_a_seed_that_torch_cannot_take_is_refused_before_anything_runs(job, seed):
    with pytest.raises(JobError, match=f"seed = {seed}"):
        Job(**{**job.model_dump(), "seed": seed})
    assert {Job(**{**job.model_dump(), "seed": taken}).seed for taken in (-(2**63), 2**64 - 1)} == {-(2**63), 2**64 - 1}
