"""Sources of Vox-UDA: given ones and options of simulated ones exclude each other, whichever command is told both."""
import numpy as np
import pytest

from cryoetseg.core import cli
from cryoetseg.core.volumes.io import write_volume


@pytest.mark.parametrize("command", ["train", "ablation"])
@pytest.mark.parametrize("options", [["--source-count", "4"], ["--template", "map.mrc"], ["--source-defocus", "3"]])
def test_options_that_would_be_ignored_are_refused(tmp_path, capsys, command, options):
    volume = tmp_path / "a.mrc"
    write_volume(volume, np.random.default_rng(0).normal(size=(16, 16, 16)).astype(np.float32), 10.0)
    with pytest.raises(SystemExit) as stop:
        cli.main(["voxuda", command, "--target", str(volume), "--source", str(volume), "--out", str(tmp_path / "out"), *options])
    assert stop.value.code != 0
    assert "leave out --template and --source-count" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_simulated_source_is_imaged_as_the_options_say_and_fills_the_box(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr("cryoetseg.core.recipes.voxuda_source.write_source", lambda folder, p, maps, seed: made.append(p) or [])
    monkeypatch.setattr("cryoetseg.core.commands.voxuda.run_and_show", lambda *_: None)
    for name in "ab":
        write_volume(tmp_path / f"{name}.mrc", np.random.default_rng(0).normal(size=(64, 64, 64)).astype(np.float32), 5.0)
    base = ["voxuda", "train", "--target", str(tmp_path / "a.mrc"), "--target", str(tmp_path / "b.mrc"), "--out", str(tmp_path / "out")]
    imaged = ["--source-tilt-min", "-50", "--source-tilt-max", "70", "--source-defocus", "3", "--source-max-shift", "1",
              "--source-neighbours", "6", "--source-snrs", "0.1"]
    for options in (imaged, ["--preset", "published", "--source-neighbours", "3"]):
        with pytest.raises(SystemExit) as stop:
            cli.main([*base, *options])
        assert stop.value.code == 0
    first, paper = made
    assert (first.voxel_size, first.size, first.count) == (10.0, 32, 300)
    assert (first.tilt_min, first.tilt_max, first.defocus, first.max_shift, first.neighbours, first.snrs) == (-50, 70, 3, 1, 6, "0.1")
    assert (paper.count, paper.max_shift, paper.neighbours, paper.tilt_max) == (3000, 8, 3, 60)
