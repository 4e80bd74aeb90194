"""Training crops: where they lie, what is known in them, what augmentation does."""
from dataclasses import replace

import numpy as np
import pytest
import torch

from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.runtime.errors import InputError, ParameterError
from cryoetseg.core.students.picker.augmentation import augment
from cryoetseg.core.students.picker.boxes import Boxes
from cryoetseg.core.students.picker.data import Crops, crop_start, kept_apart, labelled_volume, particle_classes
from cryoetseg.core.students.picker.params import TrainPickerParameters
from cryoetseg.core.students.volumes import volume_from_array
from cryoetseg.core.training import resident

SHAPE = (48, 40, 44)


def student_volume(points, shape=SHAPE, **columns):
    grey = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    return volume_from_array("sample", grey, 10.0, particles=ParticleTable.from_points(points, voxel_size=10.0, **columns))


def crops(volume, **settings):
    p = TrainPickerParameters(**{"patch_px": 16, "particle_diameter": 80.0, "augmentation": "none", "background_share": 0.0, **settings})
    classes = particle_classes([volume.particles], 10.0, p)
    return Crops([labelled_volume(volume, classes, p)], classes, p)


def test_label_diameters_follow_the_particles():
    table = student_volume([[9, 9, 9], [20, 20, 20]], class_id=[3, 7], diameters=[230.0, 120.0]).particles
    p = TrainPickerParameters.published()
    assert particle_classes([table], 10.0, p).labels_px == (11, 5)  # 11 of 23, and the smallest label
    assert particle_classes([table], 10.0, p.model_copy(update={"class_diameters": "150,300"})).diameters == (150.0, 300.0)
    with pytest.raises(ParameterError, match="2 classes"):
        particle_classes([table], 10.0, p.model_copy(update={"class_diameters": "150"}))


def test_crops_jitter_around_the_particle_and_stay_inside():
    volume = student_volume([[24, 20, 22], [0, 39, 0]])
    source = crops(volume)
    for seed in range(20):
        labels = source.draw(0, np.random.default_rng(seed))[1]
        middle = np.argwhere(labels[0] == 1).mean(axis=0)
        assert np.abs(middle - 8).max() <= 16 // 5
        assert (source.draw(1, np.random.default_rng(seed))[1] == 1).sum() == 23  # 3 x 3 x 3 without the corner
    assert crop_start((0, 39, 20), 16, volume.sample_box) == (0, 24, 12)
    assert crop_start((3, 3, 3), 16, (slice(0, 10), slice(0, 16), slice(0, 40))) == (-3, 0, 0)


def test_crops_lie_where_the_tomogram_shows_sample():
    grey = np.full((48, 64, 64), -10, np.float32)
    inside = (slice(None), slice(14, 50), slice(14, 50))
    grey[inside] = np.random.default_rng(0).standard_normal(grey[inside].shape)
    particles = ParticleTable.from_points([[24, 16, 48], [24, 30, 30]], voxel_size=10.0)
    volume = volume_from_array("bordered", grey, 10.0, particles=particles)
    source = crops(volume, background_share=0.5)
    for seed in range(20):
        for index in range(len(source)):
            assert (source.draw(index, np.random.default_rng(seed))[0] != 0).mean() > 0.99


def test_grey_values_and_labels_are_of_the_same_place():
    grey = np.zeros(SHAPE, np.float32)
    grey[24, 20, 22] = 100
    volume = replace(student_volume([[24, 20, 22]]), data=grey)
    grey, labels = crops(volume, label="sphere").draw(0, np.random.default_rng(3))
    np.testing.assert_allclose(np.argwhere(labels[0] == 1).mean(axis=0), np.argwhere(grey[0] == grey.max())[0])


def test_nothing_is_known_outside_the_labelled_slices_and_of_doubtful_particles():
    volume = student_volume([[20, 20, 16], [20, 20, 24], [40, 20, 22]], score=[0.9, 0.1, 0.5])
    source = crops(volume, z_start=18, z_end=24, ignored_share=0.4)
    assert len(source) == 1  # one is doubtful, one outside
    _, labels = source.draw(0, np.random.default_rng(0))
    known = (labels[0] >= 0).any(axis=(1, 2))
    assert known.sum() == 6
    assert (labels == 1).any()
    assert ((labels[0] == -1).any(axis=(1, 2)) & known).any()
    with pytest.raises(InputError, match="0:4"):
        crops(volume, z_end=4)


def test_labelled_slices_default_to_those_the_particles_reach():
    p = TrainPickerParameters(particle_diameter=80.0)
    volume = student_volume([[20, 20, 16], [26, 20, 22]])
    assert labelled_volume(volume, particle_classes([volume.particles], 10.0, p), p).z_range == (16, 31)


def test_background_crops_are_the_share_asked_for():
    assert len(crops(student_volume(np.full((8, 3), 20.0)), background_share=0.2)) == 10


def test_a_tomogram_without_particles_gives_background_alone():
    volume = student_volume([[24, 20, 22], [10, 20, 22]])
    void = replace(student_volume(np.zeros((0, 3))), data=np.full(SHAPE, 7, np.float32))
    p = TrainPickerParameters(patch_px=16, particle_diameter=80.0, augmentation="none", background_share=0.0, empty_share=0.5)
    classes = particle_classes([volume.particles, void.particles], 10.0, p)
    labelled = [labelled_volume(item, classes, p) for item in (volume, void)]
    assert labelled[1].z_range == (0, SHAPE[0])
    source = Crops(labelled, classes, p)
    assert len(source) == 4
    for index in (2, 3):
        grey, labels = source.draw(index, np.random.default_rng(index))
        assert len(np.unique(grey)) == 1
        assert (labels == 0).all()


