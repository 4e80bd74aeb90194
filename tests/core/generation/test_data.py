import numpy as np
import pytest

from cryoetseg.core.generation.data import cut, half_turn, open_particles, split, standard, turned_place
from cryoetseg.core.particles.formats import write_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.runtime.errors import InputError
from cryoetseg.core.runtime.job import InputFile, Job

VOXEL_SIZE = 10.0


def job_of(inputs):
    return Job(method="train-generator", inputs=inputs, output_folder="unused")


def listed(path, points, name="blob", tomogram="tomo0", voxel_size=VOXEL_SIZE):
    table = ParticleTable.from_points(points, voxel_size=voxel_size, tilt_series_id=tomogram, class_names={1: name})
    write_particles(table, path)
    return InputFile(path=str(path), role="particles", tilt_series_id=path.stem)


def test_classes_are_sorted_and_cubes_are_bright_standardised_and_centred(scene):
    particles = open_particles(job_of(scene))
    assert particles.classes == ["ball", "shell"]
    assert particles.counts() == {"ball": 16, "shell": 16}
    cubes = particles.patches(16, "mean")
    assert cubes.shape == (32, 16, 16, 16)
    np.testing.assert_allclose(cubes.mean(axis=(1, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(cubes.std(axis=(1, 2, 3), ddof=1), 1, atol=1e-4)
    middle, rim = cubes[:, 8, 8, 8], cubes[:, 8, 8, 12]
    assert (rim > 0.5).all()
    assert (middle[particles.kinds == 0] > 0.5).all()
    assert (middle[particles.kinds == 1] < 0.3).all()


def test_a_cube_at_the_border_is_filled_as_asked():
    volume = np.arange(8 * 8 * 8, dtype=np.float32).reshape(8, 8, 8)
    cube = cut(volume, np.array([0.5, 4.0, 7.4]), 4, -5.0)  # 0.5 rounds to even, as Python's round: 0
    assert (cube[:2] == -5).all()
    np.testing.assert_array_equal(cube[2:, :, :3], volume[:2, 2:6, 5:8])
    assert (cube[:, :, 3] == -5).all()


def test_padding_by_the_mean_leaves_no_step_and_zero_does(scene):
    particles = open_particles(job_of(scene))
    row = 0  # its cube of 32 reaches beyond the tomogram's 24 slices
    by_mean, by_zero = particles.patch(row, 32, "mean"), particles.patch(row, 32, "zero")
    assert abs(by_mean[0].mean() - by_mean[16].mean()) < 1
    assert by_zero[0].mean() - by_zero[16].mean() > 1  # raw grey values are near 50: what is filled with 0 turns bright
    assert particles.reach_outside(32) == len(particles)


def test_positions_are_fractions_of_the_sides_and_turn_with_the_cube(scene):
    particles = open_particles(job_of(scene))
    np.testing.assert_allclose(particles.positions()[1], [12 / 24, 8 / 64, 24 / 64])
    cube = np.random.default_rng(0).normal(size=(8, 8, 8)).astype(np.float32)
    np.testing.assert_array_equal(half_turn(half_turn(cube)), cube)
    np.testing.assert_allclose(turned_place(np.array([0.2, 0.3, 0.4], dtype=np.float32)), [0.8, 0.3, 0.6], atol=1e-6)
    assert half_turn(cube)[1, 3, 2] == cube[7, 3, 6]


@pytest.mark.parametrize("side", [7, 8])
def test_the_centre_stays_where_it_is_when_a_cube_is_turned(side):
    cube = np.zeros((side, side, side), dtype=np.float32)
    cube[side // 2, side // 2, side // 2], cube[side // 2 + 1, side // 2, side // 2] = 2, 1
    there = half_turn(cube)
    assert there[side // 2, side // 2, side // 2] == 2
    assert there[side // 2 - 1, side // 2, side // 2] == 1


def test_one_class_a_copick_file_and_coordinates_of_another_binning(scene, tmp_path):
    points = [[6.0, 4 + 8 * row, 4 + 8 * column] for row in range(2) for column in range(4)]
    lists = [listed(tmp_path / f"{name}.json", points, name, voxel_size=20.0) for name in ("tric", "apoferritin")]
    particles = open_particles(job_of([scene[0], *lists]))
    assert particles.classes == ["apoferritin", "tric"]
    np.testing.assert_allclose(particles.centres[0], [12.0, 8.0, 8.0])  # copick counts Angstrom from the first voxel's centre


def test_whole_tomograms_or_particles_are_held_out(scene):
    particles = open_particles(job_of(scene))
    training, held_out = split(particles, "tomogram", 0.1, seed=0)
    assert set(training.source) != set(held_out.source)
    assert len(training) == len(held_out) == 16
    training, held_out = split(particles, "particle", 0.1, seed=0)
    assert (len(training), len(held_out)) == (29, 3)
    with pytest.raises(InputError, match="--split particle"):
        split(particles.select(particles.source == 0), "tomogram", 0.1, seed=0)


def test_bad_lists_are_explained(scene, tmp_path):
    points = np.tile([[12.0, 30.0, 30.0]], (7, 1))
    with pytest.raises(InputError, match=r"too few particles of blob \(7\)"):
        open_particles(job_of([scene[0], listed(tmp_path / "few.csv", points)]))
    with pytest.raises(InputError, match="1 of 9 coordinates lie outside"):
        open_particles(job_of([scene[0], listed(tmp_path / "out.csv", [*np.tile([[12.0, 30, 30]], (8, 1)), [12.0, 30.0, 64.0]])]))
    with pytest.raises(InputError, match="names the tomograms other"):
        open_particles(job_of([*scene[:2], listed(tmp_path / "other.csv", points, tomogram="other")]))
    with pytest.raises(InputError, match="at least one of each"):
        open_particles(job_of(scene[:1]))


def test_a_constant_cube_is_zero():
    assert (standard(np.full((4, 4, 4), 7.0)) == 0).all()
