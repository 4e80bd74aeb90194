"""Several processes train what one trains."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from shared_training import TASKS, trained

from cryoetseg.core.training.checkpoint import read_checkpoint
from cryoetseg.core.training.engine import LAST
from cryoetseg.core.training.log import TABLE, read_table

PROGRAM = Path(__file__).with_name("shared_training.py")
# means of gradients, not weights: of a gradient that is rounding alone, as before a normalisation, Adam makes a whole step
COMPARED = ("/exp_avg", ".running_mean", ".running_var")


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes trained."""
    folder = tmp_path_factory.mktemp("two")
    command = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1",
               "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0", str(PROGRAM), str(folder)]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return folder


def bounds(name: str) -> tuple[float, float]:
    """Largest relative error of losses and of gradients: that of the float32 in which they are written and DUAL is computed."""
    return (1e-3, 5e-3) if name == "dual" else (1e-6, 1e-9)


@pytest.mark.thorough
@pytest.mark.parametrize("name", TASKS)
def test_two_launched_processes_give_losses_and_weights_of_one(launched: Path, tmp_path: Path, name: str) -> None:
    one, two, (of_losses, of_gradients) = trained(name, tmp_path), launched / name, bounds(name)
    for own, theirs in zip(read_table(one / TABLE), read_table(two / TABLE), strict=True):
        assert own.keys() == theirs.keys()
        np.testing.assert_allclose(list(theirs.values()), list(own.values()), rtol=of_losses, atol=1e-6)
    own, theirs = (read_checkpoint(folder / LAST).tensors for folder in (one, two))
    for key in [name for name in own if name.endswith(COMPARED) or name.startswith("task")]:
        error, size = (theirs[key] - own[key]).abs().max(), own[key].abs().max()
        assert error <= of_gradients * (size + 1e-4), key
