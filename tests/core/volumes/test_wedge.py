"""Geometry of the missing wedge against the slow definition by angles."""
import numpy as np
import pytest

from cryoetseg.core.runtime.errors import ParameterError
from cryoetseg.core.volumes.wedge import measured_plane, missing_energy


@pytest.mark.parametrize(("low", "high"), [(-60, 60), (-50, 70), (-30, 10)])
def test_measured_coefficients_are_those_between_the_tilts(low, high):
    plane = measured_plane(64, 64, low, high)
    kz, kx = np.fft.fftfreq(64), np.fft.rfftfreq(64)
    for z in (0, 3, 17, -5, -30):
        for x in (1, 4, 20):
            angle = np.degrees(np.arctan2(kz[z], kx[x]))
            assert plane[z, x] == (low <= angle <= high), (angle, low, high)
    assert plane[0, 0] == 1


def test_a_third_is_missing_at_60_degrees():
    plane = measured_plane(256, 256, -60, 60)
    radius = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.rfftfreq(256))
    assert 1 - plane[radius <= 0.5].mean() == pytest.approx(1 / 3, abs=0.01)


def test_two_wedges_at_a_right_angle_are_disjoint():
    plane = measured_plane(64, 64, -60, 60)
    full = np.concatenate([plane, np.roll(plane[::-1], 1, axis=0)[:, -2:0:-1]], axis=1)
    assert not ((full == 0) & (full.T == 0)).any()


def test_the_soft_edge_lies_inside_the_wedge():
    hard, soft = measured_plane(64, 64, -60, 60), measured_plane(64, 64, -60, 60, softness_px=3.0)
    assert (soft[hard == 1] == 1).all()
    assert 0 < soft[hard == 0].mean() < 0.5
    assert (soft == 0).any()


def test_energy_inside_the_wedge():
    noise = np.random.default_rng(0).normal(size=(32, 24, 40)).astype(np.float32)
    assert missing_energy(noise, -60, 60) == pytest.approx(1.0, abs=0.1)
    plane = measured_plane(32, 40, -60, 60)
    cut = np.fft.irfft2(np.fft.rfft2(noise, axes=(0, 2)) * plane[:, None], s=(32, 40), axes=(0, 2))
    assert missing_energy(cut, -60, 60) < 1e-6


@pytest.mark.parametrize(("low", "high"), [(0, 0), (-90, 90), (60, -60), (-100, 20)])
def test_impossible_tilt_ranges(low, high):
    with pytest.raises(ParameterError, match="tilt range"):
        measured_plane(8, 8, low, high)
