"""Written scenes: what is in them agrees with what was drawn, and what is there is not made again."""

import numpy as np

from cryoetseg.core.recipes.general.draw import draw_scene
from cryoetseg.core.recipes.general.scenes import FILAMENT, FOREIGN, MEMBRANE, MEMBRANE_BOUND, TracedMembranes, simulated, write_scenes
from cryoetseg.core.volumes.io import write_volume


def test_a_scene_holds_what_its_kind_says(scenes):
    kinds = {scene.record["kind"] for scene in scenes}
    assert {"cell", "no membranes"} <= kinds
    for scene in scenes:
        assert scene.volume.shape == scene.classes.shape
        assert set(np.unique(scene.classes)) <= {0, MEMBRANE, FILAMENT, FOREIGN}
        if scene.record["kind"] != "cell":
            assert not (scene.classes == MEMBRANE).any()
        if scene.record["kind"] in ("noise", "empty ice"):
            assert len(scene.particles) == 0
    assert any((scene.classes == MEMBRANE).any() for scene in scenes)


def test_particles_are_bright_and_their_diameters_those_of_their_mass(scenes):
    clear = max((scene for scene in scenes if len(scene.particles) >= 5), key=lambda scene: scene.record["snr"])
    zyx = np.rint(clear.particles.zyx).astype(int).clip(0, np.array(clear.volume.shape) - 1)
    assert np.median(clear.volume[tuple(zyx.T)]) > np.median(clear.volume) + 0.3
    assert ((clear.particles.diameters > 40) & (clear.particles.diameters < 700)).all()
    assert set(clear.particles.class_id) <= {1, MEMBRANE_BOUND}


def test_what_is_there_is_kept_and_what_is_missing_is_made_as_it_was(scene_paths):
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in scene_paths[:2]}
    scene_paths[1].unlink()
    write_scenes(scene_paths[0].parent, 2, 3, side=48)
    assert scene_paths[0].stat().st_mtime_ns == before[scene_paths[0]][0]
    assert scene_paths[1].read_bytes() == before[scene_paths[1]][1]


def test_real_shapes_are_placed_in_the_scenes_that_draw_them(tmp_path):
    draws = (draw_scene(number, 1, 48) for number in range(200))
    draw = next(draw for draw in draws if draw.traced_membranes and draw.parameters.voxel_size >= 15)
    bare = draw._replace(parameters=draw.parameters.model_copy(update={
        "particles": "none", "vesicle_count": 0, "ellipsoid_count": 0, "tube_count": 0, "torus_count": 0, "sheet_count": 0,
        "contamination_count": 0, "carbon_edge": False, "gold_count": 0, "actin_count": 0, "microtubule_count": 0, "tilt_step": 10.0,
        "unresolved_density": 0.0, "field_share": 1.0, "sample_thickness": 0.0}), random_molecules=())
    labels = np.zeros((60, 120, 120), np.int8)
    labels[:, :, ::20] = 1
    write_volume(tmp_path / "labels.mrc", labels, 15.0)
    without, _ = simulated(bare, 1)
    placed, _ = simulated(bare, 1, TracedMembranes((tmp_path / "labels.mrc",), (15.0,)))
    assert not without.membrane_mask.any()
    assert placed.membrane_mask.any()
