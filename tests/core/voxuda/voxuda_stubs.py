"""Networks of Vox-UDA with a few numbers, and steps of a training, whose every outcome is known."""
import torch
from torch import nn

from cryoetseg.core.training.task import Step
from cryoetseg.core.voxuda.network import Taps
from cryoetseg.core.voxuda.params import TrainVoxUdaParameters
from cryoetseg.core.voxuda.train import VoxUdaTask

ALL = {"size": 16, "width": 4, "iterations": 100, "batch_size": 4, "noise_samples": 3, "adversarial": True, "pseudo_labels": True,
       "consistency_weight": 0.7, "adversarial_weight": 0.6, "pseudo_weight": 0.9, "pseudo_start": 0.0, "denoise_source": False,
       "pseudo_selection": "sure", "segmentation_on": "both", "denoiser": "gaussian", "gaussian_sigma": 0.8, "noise_kind": "gaussian",
       "noise_scale": 1.5, "feature_weights": "0.1,0.2,0.3,0.4"}


class Student(nn.Module):
    """Features that are functions of the volume, one number each; the logit is their mean."""

    def __init__(self):
        super().__init__()
        self.gains = nn.Parameter(torch.tensor([0.9, -0.4, 0.7, 1.2]))
        self.norm = nn.BatchNorm3d(2, momentum=0.5)

    def features(self, volumes):
        pairs = torch.cat([volumes, volumes.square()], dim=1)
        self.norm(pairs)  # as in the network, every pass moves the running statistics
        return Taps(*(gain * torch.cat([volumes, torch.tanh(power * volumes)], dim=1) for power, gain in enumerate(self.gains, 1)))

    def logits(self, taps):
        return torch.stack([tap[:, :1] + 0.5 * tap[:, 1:] for tap in taps]).sum(dim=0)


class Discriminator(nn.Module):
    """The mean of a feature; keeps the strengths that it was given."""

    def __init__(self):
        super().__init__()
        self.gain, self.strengths = nn.Parameter(torch.tensor(0.8)), []

    def forward(self, features, strength):
        self.strengths.append(strength)
        return self.gain * features.square().mean(dim=(1, 2, 3, 4)) - 0.3


class Teacher(nn.Module):
    """Keeps what it sees; sure of foreground above 1, of background below -0.5, undecided between."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, volumes):
        self.seen.append(volumes)
        return torch.where(volumes > 1, 9.0, torch.where(volumes < -0.5, -9.0, 1.0))


def task_of(source, target, **changed):
    return VoxUdaTask(source, target, TrainVoxUdaParameters(**{**ALL, **changed}), 0)


def networks():
    return {"student": Student(), "discriminator": Discriminator()}


def step(teacher=None, number=50):
    return Step(number, 0, "all", torch.Generator().manual_seed(3), {"student": teacher or Teacher()})
