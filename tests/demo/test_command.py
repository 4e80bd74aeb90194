"""The demo's own part: what it takes from the project and how it prints the scores."""

import shlex
import shutil
import subprocess
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from typer.testing import CliRunner

from cryoetseg.core.particles.formats import read_particles
from cryoetseg.core.report.html import Table
from cryoetseg.demo.command import app, next_steps, published_ribosomes, score_lines, segmented, window_command
from cryoetseg.demo.project import REAL, Demo, DemoRun


def run(label, *names):
    return DemoRun(label, {name: Path(label) / name / "result.json" for name in names}, [], 1.0)


def test_each_segmentation_meets_its_own_truth():
    finished = Demo(Path("project"), {"source": run("source", "b", "a"), "segmentation": run("segmentation", "b", "a")})
    items = segmented(finished)
    assert [(item.membranes.parent.name, item.simulation.parent.name) for item in items] == [("a", "a"), ("b", "b")]
    assert {item.root for item in items} == {Path("project")}


def test_an_imported_tomogram_has_no_truth():
    finished = Demo(Path("project"), {"source": run("source"), "segmentation": run("segmentation", "mine")})
    assert segmented(finished)[0].simulation is None


def test_the_real_tomogram_comes_first_with_what_is_published_of_it():
    runs = {"source": run("source", "sim"), "segmentation": run("segmentation", "sim"), "real_source": run("import"),
            "real_membranes": run("membranes", "real"), "real_particles": run("picks", "real")}
    real, simulated = segmented(Demo(Path("project"), runs))
    assert [real.membranes.parts[0], real.particles.parts[0], real.simulation] == ["membranes", "picks", None]
    assert len(real.known.points) == 88
    assert (simulated.membranes, simulated.known) == (simulated.particles, None)


def test_the_shipped_tomogram_and_its_picks_are_the_published_ones(shared_data):
    """Ribosomes are dark, and the list counts voxels of the shipped part in x, y, z."""
    shipped = mrcfile.read(REAL["tomogram"])
    whole = mrcfile.read(shared_data / "tomograms" / "empiar11658_tomo171_31A.mrc")
    np.testing.assert_array_equal(shipped, whole[28:100, 30:158, 50:178])
    listed = read_particles(shared_data / "annotations" / "empiar11658_tomo171_crop_ribosomes.star").zyx
    points = published_ribosomes().points
    np.testing.assert_allclose(points, listed, atol=1e-3)
    with mrcfile.open(REAL["tomogram"], header_only=True) as header:
        assert float(header.voxel_size.x) == pytest.approx(REAL["samplingRate"], abs=1e-4)
    inside = np.rint(points).astype(int)
    assert shipped[tuple(np.minimum(inside, np.array(shipped.shape) - 1).T)].mean() < shipped.mean() - shipped.std()


def test_scores_are_printed_as_tables():
    table = Table(["method", "Dice", "F1"], [["ours", 0.5, 0.25], ["baseline", 0.125, None]], "Mean.")
    assert score_lines([table]) == ["Mean.", "method    Dice   F1", "ours      0.500  0.250", "baseline  0.125  -", ""]


def test_no_scores_are_explained():
    assert score_lines([])[0] == "no scores, because nothing is known of this tomogram; look at the pictures"


def test_a_missing_tomogram_is_told_and_makes_no_project(tmp_path):
    told = CliRunner().invoke(app, ["--out", str(tmp_path / "demo"), "--tomogram", str(tmp_path / "missing.mrc")])
    assert "does not exist" in str(told.exception)
    assert not (tmp_path / "demo").exists()


def test_commands_of_what_comes_next_are_understood(capsys):
    """Help is shown only after all options were recognised."""
    from cryoetseg.core import cli

    words = [shlex.split(step.command) for step in next_steps("make gui") if step.command.startswith(".venv/bin/cryoetseg")]
    assert len(words) == 2
    for command in words:
        with pytest.raises(SystemExit) as stop:
            cli.main([*command[1:], "--help"])
        assert stop.value.code == 0, capsys.readouterr().err


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(("project", "out"), [("demo", "demo_output"), ("demo_my cell", "demo_output"), ("demo_171", "/data/it's here")])
def test_the_command_told_at_the_end_opens_this_project(project, out):
    command = shlex.split(window_command(project, Path(out)))
    told = subprocess.run([*command, "--dry-run"], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True).stdout
    window = next(line for line in told.splitlines() if "cryoetseg.demo" in line)
    assert shlex.split(window)[-5:] == ["--out", out, "--gui", "--project", project]
