from __future__ import annotations

from pathlib import Path

from cryoetseg.core.training.log import FIGURE, TABLE, TrainingLog, read_table


def test_rows_are_means_over_the_interval(tmp_path: Path) -> None:
    log = TrainingLog(tmp_path, interval=2)
    for step in range(1, 6):
        log.add(step, 0, 0.1, {"loss": float(step)})
    assert [(row["step"], row["loss"]) for row in read_table(tmp_path / TABLE)] == [(2, 1.5), (4, 3.5)]


def test_a_short_last_interval_is_written_once(tmp_path: Path) -> None:
    log = TrainingLog(tmp_path, interval=2)
    for step in range(1, 4):
        log.add(step, 0, 0.1, {"loss": float(step)})
    for _ in range(2):
        log.flush(3, 0, 0.1)
    assert [(row["step"], row["loss"]) for row in read_table(tmp_path / TABLE)] == [(2, 1.5), (3, 3.0)]


def test_new_columns_are_added_and_cells_left_empty(tmp_path: Path) -> None:
    log = TrainingLog(tmp_path, interval=1)
    log.add(1, 0, 0.1, {"loss": 1.0})
    log.add_validation(1, 0, {"dice": 0.25})
    log.add(2, 0, 0.1, {"loss": 0.5})
    lines = (tmp_path / TABLE).read_text().splitlines()
    assert lines == ["step,epoch,learning_rate,loss,validation_dice", "1,0,0.1,1.0,", "1,0,,,0.25", "2,0,0.1,0.5,"]
    assert read_table(tmp_path / TABLE) == log.rows
    log.draw()
    assert (tmp_path / FIGURE).exists()


def test_a_validation_is_named_so_once_in_new_tables_and_of_old_ones(tmp_path: Path) -> None:
    log = TrainingLog(tmp_path, interval=1)
    log.add_validation(1, 0, {"validation_loss": 0.5, "dice": 0.25})
    assert (tmp_path / TABLE).read_text().splitlines()[0] == "step,epoch,validation_loss,validation_dice"
    (tmp_path / TABLE).write_text("step,epoch,validation_validation_loss\n1,0,0.75\n")
    assert read_table(tmp_path / TABLE) == [{"step": 1, "epoch": 0, "validation_loss": 0.75}]


def test_going_back_drops_later_rows_and_keeps_the_unfinished_mean(tmp_path: Path) -> None:
    log = TrainingLog(tmp_path, interval=2)
    for step in range(1, 4):
        log.add(step, 0, 0.1, {"loss": float(step)})
    state = log.state()
    for step in range(4, 8):
        log.add(step, 0, 0.1, {"loss": 100.0})
    resumed = TrainingLog(tmp_path, interval=2)
    resumed.load(state, step=3)
    resumed.add(4, 0, 0.1, {"loss": 5.0})
    assert [row["loss"] for row in read_table(tmp_path / TABLE)] == [1.5, 4.0]


def test_a_line_cut_by_a_kill_is_dropped(tmp_path: Path) -> None:
    (tmp_path / TABLE).write_text("step,epoch,loss\n1,0,0.5\n2,0")
    assert read_table(tmp_path / TABLE) == [{"step": 1, "epoch": 0, "loss": 0.5}]
    assert read_table(tmp_path / "absent.csv") == []


def test_without_a_folder_nothing_is_written(tmp_path: Path) -> None:
    log = TrainingLog(None, interval=1)
    log.add(1, 0, 0.1, {"loss": 1.0})
    log.draw()
    assert log.rows
    assert not list(tmp_path.iterdir())
