"""Jobs and the files they leave."""
import json
from pathlib import Path

import numpy as np
import pytest

from cryoetseg.core.particles.formats import read_particles
from cryoetseg.core.runtime.errors import ParameterError
from cryoetseg.core.runtime.job import Job
from cryoetseg.core.simulation import subtomograms
from cryoetseg.core.simulation.apply import simulate
from cryoetseg.core.simulation.many import run
from cryoetseg.core.simulation.params import SimulationParameters
from cryoetseg.core.volumes.io import read_labels, read_volume


@pytest.mark.parametrize("contrast", ["dark", "bright"])
def test_job_writes_what_simulate_gives(tmp_path: Path, tiny_values: dict, contrast: str):
    values = {**tiny_values, "name": "one", "contrast": contrast, "half_maps": "tilts", "write_tilt_series": True}
    outcome = run(Job(method="simulate", parameters=values, output_folder=str(tmp_path), seed=11))
    truth = simulate(SimulationParameters(**values), 11)
    written, header = read_volume(tmp_path / "one.mrc")
    assert np.array_equal(written, truth.reconstruction * (-1 if contrast == "dark" else 1))
    assert header.voxel_size == pytest.approx(10.0)
    assert np.array_equal(read_volume(tmp_path / "one_grand_model.mrc")[0], truth.grand_model)
    assert np.array_equal(read_labels(tmp_path / "one_instances.mrc")[0], truth.instance_mask)
    assert all((tmp_path / output.path).is_file() for output in outcome.outputs)
    assert {"tomogram", "clean_tomogram", "grand_model", "class_mask", "instance_mask", "membrane_mask", "particles", "report", "table",
            "half_map", "tilt_series"} == {output.kind for output in outcome.outputs}
    record = json.loads((tmp_path / "one_parameters.json").read_text())
    assert record["seed"] == 11
    assert record["contrast"] == contrast
    assert SimulationParameters(**record["parameters"]) == SimulationParameters(**values)
    assert len((tmp_path / "one_tilts.tlt").read_text().split()) == len(truth.tilt_series)


def test_particle_lists_agree(tmp_path: Path, tiny_values: dict):
    run(Job(method="simulate", parameters=tiny_values, output_folder=str(tmp_path), seed=11))
    truth = simulate(SimulationParameters(**tiny_values), 11).particles
    assert len(truth) > 0
    for suffix in (".star", ".csv"):
        table = read_particles(tmp_path / f"sim_particles{suffix}", voxel_size=10.0)
        assert np.allclose(table.zyx, truth.zyx, atol=1e-4)
        assert np.allclose(table.angles, truth.angles, atol=1e-3)
    rows = json.loads((tmp_path / "sim_particles.json").read_text())["particles"]
    assert [row["id"] for row in rows] == list(range(1, len(truth) + 1))
    assert np.allclose([row["centre_zyx_angstrom"] for row in rows], truth.zyx * 10, atol=0.01)
    assert all(row["class_name"] == "apoferritin" and 0 < row["occupancy"] < 0.05 for row in rows)


def test_several_tomograms_are_numbered_and_differ(tmp_path: Path, tiny_values: dict):
    outcome = run(Job(method="simulate", parameters={**tiny_values, "count": 2}, output_folder=str(tmp_path), seed=3))
    first, second = (read_volume(tmp_path / f"sim_00{number}.mrc")[0] for number in (1, 2))
    assert not np.array_equal(first, second)
    assert set(outcome.metrics) == {"sim_001", "sim_002"}


def test_absent_classes_are_told(tmp_path: Path, tiny_values: dict):
    values = {**tiny_values, "particles": "apoferritin, fatty_acid_synthase"}
    outcome = run(Job(method="simulate", parameters=values, output_folder=str(tmp_path)))
    assert "fatty_acid_synthase" in outcome.warnings[0]


def test_bad_parameters_are_refused_by_name(tmp_path: Path):
    with pytest.raises(ParameterError, match="voxel_sise"):
        run(Job(method="simulate", parameters={"voxel_sise": 10}, output_folder=str(tmp_path)))
    with pytest.raises(ParameterError, match="defocus_min is larger"):
        run(Job(method="simulate", parameters={"defocus_min": 6, "defocus_max": 5}, output_folder=str(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_subtomogram_job(tmp_path: Path):
    values = {"particles": "apoferritin, p97", "count": 3, "size": 16, "max_shift": 2, "neighbours": 1}
    outcome = subtomograms.run(Job(method="simulate_subtomograms", parameters=values, output_folder=str(tmp_path), seed=2))
    assert [output.kind for output in outcome.outputs].count("subtomogram") == 3
    table = read_particles(tmp_path / "sub_particles.star")
    assert table.tilt_series_id.tolist() == ["sub_000001", "sub_000002", "sub_000003"]
    mask, _ = read_labels(tmp_path / "sub_000001_mask.mrc")
    image, header = read_volume(tmp_path / "sub_000001.mrc")
    assert set(np.unique(mask)) == {0, 1}
    assert header.voxel_size == pytest.approx(10.0)
    assert image.shape == (16, 16, 16)
