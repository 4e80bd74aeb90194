"""A training knows its data: it goes on with these alone, and says which file is another one."""
from __future__ import annotations

from pathlib import Path

import pytest
from tiny_training import PARAMETERS, TinyTask

from cryoetseg.core.runtime.errors import InputError
from cryoetseg.core.runtime.job import InputFile, Job, MethodOutcome
from cryoetseg.core.runtime.record import recorded_run
from cryoetseg.core.training.engine import train


@pytest.fixture
def learn(tmp_path: Path):  # type: ignore[no-untyped-def]
    def learn(content: str, iterations: int = 2, name: str = "TS_01.mrc", **changes: object) -> int:
        (tmp_path / name).write_text(content)
        job = Job(method="tiny", parameters={"iterations": iterations}, output_folder=str(tmp_path / "out"),
                  inputs=[InputFile(path=str(tmp_path / name)).model_copy(update=changes)])
        steps: list[int] = []

        def method(job: Job) -> MethodOutcome:
            parameters = PARAMETERS.model_copy(update={"iterations": iterations})
            outcome = train(TinyTask(), parameters, tmp_path / "out" / "training", seed=3, device="cpu")
            steps.append(outcome.steps)
            return MethodOutcome()

        recorded_run(job, method)
        return steps[0] if steps else 0

    return learn


def test_a_training_goes_on_with_the_data_with_which_it_began_under_any_name(learn) -> None:  # type: ignore[no-untyped-def]
    assert learn("data") == 2
    assert learn("data", 4) == 4
    assert learn("data", 6, name="moved.mrc") == 6


@pytest.mark.parametrize(("content", "changes", "message"), [
    ("DATA", {}, r"the tomogram TS_01\.mrc changed"), ("data", {"voxel_size": 9.0}, "voxel size None -> 9.0"),
    ("data", {"contrast": "bright"}, "contrast dark -> bright")])
def test_other_data_of_as_many_items_are_refused_by_name(learn, content, changes, message) -> None:  # type: ignore[no-untyped-def]
    learn("data")
    for iterations in (2, 4):
        with pytest.raises(InputError, match=message):
            learn(content, iterations, **changes)
    assert learn("data", 4) == 4
