"""The network of membranes in volumes: shapes, the order of sub-voxels, no dependence on where a tile begins."""
import pytest
import torch

from cryoetseg.core.models.centre_unet3d import DIVISOR
from cryoetseg.core.models.membrane_unet3d import OUTPUTS, MembraneUNet3d, voxels_from_channels
from cryoetseg.core.runtime.errors import CryoetsegError


def test_the_eight_channels_of_a_cell_are_its_voxels():
    cells = torch.arange(2 * 8 * 2 * 3 * 4).reshape(1, 16, 2, 3, 4).float()
    voxels = voxels_from_channels(cells)
    assert voxels.shape == (1, 2, 4, 6, 8)
    for output, z, y, x in ((0, 3, 2, 5), (1, 0, 5, 2)):
        channel = 8 * output + 4 * (z % 2) + 2 * (y % 2) + x % 2
        assert voxels[0, output, z, y, x] == cells[0, channel, z // 2, y // 2, x // 2]


def test_it_answers_each_voxel_and_alike_wherever_a_tile_begins():
    torch.manual_seed(0)
    network = MembraneUNet3d(OUTPUTS, (4, 6, 8, 8)).eval()
    volume = torch.randn(1, 1, 32, 112, 32)
    with torch.no_grad():
        whole, part = network(volume), network(volume[:, :, :, DIVISOR:])
    assert whole.shape == (1, OUTPUTS, 32, 112, 32)
    torch.testing.assert_close(whole[:, :, :, DIVISOR + 48:], part[:, :, :, 48:], atol=1e-5, rtol=1e-5)
    with pytest.raises(CryoetsegError):
        network(torch.zeros(1, 1, 24, 32, 32))
