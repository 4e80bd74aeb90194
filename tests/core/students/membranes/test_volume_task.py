"""Networks that see volumes: applied tile by tile, and gone on with from a few labelled slices."""
import numpy as np
import pytest
import torch

from cryoetseg.core.models.card import ModelCard
from cryoetseg.core.models.membrane_unet3d import FILAMENT_OUTPUT, MEMBRANE_OUTPUT, OUTPUTS
from cryoetseg.core.students.membranes.apply import segment_membranes, volume_function
from cryoetseg.core.students.membranes.data import open_labelled
from cryoetseg.core.students.membranes.network import METHOD, VOLUME_NETWORK, MembraneModel, build_volume_network
from cryoetseg.core.students.membranes.params import SegmentMembranesParameters, TrainMembranesParameters
from cryoetseg.core.students.membranes.train import train_membranes
from cryoetseg.core.students.membranes.volume_task import DEPTH, VolumeMembraneTask, at_working_size
from cryoetseg.core.students.volumes import volume_from_array
from cryoetseg.core.training.task import Step

from .conftest import QUICK, VOXEL_SIZE, sheet, training_volume

ALL = SegmentMembranesParameters(smallest_component=0)


class Bright(torch.nn.Module):
    """A stub network: a voxel is membrane by how bright it is; a weight lets it learn."""

    def __init__(self):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.tensor(4.0))

    def forward(self, volumes):
        return torch.cat([self.factor * (volumes - 0.5), -volumes], dim=1)


def volumetric(network, sizes=(VOXEL_SIZE,)):
    card = ModelCard(method=METHOD, network=VOLUME_NETWORK, voxel_size=sizes[0], normalisation="volume",
                     network_parameters={"inputs": 1, "working_sizes": list(sizes)})
    return MembraneModel(network, card)


def test_the_membranes_output_is_taken_and_tiles_leave_no_seams():
    grey, _ = sheet(0, (20, 96, 96))
    tiles = ALL.model_copy(update={"tile_px": 32, "overlap_px": 16})
    found = segment_membranes(grey, VOXEL_SIZE, volumetric(Bright()), tiles, device="cpu")
    standard = (grey - grey.mean()) / grey.std()
    membrane, filament = np.exp(4 * (standard - 0.5)), np.exp(-standard)
    np.testing.assert_allclose(found.probability, membrane / (1 + membrane + filament), atol=0.03)  # bfloat16 on some processors


def test_mirror_images_of_volumes_are_averaged():
    tile = np.random.default_rng(0).normal(size=(1, 32, 32, 32)).astype(np.float32)
    function = volume_function(volumetric(build_volume_network().eval()), torch.device("cpu"), flips=True)
    for axes in ((-3,), (-2, -1), (-3, -2, -1)):
        np.testing.assert_allclose(np.flip(function(np.flip(tile, axes).copy()), axes), function(tile), atol=0.02)
    assert np.abs(np.flip(function(np.flip(tile, -1).copy()), -1) - function(tile)).max() > 0.02


@pytest.mark.parametrize(("voxel_size", "shown"), [(5.0, [10, 12.5]), (11.0, [11, 12.5]), (15.0, [12.5, 15]), (31.36, [16, 20])])
def test_the_nearest_of_two_working_sizes_gives_way_to_the_tomograms_own(voxel_size, shown):
    assert volumetric(Bright(), (10.0, 12.5, 16.0, 20.0)).working_sizes(voxel_size) == shown
    assert volumetric(Bright(), (12.0,)).working_sizes(voxel_size) == [12]


def test_borders_do_not_change_what_the_resampled_sample_looks_like():
    grey, _ = sheet(1, (12, 96, 96))
    bordered = np.full((12, 144, 144), 80.0, np.float32)
    bordered[:, 24:120, 24:120] = grey
    model = volumetric(Bright(), (5.0, 5.001))
    whole = segment_membranes(grey, VOXEL_SIZE, model, ALL, device="cpu").probability
    inside = segment_membranes(bordered, VOXEL_SIZE, model, ALL, device="cpu").probability
    np.testing.assert_allclose(inside[:, 30:114, 30:114], whole[:, 6:90, 6:90], atol=0.1)
    assert not inside[:, :20].any()


