"""What is turned stays together; what is published is drawn as published."""

import numpy as np

from cryoetseg.core.students.membranes.augmentation import Change, changed_grey, draw_extended, draw_published, turned


def test_turning_moves_image_and_labels_alike():
    generator = np.random.default_rng(0)
    labels = np.zeros((1, 32, 32), np.float32)
    labels[0, 6:20, 10:14] = 1
    for _ in range(8):
        change = draw_extended(generator)
        moved = [turned(part, change, order=0) for part in (3 * labels, labels)]
        np.testing.assert_array_equal(moved[0], 3 * moved[1])
        assert 0.8 < moved[1].sum() / labels.sum() < 1.2


def test_quarter_turns_and_mirrors_are_those_named():
    image = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    np.testing.assert_array_equal(turned(image, Change(quarters=1), 0)[0], [[2, 5], [1, 4], [0, 3]])
    np.testing.assert_array_equal(turned(image, Change(mirror_y=True), 0)[0], image[0, ::-1])
    stack = np.stack([image[0], image[0] + 10])
    changed = changed_grey(stack, Change(mirror_z=True, contrast=2, brightness=1), np.random.default_rng(0))
    np.testing.assert_allclose(changed, 2 * stack[::-1] + 1)


def test_published_changes_come_as_often_as_published():
    generator = np.random.default_rng(1)
    changes = [draw_published(generator) for _ in range(4000)]
    flipped = np.mean([change.mirror_y or change.mirror_x for change in changes])
    rotated = np.mean([change.angle != 0 for change in changes])
    assert abs(flipped - 0.5) < 0.03
    assert abs(rotated - 0.25) < 0.03
    assert max(abs(change.angle) for change in changes) < 20
    assert all(change.contrast == 1 and change.noise == 0 for change in changes)
