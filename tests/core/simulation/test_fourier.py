"""The fast path for subtomograms."""
import numpy as np
import pytest

from cryoetseg.core.runtime.errors import ParameterError
from cryoetseg.core.simulation.fourier import low_pass, simulate_subtomograms, touching_spheres, wedge
from cryoetseg.core.simulation.params import SubtomogramParameters

SMALL = {"particles": "tric, apoferritin", "count": 4, "size": 24, "max_shift": 4, "neighbours": 2}


def made(**values):
    return list(simulate_subtomograms(SubtomogramParameters(**{**SMALL, **values}), 1))


def test_shapes_types_and_classes_in_turn():
    items = made()
    assert [item.class_name for item in items] == ["tric", "apoferritin", "tric", "apoferritin"]
    for item in items:
        assert item.image.shape == item.mask.shape == (24, 24, 24)
        assert item.image.dtype == np.float32
        assert item.image.mean() == pytest.approx(0, abs=1e-5)
        assert item.image.std() == pytest.approx(1, abs=1e-4)
        assert not (item.target_mask & ~item.mask).any()
        assert item.mask.sum() >= item.target_mask.sum() > 0


@pytest.mark.parametrize("snr", [0.03, 0.05])
def test_snr(snr: float):
    assert [item.snr for item in made(snr=snr)] == pytest.approx([snr] * 4, rel=0.01)


def test_centre_is_where_the_target_is():
    for item in made(neighbours=0, max_shift=3):
        weights = item.density.astype(float)
        centre = [np.average(np.arange(24), weights=weights.sum(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
        assert np.allclose(centre, item.centre, atol=0.4)


def test_particles_are_bright_and_the_wedge_is_missing():
    item = made(snr=1e5, neighbours=0, particles="tric", count=1)[0]
    assert item.image[item.mask > 0].mean() > item.image[item.mask == 0].mean() + 0.5
    whole = made(snr=1e5, particles="tric", count=1, max_shift=0, size=32)[0]
    spectrum = np.abs(np.fft.rfftn(whole.image)) ** 2
    missing = wedge((32,) * 3, -60, 60) == 0
    assert spectrum[missing].sum() / spectrum.sum() < 1e-3


def test_number_i_does_not_depend_on_the_count():
    assert np.array_equal(made(count=2)[1].image, made(count=4)[1].image)
    assert not np.array_equal(made()[0].image, made()[2].image)


def test_wedge_share_and_asymmetry():
    full = wedge((40, 8, 40), -60, 60)
    kz, kx = np.fft.fftfreq(40)[:, None, None], np.fft.rfftfreq(40)
    disc = np.broadcast_to(np.hypot(kz, kx) < 0.5, full.shape)
    assert 1 - full[disc].mean() == pytest.approx(1 / 3, abs=0.02)
    one_sided = wedge((40, 8, 40), -20, 60)
    assert one_sided[10, 0, 8] == 1  # +51 degrees
    assert one_sided[-10, 0, 8] == 0


def test_low_pass_passes_half_of_nyquist():
    sphere = low_pass(32)
    assert sphere[0, 0, 7] == 1
    assert sphere[0, 0, 14] < 1e-3


def test_spheres_touch_without_overlap():
    radii = [90.0, 60.0, 150.0, 40.0, 80.0]
    centres = touching_spheres(radii, np.random.default_rng(3))
    gaps = [np.linalg.norm(centres[i] - centres[j]) - radii[i] - radii[j] for i in range(5) for j in range(i)]
    assert min(gaps) > -1e-6
    for number in range(1, 5):
        nearest = min(np.linalg.norm(centres[number] - centres[j]) - radii[number] - radii[j] for j in range(number))
        assert nearest == pytest.approx(0, abs=1e-6)


def test_nothing_selected():
    with pytest.raises(ParameterError, match="no macromolecule"):
        made(particles="none")
