"""Images for viewers, read by zarr alone, from the command line with the results of a run."""
from importlib import import_module

import numpy as np
import pytest
import zarr

from cryoetseg.core import cli
from cryoetseg.core.methods import run_job
from cryoetseg.core.runtime.errors import JobError, OutputError
from cryoetseg.core.runtime.job import InputFile, Job, MethodOutcome, Output
from cryoetseg.core.runtime.record import recorded_run
from cryoetseg.core.volumes.io import read_labels, write_volume
from cryoetseg.core.volumes.zarr_ngff_writer import write_labels


@pytest.fixture
def run_folder(tmp_path):
    """A tomogram, and the folder of a run that made a mask of it."""
    shape = (6, 80, 70)
    write_volume(tmp_path / "TS_01.mrc", (np.arange(6 * 80 * 70) % 30011).astype(np.int16).reshape(shape), 10.0, (5.0, 0, 0))

    def method(job):
        mask = np.zeros(shape, dtype=np.int8)
        mask[3] = 1
        write_volume(tmp_path / "run" / "TS_01_membranes.mrc", mask, 10.0)
        return MethodOutcome(outputs=[Output(kind="membrane_mask", path="TS_01_membranes.mrc", tilt_series_id="TS_01"),
                                      Output(kind="figure", path="TS_01_membranes.mrc")])

    recorded_run(Job(method="m", inputs=[InputFile(path=str(tmp_path / "TS_01.mrc"), tilt_series_id="TS_01")],
                     output_folder=str(tmp_path / "run")), method)
    return tmp_path / "run"


@pytest.mark.parametrize(("version", "zarr_format"), [("0.4", 2), ("0.5", 3)])
def test_results_of_a_run_become_an_image_with_labels(run_folder, version, zarr_format, capsys):
    out = run_folder.parent / "zarr"
    with pytest.raises(SystemExit) as stop:
        cli.main(["export", "ome-zarr", "--results", str(run_folder), "--out", str(out), "--version", version])
    assert stop.value.code == 0, capsys.readouterr().err
    group = zarr.open_group(str(out / "TS_01.zarr"), mode="r", zarr_format=zarr_format)
    assert (group["0"].dtype, group["0"].shape, group["1"].shape) == (np.int16, (6, 80, 70), (3, 40, 35))
    np.testing.assert_array_equal(group["0"][:].ravel(), np.arange(6 * 80 * 70) % 30011)
    labels = zarr.open_group(str(out / "TS_01.zarr" / "labels" / "membranes"), mode="r", zarr_format=zarr_format)["0"][:]
    assert np.flatnonzero(labels.any(axis=(1, 2))).tolist() == [3]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_models_of_the_format_accept_the_metadata(run_folder, version, capsys):
    out, package = run_folder.parent / "zarr", f"ome_zarr_models.v{version.replace('.', '')}"
    models = [getattr(import_module(f"{package}.{module}"), name) for module, name in (
        ("image", "ImageAttrs"), ("labels", "LabelsAttrs"), ("image_label", "ImageLabelAttrs"))]
    with pytest.raises(SystemExit):
        cli.main(["export", "ome-zarr", "--results", str(run_folder), "--out", str(out), "--version", version])
    nodes = [zarr.open_group(str(out / "TS_01.zarr" / place), mode="r").attrs.asdict() for place in ("", "labels", "labels/membranes")]
    image, names, labels = (model.model_validate(node.get("ome", node)) for model, node in zip(models, nodes))
    scale, shift = image.multiscales[0].datasets[1].coordinateTransformations
    assert (scale.scale, shift.translation) == ([20.0] * 3, [10.0, 5.0, 5.0])
    assert [axis.unit for axis in image.multiscales[0].axes] == ["angstrom"] * 3
    assert names.labels == ["membranes"]
    assert [colour.label_value for colour in labels.image_label.colors] == [1]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_the_library_of_the_format_reads_image_and_labels(run_folder, version, capsys):
    pytest.importorskip("ome_zarr", reason="the library ome-zarr, which reads what is written, is not installed")
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    out = run_folder.parent / "zarr"
    with pytest.raises(SystemExit):
        cli.main(["export", "ome-zarr", "--results", str(run_folder), "--out", str(out), "--version", version])
    nodes = {node.zarr.basename(): node for node in Reader(parse_url(str(out / "TS_01.zarr")))()}
    image, labels = nodes["TS_01.zarr"], nodes["membranes"]
    assert [level.shape for level in image.data] == [(6, 80, 70), (3, 40, 35)]
    np.testing.assert_array_equal(np.asarray(image.data[0]).ravel(), np.arange(6 * 80 * 70) % 30011)
    assert [axis["unit"] for axis in image.metadata["axes"]] == ["angstrom"] * 3
    assert image.metadata["coordinateTransformations"][1][0]["scale"] == [20.0] * 3
    assert np.flatnonzero(np.asarray(labels.data[0]).any(axis=(1, 2))).tolist() == [3]
    assert list(labels.metadata["color"]) == [1]


