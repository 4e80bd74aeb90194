"""Parameters of training a particle generator, of sampling from it and of judging what it makes.

Imported by Scipion's own interpreter: valid Python 3.8, no dependency but pydantic.
"""
from typing import Literal

from pydantic import field_validator, model_validator

from ..runtime.params import Parameters, checked_file_name, parameter
from ..training.params import KEPT, TrainingParameters

VOXEL_SIZE_TOLERANCE = 0.02  # relative difference of tomograms whose particles belong together


class TrainGeneratorParameters(TrainingParameters):
    """A conditional diffusion model of particles. Defaults suit boxes of 32 voxels on a processor; see :meth:`published`."""

    iterations: int = parameter(1500, "Optimiser steps; 0 takes the number of epochs instead.", ge=0, label="Steps")
    epochs: int = parameter(100, "Passes over the training particles, where iterations are 0.", expert=True, ge=1,
        acts_when={"iterations": 0}, label="Epochs")
    batch_size: int = parameter(8, "Particles in one optimiser step, over all processes together.", ge=1, published=16, label="Batch size")
    micro_batch: int = parameter(
        0, "Particles that pass the network at once, 0 all of a step: a divisor of the batch size. The update is that of the whole step, "
        "but for rounding, in less memory: a box of 64 voxels keeps 0.63 GB for each, so that 4 fit into 8 GB.", expert=True, ge=0,
        published=4, label="Particles at once", keeps_result="it changes time and memory, and the weights by rounding alone")
    learning_rate: float = parameter(6e-4, "Largest learning rate.", gt=0, published=1e-4)
    weight_decay: float = parameter(0.0, "Weight decay of the optimiser; with 0 it is Adam, as published.", expert=True, ge=0)
    schedule: Literal["constant", "one_cycle", "cosine", "step"] = parameter(
        "cosine", "How the learning rate moves.", expert=True, published="constant", label="Course of the learning rate")
    warm_up: float = parameter(0.04, "Part of the training in which the learning rate rises.", expert=True, ge=0, le=1,
        acts_when={"schedule": ("one_cycle", "cosine")}, label="Share of the rise")
    precision: Literal["float32", "auto", "bfloat16", "float16", "tf32"] = parameter(
        "auto", "Arithmetic of the network; auto takes bfloat16 where the hardware has it.", expert=True, published="float32",
        label="Arithmetic")
    ema_decay: float = parameter(
        0.99, "Decay of the running average of the weights, which is what samples; 0 keeps none.", expert=True, ge=0, lt=1, published=0,
        label="Decay of the averaged weights")
    gradient_clip: float = parameter(1.0, "Largest norm of the gradient; 0 does not clip.", expert=True, ge=0, published=0,
        label="Largest gradient")
    checkpoint_interval: int = parameter(100, "Steps between two checkpoints; 0 writes one an epoch.", unit="steps", expert=True, ge=0,
        keeps_result=KEPT, label="Checkpoint every")
    validation_interval: int = parameter(250, "Steps between two validations; 0 validates once an epoch.", unit="steps", expert=True, ge=0,
        label="Validation every")

    box_px: int = parameter(32, "Side of the cubes cut around particles.", label="Box", unit="voxels", ge=16, le=256, multiple_of=8,
                            published=64)
    padding: Literal["mean", "zero"] = parameter(
        "mean", "What stands for voxels outside the tomogram: its mean, or 0 in its raw grey values, which leaves a step where the "
        "mean is not 0.", expert=True, published="zero")
    split: Literal["tomogram", "particle"] = parameter(
        "tomogram", "What is held out for validation: whole tomograms, or particles drawn from all. Boxes of neighbouring particles "
        "overlap, so that held-out particles are partly known to the network.", published="particle", label="Held out are")
    held_out: float = parameter(0.1, "Share of the tomograms or particles held out, at least one.", expert=True, gt=0, lt=1, published=0.1,
        label="Share held out")
    turn: bool = parameter(
        True, "Show half of the particles turned by 180 degrees about y, the tilt axis, which keeps the missing wedge in its place.",
        published=False, label="Turn by 180°")
    class_dropout: float = parameter(
        0.1, "Share of the particles shown without their class: makes guidance possible.", expert=True, ge=0, lt=1, published=0,
        label="Shown without class")
    position_dropout: float = parameter(
        0.1, "Share of the particles shown at 0.5, 0.5, 0.5, which then means anywhere.", expert=True, ge=0, lt=1, published=0,
        label="Shown without place")
    validation_items: int = parameter(48, "Particles of one validation, at noise steps spread evenly.", expert=True, ge=1,
        label="Particles of a validation")

    channels: int = parameter(
        32, "Feature maps at full resolution; 16 trains in about half the time.", expert=True, ge=8, le=256, multiple_of=8, published=32,
        label="Channels")
    answer: Literal["sample", "velocity"] = parameter(
        "velocity", "What the network answers with: the clean volume, or the velocity (v-prediction), from which the clean volume "
        "follows and which keeps fine detail at small noise.", expert=True, published="sample", label="Answer of the network")
    noise_steps: int = parameter(1000, "Steps from a clean volume to pure noise.", expert=True, ge=2, le=10000, published=1000)
    noise_schedule: Literal["linear", "cosine"] = parameter(
        "linear", "How noise grows over the steps: its variance by beta from beta start to beta end, or a squared cosine.",
        expert=True, published="linear")
    beta_start: float = parameter(1e-4, "First beta of the linear schedule.", expert=True, gt=0, lt=1, published=1e-4,
        label="First beta", acts_when={"noise_schedule": "linear"})
    beta_end: float = parameter(2e-2, "Last beta of the linear schedule.", expert=True, gt=0, lt=1, published=2e-2,
        label="Last beta", acts_when={"noise_schedule": "linear"})

    @model_validator(mode="after")
    def _parts_are_equal(self) -> "TrainGeneratorParameters":
        if self.micro_batch and self.batch_size % self.micro_batch:
            raise ValueError(f"micro_batch {self.micro_batch} does not divide the batch_size {self.batch_size}; take one that does, or 0")
        return self

    @classmethod
    def published(cls) -> "TrainGeneratorParameters":
        """The settings of the paper and the authors' code: boxes of 64 voxels, 100 epochs, Adam at a constant rate."""
        return cls(iterations=0, epochs=100, batch_size=16, micro_batch=4, learning_rate=1e-4, schedule="constant", precision="float32",
                   ema_decay=0.0, gradient_clip=0.0, box_px=64, padding="zero", split="particle", turn=False, class_dropout=0.0,
                   position_dropout=0.0, answer="sample", validation_interval=0, checkpoint_interval=0)


