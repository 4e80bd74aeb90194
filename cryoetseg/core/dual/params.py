"""Parameters of DUAL.

Imported by Scipion's own interpreter: valid Python 3.8, no dependency but pydantic. The paper's supplement with the layer sizes was not
available; "published" names what the text says, and where it is silent what this project proposes for a GPU.
"""
from typing import Literal

from pydantic import field_validator, model_validator

from ..runtime.params import Condition, Parameters, parameter
from ..training.params import KEPT, TrainingParameters

CODE_STRIDE = 8  # voxels of a spatial noise code


def checked_channels(text: str) -> str:
    """A list of channels such as '12,24,48' without blanks; raises ValueError, which pydantic turns into its own."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() and int(part) > 0 for part in parts) or not 2 <= len(parts) <= 5:
        raise ValueError("two to five whole numbers with commas, such as 12,24,48")
    return ",".join(parts)


class DualArchitecture(Parameters):
    """Sizes of the networks, kept in the card of a model."""

    patch_px: int = parameter(32, "Side of the training patches.", unit="voxels", ge=16, le=256, multiple_of=16, published=32,
        label="Side of a training patch")
    denoiser_channels: str = parameter(
        "12,24,48", "Feature maps of the denoiser's levels, finest first. The paper does not say them; 32,64,128,128 suits a GPU.",
        expert=True, label="Channels of the denoiser")
    generator_channels: str = parameter(
        "8,16,32", "Feature maps of the structural generator's levels, finest first; 32,64,128,128 suits a GPU.", expert=True,
        label="Channels of the generator")
    noise_channels: str = parameter(
        "8,16,32", "Feature maps of the noise encoder's three layers, mirrored in the noise decoder; 32,64,128 suits a GPU.", expert=True,
        label="Channels of the noise")
    judge_channels: str = parameter(
        "16,32,64", "Feature maps of the discriminators' layers; 32,64,128 suits a GPU.", expert=True,
        label="Channels of the discriminators")
    filter_radius: int = parameter(
        15, "Radius of the linear filters beside the U-Nets of denoiser and structural generator; 0 leaves them out.", unit="voxels",
        expert=True, ge=0, le=15, published=0, label="Radius of the filter")
    code: Literal["spatial", "global"] = parameter(
        "spatial", "Noise code of every eighth voxel, or one for a whole patch.", expert=True, published="global", label="Noise code")
    code_length: int = parameter(8, "Numbers in one noise code.", expert=True, ge=1, le=1024, label="Length of a code")

    @property
    def block_px(self) -> int:
        """Side of the block of noise that one code makes."""
        return min(self.patch_px, 32)

    _checked = field_validator("denoiser_channels", "generator_channels", "noise_channels", "judge_channels")(checked_channels)

    @model_validator(mode="after")
    def _shapes_fit(self) -> "DualArchitecture":
        if len(self.noise_channels.split(",")) != 3:
            raise ValueError("noise_channels are three numbers, because codes are eight times coarser than tomograms")
        if self.patch_px % 32 and self.patch_px != 16:
            raise ValueError("patch_px is 16 or a multiple of 32")
        return self


ADVERSARIAL: Condition = {"taught_by": "dual"}
TRANSLATED: Condition = {"taught_by": "translation"}


class TrainDualParameters(TrainingParameters, DualArchitecture):
    """Unpaired training on noisy tomograms and clean density. The defaults are sized for two processor cores."""

    taught_by: Literal["calibrated_simulation", "dual"] = parameter(
        "calibrated_simulation", "What teaches the denoiser. calibrated_simulation: density is made a tomogram as power spectra and "
        "moments of both sets say, and the denoiser alone learns the way back; on simulated tomograms it stays ahead. dual: six networks "
        "against each other, the paper's method, which also changes the simulation.", published="dual")
    epochs: int = parameter(20, "Passes over the patches of the noisy tomograms.", ge=1, published=20, acts_when={"iterations": 0},
        label="Epochs")
    iterations: int = parameter(1200, "Optimiser steps; 0 takes the number of epochs instead.", ge=0, published=0, label="Steps")
    batch_size: int = parameter(4, "Patches of each set in one step.", ge=1, label="Batch size")
    learning_rate: float = parameter(1e-4, "Learning rate of the discriminators and the noise encoder.", gt=0, acts_when=ADVERSARIAL)
    denoiser_learning_rate: float = parameter(1e-3, "Learning rate of the denoiser, which learns from pairs and may be fast.", gt=0,
                                              published=1e-4)
    generator_learning_rate: float = parameter(
        3e-6, "Learning rate of structural generator and noise decoder. After a start from spectra they are nearly right; much more than "
        "this leads them away before the discriminators have learnt what to look at.", gt=0, published=1e-4, acts_when=ADVERSARIAL)
    weight_decay: float = parameter(1e-6, "Weight decay of the optimiser.", expert=True, ge=0)
    schedule: Literal["constant", "one_cycle", "cosine", "step"] = parameter(
        "cosine", "How the learning rate moves.", expert=True, published="constant", label="Course of the learning rate")
    warm_up: float = parameter(0.02, "Part of the training in which the learning rate rises.", expert=True, ge=0, le=1,
        acts_when={"schedule": ("one_cycle", "cosine")}, label="Share of the rise")
    precision: Literal["float32", "auto", "bfloat16", "float16", "tf32"] = parameter(
        "auto", "Arithmetic of the generators; discriminators and losses always use float32.", expert=True, label="Arithmetic")
    ema_decay: float = parameter(
        0.995, "Running average of denoiser and structural generator, which then serves; 0 keeps none.", expert=True, ge=0, lt=1,
        published=0, label="Decay of the averaged weights")
    gradient_clip: float = parameter(1.0, "Largest norm of the gradient; 0 does not clip.", expert=True, ge=0, published=0,
        label="Largest gradient")
    checkpoint_interval: int = parameter(100, "Steps between two checkpoints; 0 writes one an epoch.", unit="steps", expert=True, ge=0,
        keeps_result=KEPT, label="Checkpoint every")
    validation_interval: int = parameter(100, "Steps between two validations; 0 validates once an epoch.", unit="steps", expert=True, ge=0,
        label="Validation every")

    model_voxel_size: float = parameter(
        10.0, "Voxel size of the model, to which volumes of another one are resampled; 0 takes that of the first noisy tomogram.",
        unit="A", ge=0.0, le=100.0)
    crops: Literal["random", "grid"] = parameter(
        "random", "Patches from random places, half of them turned by 180 degrees about the tilt axis, or the non-overlapping grid.",
        expert=True, published="grid", label="Training patches")
    cycle_gradient: Literal["restorer", "all"] = parameter(
        "restorer", "What a cycle loss trains: the network that restores, or also the one before it, which then learns to hide the answer "
        "in its output; in short trainings that ruins the denoiser within fifty steps.", expert=True, published="all",
        label="Cycle losses train", acts_when=ADVERSARIAL)
    clean_cycle_weight: float = parameter(1.0, "Weight of L_v: density to tomogram and back.", expert=True, ge=0, published=1,
        acts_when=ADVERSARIAL)
    noisy_cycle_weight: float = parameter(
        0.1, "Weight of L_t: tomogram to density and back. It asks for the mean of what cannot be known, which takes power from the noise.",
        expert=True, ge=0, published=1, acts_when=ADVERSARIAL)
    adversarial_weight: float = parameter(1.0, "Weight of the tomogram discriminator for the generators.", expert=True, ge=0, published=1,
        acts_when=ADVERSARIAL)
    clean_adversarial_weight: float = parameter(
        0.01, "Weight of the density discriminator for the denoiser. More gives sharper and less faithful density: with 0.1 the "
        "correlation with the truth fell from 0.68 to 0.58 on a simulated tomogram.", expert=True, ge=0, published=1, acts_when=ADVERSARIAL)
    code_weight: float = parameter(0.1, "Weight of the regulariser of noise codes.", expert=True, ge=0, published=0.1,
        acts_when=ADVERSARIAL)
    code_covariance: Literal["diagonal", "shrinkage", "full"] = parameter(
        "diagonal", "Covariance in that regulariser; the full one needs more codes in a batch than a code has numbers.", expert=True,
        published="full", label="Covariance of codes", acts_when=ADVERSARIAL)
    start: Literal["spectrum", "random"] = parameter(
        "spectrum", "Start the linear filter and the strength of the noise from the power spectra of both sets (no pairs needed), or at "
        "random.", expert=True, published="random", label="Start")
    replay_pool: int = parameter(
        50, "Earlier synthetic patches shown to the discriminators again; 0 shows new ones only.", expert=True, ge=0, le=10000, published=0,
        label="Patches shown again", acts_when=ADVERSARIAL)
    real_label: float = parameter(0.9, "Target of the discriminators for real patches.", expert=True, gt=0.5, le=1.0, published=1,
        label="Target for real patches", acts_when=ADVERSARIAL)
    validation_patches: int = parameter(8, "Pairs of patches in one validation.", expert=True, ge=1, le=1000,
        label="Patches of a validation")
    stuck_limit: int = parameter(
        10, "Validations in a row after which training stops with its best model: with a discriminator that is always right and generators "
        "that do not gain, or with contrast upside down; 0 never stops.", expert=True, ge=0, label="Stop when stuck after")

    @model_validator(mode="after")
    def _parts_fit(self) -> "TrainDualParameters":
        if self.start == "spectrum" and self.filter_radius == 0:
            raise ValueError("start 'spectrum' needs a filter_radius above 0")
        if self.taught_by == "calibrated_simulation":
            if self.start == "random":
                raise ValueError("a simulation is calibrated by start 'spectrum'; a random start is one of taught_by 'dual'")
            return self
        if self.code == "global" and self.patch_px > self.block_px:
            raise ValueError(f"one global code makes a block of {self.block_px} voxels: with code 'global' patch_px is at most that")
        codes = self.batch_size * (1 if self.code == "global" else (self.patch_px // CODE_STRIDE) ** 3)
        least = self.code_length + 1 if self.code_covariance == "full" else 2
        if self.code_weight > 0 and codes < least:
            raise ValueError(f"a batch has {codes} noise codes, and code_covariance '{self.code_covariance}' of code_length "
                             f"{self.code_length} needs {least}: take 'shrinkage', shorter codes or a larger batch_size")
        return self

    @classmethod
    def published(cls) -> "TrainDualParameters":
        """The training as the paper's text gives it, with the network sizes proposed where it is silent."""
        return cls(
            taught_by="dual", iterations=0, learning_rate=1e-4, denoiser_learning_rate=1e-4, generator_learning_rate=1e-4,
            schedule="constant", precision="float32", ema_decay=0.0, gradient_clip=0.0, batch_size=16, denoiser_channels="32,64,128,128",
            generator_channels="32,64,128,128", noise_channels="32,64,128", judge_channels="32,64,128", filter_radius=0,
            code="global", code_length=8, code_covariance="full", crops="grid", cycle_gradient="all", noisy_cycle_weight=1.0,
            clean_adversarial_weight=1.0, start="random", replay_pool=0, real_label=1.0)


