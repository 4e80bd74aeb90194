"""The plugin without napari: what is opened, what is saved with which history, and jobs in the background."""
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cryoetseg.core.interchange.colours import class_colour
from cryoetseg.core.particles.formats import read_particles, write_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.runtime.checksums import sha256
from cryoetseg.core.runtime.errors import JobError
from cryoetseg.core.runtime.files import write_text
from cryoetseg.core.runtime.job import InputFile, Job, MethodOutcome, Output
from cryoetseg.core.runtime.record import recorded_run
from cryoetseg.core.volumes.io import read_labels, write_volume
from cryoetseg.napari_plugin.layers import OURS, open_paths, reader
from cryoetseg.napari_plugin.running import job_of, run_job
from cryoetseg.napari_plugin.saving import write_labels, write_points

SHAPE, ORIGIN = (16, 48, 40), (30.0, 0.0, -10.0)


def by_kind(folder):
    return {(kind, options["name"]): (data, options) for data, options, kind in open_paths(str(folder))}


def test_a_run_opens_as_layers_in_one_place(run_folder):
    layers = by_kind(run_folder)
    assert set(layers) == {("image", "TS_01"), ("labels", "TS_01_membranes"), ("image", "TS_01_membranes_probability"),
                           ("points", "TS_01_particles")}
    for _, options in layers.values():
        assert (tuple(options["scale"]), tuple(options["translate"])) == ((10.0,) * 3, ORIGIN)
    points, options = layers["points", "TS_01_particles"]
    assert points.tolist() == [[3, 20, 10], [8, 30, 30], [12, 9, 7]]
    assert options["size"].tolist() == [25, 15, 15]
    assert options["border_color"] == [class_colour(1), class_colour(2), class_colour(2)]
    assert options["features"]["class_name"].tolist() == ["ribosome", "p97", "p97"]
    assert layers["labels", "TS_01_membranes"][0].sum() == 48 * 40


def test_picks_in_clusters_lie_in_their_tomograms_with_the_map_beside(tmp_path):
    shape, origins = (8, 20, 30), {"TS_01": (0.0, 0.0, 0.0), "TS_02": (50.0, -20.0, 70.0)}
    for name, origin in origins.items():
        write_volume(tmp_path / f"{name}.mrc", np.random.default_rng(0).normal(size=shape).astype(np.float32), 10.0, origin)

    def method(job):
        names = ["TS_01", "TS_02", "TS_02"]
        table = ParticleTable.from_points([[1, 2, 3], [4, 5, 6], [7, 8, 9]], voxel_size=10.0, tilt_series_id=names, class_id=[1, 2, 1])
        write_particles(table, tmp_path / "run" / "particles.star")
        rows = {"tilt_series_id": names, "cluster": [1, 2, 1], "confidence": 0.5, "map_x": [0.0, 2.0, np.nan], "map_y": [1.0, -1.0, np.nan]}
        write_text(tmp_path / "run" / "picks.csv", pd.DataFrame(rows).to_csv(index=False))
        return MethodOutcome(outputs=[Output(kind="particles", path="particles.star"), Output(kind="table", path="picks.csv")])

    inputs = [InputFile(path=str(tmp_path / f"{name}.mrc"), tilt_series_id=name) for name in origins]
    recorded_run(Job(method="m", inputs=inputs, output_folder=str(tmp_path / "run")), method)
    layers = by_kind(tmp_path / "run")
    for name, places in (("TS_01", [[1, 2, 3]]), ("TS_02", [[4, 5, 6], [7, 8, 9]])):
        points, options = layers["points", f"particles {name}"]
        assert (points.tolist(), tuple(options["translate"])) == (places, origins[name])
    places, options = layers["points", "cluster map"]
    shown = places * options["scale"] + options["translate"]
    np.testing.assert_allclose(shown, [[300, 315], [0, 615]])  # y, x: 300 Angstrom wide, from 5 % beyond the right side
    assert options["face_color"] == [class_colour(1), class_colour(2)]
    assert options["features"]["cluster"].tolist() == [1, 2]


@pytest.mark.parametrize(("name", "opens"), [("run", True), ("run/result.json", True), ("TS_01.mrc", True), ("picks.star", True),
                                             ("photo.png", False), (".", False)])
def test_which_files_are_ours(run_folder, name, opens):
    assert (reader(str(run_folder.parent / name)) is not None) == opens


def test_curated_particles_keep_columns_and_tell_their_history(run_folder, tmp_path):
    points, options = by_kind(run_folder)["points", "TS_01_particles"]
    edited = np.vstack([points[1:], [[5.5, 6, 7]]])
    features = {name: np.append(values[1:], values[0]) for name, values in options["features"].items()}
    written = write_points(str(tmp_path / "curated.star"), edited, {**options, "features": features})
    table = read_particles(written[0])
    assert table.zyx.tolist() == edited.tolist()
    assert [table.class_names[number] for number in table.class_id] == ["p97", "p97", "ribosome"]
    assert (table.voxel_size, table.tilt_series_ids(), table.score.tolist()) == (10.0, ["TS_01"], [0.8, 0.7, 0.9])
    np.testing.assert_allclose(table.angles, [[10, 20, 30]] * 3)
    (entry,) = json.loads(Path(written[1]).read_text())["entries"]
    assert (entry["taken away"], entry["added"], entry["from"]) == (1, 1, "TS_01_particles.star")
    assert entry["sha256"] == sha256(run_folder / "TS_01_particles.star")
    again = by_kind(tmp_path / "curated.star")["points", "curated"]
    (_, history) = write_points(str(tmp_path / "twice.star"), again[0][:1], again[1])
    assert [step["particles"] for step in json.loads(Path(history).read_text())["entries"]] == [3, 1]


def test_a_painted_mask_keeps_its_place(run_folder, tmp_path):
    labels, options = by_kind(run_folder)["labels", "TS_01_membranes"]
    labels[9, :2, :5] = 3
    path, history = write_labels(str(tmp_path / "painted.mrc"), labels, options)
    read, header = read_labels(path)
    np.testing.assert_array_equal(read, labels)
    assert (header.voxel_size, header.origin) == (10.0, ORIGIN)
    assert json.loads(Path(history).read_text())["entries"][0]["changed voxels"] == 10


def test_parameters_of_a_job():
    job = job_of("pick-dog", "a/TS_01.mrc", 10.0, "dark", "particle_diameter=250,\n count=3", "out")
    assert (job.parameters, job.inputs[0].tilt_series_id) == ({"particle_diameter": "250", "count": "3"}, "TS_01")
    with pytest.raises(JobError, match="name=value"):
        job_of("pick-dog", "a.mrc", 10.0, "dark", "count 3", "out")


def test_a_job_runs_in_the_background_and_its_results_open(run_folder, tmp_path):
    tomogram = by_kind(run_folder)["image", "TS_01"][1]["metadata"][OURS]
    job = job_of("pick-dog", tomogram["path"], tomogram["voxel_size"], "dark", "particle_diameter=100,count=4", str(tmp_path / "out"))
    assert all(0 <= percent <= 100 for percent in run_job(job))
    assert len(by_kind(tmp_path / "out")["points", "TS_01_particles"][0]) == 4
    with pytest.raises(JobError, match="particle_diameter"):
        list(run_job(job_of("pick-dog", tomogram["path"], 10.0, "dark", "particle_diameter=-1", str(tmp_path / "bad"))))
