"""Evaluation compares what belongs together, in voxels of one size."""

import numpy as np
import pytest

from cryoetseg.core.methods import run_job
from cryoetseg.core.metrics.apply import input_pairs
from cryoetseg.core.particles.formats import write_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.runtime.errors import InputError
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.volumes.io import write_volume


def pairs(predicted, truth):
    inputs = [InputFile(path=f"{name}.mrc", role=role, tilt_series_id=name) for role, names in (("predicted", predicted), ("truth", truth))
              for name in names]  # fmt: skip
    return [(a.tilt_series_id, b.tilt_series_id) for a, b in input_pairs(Job(method="x", inputs=inputs, output_folder="out"))]


def test_pairs_go_by_tilt_series_and_else_in_order():
    assert pairs(["TS_02_membranes", "TS_01_membranes"], ["TS_01", "TS_02"]) == [("TS_02_membranes", "TS_02"), ("TS_01_membranes", "TS_01")]
    assert pairs(["result"], ["truth"]) == [("result", "truth")]


def test_one_tilt_series_is_not_compared_with_another():
    with pytest.raises(InputError, match="TS_01_membranes beside the truth TS_02"):
        pairs(["TS_01_membranes"], ["TS_02"])


@pytest.fixture
def scored(tmp_path):
    def scored(predicted, truth, series=("", ""), given=None):
        inputs = []
        for role, (name, voxel_size, place), told in zip(("predicted", "truth"), (predicted, truth), series):
            table = ParticleTable.from_points(np.array([[place] * 3]), voxel_size=voxel_size, tilt_series_id=name)
            write_particles(table, tmp_path / f"{role}.star")
            inputs.append(InputFile(path=str(tmp_path / f"{role}.star"), role=role, voxel_size=given, tilt_series_id=told or role))
        return run_job(Job(method="evaluate-picking", parameters={"radius_px": 3.0}, inputs=inputs, output_folder=str(tmp_path / "out")))

    return scored


def test_lists_of_different_tilt_series_are_refused_unless_the_user_says_otherwise(scored):
    with pytest.raises(InputError, match="predictions in TS_01 and a truth of TS_02"):
        scored(("TS_01", 10.0, 20.0), ("TS_02", 10.0, 20.0))
    assert scored(("TS_01", 10.0, 20.0), ("TS_02", 10.0, 20.0), series=("a", "a")).metrics["f1"] == 1.0
    assert scored(("TS_01.tomostar", 10.0, 20.0), ("TS_01_rec", 10.0, 20.0)).metrics["f1"] == 1.0


def test_a_given_voxel_size_converts_lists_that_know_their_own(scored):
    # 20 voxels of 10 A and 40.5 of 5 A are (20.5 - 20.5) apart in outer faces: the same place
    assert scored(("TS_01", 10.0, 20.0), ("TS_01", 5.0, 40.5), given=10.0).metrics["f1"] == 1.0
    assert scored(("TS_01", 10.0, 20.0), ("TS_01", 5.0, 20.0), given=10.0).metrics["f1"] == 0.0


def test_a_given_voxel_size_does_not_hide_that_two_volumes_differ(tmp_path):
    inputs = []
    for role, voxel_size in (("predicted", 10.0), ("truth", 5.0)):
        write_volume(tmp_path / f"{role}.mrc", np.ones((8, 8, 8), np.int8), voxel_size)
        inputs.append(InputFile(path=str(tmp_path / f"{role}.mrc"), role=role, voxel_size=10.0, tilt_series_id=role))
    with pytest.raises(InputError, match="equal voxel sizes"):
        run_job(Job(method="evaluate-segmentation", inputs=inputs, output_folder=str(tmp_path / "out")))


@pytest.mark.parametrize("told", [True, False])
def test_a_list_counted_from_the_centre_is_scored_with_the_size_of_its_tomogram(tmp_path, told):
    truth = ParticleTable.from_points([[4.0, 5.0, 6.0], [10.0, 20.0, 30.0]], voxel_size=10.0, tilt_series_id="TS_01")
    write_particles(truth, tmp_path / "truth.csv")
    # as RELION 5 writes it: Angstrom from the middle of 240 x 160 x 80 voxels of 2.5 A
    rows = "".join(f"TS_01 {x * 10 - 300} {y * 10 - 200} {z * 10 - 100} 1\n" for z, y, x in truth.zyx)
    (tmp_path / "relion.star").write_text(
        "data_optics\n\nloop_\n_rlnOpticsGroup #1\n_rlnTomoTiltSeriesPixelSize #2\n1 2.5\n\ndata_particles\n\nloop_\n_rlnTomoName #1\n"
        + "".join(f"_rlnCenteredCoordinate{axis}Angst #{n}\n" for n, axis in enumerate("XYZ", 2)) + "_rlnOpticsGroup #5\n" + rows)
    write_volume(tmp_path / "TS_01.mrc", np.random.default_rng(0).normal(size=(20, 40, 60)).astype(np.float32), 10.0)
    inputs = [InputFile(path=str(tmp_path / name), role=role) for name, role in
              (("relion.star", "predicted"), ("truth.csv", "truth"), *([("TS_01.mrc", "tomogram")] if told else []))]
    job = Job(method="evaluate-picking", parameters={"radius_px": 1.0}, inputs=inputs, output_folder=str(tmp_path / "out"))
    if not told:
        with pytest.raises(InputError, match="--tomogram"):
            run_job(job)
        return
    assert run_job(job).metrics["f1"] == 1.0