def test_only_training_slices_weigh_and_labels_turn_with_their_volume():
    _, mask = sheet(0)
    grey = 4 * mask + 0.3 * np.random.default_rng(0).uniform(-1, 1, mask.shape).astype(np.float32)
    p = TrainMembranesParameters(**{**QUICK, "held_out": 0.3, "smoothing_px": 0, "augmentation": "extended"})
    labelled = open_labelled([volume_from_array("sheet", grey, VOXEL_SIZE, mask)], p)
    task = VolumeMembraneTask(labelled, p, 0)
    for index in range(12):
        item = task.item(index, np.random.default_rng(index))
        image, labels, weights = (item[name][0] for name in ("image", "labels", "weights"))
        assert image.shape == labels.shape == weights.shape == (DEPTH, 32, 32)
        assert len(np.flatnonzero(weights.any(axis=(1, 2)))) <= len(labelled[0].training) < 12
        known = weights > 0
        assert image[known & (labels > 0)].min() > image[known & (labels == 0)].max()  # noise is weaker than the membrane


def test_unknown_voxels_give_no_gradient_and_filaments_move_against_membranes():
    labelled = open_labelled([training_volume()], TrainMembranesParameters(**QUICK))
    task = VolumeMembraneTask(labelled, TrainMembranesParameters(**QUICK), 0)
    item = task.item(0, np.random.default_rng(0))
    batch = {name: torch.from_numpy(part)[None] for name, part in item.items()}
    logits = torch.zeros((1, OUTPUTS, DEPTH, 32, 32), requires_grad=True)
    task.loss({"unet": lambda image: logits}, batch, Step(0, 0, "all", torch.Generator(), {}))[0].backward()
    moved = logits.grad[0].numpy()
    known = item["weights"][0] > 0
    assert (moved[FILAMENT_OUTPUT] * moved[MEMBRANE_OUTPUT] <= 0).all()
    assert not moved[MEMBRANE_OUTPUT][~known].any()
    assert (moved[MEMBRANE_OUTPUT][known & (item["labels"][0] > 0)] < 0).all()
    assert (moved[MEMBRANE_OUTPUT][known & (item["labels"][0] == 0)] > 0).all()


def test_labels_and_slices_come_to_the_working_size():
    volume = training_volume()
    (scaled,), p = at_working_size([volume], volumetric(Bright(), (5.0,)), TrainMembranesParameters(**QUICK, z_start=2, z_end=10))
    assert scaled.labels.shape == scaled.header.shape == (24, 96, 128)
    assert (p.z_start, p.z_end) == (4, 20)
    np.testing.assert_array_equal(scaled.labels[::2, ::2, ::2], volume.labels)


@pytest.mark.parametrize(("asked", "steps"), [({}, 30), ({"iterations": 0}, 30), ({"iterations": 7}, 7), ({"iterations": 900}, 30)])
def test_a_network_that_knows_membranes_takes_few_steps(asked, steps):
    p = TrainMembranesParameters(**{"tuning_iterations": 30, **asked})
    assert at_working_size([training_volume()], volumetric(Bright(), (5.0,)), p)[1].iterations == steps


def test_a_start_that_sees_volumes_learns_from_painted_slices_and_is_never_worse(tmp_path):
    torch.manual_seed(0)
    start = volumetric(build_volume_network().eval())
    _, mask = sheet(4)
    painted = np.where(np.isin(np.arange(12), (2, 5, 8))[:, None, None], mask, 0).astype(np.int8)
    p = TrainMembranesParameters(**{**QUICK, "unpainted": "painted_slices", "iterations": 40, "batch_size": 2})
    made = train_membranes([training_volume(painted, seed=4)], p, tmp_path, 0, "cpu", start)
    assert made.model.card.network == VOLUME_NETWORK
    assert made.model.working_sizes(31.0) == [VOXEL_SIZE]
    grey, _ = sheet(4)
    found = segment_membranes(grey, VOXEL_SIZE, made.model, ALL, device="cpu").mask
    other = np.isin(np.arange(12), (2, 5, 8), invert=True)
    both = np.count_nonzero(found[other] & mask[other])
    assert 2 * both / (found[other].sum() + mask[other].sum()) > 0.6


def test_constant_slices_are_as_if_the_volume_ended_with_its_sample():
    grey, _ = sheet(2, (20, 48, 64))
    padded = np.concatenate([np.full((6, 48, 64), 70, np.float32), grey, np.full((4, 48, 64), 70, np.float32)])
    torch.manual_seed(0)
    model = volumetric(build_volume_network().eval())
    whole = segment_membranes(grey, VOXEL_SIZE, model, ALL, device="cpu").probability
    inside = segment_membranes(padded, VOXEL_SIZE, model, ALL, device="cpu").probability
    np.testing.assert_allclose(inside[8:24], whole[2:18], atol=0.05)
    assert not inside[:6].any()
    assert not inside[26:].any()