def test_labels_are_integers_and_probabilities_images_of_their_own(tmp_path):
    shape, rng = (3, 8, 9), np.random.default_rng(0)
    arrays = {"t": rng.random(shape), "t_mask": np.arange(216).reshape(shape) % 3, "t_probability": rng.random(shape)}
    for name, array in arrays.items():
        write_volume(tmp_path / f"{name}.mrc", array.astype(np.float32), 10.0)
    inputs = [InputFile(path=str(tmp_path / f"{name}.mrc"), role="mask" if "_" in name else "tomogram", tilt_series_id="t")
              for name in arrays]
    outcome = run_job(Job(method="export-ome-zarr", inputs=inputs, output_folder=str(tmp_path / "out")))
    assert [(output.kind, output.path) for output in outcome.outputs] == [
        ("tomogram", "t.zarr"), ("probability", "t_probability.zarr")]
    labels = zarr.open_group(str(tmp_path / "out" / "t.zarr" / "labels"), mode="r")
    assert list(labels.group_keys()) == ["mask"]
    assert labels["mask/0"].dtype == np.uint16
    np.testing.assert_array_equal(labels["mask/0"][:], arrays["t_mask"])
    np.testing.assert_allclose(zarr.open_group(str(tmp_path / "out" / "t_probability.zarr"), mode="r")["0"][:], arrays["t_probability"])
    np.testing.assert_array_equal(read_labels(tmp_path / "out" / "t.zarr" / "labels" / "mask")[0], arrays["t_mask"])


def test_labels_that_do_not_fit_are_refused(tmp_path):
    write_volume(tmp_path / "t.zarr", np.ones((3, 4, 5), np.float32), 10.0)
    with pytest.raises(OutputError, match="70000"):
        write_labels(tmp_path / "t.zarr", "many", np.full((3, 4, 5), 70000, np.float32), 10.0)
    assert not (tmp_path / "t.zarr" / "labels" / "many").exists()


def test_names_lead_out_of_no_folder(tmp_path):
    write_volume(tmp_path / "t.mrc", np.arange(60, dtype=np.float32).reshape(3, 4, 5), 10.0)
    inputs = [InputFile(path=str(tmp_path / "t.mrc"), tilt_series_id=name) for name in ("../x/a", ".._x_a")]
    job = Job(method="export-ome-zarr", inputs=inputs[:1], output_folder=str(tmp_path / "out"))
    (output,) = run_job(job).outputs
    assert (tmp_path / "out" / output.path).resolve().parent == tmp_path / "out"
    with pytest.raises(JobError, match="two tomograms"):
        run_job(job.model_copy(update={"inputs": inputs}))


def test_a_folder_without_a_result_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["export", "chimerax", "--results", str(tmp_path), "--out", str(tmp_path / "o")])
    assert stop.value.code == 2
    assert "result.json" in capsys.readouterr().err
