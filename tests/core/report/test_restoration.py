"""Spectra of phantoms with known spectra, and what the figures show."""
import numpy as np
import pytest

from cryoetseg.core.report.figures import new_figure
from cryoetseg.core.report.restoration import (
    central_section,
    draw_before_after,
    draw_radial,
    draw_sections,
    middle,
    radial_power,
    tilt_range_of,
)


@pytest.fixture
def noise():
    return np.random.default_rng(0).normal(size=(24, 32, 40)).astype(np.float32)


def test_middle_of_large_and_small_volumes(noise):
    assert middle(noise, 16).shape == (16, 16, 16)
    np.testing.assert_array_equal(middle(noise, 16), noise[4:20, 8:24, 12:28])
    assert middle(noise, 100).shape == noise.shape


def test_white_noise_has_flat_spectra_of_one(noise):
    assert radial_power(5 * noise + 3)[3:] == pytest.approx(np.ones(18), abs=0.25)
    section = central_section(noise)
    assert section.shape == (24, 40)
    assert abs(section[2:10].mean() - section[14:22].mean()) < 0.05


def test_a_wedge_shows_in_the_section(noise):
    kz, kx = np.fft.fftfreq(24)[:, None, None], np.fft.rfftfreq(40)
    cut = np.fft.irfftn(np.fft.rfftn(noise) * (np.abs(kz) <= np.tan(np.radians(60)) * np.abs(kx)), s=noise.shape)
    section = central_section(cut)
    assert section[20:, 19:22].mean() < section[12, 25:].mean() - 1


def test_figures(noise):
    volumes = {"before": noise, "after": 2 * noise + 1}
    figure = new_figure(6, 6)
    draw_before_after(figure, volumes, 10.0)
    shown = [axes.images[0].get_array() for axes in figure.axes]
    np.testing.assert_allclose(shown[0], shown[1], atol=1e-4)  # same contrast whatever the scale
    figure = new_figure(6, 3)
    draw_sections(figure, volumes, (-50.0, 60.0))
    assert [len(axes.lines) for axes in figure.axes] == [2, 2]
    figure = new_figure(4, 3)
    draw_radial(figure.subplots(), volumes, 10.0)
    assert [line.get_label() for line in figure.axes[0].lines] == ["before", "after"]
    assert float(figure.axes[0].lines[0].get_xdata()[-1]) == pytest.approx(0.05)


def test_tilt_range_where_a_job_has_one():
    assert tilt_range_of({"tilt_min": -50, "tilt_max": 60}) == (-50.0, 60.0)
    assert tilt_range_of({"tile_px": 96}) is None