class SamplingParameters(Parameters):
    """How a trained model makes a particle."""

    sampler: Literal["ddpm", "ddim", "dpm_solver"] = parameter(
        "dpm_solver", "ddpm adds fresh noise at each step and needs all 1000 steps: with 50 it loses a fifth of the variance; ddim and "
        "dpm_solver are deterministic after the first noise, and dpm_solver is right within 2 % from 20 steps on.", published="ddpm")
    steps: int = parameter(20, "Passes through the network for one particle.", unit="steps", ge=1, le=10000, published=1000,
        label="Sampling steps")
    guidance: float = parameter(
        1.0, "Classifier-free guidance: 1 samples the class as learned, more exaggerates what sets it apart at the cost of variety and "
        "twice the time.", ge=0.0, le=10.0, published=1, label="Guidance")
    batch_size: int = parameter(8, "Particles made together; does not change the result beyond rounding.", expert=True, ge=1, le=1024,
        label="Batch size", keeps_result="it changes time and memory")
    precision: Literal["float32", "auto", "bfloat16", "float16"] = parameter(
        "auto", "Arithmetic of the network; auto takes bfloat16 where the hardware has it.", expert=True, published="float32",
        label="Arithmetic")


class _Wanted(Parameters):
    name: str = parameter("generated", "Prefix of the written files.")
    classes: str = parameter("all", "Classes to make: 'all', or names with commas such as 'ribosome, apoferritin'.")
    count: int = parameter(20, "Number of subtomograms of each class.", ge=1, le=1000000, label="Number")
    position: str = parameter(
        "training", "Where in a tomogram they sit: 'training' draws places of training particles, 'anywhere' leaves it open, "
        "'z, y, x' as fractions of the tomogram's sides names one. The particle is always in the middle of its box: the place "
        "tells of thickness and edges.", published="anywhere")

    _name = field_validator("name")(checked_file_name)


class SampleParameters(SamplingParameters, _Wanted):  # a form shows the fields of the last base first
    """Which particles to make and how."""

    contrast: Literal["dark", "bright"] = parameter("dark", "How particles look in the written subtomograms.")


class _Placed(Parameters):
    classes: str = parameter("all", "Classes to set in: 'all', or names with commas such as 'ribosome, apoferritin'.")
    count: int = parameter(30, "Particles of each class in each tomogram.", ge=1, le=100000, label="Number")
    spacing: float = parameter(
        0.0, "Least distance between two particles, the known ones included; 0 takes the model's box, so that no two boxes overlap much.",
        unit="A", ge=0.0, le=100000.0)
    softness: float = parameter(
        0.4, "Share of the radius over which a particle fades into its surroundings.", expert=True, gt=0.0, le=1.0)


class PasteParameters(SamplingParameters, _Placed):
    """Generated particles set into real tomograms, as labelled data for trainings."""


class EvaluateGenerationParameters(Parameters):
    """How generated subtomograms are compared with real ones."""

    padding: Literal["mean", "zero"] = parameter(
        "mean", "What stands for voxels outside the tomogram when real subtomograms are cut.", expert=True)
    least_power: float = parameter(
        0.001, "Shells with less than this share of the strongest shell's power are left out of the largest deviation of spectra: there "
        "the denoising of the tomograms has left nothing to compare.", expert=True, gt=0, lt=1)
    hollow_class: str = parameter(
        "", "Class whose radial profile is looked at for a hollow core; empty takes a name that holds 'ferritin'.", expert=True)
    largest_pairs: int = parameter(
        200, "Largest number of subtomograms of a class between which all correlations are taken.", expert=True, ge=2, le=100000)
