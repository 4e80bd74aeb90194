"""Real cubes written as if they had been generated: every score has a known answer."""
import json

import numpy as np
import pytest

from cryoetseg.core.generation.data import open_particles
from cryoetseg.core.generation.evaluate import read_generated
from cryoetseg.core.methods import run_job
from cryoetseg.core.runtime.errors import InputError
from cryoetseg.core.runtime.files import write_json
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.volumes.io import write_volume


def listed(folder, cubes, names):
    rows = []
    for number, (cube, name) in enumerate(zip(cubes, names)):
        write_volume(folder / f"cube_{number}.mrc", -cube, 10.0)
        rows.append({"file": f"cube_{number}.mrc", "class": name, "position_zyx": [0.5] * 3, "number": number})
    write_json(folder / "made.json", {"voxel_size": 10.0, "contrast": "dark", "subtomograms": rows})
    return InputFile(path=str(folder / "made.json"), role="generated")


def scored(scene, folder, cubes, names):
    inputs = [listed(folder, cubes, names), *scene]
    return run_job(Job(method="evaluate-generation", inputs=inputs, output_folder=str(folder / "scores"), device="cpu"))


def test_copies_of_the_real_particles_are_perfect_and_found_out(scene, tmp_path):
    particles = open_particles(Job(method="", inputs=scene, output_folder="."))
    cubes, names = particles.patches(16, "mean"), [particles.classes[kind] for kind in particles.kinds]
    result = scored(scene, tmp_path, cubes, names)
    assert result.metrics["classes_nearest_to_themselves"] == 2
    assert result.metrics["largest_spectrum_deviation"] == pytest.approx(0, abs=1e-3)
    assert result.metrics["nearest_training"] == pytest.approx(1, abs=1e-4)
    rows = json.loads((tmp_path / "scores" / "scores.json").read_text())["by_class"]
    assert rows["ball"]["pair_correlation"] == pytest.approx(rows["ball"]["pair_correlation_real"], abs=1e-4)
    assert rows["ball"]["correlation_own"] == pytest.approx(1, abs=1e-4)
    assert (tmp_path / "scores" / "scores.csv").read_text().splitlines()[0].startswith("class,count,correlation_own")
    assert np.load(tmp_path / "scores" / "means.npz")["mean"].shape == (2, 16, 16, 16)


def test_exchanged_names_and_noise_score_badly(scene, tmp_path):
    particles = open_particles(Job(method="", inputs=scene, output_folder="."))
    cubes = particles.patches(16, "mean")
    exchanged = [particles.classes[1 - kind] for kind in particles.kinds]
    assert scored(scene, tmp_path, cubes, exchanged).metrics["classes_nearest_to_themselves"] == 0
    (tmp_path / "noise").mkdir()
    noise = np.random.default_rng(0).standard_normal((8, 16, 16, 16)).astype(np.float32)
    metrics = scored(scene, tmp_path / "noise", noise, ["ball", "shell"] * 4).metrics
    assert metrics["nearest_training"] < 0.2
    assert metrics["largest_spectrum_deviation"] > 1


def test_lists_that_cannot_be_compared_are_explained(scene, tmp_path):
    cubes = np.random.default_rng(0).standard_normal((2, 16, 16, 16)).astype(np.float32)
    with pytest.raises(InputError, match="no real particles of tric"):
        scored(scene, tmp_path, cubes, ["tric", "ball"])
    (tmp_path / "bare").mkdir()
    with pytest.raises(InputError, match="0 lists"):
        read_generated(tmp_path / "bare")