class ExportDualParameters(Parameters):
    """The best model of a training that did not end by itself; there is nothing to set."""


class ApplyDualParameters(Parameters):
    """How a trained model runs over whole volumes."""

    tile_px: int = parameter(
        96, "Side of the tiles without their rims; changes memory and time, not the result.", unit="voxels", expert=True, ge=16, le=1024,
        label="Side of a tile")


class DenoiseParameters(ApplyDualParameters):
    """Denoising with a trained DUAL."""


class SimulateDualParameters(ApplyDualParameters):
    """Synthetic tomograms from density with a trained DUAL."""

    contrast: Literal["dark", "bright"] = parameter("dark", "How particles look in the written tomogram.")
    least_noise: float = parameter(
        1.0, "Each tomogram draws how much of the learned noise it has, evenly from this share to all of it. Less noise teaches a "
        "segmenter faster.", expert=True, ge=0.0, le=1.0, label="Least share of the noise", published=1)


class ConvertParameters(ApplyDualParameters):
    """Style conversion with a trained DUAL."""

    direction: Literal["to_clean", "to_noisy"] = parameter(
        "to_clean", "Into the style of the clean set or of the noisy set that the model was trained on.")


class WedgeArchitecture(Parameters):
    """Sizes of the two translators, kept in the card of a model."""

    patch_px: int = parameter(32, "Side of the training patches.", unit="voxels", ge=16, le=256, multiple_of=16, published=32,
        label="Side of a training patch")
    fill_channels: str = parameter("12,24,48", "Feature maps of the translator that fills, finest first.", expert=True,
        label="Channels of the filler")
    cut_channels: str = parameter("8,16,32", "Feature maps of the translator that takes the wedge away, finest first.", expert=True,
        label="Channels of the cutter")
    judge_channels: str = parameter("16,32,64", "Feature maps of the discriminators' layers.", expert=True,
        label="Channels of the discriminators")
    filter_radius: int = parameter(7, "Radius of the linear filter beside each U-Net.", unit="voxels", expert=True, ge=1, le=15,
        label="Radius of the filter")

    _checked = field_validator("fill_channels", "cut_channels", "judge_channels")(checked_channels)


