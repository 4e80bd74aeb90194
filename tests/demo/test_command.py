"""The demo's own part: what it takes from the project and how it prints the scores."""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from cryoetseg.demo.command import score_lines, segmented, window_command
from cryoetseg.demo.project import Demo, DemoRun


def run(label, *names):
    return DemoRun(label, {name: Path(label) / name / "result.json" for name in names}, [], 1.0)


def test_each_segmentation_meets_its_own_truth():
    finished = Demo(Path("project"), {"source": run("source", "b", "a"), "segmentation": run("segmentation", "b", "a")})
    items = segmented(finished)
    assert [(item.segmentation.parent.name, item.simulation.parent.name) for item in items] == [("a", "a"), ("b", "b")]
    assert {item.root for item in items} == {Path("project")}


def test_an_imported_tomogram_has_no_truth():
    finished = Demo(Path("project"), {"source": run("source"), "segmentation": run("segmentation", "mine")})
    assert segmented(finished)[0].simulation is None


def test_scores_are_printed_as_a_table():
    lines = score_lines({"ours": {"Dice": 0.5, "F1": 0.25}, "baseline": {"Dice": 0.125}})
    assert lines == ["method    Dice   F1", "ours      0.500  0.250", "baseline  0.125  -"]


def test_no_scores_are_explained():
    assert score_lines({}) == ["no scores, because nothing is known of this tomogram; look at the pictures"]


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(("project", "out"), [("demo", "demo_output"), ("demo_my cell", "demo_output"), ("demo_171", "/data/it's here")])
def test_the_command_told_at_the_end_opens_this_project(project, out):
    command = shlex.split(window_command(project, Path(out)))
    told = subprocess.run([*command, "--dry-run"], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True).stdout
    window = next(line for line in told.splitlines() if "cryoetseg.demo" in line)
    assert shlex.split(window)[-5:] == ["--out", out, "--gui", "--project", project]
