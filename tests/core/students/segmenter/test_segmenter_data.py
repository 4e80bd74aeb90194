"""Places and patches: classes equally often, half turns that keep the missing wedge, blocks that are never trained on."""
import numpy as np
import pytest

from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.runtime.errors import InputError
from cryoetseg.core.students.segmenter.balls import BallLabels
from cryoetseg.core.students.segmenter.data import (
    PatchChoice,
    check_classes,
    class_schedule,
    cut_patch,
    draw_patch,
    find_places,
    half_turns,
    split_block,
)
from cryoetseg.core.students.volumes import volume_from_array

SHAPE = (16, 24, 40)


def volume_with(*boxes):
    """A volume of noise with boxes (class, corner, size) of labels."""
    labels = np.zeros(SHAPE, np.int8)
    for value, corner, size in boxes:
        labels[tuple(slice(a, a + size) for a in corner)] = value
    return volume_from_array("v", np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32), 10.0, labels)


def test_places_are_voxels_of_their_class_and_a_large_class_is_thinned_fairly(monkeypatch):
    monkeypatch.setattr("cryoetseg.core.students.segmenter.data.MOST_PLACES", 400)
    volume = volume_with((1, (0, 0, 0), 2), (2, (4, 4, 4), 10))
    places = find_places([volume, volume], np.random.default_rng(0))
    assert {value: len(found) for value, found in places.items()} == {0: 800, 1: 16, 2: 800}
    assert np.bincount(places[2].volume).tolist() == [400, 400]
    assert (volume.labels[tuple(places[2].zyx.T)] == 2).all()
    assert abs(places[2].zyx.mean(axis=0) - 8.5).max() < 0.5  # not the first 400 voxels of the box
    assert len(np.unique(places[2].zyx[:400], axis=0)) == 400


def test_a_rare_class_is_shown_as_often_as_a_common_one():
    places = find_places([volume_with((1, (0, 0, 0), 1), (2, (4, 4, 4), 10))], np.random.default_rng(0))
    assert np.bincount(class_schedule(places, 100, 0.2)).tolist() == [20, 40, 40]


def test_patches_lie_around_a_voxel_of_their_class_within_the_jitter():
    places = find_places([volume_with((1, (8, 8, 30), 1))], np.random.default_rng(0))
    starts = np.array([draw_patch(places[1], 8, 3, [(1, 1, 1)], np.random.default_rng(n)).start for n in range(200)])
    offsets = starts + 4 - [8, 8, 30]
    assert offsets.min() == -3
    assert offsets.max() == 3


def test_a_half_turn_about_the_tilt_axis_maps_the_missing_wedge_onto_itself():
    volume = volume_with()
    z, _, x = np.meshgrid(*(np.fft.fftfreq(16),) * 3, indexing="ij")
    wedge = np.abs(z) > np.tan(np.radians(60)) * np.abs(x) + 1e-9
    lopsided = np.arctan2(z, x + 1e-9)
    seen = np.isfinite(lopsided) & (np.mod(lopsided, np.pi) < np.radians(70))  # a tilt range that is not symmetric about 0
    for turn in half_turns("tilt_axis", "y"):
        patch = cut_patch([volume], PatchChoice(0, (0, 4, 10), turn), 16, False)[0][0]
        straight = cut_patch([volume], PatchChoice(0, (0, 4, 10), (1, 1, 1)), 16, False)[0][0]
        for hidden in (wedge, seen):
            power, before = (np.abs(np.fft.fftn(np.real(np.fft.ifftn(np.fft.fftn(p) * hidden)))) ** 2 for p in (patch, straight))
            assert np.isclose(power.sum(), before.sum())
    assert half_turns("tilt_axis", "x")[1] == (-1, -1, 1)


def test_voxels_and_labels_turn_together_and_the_outside_is_background():
    volume = volume_with((3, (0, 0, 0), 4))
    volume = volume_from_array("v", volume.labels.astype(np.float32), 10.0, volume.labels)
    voxels, labels = cut_patch([volume], PatchChoice(0, (-2, -2, -2), (-1, 1, -1)), 8, False)
    inside = np.zeros((8, 8, 8), bool)
    inside[:6, 2:, :6] = True
    assert labels.dtype == np.int64
    assert set(np.unique(labels)) == {0, 3}
    assert ((voxels > voxels.min()) & (voxels != 0))[0][inside].sum() == (labels == 3).sum() == 64
    assert (voxels[0][~inside] == 0).all()
    assert (labels[0][~inside] == 0).all()


def test_a_missing_class_is_named():
    places = find_places([volume_with((1, (0, 0, 0), 3), (3, (8, 8, 8), 3))], np.random.default_rng(0))
    with pytest.raises(InputError, match=r"class 2 \(TRiC\)"):
        check_classes(places, ["ribosome", "TRiC", "proteasome"])
    with pytest.raises(InputError, match="class 3, but 2"):
        check_classes(places, ["ribosome", "TRiC"])
    classes, warnings = check_classes(places, [])
    assert classes == 3
    assert len(warnings) == 1
    assert "class 2" in warnings[0]
    with pytest.raises(InputError, match="300"):
        check_classes({0: places[0], 300: places[1]}, [])
    with pytest.raises(InputError, match="no label"):
        check_classes(find_places([volume_with()], np.random.default_rng(0)), [])


def test_the_held_out_block_and_the_rest_share_no_voxel():
    volume = volume_with((1, (0, 0, 34), 6))
    training, held_out = split_block(volume, 0.15)
    assert training.data.shape == (16, 24, 34)
    assert held_out.data.shape == (16, 24, 6)
    assert training.labels.max() == 0
    assert held_out.labels.max() == 1
    np.testing.assert_array_equal(training.crop((0, 0, 0), (16, 24, 34)), volume.crop((0, 0, 0), (16, 24, 34)))  # as the whole tomogram
    np.testing.assert_array_equal(held_out.crop((0, 0, 0), (16, 24, 6)), volume.crop((0, 0, 34), (16, 24, 6)))


def test_balls_are_painted_alike_whole_and_in_pieces_and_the_nearer_particle_wins():
    table = ParticleTable.from_points([[8, 8, 8], [8, 8, 14], [2, 20, 38]], voxel_size=10.0, class_id=[1, 2, 3],
                                      diameters=[80.0, 80.0, 100.0])
    balls = BallLabels(table, SHAPE)
    whole = balls[:, :, :]
    z, y, x = np.indices(SHAPE)
    assert (whole == 3).sum() == (((z - 2) ** 2 + (y - 20) ** 2 + (x - 38) ** 2) <= 25).sum()
    assert whole[8, 8, 10] == 1
    assert whole[8, 8, 12] == 2
    assert whole[8, 8, 4] == 1
    assert whole[8, 8, 3] == 0
    pieces = np.concatenate([np.concatenate([balls[a:a + 5, :, b:b + 7] for b in range(0, 40, 7)], axis=2) for a in range(0, 16, 5)])
    np.testing.assert_array_equal(pieces, whole)
    np.testing.assert_array_equal(balls[3:6], whole[3:6])
