"""Statistics are exact: against numpy, against known values beyond 2**24 voxels, far from zero."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from cryoetseg.core.runtime.errors import ParameterError
from cryoetseg.core.volumes.normalisation import mean_and_deviation, quantiles, scaled, standardise, stretch

FRACTIONS = [0, 0.005, 0.1, 0.5, 0.73, 0.995, 1]


@settings(max_examples=60, deadline=None)
@given(arrays(np.float32, array_shapes(min_dims=1, max_dims=3), elements=st.floats(-(2.0**99), 2.0**99, width=32)))
def test_quantiles_agree_with_numpy(array):
    expected = np.quantile(array.astype(np.float64), FRACTIONS)
    np.testing.assert_allclose(quantiles(array, FRACTIONS), expected, rtol=1e-9)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "float16", "float32", ">f4"])
def test_quantiles_of_every_type(dtype):
    array = (np.random.default_rng(1).normal(size=(9, 10, 11)) * 30 + 60).clip(0, 120).astype(dtype)
    np.testing.assert_allclose(quantiles(array, FRACTIONS), np.quantile(array.astype(np.float64), FRACTIONS))


def test_quantiles_are_exact_beyond_two_to_the_24():
    count = 2**24 + 3
    array = np.zeros((1, 1, count), np.float32)
    array[0, 0, -1], array[0, 0, -2] = 7.0, 5.0
    assert quantiles(array, [(count - 3) / (count - 1), (count - 2) / (count - 1), 1]) == pytest.approx([0, 5, 7], abs=1e-6)


def test_mean_and_deviation_far_from_zero():
    values = np.random.default_rng(2).normal(1e6, 2.0, size=(50, 60, 70)).astype(np.float32)
    mean, deviation = mean_and_deviation(values)
    assert mean == pytest.approx(values.astype(np.float64).mean(), rel=1e-12)
    assert deviation == pytest.approx(values.astype(np.float64).std(), rel=1e-9)


def test_mean_and_deviation_join_slabs(monkeypatch):
    values = np.random.default_rng(2).random((40, 5, 5)).astype(np.float32)
    monkeypatch.setattr("cryoetseg.core.volumes.streaming.read_slabs.__defaults__", (300,))
    mean, deviation = mean_and_deviation(values)
    assert (mean, deviation) == pytest.approx((values.mean(dtype="f8"), values.std(dtype="f8")), rel=1e-12)


def test_standardise_and_constant():
    result = standardise(np.random.default_rng(0).normal(-5e11, 1e11, size=(20, 20, 20)))
    assert abs(result.mean()) < 1e-5
    assert result.std() == pytest.approx(1, abs=1e-5)
    assert result.dtype == np.float32
    assert not standardise(np.full((3, 3, 3), 9)).any()


def test_stretch_ignores_a_hot_pixel():
    array = np.linspace(0, 1, 10_000, dtype=np.float32).reshape(10, 1000)
    array[0, 0] = 1e6
    result = stretch(array)
    assert (result.min(), result.max()) == (0, 1)
    assert result.flat[5000] == pytest.approx(0.5, abs=0.01)
    assert stretch(array, 0, 100).flat[5000] < 1e-3
    assert not stretch(np.ones((4, 4))).any()


def test_bad_percentiles():
    with pytest.raises(ParameterError):
        stretch(np.ones((2, 2)), 99, 1)
    with pytest.raises(ParameterError):
        quantiles(np.ones((2, 2)), [1.5])


def test_scaled_leaves_its_input_alone():
    array = np.ones((2, 2), np.float32)
    assert (scaled(array, 1, 2) == 0).all()
    assert (array == 1).all()
