"""Networks of DUAL with one number each, and steps of a training, whose every outcome is known."""
import torch
from torch import nn

from cryoetseg.core.training.task import Step

SIDE = 16


class Gain(nn.Module):
    """x -> gain x + offset; as a structural generator also ``transfer``, x -> carried x."""

    def __init__(self, gain, offset=0.0, carried=1.0):
        super().__init__()
        self.gain, self.offset = nn.Parameter(torch.tensor(gain)), nn.Parameter(torch.tensor(offset))
        self.carried = nn.Parameter(torch.tensor(carried))

    def forward(self, volumes):
        return self.gain * volumes + self.offset

    def transfer(self, volumes):
        return self.carried * volumes


class Bent(Gain):
    """As its base, and then what no correlation is blind to."""

    def forward(self, volumes):
        return super().forward(volumes) * volumes.abs()


class Ramp(nn.Module):
    """A noise decoder: code -> code times a ramp of ``block`` voxels a side, so that every voxel is known."""

    def __init__(self, block=SIDE):
        super().__init__()
        self.gain, self.block = nn.Parameter(torch.tensor(1.1)), block
        self.ramp = torch.linspace(-1, 1, block**3).reshape(1, 1, block, block, block)

    def code_shape(self, batch):
        return batch, 1

    def forward(self, codes):
        return self.gain * codes[:, 0].reshape(-1, 1, 1, 1, 1) * self.ramp


class Coded(nn.Module):
    """A noise encoder: the largest value of each volume."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(0.6))

    def forward(self, volumes):
        return self.gain * volumes.flatten(1).amax(dim=1, keepdim=True)


class Brightness(nn.Module):
    """A judge in two branches: logits by the square of a volume's values."""

    def __init__(self, gain):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(gain))

    def forward(self, volumes):
        return self.gain * volumes.square().mean(dim=(1, 2, 3, 4)), self.gain * volumes[:, 0, 0, 0, 0] - 0.2


def stubs():
    networks = {"denoiser": Gain(0.5, 0.1), "generator": Gain(0.8, -0.2, 0.9), "encoder": Coded(), "decoder": Ramp(),
                "tomogram_judge": Brightness(0.7), "density_judge": Brightness(-0.4)}
    return networks, dict(enumerate(weight for network in networks.values() for weight in network.parameters()))


def step(turn="generators", seed=0):
    return Step(0, 0, turn, torch.Generator().manual_seed(seed), {})
