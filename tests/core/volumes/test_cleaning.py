"""Invalid voxels are those that were made invalid, statistics are those of the others, and the view never shows a step."""
import numpy as np
import pytest
from scipy import ndimage

from cryoetseg.core.runtime.errors import InputError
from cryoetseg.core.volumes.cleaned import CleanedView, open_cleaned, told
from cryoetseg.core.volumes.cleaning import examine, unexamined
from cryoetseg.core.volumes.io import write_volume

SHAPE = (20, 60, 64)
EVERYWHERE = (slice(None),) * 3


def tomogram(mean=0.0):
    """Noise of deviation 1 with a sheet at y = 28 to 31."""
    volume = np.random.default_rng(0).normal(mean, 1, SHAPE).astype(np.float32)
    volume[:, 28:32] += 1.5
    return volume


def border(mask):
    mask[:, :12] = mask[:, -12:] = mask[:, :, :12] = mask[:, :, -12:] = True


def corners(mask):
    y, x = np.mgrid[:60, :64]
    mask[:] = (y + x < 25) | (y + x > 97)


def padding(mask):
    mask[:5] = mask[-5:] = True


@pytest.mark.parametrize("where", [border, corners, padding])
@pytest.mark.parametrize(("mean", "fill"), [(0, -10), (0, -3), (0, 10), (10, 0), (1000, 0), (0, np.nan)])
def test_fills_are_found_and_do_not_count(where, mean, fill):
    volume, mask = tomogram(mean), np.zeros(SHAPE, bool)
    where(mask)
    clean = volume[~mask]
    volume[mask] = fill
    grey = examine(volume)
    found = ~CleanedView(volume, "bright", grey).valid(EVERYWHERE)
    assert found[mask].all()
    assert not found[~ndimage.binary_dilation(mask, np.ones((3, 3, 3)), iterations=1)].any()
    assert grey.filled_share == pytest.approx(found.mean())
    assert grey.mean == pytest.approx(clean.mean(), abs=0.03)
    assert grey.deviation == pytest.approx(clean.std(), abs=0.03)
    assert grey.fills == (() if np.isnan(fill) else (fill,))


@pytest.mark.parametrize("fill", [-10.0, np.nan])
def test_the_slice_beside_padding_counts_unless_padding_was_blended_into_it(fill):
    volume = tomogram()
    volume[:5] = volume[-5:] = fill
    volume[-6] -= 3  # as resampling along z leaves it
    volume[:, :, :12] = fill  # a border is widened as ever
    valid = CleanedView(volume).valid(EVERYWHERE)
    assert np.flatnonzero(valid.any(axis=(1, 2))).tolist() == list(range(5, 14))
    assert np.flatnonzero(valid[5].any(axis=0)).tolist() == list(range(13, 64))


def test_a_clean_volume_has_no_invalid_voxel():
    grey = examine(tomogram())
    assert (grey.invalid, grey.invalid_share, grey.fills) == (None, 0.0, ())


@pytest.mark.parametrize("levels", [16, 32, 120])
def test_few_grey_levels_are_no_fill(levels):
    smooth = ndimage.gaussian_filter(tomogram(), 0.7)
    scaled = np.rint((smooth - smooth.min()) / np.ptp(smooth) * levels).astype(np.int8)
    assert examine(scaled).invalid is None


def test_gold_and_hot_voxels_are_invalid_both_ways():
    volume, mask = tomogram(), np.zeros(SHAPE, bool)
    mask[8:11, 10:13, 40:43] = True
    volume[mask] -= 25
    volume[15, 50, 20], volume[3, 3, 3] = 40, -40
    mask[15, 50, 20] = mask[3, 3, 3] = True
    grey = examine(volume)
    found = ~CleanedView(volume, "bright", grey).valid(EVERYWHERE)
    assert found[mask].all()
    assert found.mean() == pytest.approx(grey.gold_share)
    assert not found[ndimage.distance_transform_edt(~mask) > 6].any()


def test_too_much_gold_is_structure():
    volume = tomogram()
    volume[:, :8, :8] += 30
    assert examine(volume).invalid is None


def test_denoised_particles_are_not_gold():
    volume = ndimage.gaussian_filter(tomogram(), 1.5)
    volume[8:12, 10:14, 40:44] += 10 * volume.std()
    assert examine(volume).gold_share == 0


def test_a_volume_without_noise_is_taken_as_it_is():
    volume = np.zeros(SHAPE, np.float32)
    volume[:, 28:32] = 1
    grey = examine(volume)
    assert (grey.invalid, grey.mean) == (None, pytest.approx(volume.mean()))
    assert grey.deviation == pytest.approx(volume.std())


