"""What is turned stays together; what is published is drawn as published."""

import numpy as np
import torch
from scipy import ndimage

from cryoetseg.core.students.membranes.augmentation import Change, changed_grey, draw_extended, draw_published, turned


def batch_of(changes, side, slices=1):
    """What is drawn for some changes, stacked."""
    items = [change.numbers(side, slices, np.random.default_rng(number)) for number, change in enumerate(changes)]
    return {name: torch.from_numpy(np.stack([item[name] for item in items])) for name in items[0]}


def test_turning_moves_image_and_labels_alike():
    generator = np.random.default_rng(0)
    labels = torch.zeros(8, 1, 32, 32)
    labels[:, 0, 6:20, 10:14] = 1
    changes = batch_of([draw_extended(generator) for _ in labels], 32)
    moved = [turned(part, changes) for part in (3 * labels, labels)]
    assert torch.equal(moved[0], 3 * moved[1])
    assert ((moved[1].sum(dim=(1, 2, 3)) / 56 - 1).abs() < 0.2).all()


def test_every_change_turns_as_numpy_and_scipy_do():
    generator = np.random.default_rng(3)
    for side in (16, 33):
        changes = [draw_extended(generator) for _ in range(40)] + [draw_published(generator) for _ in range(20)]
        crops = generator.normal(size=(len(changes), 2, side, side)).astype(np.float32)
        for change, crop, found in zip(changes, crops, turned(torch.from_numpy(crops), batch_of(
                [Change(**{**vars(change), "noise": 0.0}) for change in changes], side))):
            expected = np.rot90(crop, change.quarters, axes=(1, 2))
            expected = expected[:, ::-1 if change.mirror_y else 1, ::-1 if change.mirror_x else 1]
            if change.angle:
                expected = ndimage.rotate(expected, change.angle, axes=(1, 2), reshape=False, order=0, mode="constant")
            np.testing.assert_array_equal(found.numpy(), expected)


def test_grey_values_get_contrast_brightness_and_the_noise_drawn():
    crops = torch.arange(36.0).reshape(2, 2, 3, 3)
    changes = [Change(contrast=2, brightness=1, noise=0.5), Change(contrast=0.5, brightness=-1, noise=0.1)]
    drawn = [np.random.default_rng(number).standard_normal((2, 3, 3), dtype=np.float32) for number in range(2)]
    found = changed_grey(crops, batch_of(changes, 3, slices=2))
    np.testing.assert_allclose(found[0], 2 * crops[0] + 1 + 0.5 * drawn[0], rtol=1e-6)
    np.testing.assert_allclose(found[1], 0.5 * crops[1] - 1 + 0.1 * drawn[1], rtol=1e-6)


def test_published_changes_come_as_often_as_published():
    generator = np.random.default_rng(1)
    changes = [draw_published(generator) for _ in range(4000)]
    flipped = np.mean([change.mirror_y or change.mirror_x for change in changes])
    rotated = np.mean([change.angle != 0 for change in changes])
    assert abs(flipped - 0.5) < 0.03
    assert abs(rotated - 0.25) < 0.03
    assert max(abs(change.angle) for change in changes) < 20
    assert all(change.contrast == 1 and change.noise == 0 for change in changes)
