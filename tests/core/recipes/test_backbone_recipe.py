from pathlib import Path

import numpy as np
import pytest

from cryoetseg.core.recipes.backbone import VOXEL_SIZES, SceneParameters, draw_scene, write_scenes
from cryoetseg.core.runtime.errors import ParameterError
from cryoetseg.core.runtime.params import parameters_from

SCENES = SceneParameters()


@pytest.fixture(scope="module")
def drawn():
    return [draw_scene(number, SCENES, 7) for number in range(60)]


def test_draws_repeat_with_the_seed_and_differ_between_scenes_and_seeds(drawn):
    assert [draw_scene(number, SCENES, 7) for number in range(60)] == drawn
    assert draw_scene(3, SCENES, 8) != drawn[3]
    assert len({scene.snr for scene in drawn}) == len(drawn)


def test_a_scene_does_not_depend_on_how_many_there_are(drawn):
    assert draw_scene(5, SCENES.model_copy(update={"scenes": 6}), 7) == drawn[5]


def test_draws_stay_inside_their_bounds(drawn):
    for scene in drawn:
        assert 0.03 <= scene.snr <= 1.0
        assert 0.03 <= scene.occupancy <= 0.18
        assert 0 <= scene.unresolved_density <= 0.12
        assert 0.5 <= scene.membrane_amplitude <= 1.6
        assert 100 <= scene.b_factor <= 800
        assert (scene.size_z, scene.size_y, scene.size_x) == (40, 192, 192)
    assert min(scene.snr for scene in drawn) < 0.06
    assert max(scene.snr for scene in drawn) > 0.5


def test_every_voxel_size_occurs_and_larger_fields_hold_more_vesicles(drawn):
    assert {scene.voxel_size for scene in drawn} == set(VOXEL_SIZES)
    vesicles = {size: np.mean([scene.vesicle_count for scene in drawn if scene.voxel_size == size]) for size in (5.0, 31.4)}
    assert vesicles[31.4] > 4 * vesicles[5.0]


@pytest.mark.parametrize(("weighting", "other"), [("crowther", "ramp"), ("ramp", "crowther")])
def test_a_third_of_the_scenes_takes_the_other_weighting(weighting, other):
    scenes = [draw_scene(number, SCENES.model_copy(update={"weighting": weighting}), 7) for number in range(300)]
    share = np.mean([scene.weighting == other for scene in scenes])
    assert 0.25 < share < 0.42


def test_scenes_that_are_there_are_not_simulated_again(tmp_path):
    for number in range(3):
        for name in (f"scene_{number:03d}.mrc", f"scene_{number:03d}_grand_model.mrc"):
            (tmp_path / name).write_bytes(b"kept")
    inputs = write_scenes(tmp_path, SCENES.model_copy(update={"scenes": 3}), 0)
    assert [item.role for item in inputs] == ["tomogram", "grand_model"] * 3
    assert [item.tilt_series_id for item in inputs] == ["scene_000", "scene_000", "scene_001", "scene_001", "scene_002", "scene_002"]
    assert [item.voxel_size for item in inputs[::2]] == list(VOXEL_SIZES[:3])
    assert all(Path(item.path).read_bytes() == b"kept" for item in inputs)


@pytest.mark.parametrize("values", [{"scenes": 1}, {"size_xy": 64}, {"snr_min": 0.0}, {"weighting": "none"}])
def test_bad_parameters_are_refused(values):
    with pytest.raises(ParameterError, match=next(iter(values))):
        parameters_from(SceneParameters, values)
