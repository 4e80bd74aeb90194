import numpy as np
import pytest
from scipy import ndimage

from cryoetseg.core.foundation.frames import Window
from cryoetseg.core.foundation.projection import fit_projection, token_intensity

WEIGHTS = np.array([0.7, -2.0, 0.0, 1.1])


@pytest.fixture
def maps():
    rng = np.random.default_rng(0)
    return ndimage.gaussian_filter(rng.normal(size=(4, 32, 32)), (0, 2, 2))


def as_tokens(maps):
    return maps.reshape(len(maps), -1).T


def test_a_known_linear_combination_is_recovered(maps):
    projection = fit_projection(as_tokens(maps), as_tokens(maps) @ WEIGHTS + 0.4)
    np.testing.assert_allclose(projection.weights, WEIGHTS, atol=1e-5)
    assert projection.constant == pytest.approx(0.4, abs=1e-6)
    assert projection.shares.sum() == pytest.approx(1)
    assert projection.shares.argmax() == 1
    assert projection.shares[2] < 1e-6


def test_sign_and_scale_of_eigenvectors_do_not_change_the_canvas(maps):
    grey = as_tokens(maps) @ WEIGHTS + np.random.default_rng(1).normal(size=32 * 32) * 0.05
    changed = maps * np.array([-3.0, 0.01, 5.0, -1.0])[:, None, None]
    one, other = (fit_projection(as_tokens(some), grey).canvas(some) for some in (maps, changed))
    np.testing.assert_allclose(one, other, atol=1e-2)


def test_what_is_bright_in_the_picture_is_dark_on_the_canvas_and_near_one_in_the_structure(maps):
    body = np.zeros((32, 32))
    body[10:20, 12:22] = 1
    with_body = np.concatenate([maps * 0.1, -body[None]])  # its eigenvector came out with the wrong sign
    projection = fit_projection(as_tokens(with_body), body.ravel())
    canvas, structure = projection.canvas(with_body), projection.structure(with_body)
    assert canvas[body > 0].max() < 5
    assert canvas[body == 0].min() > 250
    np.testing.assert_allclose(structure, body, atol=0.02)
    dark = projection.dark(with_body)[-1]
    assert dark[body > 0].max() < dark[body == 0].min()


def test_canvas_stays_in_its_range_where_the_structure_does_not(maps):
    projection = fit_projection(as_tokens(maps), as_tokens(maps) @ WEIGHTS)
    structure, canvas = projection.structure(maps * 3), projection.canvas(maps * 3)
    assert structure.min() < -0.2
    assert structure.max() > 1.2
    assert canvas.min() == 0
    assert canvas.max() == 255


def test_a_flat_picture_gives_numbers(maps):
    assert np.isfinite(fit_projection(as_tokens(maps), np.zeros(32 * 32)).canvas(maps)).all()


def test_the_record_lists_every_eigenimage_once_heaviest_first(maps):
    projection = fit_projection(as_tokens(maps), as_tokens(maps) @ WEIGHTS)
    images = (255 * (maps - maps.min()) / np.ptp(maps)).astype(np.float32)
    record = projection.record(images)
    listed = [record["base"], *(entry["eigenimage"] for entry in record["rounds"])]
    assert listed[0] == 1
    assert sorted(listed) == [0, 1, 2, 3]
    weights = [record["weights"][index] for index in listed]
    assert weights == sorted(weights, reverse=True)
    assert [entry["weight"] for entry in record["rounds"]] == weights[1:]
    assert len(record["contours"]) == len(record["diversities"]) == 4


def test_tokens_get_the_grey_value_at_their_centres():
    ramp = np.add.outer(np.arange(60.0), 100 * np.arange(80.0)).astype(np.float32)
    window = Window(0, 0, 16.0, 24.0, 32.0, 32.0)  # 16 tokens of 2 x 2 voxels
    values = token_intensity(ramp, window, 16)
    assert values.shape == (16, 16)
    np.testing.assert_allclose(values[0, 0], 16.5 + 100 * 24.5, rtol=1e-5)
    np.testing.assert_allclose(values[15, 2], 46.5 + 100 * 28.5, rtol=1e-5)
