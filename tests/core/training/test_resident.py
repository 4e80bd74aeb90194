from __future__ import annotations

import numpy as np
import torch

from cryoetseg.core.training.resident import ResidentVolumes


def test_boxes_are_cut_from_the_volume_and_mirrored_as_drawn() -> None:
    generator = np.random.default_rng(0)
    volumes = [generator.normal(size=shape).astype(np.float32) for shape in ((5, 6, 7), (4, 9, 5), (6, 4, 8))]
    kept = ResidentVolumes([volume.shape for volume in volumes], (3, 2, 4), lambda number: volumes[number])  # type: ignore[misc]
    assert kept.voxels == sum(volume.size for volume in volumes)
    drawn = [(int(generator.integers(3)), generator.integers(2, size=3), generator.random(3) < 0.5) for _ in range(20)]
    places = torch.from_numpy(np.stack([kept.place(number, corner, mirrored) for number, corner, mirrored in drawn]))
    for (number, corner, mirrored), box in zip(drawn, kept.read(places)):
        expected = volumes[number][tuple(slice(int(first), int(first) + size) for first, size in zip(corner, (3, 2, 4)))]
        np.testing.assert_array_equal(box.numpy(), np.flip(expected, np.flatnonzero(mirrored)))
