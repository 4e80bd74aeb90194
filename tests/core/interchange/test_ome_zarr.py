"""Images for viewers, read by zarr alone, from the command line with the results of a run."""
import numpy as np
import pytest
import zarr

from cryoetseg.core import cli
from cryoetseg.core.runtime.job import InputFile, Job, MethodOutcome, Output
from cryoetseg.core.runtime.record import recorded_run
from cryoetseg.core.volumes.io import write_volume


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


def test_a_folder_without_a_result_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["export", "chimerax", "--results", str(tmp_path), "--out", str(tmp_path / "o")])
    assert stop.value.code == 2
    assert "result.json" in capsys.readouterr().err
