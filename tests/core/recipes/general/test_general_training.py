"""Training tasks of the general models: items, losses, and what training on a few scenes reaches."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.recipes.general.crops import Window
from cryoetseg.core.recipes.general.membranes import (
    AS_IT_IS,
    UNKNOWN,
    GeneralMembraneTask,
    PreparedScene,
    clipped,
    known_classes,
    labels_of,
    prepared,
    sized,
    structure_loss,
    teaching,
)
from cryoetseg.core.recipes.general.params import GeneralMembranesParameters, GeneralParticlesParameters
from cryoetseg.core.recipes.general.particles import GeneralParticleTask, ParticleScene, at_scales
from cryoetseg.core.recipes.general.scenes import FILAMENT, FOREIGN, MEMBRANE
from cryoetseg.core.students.membranes.network import build_volume_network
from cryoetseg.core.training.engine import train


def cube(kind=0):
    labels = torch.zeros((1, 1, 8, 8, 8), dtype=torch.long)
    labels[0, 0, 2:4] = kind
    return labels


def logits_of(labels, sure=30.0):
    """The right answer of both outputs."""
    return torch.cat([torch.where(labels == kind, sure, -sure) for kind in (MEMBRANE, FILAMENT)], dim=1)


@pytest.mark.parametrize(("kind", "least"), [(MEMBRANE, 0.5), (FILAMENT, 0.2)])
def test_the_loss_of_a_right_answer_is_nothing_and_what_is_missed_costs(kind, least):
    assert float(structure_loss(logits_of(cube(kind)), cube(kind))) == pytest.approx(0, abs=1e-3)
    assert float(structure_loss(logits_of(cube()), cube(kind))) > least


def test_a_membrane_is_no_filament():
    assert float(structure_loss(logits_of(cube(FILAMENT)), cube(MEMBRANE))) > 0.5


def test_a_batch_without_membranes_has_no_dice_to_lose_and_still_punishes_false_ones():
    false = cube()
    false[0, 0, 0, 0, 0] = MEMBRANE
    assert float(structure_loss(logits_of(cube(), 8.0), cube())) < 1e-3
    assert 0.005 < float(structure_loss(logits_of(false, 8.0), cube())) < 0.1  # one voxel of 512, not half of the loss


def test_gradients_raise_the_true_output_and_unknown_places_have_none():
    labels = cube()
    labels[0, 0, 0, 1, 1], labels[0, 0, 5], labels[0, 0, 1, 1, 1] = MEMBRANE, UNKNOWN, FILAMENT
    logits = torch.zeros((1, 2, 8, 8, 8), requires_grad=True)
    structure_loss(logits, labels).backward()
    gradient = logits.grad[0]
    assert gradient[0, 0, 1, 1] < 0 < gradient[1, 0, 1, 1]
    assert gradient[1, 1, 1, 1] < 0 < gradient[0, 1, 1, 1]
    assert gradient[0, 0, 0, 0] > 0
    assert not gradient[:, 5].any()


def test_shells_are_unknown_where_they_look_like_vesicles_but_membranes_stay(scenes):
    scene = next(item for item in scenes if (item.classes == MEMBRANE).any())
    middle = np.argwhere(scene.classes == MEMBRANE)[0].astype(float)
    wide = ParticleTable.from_points([middle], voxel_size=scene.voxel_size, diameters=[500.0])
    shelled = known_classes(scene._replace(particles=wide))
    narrow = known_classes(scene._replace(particles=ParticleTable.from_points([middle], voxel_size=scene.voxel_size, diameters=[300.0])))
    assert (shelled == UNKNOWN).any()
    assert not (narrow == UNKNOWN).any()
    assert (shelled[scene.classes == MEMBRANE] == MEMBRANE).all()
    far = np.linalg.norm((np.argwhere(shelled == UNKNOWN) - middle) * scene.voxel_size, axis=1)
    assert far.max() <= 300


def test_scenes_in_which_membranes_cannot_be_seen_do_not_teach_them(scenes):
    clear = scenes[0]._replace(record={**scenes[0].record, "snr": 0.2})
    faint = clear._replace(record={**clear.record, "snr": 0.04})
    assert list(map(id, teaching([clear, faint]))) == [id(clear)]


def test_foreign_bodies_are_background_and_gold_is_clipped(scenes):
    scene = max(scenes, key=lambda item: (item.classes == FOREIGN).sum())._replace(voxel_size=10.0)
    ready = prepared(scene, 0)
    assert not ready.classes[scene.classes == FOREIGN].any()
    assert len(ready.foreign)
    hot = np.random.default_rng(0).standard_normal((8, 8, 8)).astype(np.float32)
    hot[0, 0, 0] = 1e6
    assert clipped(hot).max() < 8


def test_fine_scenes_are_brought_to_voxels_at_which_the_network_works(scenes):
    fine = prepared(scenes[0]._replace(voxel_size=5.0), 3)
    assert 10 <= fine.voxel_size <= 14
    assert fine.volume.shape == fine.classes.shape
    np.testing.assert_allclose(fine.volume.shape, np.array(scenes[0].volume.shape) * 5.0 / fine.voxel_size, atol=0.51)
    assert float(fine.volume.astype(np.float32).std()) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("voxel_size", [10.0, 16.0, 31.4])
def test_crops_have_voxels_of_the_working_sizes_and_half_of_them_their_own(voxel_size):
    rng = np.random.default_rng(0)
    sizes = np.array([voxel_size / sized(AS_IT_IS, voxel_size, rng).scale for _ in range(400)])
    assert sizes.min() >= 9 - 1e-9
    assert sizes.max() <= 22
    assert np.mean(sizes == voxel_size) == pytest.approx(0.5 if voxel_size < 22 else 0, abs=0.08)


def test_borders_of_resampled_membranes_have_no_steps():
    classes = np.zeros((24, 24, 24), np.int8)
    classes[:, 8:12], classes[:, 0] = MEMBRANE, UNKNOWN
    scene = PreparedScene(classes.astype(np.float16), classes, *[np.zeros((0, 3))] * 3, 20.0)
    window = Window(np.array([11.5, 11.5, 11.5]), (32, 48, 32))
    labels = labels_of(scene, window, replace(AS_IT_IS, scale=2.0))
    assert (labels[:, 16:24] == MEMBRANE).all()
    assert (labels == MEMBRANE).sum() == 8 * 32 * 32
    assert (labels == UNKNOWN).any()


def test_membranes_are_learned_from_clear_scenes(tmp_path):
    rng = np.random.default_rng(0)
    scenes = []
    for _ in range(4):
        classes = np.zeros((32, 48, 48), np.int8)
        column = int(rng.integers(10, 38))
        classes[:, :, column:column + 3] = MEMBRANE
        volume = (2.0 * classes + 0.5 * rng.standard_normal(classes.shape)).astype(np.float16)
        scenes.append(PreparedScene(volume, classes, np.argwhere(classes > 0).astype(np.int16), np.zeros((0, 3)),
                                    np.zeros((0, 3)), 16.0))
    parameters = GeneralMembranesParameters(iterations=60, batch_size=2, crop_px=32, validation_interval=60, checkpoint_interval=0,
                                            learning_rate=5e-3, ema_decay=0.8)
    task = GeneralMembraneTask(scenes[:3], scenes[3:], parameters, 0)
    outcome = train(task, parameters, tmp_path, 0, "cpu")
    assert outcome.best_value > 0.8


def test_crops_are_around_membranes_and_around_what_could_be_taken_for_them():
    classes = np.zeros((64, 200, 200), np.int8)
    places = [np.array([[32, y, x]]) for y, x in ((20, 20), (180, 180), (20, 180))]
    scene = PreparedScene(np.zeros(classes.shape, np.float16), classes, *places, 12.0)
    task = GeneralMembraneTask([scene], [], GeneralMembranesParameters(structure_crops=0.5), 0)
    rng = np.random.default_rng(0)
    middles = np.array([task._middle(scene, AS_IT_IS, rng) for _ in range(800)])
    for place, share in zip(places, (0.5, 0.3, 0.1)):
        assert np.mean(np.abs(middles - place).max(axis=1) <= 20) == pytest.approx(share, abs=0.06)


def test_particles_are_cut_at_every_scale_at_which_they_can_be_sought(scenes):
    fine = next(scene for scene in scenes if scene.voxel_size == 10.0)
    scales = at_scales(fine)
    assert [part.volume.shape[2] for part in scales] == [48, 24, 12]
    point, coarse = scales[0].zyx, scales[1].zyx
    np.testing.assert_allclose((point + 0.5) / 2 - 0.5, coarse)
    np.testing.assert_allclose(scales[0].diameters, 2 * scales[1].diameters)


def test_half_of_the_crops_without_a_particle_lie_around_what_could_be_taken_for_one():
    """Bright points mark where crops may be centred: a particle, two kinds of decoys."""
    volume = np.zeros((200, 200, 200), np.float16)
    places = np.array([[40, 40, 40], [40, 160, 160], [160, 160, 40]])
    volume[tuple(places.T)] = [1, 2, 3]
    scene = ParticleScene(volume, places[:1].astype(float), np.array([10.0]), np.zeros(1, np.float32), np.array([0]),
                          (places[1:2], places[2:]))
    task = GeneralParticleTask([scene], [scene], GeneralParticlesParameters(particle_crops=0.4, crop_px=48), 0)
    middles = np.array([task._middle(scene, np.random.default_rng(seed)) for seed in range(600)])
    near = (np.abs(middles[:, None] - places).max(axis=2) <= 0.4 * 48).mean(axis=0)
    assert near == pytest.approx([0.4, 0.15, 0.15], abs=0.06)


def test_scenes_keep_where_membranes_filaments_and_foreign_bodies_are(scenes):
    scene = scenes[0]._replace(voxel_size=10.0, classes=np.zeros_like(scenes[0].classes))
    scene.classes[4:8, 4:8, 4:8], scene.classes[12:14, 2:4, 2:4] = MEMBRANE, FOREIGN
    native, halved, _ = at_scales(scene)
    assert [len(kind) for kind in native.decoys] == [64, 8]
    assert native.decoys[1].min(axis=0).tolist() == [12, 2, 2]
    assert halved.decoys[1].max(axis=0).tolist() == [6, 1, 1]


def test_the_picker_starts_from_all_of_the_membrane_network_but_its_answer(scenes):
    trunk = build_volume_network()
    task = GeneralParticleTask(at_scales(scenes[0]), [], GeneralParticlesParameters(), 0, trunk)
    own, fresh = task.networks["centres"].state_dict(), GeneralParticleTask([], [], GeneralParticlesParameters(), 0).networks["centres"]
    given = trunk.state_dict()
    assert all(torch.equal(value, given[name]) for name, value in own.items() if not name.startswith("head."))
    assert torch.equal(own["head.weight"], fresh.state_dict()["head.weight"])
    assert not torch.equal(own["stem.weight"], fresh.state_dict()["stem.weight"])


def test_a_particle_crop_is_around_a_particle_and_a_short_training_lowers_the_loss(scenes, tmp_path, monkeypatch):
    monkeypatch.setattr("cryoetseg.core.recipes.general.particles.VALIDATION_CROPS", 4)
    parts = [part for scene in scenes for part in at_scales(scene) if len(part.sought) and min(part.volume.shape) >= 12]
    parameters = GeneralParticlesParameters(iterations=25, batch_size=2, crop_px=48, particle_crops=1.0, validation_interval=25,
                                            checkpoint_interval=0, log_interval=5, precision="float32")
    task = GeneralParticleTask(parts, parts[:2], parameters, 0)
    found = [task.item(index, np.random.default_rng(index))["centre"].sum() for index in range(20)]
    assert np.mean(np.array(found) > 0) > 0.7
    outcome = train(task, parameters, tmp_path, 0, "cpu")
    losses = [row["loss"] for row in outcome.rows if "loss" in row]
    assert losses[-1] < 0.7 * losses[0]
