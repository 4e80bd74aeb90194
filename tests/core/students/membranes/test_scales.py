"""Fine voxels keep their border where they are sure; what only coarse ones see is not lost."""
import numpy as np
import pytest
import torch

from cryoetseg.core.models.card import ModelCard
from cryoetseg.core.students.membranes import scales
from cryoetseg.core.students.membranes.apply import averaged_probability, completed_probability
from cryoetseg.core.students.membranes.network import METHOD, VOLUME_NETWORK, MembraneModel
from cryoetseg.core.students.membranes.params import SegmentMembranesParameters
from cryoetseg.core.students.membranes.scales import complete
from cryoetseg.core.students.volumes import volume_from_array

CPU = torch.device("cpu")


def sheets():
    """Probabilities of fine voxels, sure of a sheet at 10 to 12, and of coarse ones: that sheet two voxels wider, and another at 24 to 28.
    A third one at 36 only the fine ones suspect."""
    fine, coarse = np.zeros((40, 20, 20), np.float32), np.zeros((40, 20, 20), np.float32)
    fine[10:13], coarse[8:15] = 1.0, 0.9
    fine[25:28], coarse[24:29] = 0.1, 0.8
    fine[36] = 0.3
    return fine, coarse


@pytest.mark.parametrize("slab", [2**20, 1])  # one slab, and one plane at a time
def test_a_sure_border_stays_and_what_is_seen_coarsely_is_there(monkeypatch, slab):
    planes = scales.z_slabs
    monkeypatch.setattr(scales, "z_slabs", lambda shape, itemsize: planes(shape, itemsize, slab))
    fine, coarse = sheets()
    target = np.zeros_like(fine)
    complete(fine, coarse, target, 12.5)
    np.testing.assert_array_equal(target[8:15], fine[8:15])
    assert target[26, 10, 10] == pytest.approx(0.1 * 0.1 + 0.9 * 0.8)
    assert target[24, 10, 10] == pytest.approx(0.1 * 0 + 0.9 * 0.8)
    np.testing.assert_allclose(target[36], 0.3, rtol=1e-6)
    assert not target[:7].any()


class Brightness(torch.nn.Module):
    """Says membrane where a volume is brighter than noise: more often so in coarser voxels, which hold less of it."""

    def forward(self, volumes):
        mean = torch.nn.functional.avg_pool3d(volumes, 3, 1, 1, count_include_pad=False)
        return torch.cat([10 * (mean - 1.4), torch.full_like(volumes, -20.0)], dim=1)


def model_of(sizes):
    return MembraneModel(Brightness(), ModelCard(name="m", method=METHOD, network=VOLUME_NETWORK, voxel_size=10.0, normalisation="volume",
                                           network_parameters={"inputs": 1, "working_sizes": sizes}))


def seen(way, model, grey):
    probability = np.zeros(grey.shape, np.float16)
    way(volume_from_array("t", grey, 10.0), model, probability, (0, len(grey)), SegmentMembranesParameters(), CPU)
    return probability.astype(float)


def test_a_general_model_is_shown_coarser_voxels_too_and_others_are_not():
    grey = np.random.default_rng(0).normal(0, 1, (48, 48, 48)).astype(np.float32)
    grey[20:26] += 0.8
    general, own = model_of([10.0, 12.5, 16.0, 20.0]), model_of([10.0])
    assert (general.coarser_sizes(10.0), general.coarser_sizes(31.0), own.coarser_sizes(10.0)) == ([16.0, 20.0], [], [])
    fine, both = (seen(way, general, grey) for way in (averaged_probability, completed_probability))
    assert both[20:26].mean() > 2 * fine[20:26].mean()
    np.testing.assert_array_equal(seen(completed_probability, own, grey), seen(averaged_probability, own, grey))
