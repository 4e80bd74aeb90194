import numpy as np
import pytest

from cryoetseg.core.foundation.params import SlabParameters
from cryoetseg.core.foundation.slabs import even_out, minmax, prepare_slab, read_slab, slab_indices, stretched
from cryoetseg.core.runtime.errors import InputError, ParameterError
from cryoetseg.core.runtime.params import parameters_from

PLAIN = SlabParameters(clahe=False, smoothing_sigma=0)


def test_range_is_half_open_and_zero_means_to_the_end():
    assert slab_indices(SlabParameters(z_start=2, z_end=5), 10) == [2, 3, 4]
    assert slab_indices(SlabParameters(z_start=7), 10) == [7, 8, 9]
    assert slab_indices(SlabParameters(z_step=4), 10) == [0, 4, 8]


@pytest.mark.parametrize(("start", "end"), [(10, 0), (3, 3), (0, 11)])
def test_range_outside_the_volume_is_refused(start, end):
    with pytest.raises(ParameterError, match="10 slices"):
        slab_indices(SlabParameters(z_start=start, z_end=end), 10)


def test_slab_is_one_slice_or_the_mean_of_those_around():
    volume = np.random.default_rng(0).normal(size=(5, 4, 4)).astype(np.float32)
    assert np.array_equal(read_slab(volume, 2, SlabParameters()), volume[2])
    np.testing.assert_allclose(read_slab(volume, 0, SlabParameters(averaged_slices=3)), volume[:2].mean(axis=0), rtol=1e-6)


def test_one_hot_voxel_squeezes_minmax_but_not_percentiles():
    image = np.random.default_rng(0).uniform(0, 1, (64, 64)).astype(np.float32)
    image[3, 3] = 100.0
    deviations = {choice: prepare_slab(image, PLAIN.model_copy(update={"stretch": choice})).std() for choice in ("minmax", "percentile")}
    assert deviations["minmax"] < 0.02
    assert deviations["percentile"] > 0.25


def test_contrast_turns_only_the_picture():
    image = np.zeros((32, 32), np.float32)
    image[10:20, 10:20] = 1.0
    dark, bright = (prepare_slab(image, PLAIN.model_copy(update={"slab_contrast": choice})) for choice in ("dark", "bright"))
    assert dark[15, 15] == 0.0
    assert bright[15, 15] == 1.0
    np.testing.assert_allclose(dark + bright, 1.0, atol=1e-6)


def test_clahe_lifts_a_faint_corner():
    image = np.full((128, 128), 0.1, np.float32)
    image[:, 64:] = 0.9
    image[10:14, 10:14] += 0.02
    even = even_out(image)
    assert even.min() >= 0
    assert even.max() <= 1
    assert even[12, 12] - even[20, 20] > 0.02


def test_result_is_smoothed_and_spans_zero_to_one():
    image = np.random.default_rng(1).normal(size=(48, 48)).astype(np.float32)
    rough, smooth = prepare_slab(image, PLAIN), prepare_slab(image, SlabParameters(clahe=False))
    assert smooth.min() == 0.0
    assert smooth.max() == pytest.approx(1.0)
    assert np.abs(np.diff(smooth)).mean() < 0.4 * np.abs(np.diff(rough)).mean()


def test_constant_slice_gives_a_constant_picture():
    assert np.ptp(prepare_slab(np.full((16, 16), 7.0, np.float32), SlabParameters())) == 0
    assert minmax(np.full((4, 4), 7.0)).max() == 0


@pytest.mark.parametrize("bad", [np.zeros((4, 4, 4)), np.full((4, 4), np.nan)])
def test_wrong_shape_and_nan_are_refused(bad):
    with pytest.raises(InputError):
        prepare_slab(bad, SlabParameters())


def test_a_constant_slice_stays_black():
    np.testing.assert_array_equal(stretched(np.full((16, 16), 7.0, np.float32), SlabParameters()), 0)
    np.testing.assert_array_equal(stretched(np.full((16, 16), 7.0, np.float32), SlabParameters(stretch="minmax")), 0)


@pytest.mark.parametrize("slices", [2, 4])
def test_an_even_number_of_slices_has_no_middle(slices):
    with pytest.raises(ParameterError, match=r"averaged_slices.*odd"):
        parameters_from(SlabParameters, {"averaged_slices": slices})


def test_a_slice_that_shows_nothing_valid_or_one_value_is_black():
    image, p = np.random.default_rng(0).normal(size=(16, 16)).astype(np.float32), SlabParameters()
    assert not stretched(image, p, np.zeros(image.shape, bool)).any()
    assert not stretched(np.full(image.shape, 3.0, np.float32), p).any()
    corner = np.zeros(image.shape, bool)
    corner[:4, :4] = True
    image[corner] = 2.0
    assert not stretched(image, p, corner).any()  # the valid part is constant, whatever lies beside it
