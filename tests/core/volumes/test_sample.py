"""The slab of the sample and the contrast are found where they were made, and not where nothing tells."""
import numpy as np
import pytest
from scipy import ndimage

from cryoetseg.core.runtime.errors import InputError
from cryoetseg.core.volumes.asymmetry import check_contrast, contrast_of, skewness
from cryoetseg.core.volumes.cleaned import CleanedView, cleaned
from cryoetseg.core.volumes.cleaning import examine
from cryoetseg.core.volumes.sample import find_sample, slices_with_sample

SHAPE = (48, 96, 96)


def scene(first=0, last=48, width=96, seed=0):
    """Bright balls in the slices from ``first`` to ``last`` and the columns below ``width``, in noise."""
    rng = np.random.default_rng(seed)
    points = np.zeros(SHAPE, np.float32)
    count = (last - first) * width * 96 // 800
    points[rng.integers(first, last, count), rng.integers(0, 96, count), rng.integers(0, width, count)] = 1
    balls = ndimage.gaussian_filter(points, 2)
    return (balls * 60 + rng.normal(0, 1, SHAPE)).astype(np.float32)


@pytest.mark.parametrize(("first", "last"), [(14, 34), (0, 24), (20, 48)])
def test_the_slab_of_the_sample_is_found(first, last):
    region = find_sample(examine(scene(first, last)))
    assert region is not None
    assert region.z_range == pytest.approx((first, last), abs=5)


def test_the_band_of_the_field_is_found():
    region = find_sample(examine(scene(width=40)))
    assert region.z_range == (0, 48)
    assert region.mask[..., :16].mean() > 0.8
    assert region.mask[..., 28:].mean() < 0.05


def test_ice_alone_has_no_sample():
    assert find_sample(examine(np.random.default_rng(1).normal(size=SHAPE).astype(np.float32))) is None


@pytest.mark.parametrize(("sign", "contrast"), [(1, "bright"), (-1, "dark")])
def test_contrast_is_found_gold_or_not(sign, contrast):
    volume = sign * scene()
    volume[10:16, 20:26, 20:26] += 40  # bright gold in both
    grey = examine(volume)
    assert contrast_of(grey) == contrast
    check_contrast("a", grey, contrast)
    with pytest.raises(InputError, match=f"--contrast {contrast}"):
        check_contrast("a", grey, "dark" if contrast == "bright" else "bright")


def test_noise_and_small_volumes_give_no_verdict():
    assert contrast_of(examine(np.random.default_rng(1).normal(size=SHAPE).astype(np.float32))) is None
    assert skewness(examine(scene()[:20, :40, :40])) is None


def test_the_slices_to_work_in_are_those_with_sample_or_else_all_that_show_anything():
    (first, last), warnings = slices_with_sample(CleanedView(scene(14, 34)), "a")
    assert (first, last) == pytest.approx((14, 34), abs=5)
    assert warnings == []
    ice = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)
    ice[:6] = 0
    (first, last), warnings = slices_with_sample(CleanedView(ice), "ice")
    assert (first, last) == (6, 48)
    assert "ice: sample and ice could not be told apart" in warnings[0]


def test_the_sample_is_sought_also_where_the_tomogram_is_taken_as_it_is():
    volume = scene(14, 34)
    found = [slices_with_sample(cleaned(volume, "bright", cleaning), "a") for cleaning in ("auto", "off")]
    assert found[0] == found[1]
