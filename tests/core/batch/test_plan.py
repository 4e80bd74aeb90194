"""Plans: what comes after what, what is refused, and that a frozen plan stays."""

import json

import pytest

from cryoetseg.core.batch.plan import PLAN_FILE, PlannedJob, make_plan, read_plan, write_plan
from cryoetseg.core.runtime.errors import InputError, JobError
from cryoetseg.core.runtime.job import InputFile, Job


def planned(number, out, *inputs, **more):
    return PlannedJob(number=number, name=f"job{number}", **more,
                      job=Job(method="count", output_folder=str(out), inputs=[InputFile(path=str(path)) for path in inputs]))  # fmt: skip


def test_a_job_comes_after_those_whose_results_it_reads(tmp_path):
    jobs = [planned(1, tmp_path / "applied", tmp_path / "train" / "model"),
            planned(2, tmp_path / "train", tmp_path / "labels" / "mask.mrc"),
            planned(3, tmp_path / "labels"), planned(4, tmp_path / "labels2")]  # fmt: skip
    plan = make_plan(jobs)
    assert [job.after for job in plan.jobs] == [[2], [3], [], []]
    assert [job.stage for job in plan.jobs] == [3, 2, 1, 1]
    assert plan.stages == 3


def test_jobs_that_wait_for_each_other_are_refused(tmp_path):
    jobs = [planned(1, tmp_path / "a", tmp_path / "b" / "x"), planned(2, tmp_path / "b", tmp_path / "a" / "y"), planned(3, tmp_path / "c")]
    with pytest.raises(JobError, match=r"wait for each other: 1 \(job1\), 2 \(job2\)"):
        make_plan(jobs)


def test_inputs_that_nobody_makes_are_named(tmp_path):
    there = tmp_path / "there.mrc"
    there.touch()
    with pytest.raises(InputError, match=r"gone0\.mrc.*gone2\.mrc and 2 more"):
        make_plan([planned(n + 1, tmp_path / str(n), there, tmp_path / f"gone{n}.mrc") for n in range(5)])


def test_two_jobs_never_write_into_one_folder(tmp_path):
    with pytest.raises(JobError, match=r"jobs 1 \(job1\) and 2 \(job2\) write into"):
        make_plan([planned(1, tmp_path / "out"), planned(2, tmp_path / "x" / ".." / "out")])


def test_parts_of_one_chain_share_its_folder_but_not_with_another(tmp_path):
    first = planned(1, tmp_path / "out", part="labels/a")
    make_plan([first, PlannedJob(number=2, name="report", part="report", job=first.job, after=[1])])
    with pytest.raises(JobError, match="write into"):
        make_plan([planned(1, tmp_path / "out", part="labels/a"), planned(2, tmp_path / "out", tmp_path, part="report")])


def test_the_parts_of_a_chain_of_many_tomograms_hold_its_job_once(tmp_path):
    job = Job(method="pipeline", output_folder=str(tmp_path / "out"), inputs=[InputFile(path=str(tmp_path / f"TS_{n}")) for n in range(50)])
    for item in job.inputs:
        (tmp_path / item.path).touch()
    parts = [PlannedJob(number=n, name=f"application/{n}", part=f"application/{n}", job=job) for n in range(1, 51)]
    write_plan(tmp_path, make_plan([*parts, PlannedJob(number=51, name="report", part="report", job=job, after=list(range(1, 51)))]))
    assert (tmp_path / PLAN_FILE).read_text().count("TS_49") == 1
    jobs = read_plan(tmp_path).jobs
    assert jobs[0].job == job
    assert jobs[0].job is jobs[50].job


def test_a_plan_is_frozen(tmp_path):
    first = make_plan([planned(1, tmp_path / "a")])
    assert write_plan(tmp_path, first)
    kept = (tmp_path / PLAN_FILE).read_bytes()
    assert not write_plan(tmp_path, make_plan([planned(1, tmp_path / "a")]))
    with pytest.raises(JobError, match="another batch"):
        write_plan(tmp_path, make_plan([planned(1, tmp_path / "a"), planned(2, tmp_path / "b")]))
    assert (tmp_path / PLAN_FILE).read_bytes() == kept


@pytest.mark.parametrize("damage", [lambda text: text.replace("/a", "/b", 1), lambda text: text[: len(text) // 2], lambda text: "{}",
                                    lambda text: '{"jobs": [{"job": 7}]}', lambda text: '{"jobs": 3}'])  # fmt: skip
def test_a_plan_changed_by_hand_is_refused(tmp_path, damage):
    write_plan(tmp_path, make_plan([planned(1, "/results/a")]))
    path = tmp_path / PLAN_FILE
    path.write_text(damage(path.read_text()))
    with pytest.raises(JobError):
        read_plan(tmp_path)


def test_no_plan_and_no_job_of_that_number(tmp_path):
    with pytest.raises(JobError, match="batch plan"):
        read_plan(tmp_path)
    with pytest.raises(JobError, match="1 to 1"):
        make_plan([planned(1, tmp_path / "a")]).job(2)
    with pytest.raises(JobError, match="no job"):
        make_plan([])


def test_numbers_stay_when_files_are_added(tmp_path):
    plan = make_plan([planned(n, tmp_path / str(n)) for n in (1, 2)])
    write_plan(tmp_path, plan)
    (tmp_path / "0.json").write_text(json.dumps({"method": "count", "output_folder": "x"}))
    assert [job.job.output_folder for job in read_plan(tmp_path).jobs] == [str(tmp_path / "1"), str(tmp_path / "2")]
