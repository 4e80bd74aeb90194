"""Parameters of training a small diffusion backbone.

Imported by Scipion's own interpreter: valid Python 3.8, no dependency but pydantic.
"""
from typing import Literal

from ..runtime.params import parameter
from ..training.params import KEPT, TrainingParameters


class TrainBackboneParameters(TrainingParameters):
    """A diffusion UNet on slabs: of simulated tomograms with their densities, or of the user's own tomograms."""

    iterations: int = parameter(2000, "Optimiser steps; 0 takes the number of epochs instead.", ge=0, label="Steps")
    batch_size: int = parameter(8, "Tiles in one optimiser step, over all processes together.", ge=1, label="Batch size")
    learning_rate: float = parameter(1e-3, "Largest learning rate.", gt=0)
    weight_decay: float = parameter(1e-4, "Weight decay of the optimiser.", expert=True, ge=0)
    schedule: Literal["constant", "one_cycle", "cosine", "step"] = parameter("cosine", "How the learning rate moves.", expert=True,
        label="Course of the learning rate")
    warm_up: float = parameter(0.05, "Part of the training in which the learning rate rises.", expert=True, ge=0, le=1,
        acts_when={"schedule": ("one_cycle", "cosine")}, label="Share of the rise")
    gradient_clip: float = parameter(1.0, "Largest norm of the gradient; 0 does not clip.", expert=True, ge=0, label="Largest gradient")
    ema_decay: float = parameter(0.995, "Decay of the running average of the weights; 0 keeps none.", expert=True, ge=0, lt=1,
        label="Decay of the averaged weights")
    checkpoint_interval: int = parameter(100, "Steps between two checkpoints; 0 writes one an epoch.", unit="steps", expert=True, ge=0,
        keeps_result=KEPT, label="Checkpoint every")
    validation_interval: int = parameter(200, "Steps between two validations; 0 validates once an epoch.", unit="steps", expert=True, ge=0,
        label="Validation every")

    channels: str = parameter("48,96,160", "Feature maps of the levels, finest first; multiples of 16, the last one of 32.", expert=True,
        label="Channels")
    slices: int = parameter(5, "Neighbouring slices the network sees at once, an odd number.", unit="slices", expert=True, ge=1, le=15,
        label="Slices seen at once")
    tile_px: int = parameter(128, "Side of a training tile.", unit="voxel", expert=True, ge=32, le=1024, multiple_of=16,
        label="Side of a tile")
    noise_power: float = parameter(
        3.0, "Noise steps are drawn as 1000 u^power with u uniform in [0, 1): more than 1 trains small noise more often.",
        expert=True, ge=1, le=10)
    contrast_flip: float = parameter(0.5, "Share of tiles shown with inverted contrast.", expert=True, ge=0, le=1)
    held_out: float = parameter(0.1, "Share of the tomograms kept for validation, at least one.", expert=True, gt=0, lt=1,
        label="Share held out")
    validation_tiles: int = parameter(64, "Tiles of one validation.", expert=True, ge=1)
