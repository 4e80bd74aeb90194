from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib import image, pyplot

from cryoetseg.core.training.curve import draw_curve


@pytest.mark.parametrize("rows", [
    [{"step": 1, "epoch": 0, "loss": 1.0}],
    [{"step": step, "loss": 10.0**-step, "validation_loss": 2.0, "validation_dice": 0.1} for step in range(5)],
    [{"step": 1, "loss": float("nan")}, {"step": 2, "loss": -1.0}],
    [{"step": 1, "epoch": 0}],
])
def test_a_picture_is_drawn_without_touching_pyplot(tmp_path: Path, rows: list[dict[str, float]]) -> None:
    open_before = pyplot.get_fignums()
    draw_curve(rows, tmp_path / "curve.png")
    assert image.imread(tmp_path / "curve.png").std() > 0
    assert pyplot.get_fignums() == open_before


def test_metrics_that_are_no_losses_get_a_panel(tmp_path: Path) -> None:
    rows = [{"step": step, "loss": 1.0} for step in range(3)]
    draw_curve(rows, tmp_path / "one.png")
    draw_curve([{**row, "dice": 0.5} for row in rows], tmp_path / "two.png")
    assert image.imread(tmp_path / "two.png").shape[1] == 2 * image.imread(tmp_path / "one.png").shape[1]
