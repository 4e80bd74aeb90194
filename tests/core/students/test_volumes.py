"""What goes into a student's training: pairs, scale, bounds."""

import numpy as np
import pytest

from cryoetseg.core.particles.formats import write_particles
from cryoetseg.core.particles.table import ParticleTable, concatenate
from cryoetseg.core.runtime.errors import InputError
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.students.volumes import labelled_range, open_student_volumes
from cryoetseg.core.volumes.io import write_volume

SHAPE = (6, 8, 10)


@pytest.fixture
def make(tmp_path):
    """Writes tomograms and labels by name and gives their input files."""

    def write(name, role, array, voxel_size=10.0, contrast="dark"):
        path = tmp_path / f"{name}_{role}.mrc"
        write_volume(path, array, voxel_size)
        return InputFile(path=str(path), role=role, tilt_series_id=name, contrast=contrast)

    return write


def tomogram(seed=0):
    return np.random.default_rng(seed).normal(50, 7, SHAPE).astype(np.float32)


def block_labels():
    labels = np.zeros(SHAPE, np.int8)
    labels[2:4, 1:5, 3:9] = 2
    return labels


def opened(*inputs, needs="labels", **options):
    return open_student_volumes(Job(method="x", inputs=list(inputs), output_folder="."), needs=needs, **options)


def test_crops_are_standardised_bright_and_zero_outside(make):
    grey = tomogram()
    (volume,) = opened(make("a", "tomogram", grey), make("other", "labels", block_labels()))
    crop = volume.crop((-1, 6, 8), (3, 4, 4))
    expected = (grey.mean() - grey[0:2, 6:8, 8:10]) / grey.std()
    np.testing.assert_allclose(crop[1:, :2, :2], expected, atol=1e-4)
    assert not any(part.any() for part in (crop[0], crop[:, 2:], crop[:, :, 2:]))
    assert volume.crop_labels((2, 0, 7), (2, 8, 6)).sum() == 2 * 4 * 2 * 2
    assert not volume.crop((20, 0, 0), (2, 2, 2)).any()
    assert labelled_range(volume.labels) == (2, 4)


def test_files_pair_by_tilt_series_and_every_lonely_tomogram_is_named(make):
    a, b, c = (make(name, "tomogram", tomogram(seed)) for seed, name in enumerate("abc"))
    marked = [block_labels(), np.roll(block_labels(), 1, axis=0)]
    labels = [make("b", "labels", marked[1]), make("a", "labels", marked[0])]
    assert [labelled_range(volume.labels) for volume in opened(a, b, *labels)] == [(2, 4), (3, 5)]
    with pytest.raises(InputError, match=r"tomogram\(s\) a, c"):
        opened(a, b, c, labels[0])
    with pytest.raises(InputError, match="no tomogram"):
        opened(labels[0])


def test_labels_of_another_size_are_resampled_only_on_request(make):
    grey = make("a", "tomogram", tomogram())
    fine = make("a", "labels", block_labels().repeat(2, 0).repeat(2, 1).repeat(2, 2), 5.0)
    with pytest.raises(InputError, match=r"12 x 16 x 20 .* of 5 A.* 6 x 8 x 10 .* of 10 A.*--resample-labels"):
        opened(grey, fine)
    (volume,) = opened(grey, fine, resample_labels=True)
    np.testing.assert_array_equal(volume.labels, block_labels())
    assert "nearest label" in volume.warnings[-1]
    with pytest.raises(InputError, match="cannot help"):
        opened(grey, make("a", "labels", np.ones((6, 8, 5), np.int8)), resample_labels=True)


def test_empty_labels_and_mixed_voxel_sizes_are_refused(make):
    with pytest.raises(InputError, match="no voxel has a label"):
        opened(make("a", "tomogram", tomogram()), make("a", "labels", np.zeros(SHAPE, np.int8)))
    with pytest.raises(InputError, match=r"a 10 A, b 10\.5 A"):
        opened(make("a", "tomogram", tomogram()), make("b", "tomogram", tomogram(1), 10.5), needs="nothing")


def test_tomograms_may_hold_nothing_when_another_holds_something(make):
    full = [make("a", "tomogram", tomogram()), make("a", "labels", block_labels())]
    void = [make("b", "tomogram", tomogram(1)), make("b", "labels", np.zeros(SHAPE, np.int8))]
    none = make("c", "empty", tomogram(2))
    _, second, third = opened(*full, *void, none, takes_empty=True)
    assert (second.name, third.name) == ("b", "c")
    assert not second.labels.any()
    assert third.crop_labels((2, 2, 2), (3, 9, 4)).shape == (3, 9, 4)
    assert not third.labels.any()
    with pytest.raises(InputError, match="no voxel has a label"):
        opened(*void, none, takes_empty=True)
    with pytest.raises(InputError, match="called b"):
        opened(*full, *void, none.model_copy(update={"tilt_series_id": "b"}), takes_empty=True)


def test_a_list_of_nothing_is_taken_where_tomograms_may_be_empty(make, tmp_path):
    def listed(file, name, count=1):
        points = np.full((count, 3), 2.0)
        write_particles(ParticleTable.from_points(points, voxel_size=10.0, tilt_series_id=name), tmp_path / f"{file}.star")
        return InputFile(path=str(tmp_path / f"{file}.star"), role="particles", tilt_series_id="a" if file == "a" else "b")

    grey = [make(name, "tomogram", tomogram()) for name in "ab"]
    full, void = listed("a", "a"), listed("nothing", "b", count=0)
    assert [len(volume.particles) for volume in opened(*grey, full, void, needs="particles", takes_empty=True)] == [1, 0]
    with pytest.raises(InputError, match="no particle of b"):
        opened(*grey, full, void, needs="particles")
    with pytest.raises(InputError, match="no particle in"):
        opened(grey[1], void, needs="particles", takes_empty=True)
    (_, empty) = opened(grey[0], full, make("c", "empty", tomogram()), needs="particles", takes_empty=True)
    assert len(empty.particles) == 0


def test_particles_come_at_the_tomograms_scale_and_those_outside_are_counted(make, tmp_path):
    tables = [ParticleTable.from_points([[5.5, 7.5, 9.5], [1.5, 1.5, 1.5]], voxel_size=5.0, tilt_series_id="a"),
              ParticleTable.from_points([[3.5, 3.5, 3.5]], voxel_size=5.0, tilt_series_id="b")]
    write_particles(concatenate(tables), tmp_path / "all.star")
    picks = InputFile(path=str(tmp_path / "all.star"), role="particles", tilt_series_id="all")
    grey = [make(name, "tomogram", tomogram()) for name in "ab"]
    first, second = opened(*grey, picks, needs="particles")
    np.testing.assert_allclose(first.particles.zyx, [[2.5, 3.5, 4.5], [0.5, 0.5, 0.5]])
    np.testing.assert_allclose(second.particles.zyx, [[1.5, 1.5, 1.5]])
    with pytest.raises(InputError, match=r"1 of 2 particles .* outside .* another binning"):
        opened(grey[0], picks.model_copy(update={"voxel_size": 10.0}), needs="particles")
