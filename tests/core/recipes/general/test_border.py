"""The membrane model's border is where held-out scenes are segmented best, and becomes one half without touching filaments."""
import numpy as np
import pytest
import torch
from scipy.special import expit

from cryoetseg.core.models.card import ModelCard
from cryoetseg.core.models.membrane_unet3d import FILAMENT_OUTPUT, MEMBRANE_OUTPUT
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.recipes.general.border import best_border, move_border
from cryoetseg.core.recipes.general.scenes import MEMBRANE, Scene
from cryoetseg.core.students.membranes.network import METHOD, VOLUME_NETWORK, MembraneModel, build_volume_network

CPU = torch.device("cpu")
SHIFT = 2.8


class Brightness(torch.nn.Module):
    """Says membrane (sigmoid) where a volume is bright, and never filament."""

    def forward(self, volumes):
        return torch.cat([volumes - SHIFT, torch.full_like(volumes, -20.0)], dim=1)


def model_of(network):
    card = ModelCard(name="m", method=METHOD, network=VOLUME_NETWORK, voxel_size=10.0, normalisation="volume",
                     network_parameters={"inputs": 1, "working_sizes": [10.0]})
    return MembraneModel(network, card)


def scene(level, size=32):
    """Noise with a bright sheet, which is membrane, and a fainter one, which is not; the first has ``level`` deviations."""
    volume = np.random.default_rng(0).normal(0, 0.1, (size,) * 3).astype(np.float32)
    classes = np.zeros(volume.shape, np.int8)
    volume[10:13] += level
    volume[20:23] += 0.7 * level
    classes[10:13] = MEMBRANE
    return Scene("s", volume, classes, ParticleTable.from_points([], voxel_size=10.0), 10.0, {"snr": 1.0, "kind": "cell"})


def test_the_border_is_where_held_out_scenes_are_segmented_best():
    held_out = [scene(1.0), scene(1.0)]
    false, true = answers(held_out[0])
    assert false < best_border(held_out, model_of(Brightness()), CPU) < true
    assert not false < 0.5 < true


def answers(known):
    """The mean probability that :class:`Brightness` gives the false sheet and the membrane of a scene."""
    standard = (known.volume - known.volume.mean()) / known.volume.std()
    return expit(standard[20:23].mean() - SHIFT), expit(standard[10:13].mean() - SHIFT)


def test_moving_the_border_makes_it_one_half_and_leaves_filaments():
    network = build_volume_network().eval()
    seen = torch.randn(1, 1, 32, 32, 32)
    with torch.no_grad():
        before = network(seen)
        move_border(network, 0.3)
        after = network(seen)
    moved = torch.logit(torch.tensor(0.5)) - torch.logit(torch.tensor(0.3))
    assert after[:, MEMBRANE_OUTPUT] - before[:, MEMBRANE_OUTPUT] == pytest.approx(float(moved), abs=1e-5)
    assert torch.equal(after[:, FILAMENT_OUTPUT], before[:, FILAMENT_OUTPUT])
