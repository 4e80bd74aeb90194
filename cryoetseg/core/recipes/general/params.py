"""Parameters of training the general models.

Imported by Scipion's own interpreter: valid Python 3.8, no dependency but pydantic.
"""
from typing import Literal

from ...runtime.params import Parameters, parameter
from ...training.params import KEPT, TrainingParameters


class TrainGeneralParameters(Parameters):
    """Scenes of every kind, then a network for membranes and one for particles, both learned from all scenes."""

    scenes: int = parameter(434, "Number of simulated tomograms.", ge=8, le=100000)
    scene_px: int = parameter(
        160, "Width of the scenes; those of voxels below 9 A are a fifth wider. Their height is three tenths of it.", unit="voxels",
        expert=True, ge=48, le=1024)
    held_out: int = parameter(28, "So many of the scenes, the last ones, teach nothing: they choose the weights and calibrate the scores.",
                              ge=2)
    scene_seed: int = parameter(21, "Seed of the scenes; the command's own seed is that of the trainings.", ge=0)
    processes: int = parameter(2, "Processes that simulate at once.", ge=1, le=1024)
    models: Literal["both", "membranes", "particles"] = parameter("both", "Which of the two networks is trained.")
    membrane_iterations: int = parameter(8000, "Optimiser steps of the membrane network.", ge=1)
    particle_iterations: int = parameter(3000, "Optimiser steps of the particle network.", ge=1)
    minutes: float = parameter(
        0.0, "Stop each of the two trainings after this time, at a checkpoint from which the next run goes on; 0 sets no limit.",
        unit="min", ge=0)


class GeneralTrainingParameters(TrainingParameters):
    """What both trainings have in common."""

    learning_rate: float = parameter(2e-3, "Largest learning rate.", gt=0)
    weight_decay: float = parameter(1e-3, "Weight decay of the optimiser.", expert=True, ge=0)
    schedule: Literal["constant", "one_cycle", "cosine", "step"] = parameter("cosine", "How the learning rate moves.", expert=True)
    warm_up: float = parameter(0.03, "Part of the training in which the learning rate rises.", expert=True, ge=0, le=1)
    precision: Literal["float32", "auto", "bfloat16", "float16"] = parameter("auto", "Arithmetic of the network.", expert=True)
    ema_decay: float = parameter(0.995, "Decay of the running average of the weights.", expert=True, ge=0, lt=1)
    gradient_clip: float = parameter(1.0, "Largest norm of the gradient.", expert=True, ge=0)
    checkpoint_interval: int = parameter(250, "Steps between two checkpoints.", unit="steps", expert=True, ge=0, keeps_result=KEPT)
    log_interval: int = parameter(50, "Steps averaged in one line of the metrics table.", unit="steps", expert=True, ge=1)


class GeneralMembranesParameters(GeneralTrainingParameters):
    """How the general membrane model is trained."""

    iterations: int = parameter(8000, "Optimiser steps.", ge=0)
    batch_size: int = parameter(8, "Crops in one optimiser step.", ge=1)
    validation_interval: int = parameter(250, "Steps between two validations.", unit="steps", expert=True, ge=0)
    crop_px: int = parameter(48, "Side of a training crop.", unit="voxel", ge=32, le=128, multiple_of=16)
    structure_crops: float = parameter(
        0.55, "Share of the crops of a scene that are centred on a membrane, where it holds any.", expert=True, ge=0, le=1)


class GeneralParticlesParameters(GeneralTrainingParameters):
    """How the general picker is trained."""

    iterations: int = parameter(3000, "Optimiser steps.", ge=0)
    batch_size: int = parameter(8, "Crops in one optimiser step.", ge=1)
    validation_interval: int = parameter(250, "Steps between two validations.", unit="steps", expert=True, ge=0)
    crop_px: int = parameter(48, "Side of a training crop.", unit="voxel", ge=48, le=128, multiple_of=16)
    particle_crops: float = parameter(0.7, "Share of the crops of a scene around a particle, where it holds any.", expert=True, ge=0, le=1)
