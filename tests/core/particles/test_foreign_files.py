"""Files of other programs in the shared data, against values read off them by hand."""
import numpy as np
import pytest

from cryoetseg.core.particles.angles import from_dynamo, from_motl, to_matrices
from cryoetseg.core.particles.formats import read_particles
from cryoetseg.core.runtime.errors import InputError


def test_stopgap(shared_data):
    table = read_particles(shared_data / "metadata/stopgap/stopgap_motl.star", voxel_size=2.0)
    np.testing.assert_allclose(table.zyx[0], [12.0 - 3.2 - 1, 8.0 - 2.4 - 1, 4.0 - 1.2 - 1])
    assert table.tilt_series_id.tolist() == ["1", "1", "2", "2", "2", "3"]


def test_dynamo(shared_data):
    table = read_particles(shared_data / "metadata/dynamo/particles.tbl")
    assert len(table) == 1343
    np.testing.assert_allclose(table.zyx[0], [167 + 0.6847 - 1, 548 + 1.1602 - 1, 507 + 1.0651 - 1])
    assert (table.tilt_series_id[0], table.class_id[0], table.score[0]) == ("2", 1, 0.1593)


def test_em_motive_list(shared_data):
    table = read_particles(shared_data / "metadata/em_motl/ribosome_motl.em")
    assert len(table) == 1023
    np.testing.assert_allclose(table.zyx[0], [528 + 0.43536630 - 1, 739 - 0.10613328 - 1, 737 - 0.10413328 - 1], atol=1e-4)
    assert table.tilt_series_id[0] == "51"


def test_imod_models(shared_data):
    table = read_particles(shared_data / "metadata/imod_models/correct111.mod")
    assert len(table) == 161
    with pytest.raises(InputError, match="surface"):
        read_particles(shared_data / "metadata/imod_models/segmentation.mod")


def test_copick_turns_angstrom_into_voxels(shared_data):
    path = shared_data / "metadata/copick/copick_picks.json"
    assert read_particles(path).zyx[0].tolist() == [30.0, 20.0, 40.0]
    table = read_particles(path, voxel_size=10.0)
    assert table.zyx[0].tolist() == [3.0, 2.0, 4.0]
    root_half = np.sqrt(0.5)
    np.testing.assert_allclose(to_matrices(table.angles)[0], [[0, -root_half, root_half], [1, 0, 0], [0, root_half, root_half]], atol=1e-9)


def test_shrec_slab_axis_is_z(shared_data):
    table = read_particles(shared_data / "metadata/deepfinder/shrec_particle_locations_model_9.txt")
    assert len(table) == 2540
    assert table.zyx[0].tolist() == [180.0, 480.0, 118.0]
    assert table.zyx[:, 0].max() < 200
    assert table.class_names[int(table.class_id[0])] == "3d2f"


def test_deepfinder_objects_agree_with_their_star(shared_data):
    objects = read_particles(shared_data / "annotations/sim_deepfinder_tomo01_objlist.xml")
    star = read_particles(shared_data / "annotations/sim_deepfinder_tomo01.star")
    np.testing.assert_array_equal(objects.zyx, star.zyx)
    np.testing.assert_array_equal(objects.class_id, star.class_id)
    swapped = read_particles(shared_data / "annotations/sim_deepfinder_tomo01_objlist.xml", axis_order="xyz")
    np.testing.assert_array_equal(swapped.zyx, star.zyx[:, ::-1])


def test_angstrom_text_agrees_with_the_star_in_voxels(shared_data):
    text = read_particles(shared_data / "annotations/empiar11658_tomo171_ribosomes_xyz_angstrom.txt", voxel_size=31.36)
    star = read_particles(shared_data / "annotations/empiar11658_tomo171_ribosomes.star")
    assert len(star) == 268
    assert np.abs(text.zyx - star.zyx).max() < 0.01


def test_lists_that_are_no_particles_are_refused(shared_data):
    for name in ("relion5_project/tomo200528_tomograms.star", "tilt_series_017/017.xml", "tilt_series_017/017_gctf.star"):
        with pytest.raises(InputError, match=name.rsplit("/", 1)[-1].split(".")[0]):
            read_particles(shared_data / "metadata" / name)


def test_orientations_of_other_programs_turn_the_reference_alike():
    """Rz(psi) Rx(theta) Rz(phi) for motive lists; Dynamo stores the inverse."""

    def turn(axis: int, degrees: float) -> np.ndarray:
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        return np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) if axis == 0 else np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])

    phi, theta, psi = (np.array([value]) for value in (12.0, 63.0, -101.0))
    expected = turn(2, -101.0) @ turn(0, 63.0) @ turn(2, 12.0)
    np.testing.assert_allclose(to_matrices(from_motl(phi, theta, psi))[0], expected, atol=1e-9)
    inverse = turn(2, -101.0) @ turn(0, 63.0) @ turn(2, 12.0)
    np.testing.assert_allclose(to_matrices(from_dynamo(phi, theta, psi))[0], inverse.T, atol=1e-9)
