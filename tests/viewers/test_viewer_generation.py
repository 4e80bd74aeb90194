"""Generated particles beside real ones, from the files that a run and a training leave."""
import json
import os

import numpy as np
import pytest

from cryoetseg.core.runtime.job import Output, Result, write_result
from cryoetseg.core.volumes.io import write_volume
from cryoetseg.objects import CryoEtSegModel
from cryoetseg.protocols import ProtCryoEtSegGenerateParticles
from cryoetseg.viewers import CryoEtSegGenerationViewer

CUBES = np.random.default_rng(0).standard_normal((6, 8, 8, 8)).astype(np.float32)


@pytest.fixture
def viewer(project, tmp_path):
    """Three cubes of each of two classes; the training left real ones beside its model."""
    run = project.newProtocol(ProtCryoEtSegGenerateParticles)
    run.setWorkingDir(str(tmp_path))
    folder = tmp_path / "extra" / "generated"
    rows = [{"file": f"{number}.mrc", "class": "ab"[number // 3]} for number in range(6)]
    for row, cube in zip(rows, CUBES):
        write_volume(folder / row["file"], -cube, 10.0)
    (folder / "made.json").write_text(json.dumps({"contrast": "dark", "voxel_size": 10.0, "subtomograms": rows}))
    write_result(folder / "result.json", Result(
        method="generate-particles", job={}, outputs=[Output(kind="report", path="made.json")], metrics={}, seconds=0, peak_memory_bytes=0,
        device="cpu", versions={}, sha256={}, command=[]))
    np.savez(tmp_path / "examples.npz", classes=np.array(["a", "b"]), cubes=np.ones((2, 3, 8, 8, 8)), power=np.ones((2, 4)))
    run.inModel.set(CryoEtSegModel(str(tmp_path / "model"), "generator"))
    made = CryoEtSegGenerationViewer(project=project)
    made.setProtocol(run)
    return made


def test_two_of_each_class_stand_beside_two_real_ones(viewer):
    viewer.first.set(2)
    (window,) = viewer._montage()
    assert len(window.figure.axes) == 2 * 3 * 4
    np.testing.assert_allclose(window.figure.axes[0].images[0].get_array(), -CUBES[1, 4])
    np.testing.assert_allclose(window.figure.axes[6].images[0].get_array(), -1)
    window.close()


def test_a_number_beyond_the_last_says_so(viewer):
    viewer.first.set(4)
    (message,) = viewer._montage()
    assert "fewer subtomograms" in message.getMessage()


def test_spectra_are_drawn_also_without_real_particles(viewer, tmp_path):
    (window,) = viewer._spectra()
    assert [len(axes.lines) for axes in window.figure.axes] == [4, 4]
    window.close()
    os.remove(tmp_path / "examples.npz")
    (window,) = viewer._spectra()
    assert [len(axes.lines) for axes in window.figure.axes] == [1, 1]
    window.close()
