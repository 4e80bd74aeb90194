"""Parameters of the training loop. A method subclasses the model and sets the defaults of its paper.

Imported by Scipion's own interpreter: valid Python 3.8, no dependency but pydantic.
"""
from typing import Literal

from ..runtime.params import Parameters, parameter

KEPT = "what is learned is the same"


class TrainingParameters(Parameters):
    """How long, how fast and how carefully to train; shared by all methods."""

    epochs: int = parameter(60, "Passes over the training items.", ge=1, acts_when={"iterations": 0}, label="Epochs")
    iterations: int = parameter(0, "Optimiser steps; 0 takes the number of epochs instead.", ge=0, label="Steps")
    minutes: float = parameter(
        0.0, "Stop after this time, at a checkpoint from which the next run goes on; 0 sets no limit.", unit="min", ge=0,
        label="Time limit")
    batch_size: int = parameter(8, "Items in one optimiser step, over all processes together.", ge=1, label="Batch size")
    learning_rate: float = parameter(1e-3, "Largest learning rate.", gt=0)
    weight_decay: float = parameter(0.01, "Weight decay of the optimiser.", expert=True, ge=0)
    schedule: Literal["constant", "one_cycle", "cosine", "step"] = parameter(
        "constant", "How the learning rate moves: constant; one_cycle rises from 1/30 and falls to 1/3000; cosine falls to 0; "
        "step multiplies by a factor at fixed intervals. It moves per epoch, or per iteration when iterations are given.",
        label="Course of the learning rate")
    warm_up: float = parameter(0.1, "Part of the training in which one_cycle and cosine raise the learning rate.", expert=True, ge=0, le=1,
        acts_when={"schedule": ("one_cycle", "cosine")}, label="Share of the rise")
    step_every: int = parameter(10000, "Epochs (or iterations, when given) between two steps of the step schedule.", expert=True, ge=1,
        acts_when={"schedule": "step"}, label="Steps of the rate every")
    step_factor: float = parameter(0.1, "Factor of one step of the step schedule.", expert=True, gt=0, le=1, acts_when={"schedule": "step"},
        label="Factor of a step")
    precision: Literal["float32", "auto", "bfloat16", "float16", "tf32"] = parameter(
        "float32", "Arithmetic of the networks; auto takes bfloat16 where the hardware has it; float16 needs a GPU; tf32 is float32 but "
        "for products, which GPUs round to ten bits.", expert=True,
        label="Arithmetic")
    compiled: bool = parameter(
        False, "Have torch compile the networks, for long trainings on a GPU: the first step then takes minutes. Where it fails, they "
        "run as they are.", expert=True, keeps_result="the weights differ by rounding alone", label="Compile the networks")
    ema_decay: float = parameter(
        0.0, "Decay of the running average of the weights, which then serves for validation and use; 0 keeps none.",
        expert=True, ge=0, lt=1, label="Decay of the averaged weights")
    gradient_clip: float = parameter(0.0, "Largest norm of the gradient; 0 does not clip.", expert=True, ge=0, label="Largest gradient")
    checkpoint_interval: int = parameter(500, "Steps between two checkpoints; 0 writes one an epoch.", unit="steps", expert=True, ge=0,
        keeps_result=KEPT, label="Checkpoint every")
    validation_interval: int = parameter(0, "Steps between two validations; 0 validates once an epoch.", unit="steps", expert=True, ge=0,
        label="Validation every")
    log_interval: int = parameter(10, "Steps averaged in one line of the metrics table.", unit="steps", expert=True, ge=1,
        label="Log every")
    workers: int = parameter(
        0, "Processes that prepare training items beside the one that trains; 0 takes none on a processor, and with a GPU up to 8 of the "
        "cores that are left.", expert=True, ge=0, keeps_result=KEPT, label="Processes for the data")
    max_skips: int = parameter(
        10, "Steps in a row with a non-finite loss or gradient that are skipped before the last checkpoint is restored with half the "
        "learning rate.", unit="steps", expert=True, ge=0, label="Steps skipped at most")


# What may change between two runs of one training: how long, how often to look, how many hands.
# Everything else shapes the weights, so a run that resumes with another value would be neither the old nor the new training.
FREE_ON_RESUME = ("epochs", "iterations", "tuning_iterations", "minutes", "checkpoint_interval", "validation_interval", "log_interval",
                  "workers", "micro_batch", "compiled")