def test_around_a_click_is_background_and_further_off_unknown():
    source = crops(student_volume([[24, 20, 22]]), patch_px=32, unclicked="unknown", background_share=0.5, label="sphere")
    assert len(source) == 1  # a crop anywhere would teach nothing
    _, labels = source.draw(0, np.random.default_rng(0))
    centre = np.argwhere(labels[0] == 1).mean(axis=0)
    distance = np.linalg.norm(np.indices(labels[0].shape).transpose(1, 2, 3, 0) - centre, axis=-1)
    assert (labels[0][distance <= 2] == 1).all()
    assert (labels[0][(distance > 2) & (distance <= 5.5)] == 0).all()  # particles of 8 voxels, labels of 5: the next begins at 5.5
    assert (labels[0][distance > 5.5] == -1).all()


def test_some_particles_are_kept_apart_to_judge():
    volume = student_volume(np.random.default_rng(0).uniform(5, 35, (10, 3)))
    p = TrainPickerParameters(particle_diameter=80.0)
    labelled = [labelled_volume(volume, particle_classes([volume.particles], 10.0, p), p)]
    (teaching,), (judging,) = kept_apart(labelled, 0.3, np.random.default_rng(0))
    assert (teaching.doubtful.sum(), judging.doubtful.sum()) == (3, 7)
    assert (teaching.doubtful ^ judging.doubtful).all()
    few = [labelled_volume(student_volume([[9, 9, 9]] * 4), particle_classes([volume.particles], 10.0, p), p)]
    assert not kept_apart(few, 0.3, np.random.default_rng(0))[0][0].doubtful.any()


def test_mirrors_and_the_half_turn_about_the_tilt_axis():
    volume, labels = np.arange(27.0).reshape(3, 3, 3), np.arange(27).reshape(3, 3, 3)
    seen = set()
    for seed in range(40):
        turned, same = augment(volume, labels, "tilt_axis", np.random.default_rng(seed))
        np.testing.assert_array_equal(turned, same)
        seen.add(tuple(turned.ravel()))
    assert seen == {tuple(volume.ravel()), tuple(volume[::-1, :, ::-1].ravel())}
    assert len({tuple(augment(volume, labels, "mirrors", np.random.default_rng(seed))[0].ravel()) for seed in range(60)}) == 8


def test_published_warping_moves_grey_values_and_labels_alike():
    axis = np.arange(24.0) - 11.5
    ball = ((axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2) < 36).astype(np.float32)
    off_centre = np.roll(ball, 4, axis=2)
    changed = 0
    for seed in range(40):
        grey, labels = augment(off_centre, off_centre.astype(np.int16), "published", np.random.default_rng(seed))
        changed += not np.isin(grey, (0, 1)).all()
        overlap = 2 * ((grey > 0.5) & (labels == 1)).sum() / ((grey > 0.5).sum() + (labels == 1).sum())
        assert overlap > 0.95
    assert changed


def test_a_certain_particle_is_not_covered_by_a_doubtful_neighbour():
    volume = student_volume([[24, 20, 22], [24, 20, 24]], score=[0.9, 0.1])
    _, labels = crops(volume, ignored_share=0.4, label="cubic").draw(0, np.random.default_rng(0))
    assert (labels == 1).sum() >= 5**3  # all of its own body
    assert (labels == -1).any()


@pytest.mark.parametrize("settings", [
    {"augmentation": "mirrors"}, {"augmentation": "tilt_axis", "ignored_share": 0.4}, {"unclicked": "unknown"}, {"patch_px": 64},
    {"z_start": 8, "z_end": 30, "background_share": 0.5}])
def test_crops_read_by_their_places_are_those_cut_bit_for_bit(settings):
    volume = student_volume([[24, 20, 22], [5, 38, 2], [40, 3, 41], [20, 20, 30]], score=[0.9, 0.1, 0.5, 0.7], class_id=[1, 2, 1, 2])
    p = TrainPickerParameters(**{"patch_px": 16, "particle_diameter": 80.0, **settings})
    classes = particle_classes([volume.particles], 10.0, p)
    source = Crops([labelled_volume(volume, classes, p)], classes, p)
    boxes = Boxes(source, p)
    assert boxes.fit
    indices = range(3 * len(source))
    drawn = [boxes.place(index % len(source), np.random.default_rng(index))["place"] for index in indices]
    batch = boxes.crops({"place": torch.from_numpy(np.stack(drawn))})
    for index in indices:
        grey, labels = source.draw(index % len(source), np.random.default_rng(index))
        assert np.array_equal(batch["volume"][index], grey)
        assert np.array_equal(batch["labels"][index], labels)


def test_large_tomograms_and_warped_crops_are_cut_one_by_one(monkeypatch):
    volume = student_volume([[24, 20, 22]])
    p = TrainPickerParameters(patch_px=16, particle_diameter=80.0)
    assert not Boxes(crops(volume), p.model_copy(update={"augmentation": "published"})).fit
    monkeypatch.setattr(resident, "MOST_BYTES", 1000)
    assert not Boxes(crops(volume), p).fit
