import numpy as np
import pytest

from cryoetseg.core.foundation.training_data import Pair, TileChoice, cut_tile, draw_tile, open_pairs, split
from cryoetseg.core.foundation.training_params import TrainBackboneParameters
from cryoetseg.core.runtime.errors import InputError
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.volumes.io import write_volume

PARAMETERS = TrainBackboneParameters(channels="32", slices=3, tile_px=32)
LIMITS = np.tile(np.array([-2.0, 2.0], np.float32), (6, 1))


def pair(density=True, shape=(6, 40, 44)):
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 1, shape).astype(np.float32) if density else None
    return Pair("a", rng.uniform(-2, 2, shape).astype(np.float32), truth, LIMITS)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("mirror_y", "mirror_x"), [(False, False), (True, False), (False, True), (True, True)])
def test_tiles_are_cut_mirrored_and_inverted_exactly(mirror_y, mirror_x, sign):
    source = pair()
    picture, target = cut_tile(source, TileChoice(2, 5, 7, mirror_y, mirror_x, sign), PARAMETERS)
    grey, density = source.tomogram[2:5, 5:37, 7:39] / 2, 2 * (source.density[2:5, 5:37, 7:39] - 0.15)
    axes = [axis for axis, mirrored in ((1, mirror_y), (2, mirror_x)) if mirrored]
    np.testing.assert_allclose(picture, sign * np.flip(grey, axes), atol=1e-6)
    np.testing.assert_allclose(target, sign * np.flip(density, axes), atol=1e-6)
    assert picture.dtype == target.dtype == np.float32
    assert picture.flags["C_CONTIGUOUS"]


def test_without_density_the_picture_is_the_target():
    picture, target = cut_tile(pair(density=False), TileChoice(0, 0, 0, True, False, -1), PARAMETERS)
    np.testing.assert_array_equal(picture, target)


def test_grey_values_beyond_the_limits_are_clipped():
    source = pair()
    source.tomogram[1, 3, 3] = 100
    picture, _ = cut_tile(source, TileChoice(0, 0, 0, False, False, 1), PARAMETERS)
    assert picture[1, 3, 3] == 1


def test_draws_reach_every_place_both_mirrors_and_signs_and_repeat_with_the_seed():
    def draws():
        generator = np.random.default_rng(3)
        return [draw_tile(pair(), PARAMETERS, generator) for _ in range(300)]

    drawn = draws()
    assert drawn == draws()
    assert {choice.z for choice in drawn} == {0, 1, 2, 3}
    assert {choice.y for choice in drawn} == set(range(9))
    assert {choice.x for choice in drawn} == set(range(13))
    assert len({(choice.mirror_y, choice.mirror_x, choice.sign) for choice in drawn}) == 8


def test_contrast_stays_when_no_flip_is_asked():
    parameters = PARAMETERS.model_copy(update={"contrast_flip": 0.0})
    generator = np.random.default_rng(0)
    assert {draw_tile(pair(), parameters, generator).sign for _ in range(30)} == {1}


@pytest.mark.parametrize("shape", [(2, 40, 40), (6, 31, 40), (6, 40, 31)])
def test_a_tile_larger_than_the_tomogram_is_refused(shape):
    with pytest.raises(InputError, match="smaller tiles"):
        draw_tile(pair(shape=shape), PARAMETERS, np.random.default_rng(0))


def write_inputs(folder, density_shape=(4, 8, 9)):
    rng = np.random.default_rng(0)
    inputs, volumes = [], []
    for name in ("a", "b"):
        volumes.append(rng.normal(size=(4, 8, 9)).astype(np.float32))
        write_volume(folder / f"{name}.mrc", volumes[-1], 10.0)
        inputs.append(InputFile(path=str(folder / f"{name}.mrc"), tilt_series_id=name, contrast="dark"))
    density = rng.uniform(0, 1, density_shape).astype(np.float32)
    write_volume(folder / "density.mrc", density, 10.0)
    inputs.append(InputFile(path=str(folder / "density.mrc"), role="grand_model", tilt_series_id="b"))
    return inputs, volumes, density


def job(inputs, folder):
    return Job(method="train-backbone", inputs=inputs, output_folder=str(folder))


def test_densities_go_to_the_tomogram_of_their_tilt_series_and_contrast_is_turned(tmp_path):
    inputs, volumes, density = write_inputs(tmp_path)
    first, second = open_pairs(job(inputs, tmp_path))
    assert first.density is None
    np.testing.assert_array_equal(second.density, density)
    np.testing.assert_array_equal(first.tomogram, -volumes[0])
    np.testing.assert_allclose(first.limits[2], np.percentile(-volumes[0][2], (0.5, 99.5)), rtol=1e-5)


def test_a_density_of_another_shape_is_refused(tmp_path):
    inputs, _, _ = write_inputs(tmp_path, (4, 8, 8))
    with pytest.raises(InputError, match=r"density\.mrc.*\(4, 8, 8\)"):
        open_pairs(job(inputs, tmp_path))


def test_one_tomogram_is_too_few(tmp_path):
    inputs, _, _ = write_inputs(tmp_path)
    with pytest.raises(InputError, match="at least two"):
        open_pairs(job(inputs[:1], tmp_path))


@pytest.mark.parametrize(("count", "held_out", "validation"), [(2, 0.1, 1), (10, 0.3, 3), (2, 0.9, 1)])
def test_the_last_tomograms_are_held_out_and_some_remain(count, held_out, validation):
    pairs = [pair() for _ in range(count)]
    training, held = split(pairs, held_out)
    assert len(held) == validation
    assert all(one is other for one, other in zip([*training, *held], pairs))
    assert len(training) == count - validation
