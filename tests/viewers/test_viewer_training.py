"""The training curve: drawn from the table, followed while it grows, found beside a model."""
import pytest

from cryoetseg.objects import CryoEtSegModel
from cryoetseg.protocols import ProtCryoEtSegTrainMembranes
from cryoetseg.viewers import CryoEtSegTrainingViewer
from cryoetseg.viewers.training_window import TrainingWindow

HEAD = "step,epoch,learning_rate,loss,validation_dice\n"


@pytest.fixture
def table(tmp_path):
    folder = tmp_path / "training" / "round_1"
    folder.mkdir(parents=True)
    (folder / "metrics.csv").write_text(HEAD + "1,0,0.001,0.9,\n2,0,0.001,0.8,\n2,0,,,0.3\n")
    return folder / "metrics.csv"


def curves(window):
    return {line.get_label(): list(line.get_ydata()) for axes in window.figure.axes for line in axes.lines}


def test_the_curve_grows_while_the_training_runs_and_the_window_stops_looking_afterwards(table):
    running = [True]
    window = TrainingWindow("membranes", lambda: [str(table)], lambda: running[0])
    assert curves(window) == {"loss": [0.9, 0.8], "validation dice": [0.3]}
    assert window.figure._suptitle.get_text() == "membranes: step 2, running"
    with open(table, "a") as stream:
        stream.write("3,1,0.001,0.7,\n")
    window.follow()
    assert curves(window)["loss"] == [0.9, 0.8, 0.7]
    running[0] = False
    window.follow()
    assert window.figure._suptitle.get_text() == "membranes: step 3"
    window.close()


def test_rounds_follow_one_another(table):
    second = table.parent.parent / "round_2"
    second.mkdir()
    (second / "metrics.csv").write_text(HEAD + "1,0,0.001,0.6,\n")
    window = TrainingWindow("membranes", lambda: [str(table), str(second / "metrics.csv")])
    assert [row["step"] for row in window.rows()] == [1, 2, 2, 3]
    window.close()


def test_before_the_first_step_the_window_says_so(tmp_path):
    window = TrainingWindow("membranes", lambda: [], lambda: True)
    assert "no step is logged yet" in window.figure._suptitle.get_text()
    window.close()


def test_a_model_shows_the_training_it_came_from(project, table):
    viewer = CryoEtSegTrainingViewer(project=project)
    (window,) = viewer._visualize(CryoEtSegModel(str(table.parent.parent.parent / "model"), "membranes"))
    assert curves(window)["loss"] == [0.9, 0.8]
    window.close()
    (message,) = viewer._visualize(CryoEtSegModel("nowhere/model", "membranes"))
    assert "not in this project" in message.getMessage()


def test_a_run_without_a_table_says_so(project):
    run = ProtCryoEtSegTrainMembranes()
    run.setWorkingDir("Runs/none")
    (message,) = CryoEtSegTrainingViewer(project=project)._visualize(run)
    assert "No step" in message.getMessage()