class TiltRangeParameters(Parameters):
    """What the tilt series measured."""

    tilt_min: float = parameter(-60.0, "First tilt angle.", unit="degrees", ge=-90.0, le=89.0, label="First tilt angle")
    tilt_max: float = parameter(60.0, "Last tilt angle; the range may be asymmetric.", unit="degrees", ge=-89.0, le=90.0,
        label="Last tilt angle")

    @model_validator(mode="after")
    def _range_has_a_wedge(self) -> "TiltRangeParameters":
        if not 0 < self.tilt_max - self.tilt_min < 180:
            raise ValueError(f"a tilt range of {self.tilt_max - self.tilt_min:g} degrees; it must be more than 0 and less than 180")
        return self


class TrainWedgeParameters(TrainingParameters, TiltRangeParameters, WedgeArchitecture):
    """Learning to fill the missing wedge from the tomograms alone."""

    taught_by: Literal["translation", "rotate_and_cut"] = parameter(
        "translation", "What teaches the filler. translation: tomograms become their own quarter turn and back, as published. "
        "rotate_and_cut: turned patches lose a second wedge and the filler gives it back, as in IsoNet, which puts in what can be known "
        "and no noise.", published="translation")
    iterations: int = parameter(1500, "Optimiser steps; 0 takes the number of epochs instead.", ge=0, label="Steps")
    batch_size: int = parameter(4, "Pairs of patches in one step.", ge=1, label="Batch size")
    learning_rate: float = parameter(1e-4, "Learning rate of all networks.", gt=0)
    weight_decay: float = parameter(1e-6, "Weight decay of the optimiser.", expert=True, ge=0)
    schedule: Literal["constant", "one_cycle", "cosine", "step"] = parameter(
        "cosine", "How the learning rate moves.", expert=True, published="constant", label="Course of the learning rate")
    warm_up: float = parameter(0.02, "Part of the training in which the learning rate rises.", expert=True, ge=0, le=1,
        acts_when={"schedule": ("one_cycle", "cosine")}, label="Share of the rise")
    precision: Literal["float32", "auto", "bfloat16", "float16", "tf32"] = parameter("auto", "Arithmetic of the translators.", expert=True,
        label="Arithmetic")
    ema_decay: float = parameter(0.995, "Running average of the translators; 0 keeps none.", expert=True, ge=0, lt=1, published=0,
        label="Decay of the averaged weights")
    gradient_clip: float = parameter(1.0, "Largest norm of the gradient; 0 does not clip.", expert=True, ge=0, published=0,
        label="Largest gradient")
    checkpoint_interval: int = parameter(100, "Steps between two checkpoints; 0 writes one an epoch.", unit="steps", expert=True, ge=0,
        keeps_result=KEPT, label="Checkpoint every")
    validation_interval: int = parameter(100, "Steps between two validations; 0 validates once an epoch.", unit="steps", expert=True, ge=0,
        label="Validation every")

    model_voxel_size: float = parameter(
        10.0, "Voxel size of the model, to which volumes of another one are resampled; 0 takes that of the first tomogram.", unit="A",
        ge=0.0, le=100.0)
    cycle_weight: float = parameter(1.0, "Weight of both cycles.", expert=True, ge=0, published=1, acts_when=TRANSLATED)
    adversarial_weight: float = parameter(1.0, "Weight of the discriminators for the translators.", expert=True, ge=0, published=1,
        acts_when=TRANSLATED)
    replay_pool: int = parameter(50, "Earlier translations shown to the discriminators again.", expert=True, ge=0, le=10000, published=0,
        label="Patches shown again", acts_when=TRANSLATED)
    real_label: float = parameter(0.9, "Target of the discriminators for real patches.", expert=True, gt=0.5, le=1.0, published=1,
        label="Target for real patches", acts_when=TRANSLATED)
    validation_patches: int = parameter(8, "Patches in one validation.", expert=True, ge=1, le=1000, label="Patches of a validation")
    stuck_limit: int = parameter(
        10, "Validations in a row with a discriminator that is always right, without gain, after which training stops; 0 never stops.",
        expert=True, ge=0, label="Stop when stuck after", acts_when=TRANSLATED)


class WedgeParameters(ApplyDualParameters, TiltRangeParameters):
    """Filling the missing wedge with a trained model."""

    noise: float = parameter(
        0.0, "Noise in the filled wedge where a model of 'train DUAL' fills it: 0 puts structure alone there, which is all that is "
        "known; 1 adds synthetic noise as strong as that of the tomograms, so that the spectrum looks complete.", ge=0.0, le=2.0,
        label="Noise in the wedge")
    softness_px: float = parameter(
        2.5, "Width of the edge between measured and filled, inside the wedge.", unit="Fourier voxels", expert=True, ge=0.0, le=20.0,
        label="Softness of the edge")
