"""The plugin without napari: what is opened, what is saved with which history, and jobs in the background."""
import json
from pathlib import Path

import numpy as np
import pytest

from cryoetseg.core.interchange.colours import class_colour
from cryoetseg.core.particles.formats import read_particles
from cryoetseg.core.runtime.checksums import sha256
from cryoetseg.core.runtime.errors import JobError
from cryoetseg.core.volumes.io import read_labels
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
