"""Sources of Vox-UDA: given ones and options of simulated ones exclude each other, whichever command is told both."""
import numpy as np
import pytest

from cryoetseg.core import cli
from cryoetseg.core.volumes.io import write_volume


@pytest.mark.parametrize("command", ["train", "ablation"])
@pytest.mark.parametrize("options", [["--source-count", "4"], ["--template", "map.mrc"]])
def test_options_that_would_be_ignored_are_refused(tmp_path, capsys, command, options):
    volume = tmp_path / "a.mrc"
    write_volume(volume, np.random.default_rng(0).normal(size=(16, 16, 16)).astype(np.float32), 10.0)
    with pytest.raises(SystemExit) as stop:
        cli.main(["voxuda", command, "--target", str(volume), "--source", str(volume), "--out", str(tmp_path / "out"), *options])
    assert stop.value.code != 0
    assert "leave out --template and --source-count" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
