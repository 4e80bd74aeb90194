"""RELION STAR files of each generation against hand-computed positions."""
import time

import numpy as np
import pytest
import starfile

from cryoetseg.core.particles.formats import read_particles, write_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.runtime.errors import InputError


def test_relion3_names_classes_by_particle_name(shared_data):
    table = read_particles(shared_data / "metadata/relion3/chlamy_mitoribosome.star", voxel_size=1.96)
    assert len(table) == 228
    np.testing.assert_allclose(table.zyx[0], [1067.082070, 3746.753155, 508.554544])
    np.testing.assert_allclose(table.angles[0], [5.517420, 96.479312, 107.067515])
    assert table.class_names == {1: "mitoribosome"}
    assert table.voxel_size == 1.96


def test_relion31_two_dimensional_picks_count_micrograph_pixels(shared_data, caplog):
    table = read_particles(shared_data / "metadata/relion31/with_optics.star")
    assert len(table) == 60
    assert table.zyx[0].tolist() == [0.0, 3563.0, 2178.5]
    assert table.voxel_size == 0.796
    assert "two-dimensional" in caplog.text


def test_relion4_subtracts_origins_in_pixels_of_the_tilt_series(shared_data):
    table = read_particles(shared_data / "metadata/relion4/particles.star")
    assert (len(table), table.voxel_size) == (1024, 1.559)
    np.testing.assert_allclose(table.zyx[0], [293.6 - 8.693135 / 1.559, 3020.4 + 24.43561 / 1.559, 1704.4 + 5.72761 / 1.559])


def test_relion5_counts_from_the_centre(shared_data):
    path = shared_data / "metadata/relion5_project/Picks_job_picks_particles.star"
    with pytest.raises(InputError, match="--voxel-size"):
        read_particles(path)
    with pytest.raises(InputError, match="--tomogram"):
        read_particles(path, voxel_size=10.52)
    table = read_particles(path, voxel_size=10.52, tomogram_shape={"TS_01": (44, 136, 84), "TS_02": (44, 136, 84)})
    np.testing.assert_allclose(table.zyx[0], [11.16 / 10.52 + 22, 765.48005 / 10.52 + 68, -176.94 / 10.52 + 42])
    assert table.tilt_series_ids() == ["TS_01", "TS_02"]


def test_optimisation_set_finds_its_project(shared_data, tmp_path):
    project = shared_data / "metadata/relion5_project"
    for name, target in {"Picks_job_picks_particles.star": "Picks/job_picks/particles.star",
                         "Picks_job_picks_optimisation_set.star": "Picks/job_picks/optimisation_set.star",
                         "Tomograms_job_tomo_tomograms.star": "Tomograms/job_tomo/tomograms.star"}.items():
        (tmp_path / target).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / target).write_bytes((project / name).read_bytes())
    table = read_particles(tmp_path / "Picks/job_picks/optimisation_set.star")
    assert table.voxel_size == 10.52
    np.testing.assert_allclose(table.zyx[0, 2], -176.94 / 10.52 + 42)


def test_warptools_counts_pixels_of_its_subtomograms(shared_data):
    table = read_particles(shared_data / "metadata/relion5_warptools/warptools_test.star")
    extracted = read_particles(shared_data / "subtomograms/ribosome70S_empiar10499.star")
    assert table.voxel_size == extracted.voxel_size == 12.0
    np.testing.assert_allclose(table.zyx[:5], extracted.zyx[:5])


def test_relion5_centred_round_trip(tmp_path):
    table = ParticleTable.from_points([[3.25, 17.5, 120.125]], voxel_size=7.84, tilt_series_id="a", angles=[10, 20, 30], score=0.5)
    write_particles(table, tmp_path / "p.star", format="relion5", tomogram_shape=(101, 200, 300))
    again = read_particles(tmp_path / "p.star", tomogram_shape={"a": (101, 200, 300)})
    assert np.abs(again.zyx - table.zyx).max() < 0.01
    assert again.voxel_size == 7.84


@pytest.mark.parametrize(("pixel", "named"), [(1.96, 1.96), (None, 7.84)])
def test_relion5_optics_name_the_pixel_of_the_tilt_series(tmp_path, pixel, named):
    """Binned tomograms have other voxels; positions in Angstrom and the tomograms' own sizes stay what they are."""
    table = ParticleTable.from_points([[3.25, 17.5, 120.125]], voxel_size=7.84, tilt_series_id="a")
    write_particles(table, tmp_path / "p.star", format="relion5", tomogram_shape=(101, 200, 300), tilt_series_pixel=pixel)
    blocks = starfile.read(tmp_path / "p.star")
    assert float(blocks["optics"].rlnTomoTiltSeriesPixelSize.iloc[0]) == named
    again = read_particles(tmp_path / "p.star")
    assert again.voxel_size == 7.84
    np.testing.assert_allclose(again.zyx, table.zyx, atol=0.01)


def test_rotated_subtomograms_are_refused(tmp_path):
    header = "data_particles\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n_rlnCoordinateZ #3\n"
    turned = tmp_path / "turned.star"
    turned.write_text(header + "_rlnPixelSize #4\n_rlnOriginXAngst #5\n_rlnTomoSubtomogramRot #6\n1 2 3 10 5 90\n1 2 3 10 0 0\n")
    with pytest.raises(InputError, match="rlnTomoSubtomogramRot"):
        read_particles(turned)


def test_equal_lists_give_equal_bytes_at_any_time(tmp_path):
    table = ParticleTable.from_points([[1.0, 2, 3]], voxel_size=10.0, tilt_series_id="a")
    write_particles(table, tmp_path / "list.star")
    first = (tmp_path / "list.star").read_bytes()
    time.sleep(1.1)  # times are written in seconds
    write_particles(table, tmp_path / "list.star")
    assert (tmp_path / "list.star").read_bytes() == first
