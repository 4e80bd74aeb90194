"""Labels and tomograms of a training belong together in their order, whatever the files are called."""
import pytest

from cryoetseg.core import cli
from cryoetseg.core.commands import train
from cryoetseg.core.students.picker.params import TrainPickerParameters


@pytest.fixture
def jobs(monkeypatch):
    """The jobs that the commands would run."""
    found = []
    monkeypatch.setattr(train, "run_and_show", lambda job, settings: found.append(job))
    return found


def names(jobs, role):
    return [item.tilt_series_id for item in jobs[0].inputs_of(role)]


@pytest.mark.parametrize(("command", "role"), [("membranes", "labels"), ("picker", "particles"), ("segmenter", "labels"),
                                               ("segmenter", "particles")])
def test_as_many_labels_as_tomograms_take_their_names(jobs, tmp_path, command, role):
    files = ["--tomogram", "a.mrc", "--tomogram", "b.mrc", f"--{role}", "one.x", f"--{role}", "two.x"]
    with pytest.raises(SystemExit):
        cli.main(["train", command, *files, "--out", str(tmp_path)])
    assert names(jobs, role) == names(jobs, "tomogram") == ["a", "b"]


def test_the_published_preset_leaves_what_is_given(jobs, tmp_path):
    with pytest.raises(SystemExit):
        cli.main(["train", "picker", "--tomogram", "a.mrc", "--particles", "a.star", "--out", str(tmp_path), "--preset", "published",
                  "--batch-size", "3"])
    assert jobs[0].parameters == TrainPickerParameters.published().model_copy(update={"batch_size": 3}).model_dump()


def test_an_unknown_preset_is_refused(jobs, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", "picker", "--tomogram", "a.mrc", "--particles", "a.star", "--out", str(tmp_path), "--preset", "paper"])
    assert stop.value.code != 0
    assert "default, published" in capsys.readouterr().err
    assert jobs == []


def test_one_list_may_speak_of_many_tomograms(jobs, tmp_path):
    with pytest.raises(SystemExit):
        cli.main(["train", "picker", "--tomogram", "a.mrc", "--tomogram", "b.mrc", "--particles", "all.star", "--out", str(tmp_path)])
    assert names(jobs, "particles") == ["all"]