def test_the_view_is_standardised_clipped_and_without_steps():
    volume, mask = tomogram(10.0), np.zeros(SHAPE, bool)
    border(mask)
    volume[mask] = 0
    volume[10, 30, 30] += 8
    view = CleanedView(volume, "dark")
    shown, valid = view[EVERYWHERE], view.valid(EVERYWHERE)
    assert not shown[~valid].any()
    assert shown[valid].mean() == pytest.approx(0, abs=1e-4)
    assert shown[valid].std() == pytest.approx(1, abs=1e-3)
    assert shown.min() == pytest.approx(-(view.grey.high - view.mean) / view.deviation, abs=1e-4)
    assert shown[:, 28:32, 20:40].mean() < -0.7
    kept = valid & (volume < view.grey.high)
    np.testing.assert_allclose(view.restored(shown)[kept], volume[kept], atol=1e-4)


@pytest.mark.parametrize("key", [7, slice(3, 9), (slice(2, 5), slice(11, 30), slice(13, 55)), (slice(None), 30, slice(5, 41)),
                                 (slice(None, None, 3), slice(1, 50, 2), slice(None, None, 5)), (-1, Ellipsis)])
def test_every_window_shows_the_same_voxels(key):
    volume = tomogram()
    volume[:, :13] = -4
    view = CleanedView(volume)
    np.testing.assert_array_equal(view[key], view[EVERYWHERE][key])
    np.testing.assert_array_equal(view.valid(key), view.valid(EVERYWHERE)[key])


def test_a_part_keeps_the_grey_values_and_the_mask_of_the_whole():
    volume = tomogram()
    volume[:, :13] = -4
    view = CleanedView(volume)
    part = view.part((slice(4, 9), slice(10, 40)))
    np.testing.assert_array_equal(part[EVERYWHERE], view[4:9, 10:40])
    inside, in_the_whole = (slice(1, 3), slice(0, 9), slice(3, 30)), (slice(5, 7), slice(10, 19), slice(3, 30))
    np.testing.assert_array_equal(part.valid(inside), view.valid(in_the_whole))


def test_without_cleaning_the_plain_statistics_stand():
    volume = tomogram()
    volume[:, :13] = -4
    plain = CleanedView(volume, "bright", unexamined(volume))
    np.testing.assert_allclose(plain[EVERYWHERE], (volume - volume.mean()) / volume.std(), atol=1e-5)


def test_files_of_little_sample_are_told_and_constant_ones_refused(tmp_path):
    volume = tomogram()
    volume[:, :13] = -4
    write_volume(tmp_path / "padded.mrc", volume, 10.0)
    view, header = open_cleaned(tmp_path / "padded.mrc", "dark")
    assert (header.voxel_size, view.grey.fills) == (10.0, (-4.0,))
    assert "23%" in told("padded", view.grey)[0]
    off, _ = open_cleaned(tmp_path / "padded.mrc", "dark", cleaning="off")
    assert (off.grey.invalid, told("padded", off.grey)) == (None, [])
    write_volume(tmp_path / "constant.mrc", np.full(SHAPE, 3, np.float32), 10.0)
    with pytest.raises(InputError, match="constant"):
        open_cleaned(tmp_path / "constant.mrc", "dark")


def labels(kind):
    """A label volume: sheets, balls of classes or instances, one voxel thin surfaces, whole numbers stored as floats."""
    z, y, x = np.mgrid[:SHAPE[0], :SHAPE[1], :SHAPE[2]]
    sheet = abs(y - 30 - 0.3 * (x - 32)) < 2
    balls = sum((((z - 5 - 4 * (n % 3)) ** 2 + (y - 8 - 9 * (n % 6)) ** 2 + (x - 7 - 10 * (n % 5)) ** 2) < 9) * (n + 1) for n in range(30))
    shell = abs(np.sqrt((z - 10) ** 2 + (y - 30) ** 2 + (x - 32) ** 2) - 15) < 0.6
    return {"sheet": sheet.astype(np.int8), "classes": (balls % 5).astype(np.int8), "instances": balls.astype(np.int16),
            "thin": shell.astype(np.uint8), "float": (sheet + 2 * shell).astype(np.float32)}[kind]


@pytest.mark.parametrize("kind", ["sheet", "classes", "instances", "thin", "float"])
def test_a_mask_is_no_tomogram(tmp_path, kind):
    write_volume(tmp_path / "mask.mrc", labels(kind), 10.0)
    with pytest.raises(InputError, match="as in a mask"):
        open_cleaned(tmp_path / "mask.mrc", "dark")


@pytest.mark.parametrize("levels", [0.6, 2.5, 27.5])  # a deviation, in steps of one
@pytest.mark.parametrize("where", [None, border, corners, padding])
def test_a_tomogram_of_few_grey_levels_is_no_mask(tmp_path, levels, where):
    volume, mask = np.rint(tomogram() * levels), np.zeros(SHAPE, bool)
    if where is not None:
        where(mask)
    volume[mask] = 0
    write_volume(tmp_path / "tomogram.mrc", np.clip(volume, -128, 127).astype(np.int8), 10.0)
    opened, _ = open_cleaned(tmp_path / "tomogram.mrc", "bright")
    assert opened.shape == SHAPE
    assert opened.deviation > 0
