"""The pipeline's preset: published settings of every step, some of them overruled by a file."""
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from cryoetseg.core.cli import app
from cryoetseg.core.volumes.io import write_volume


@pytest.fixture
def planned(tmp_path, monkeypatch):
    """The parameters of the job that a command line makes."""
    from cryoetseg.core.commands import pipeline

    write_volume(tmp_path / "cell.mrc", np.random.default_rng(0).normal(size=(8, 16, 16)).astype(np.float32), 10.0)
    jobs = []
    monkeypatch.setattr(pipeline, "run_and_show", lambda job, settings: jobs.append(job))

    def make(*options):
        result = CliRunner().invoke(app, ["pipeline", str(tmp_path / "cell.mrc"), "--out", str(tmp_path / "out"), *options])
        return jobs[-1].parameters if jobs else result

    return make


def test_the_preset_reaches_every_step_and_a_file_overrules_single_values(planned, tmp_path):
    steps = {"segment-slabs": {"backbone": "cryoet-tiny"}, "pick-deepet": {"count": 7}}
    (tmp_path / "steps.json").write_text(json.dumps(steps))
    parameters = planned("--preset", "published", "--steps", str(tmp_path / "steps.json"), "--labelled-slices", "8")
    assert (parameters["start"], parameters["labelled_slices"]) == ("nothing", 8)
    assert parameters["steps"]["segment-slabs"]["backbone"] == "cryoet-tiny"
    assert parameters["steps"]["pick-deepet"]["count"] == 7
    assert parameters["steps"]["pick-deepet"]["peaks"] == "published"
    assert parameters["steps"]["train-membranes"]["optimiser"] == "sgd"


def test_without_the_preset_steps_have_their_defaults(planned):
    assert planned()["steps"] == {}
    assert planned()["start"] == "general"


@pytest.mark.parametrize("content", ["[1]", '{"pick-deepet": 3}'])
def test_a_file_that_holds_no_steps_is_refused(planned, tmp_path, content):
    (tmp_path / "steps.json").write_text(content)
    result = planned("--steps", str(tmp_path / "steps.json"))
    assert result.exit_code != 0
