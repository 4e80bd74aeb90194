"""Training tasks of the general models: items, losses, and what training on a few scenes reaches."""

import numpy as np
import pytest
import torch

from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.recipes.general.membranes import (
    UNKNOWN,
    GeneralMembraneTask,
    PreparedScene,
    clipped,
    known_classes,
    prepared,
    structure_loss,
    teaching,
)
from cryoetseg.core.recipes.general.params import GeneralMembranesParameters, GeneralParticlesParameters
from cryoetseg.core.recipes.general.particles import GeneralParticleTask, at_scales
from cryoetseg.core.recipes.general.scenes import FOREIGN, MEMBRANE
from cryoetseg.core.training.engine import train


def logits_of(labels, sure=8.0):
    return sure * torch.nn.functional.one_hot(labels, 2).movedim(-1, 1).float()


def test_the_loss_of_a_right_answer_is_nothing_and_a_missed_membrane_costs():
    labels = torch.zeros((2, 8, 8), dtype=torch.long)
    labels[0, 2:4] = 1
    assert float(structure_loss(logits_of(labels, sure=30.0), labels)) == pytest.approx(0, abs=1e-3)
    assert float(structure_loss(logits_of(torch.zeros_like(labels)), labels)) > 0.5


def test_a_batch_without_membranes_has_no_dice_to_lose_and_still_punishes_false_ones():
    labels = torch.zeros((1, 8, 8), dtype=torch.long)
    false = labels.clone()
    false[0, 0, 0] = 1
    small, large = float(structure_loss(logits_of(labels), labels)), float(structure_loss(logits_of(false), labels))
    assert small < 1e-3
    assert 0.05 < large < 0.2  # one voxel of 64, not half of the loss


def test_gradients_raise_the_true_class_and_unknown_places_have_none():
    labels = torch.zeros((1, 4, 4), dtype=torch.long)
    labels[0, 1, 1], labels[0, 3] = 1, UNKNOWN
    logits = torch.zeros((1, 2, 4, 4), requires_grad=True)
    structure_loss(logits, labels).backward()
    assert logits.grad[0, 1, 1, 1] < 0 < logits.grad[0, 1, 0, 0]
    assert logits.grad[0, 0, 1, 1] > 0 > logits.grad[0, 0, 0, 0]
    assert not logits.grad[0, :, 3].any()


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
    clear = scenes[0]._replace(voxel_size=10.0, record={**scenes[0].record, "snr": 0.2})
    faint = clear._replace(record={**clear.record, "snr": 0.04})
    fine, coarse = clear._replace(voxel_size=6.5), clear._replace(voxel_size=31.4)
    assert list(map(id, teaching([clear, faint, fine, coarse]))) == [id(clear), id(coarse), id(coarse)]


def test_foreign_bodies_are_background_and_gold_is_clipped(scenes):
    scene = max(scenes, key=lambda item: (item.classes == FOREIGN).sum())
    assert (scene.classes == FOREIGN).any()
    ready = prepared(scene, 1.0)
    assert not ready.classes[scene.classes == FOREIGN].any()
    hot = np.random.default_rng(0).standard_normal((8, 8, 8)).astype(np.float32)
    hot[0, 0, 0] = 1e6
    assert clipped(hot).max() < 8


def test_membranes_are_learned_from_clear_scenes(tmp_path):
    rng = np.random.default_rng(0)
    scenes = []
    for _ in range(4):
        classes = np.zeros((16, 64, 64), np.int8)
        column = int(rng.integers(10, 54))
        classes[:, :, column:column + 3] = 1
        volume = (2.0 * classes + 0.5 * rng.standard_normal(classes.shape)).astype(np.float16)
        scenes.append(PreparedScene(volume, classes, np.argwhere(classes > 0).astype(np.int16)))
    parameters = GeneralMembranesParameters(iterations=40, batch_size=4, crop_px=32, validation_interval=40, checkpoint_interval=0,
                                            learning_rate=5e-3, ema_decay=0.8)
    task = GeneralMembraneTask(scenes[:3], scenes[3:], parameters, 0)
    outcome = train(task, parameters, tmp_path, 0, "cpu")
    assert outcome.best_value > 0.8


def test_particles_are_cut_at_every_scale_at_which_they_can_be_sought(scenes):
    fine = next(scene for scene in scenes if scene.voxel_size == 10.0)
    scales = at_scales(fine)
    assert [part.volume.shape[2] for part in scales] == [48, 24, 12]
    point, coarse = scales[0].zyx, scales[1].zyx
    np.testing.assert_allclose((point + 0.5) / 2 - 0.5, coarse)
    np.testing.assert_allclose(scales[0].diameters, 2 * scales[1].diameters)


def test_a_particle_crop_is_around_a_particle_and_a_short_training_lowers_the_loss(scenes, tmp_path):
    parts = [part for scene in scenes for part in at_scales(scene) if len(part.sought) and min(part.volume.shape) >= 12]
    parameters = GeneralParticlesParameters(iterations=25, batch_size=2, crop_px=48, particle_crops=1.0, validation_interval=25,
                                            checkpoint_interval=0, log_interval=5, precision="float32")
    task = GeneralParticleTask(parts, parts[:2], parameters, 0)
    found = [task.item(index, np.random.default_rng(index))["centre"].sum() for index in range(20)]
    assert np.mean(np.array(found) > 0) > 0.7
    outcome = train(task, parameters, tmp_path, 0, "cpu")
    losses = [row["loss"] for row in outcome.rows if "loss" in row]
    assert losses[-1] < 0.7 * losses[0]
