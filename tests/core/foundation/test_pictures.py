import numpy as np
import pytest

from cryoetseg.core.foundation.door import Backbone
from cryoetseg.core.foundation.frames import plan_frame
from cryoetseg.core.foundation.params import SegmentSlabsParameters
from cryoetseg.core.foundation.pictures import Pictures
from cryoetseg.core.foundation.slabs import prepare_slab, stretched
from cryoetseg.core.runtime.errors import InputError
from cryoetseg.core.volumes.cleaned import cleaned

PARAMETERS = SegmentSlabsParameters(tile_px=32, overlap_px=0, border_tokens=0)
VOLUME = np.random.default_rng(0).normal(size=(6, 32, 32)).astype(np.float32)


class Eyes(Backbone):
    """Says only how many slices it wants."""

    name, input_size_px, tokens = "eyes", 32, 16

    def __init__(self, slices):
        self.slices = slices

    def affinities(self, image, voxel_size_nm, generator, draws):
        return []


def pictures(slices, volume=VOLUME, contrast="bright", parameters=PARAMETERS):
    return Pictures(cleaned(volume, contrast, "off"), plan_frame(volume.shape[1:], parameters, 32, 16), Eyes(slices), parameters)


def slice_of(index, volume=VOLUME):
    return stretched(volume[index], PARAMETERS)


@pytest.mark.parametrize(("z", "shown"), [(2, [0, 1, 2, 3, 4]), (0, [2, 1, 0, 1, 2]), (1, [1, 0, 1, 2, 3]), (5, [3, 4, 5, 4, 3])])
def test_neighbours_beyond_the_first_and_last_slice_are_mirrored(z, shown):
    np.testing.assert_allclose(pictures(5).of_slab(z), np.stack([slice_of(index) for index in shown])[None], atol=1e-6)


def test_slices_asked_in_any_order_are_the_same():
    one = pictures(3)
    there = [one.of_slab(z) for z in range(6)]
    back = [one.of_slab(z) for z in reversed(range(6))][::-1]
    np.testing.assert_array_equal(there, back)


def test_a_tomogram_of_one_slice_is_its_own_neighbour():
    shown = pictures(5, VOLUME[:1]).of_slab(0)
    np.testing.assert_array_equal(shown, np.repeat(shown[:, :1], 5, axis=1))


def test_dark_particles_are_turned_bright():
    np.testing.assert_allclose(pictures(3, -VOLUME, "dark").of_slab(2), pictures(3).of_slab(2), atol=1e-6)
    np.testing.assert_allclose(pictures(3, -VOLUME, "dark").intensity(2), pictures(3).intensity(2), atol=1e-6)
    assert np.abs(pictures(3, -VOLUME).of_slab(2) - pictures(3).of_slab(2)).max() > 0.5


def test_every_slice_is_stretched_by_its_own_values():
    uneven = VOLUME * np.array([1, 10, 100, 1, 10, 100], np.float32)[:, None, None] + 5
    np.testing.assert_allclose(pictures(3, uneven).of_slab(1), pictures(3).of_slab(1), atol=1e-4)


def test_one_slice_is_a_prepared_slab():
    shown = pictures(1).of_slab(3)
    assert shown.shape == (1, 32, 32)
    np.testing.assert_allclose(shown[0], prepare_slab(VOLUME[3], PARAMETERS), atol=1e-6)


def test_intensity_is_the_mean_of_three_slices():
    np.testing.assert_allclose(pictures(1).intensity(3), np.mean([slice_of(z) for z in (2, 3, 4)], axis=0), atol=1e-6)
    np.testing.assert_allclose(pictures(1).intensity(0), (slice_of(0) + 2 * slice_of(1)) / 3, atol=1e-6)


def test_every_window_has_its_picture():
    parameters = PARAMETERS.model_copy(update={"tile_px": 16})
    shown = pictures(3, parameters=parameters).of_slab(2)
    assert shown.shape == (4, 3, 32, 32)
    assert shown[3, 1, -1, -1] == pytest.approx(slice_of(2)[-1, -1], abs=1e-6)


@pytest.mark.parametrize("slices", [1, 3])
def test_values_that_are_not_finite_are_refused(slices):
    broken = VOLUME.copy()
    broken[3, 4, 4] = np.nan
    with pytest.raises(InputError, match="finite"):
        pictures(slices, broken).of_slab(3)
