"""Parameters of training and applying DeepFinder's network.

Imported by Scipion's own interpreter: valid Python 3.8, no dependency but pydantic.
"""
from typing import Literal

from ...runtime.params import Parameters, other_than, parameter
from ...training.params import KEPT, TrainingParameters


class TrainSegmenterParameters(TrainingParameters):
    """DeepFinder's network on tomograms with class labels; the defaults give a first useful model on a processor in minutes."""

    iterations: int = parameter(200, "Optimiser steps; 0 takes the number of epochs instead. Published: 100 epochs.", ge=0, label="Steps")
    epochs: int = parameter(100, "Passes over the training patches, where the number of steps is 0.", ge=1, acts_when={"iterations": 0},
        label="Epochs")
    batch_size: int = parameter(4, "Patches in one optimiser step, over all processes together.", ge=1, published=25, label="Batch size")
    learning_rate: float = parameter(2e-3, "Largest learning rate.", gt=0, published=1e-4)
    weight_decay: float = parameter(0.0, "Weight decay of the optimiser.", expert=True, ge=0)
    schedule: Literal["constant", "one_cycle", "cosine", "step"] = parameter(
        "cosine", "How the learning rate moves.", expert=True, published="constant", label="Course of the learning rate")
    gradient_clip: float = parameter(1.0, "Largest norm of the gradient; 0 does not clip.", expert=True, ge=0, published=0,
        label="Largest gradient")
    precision: Literal["float32", "auto", "bfloat16", "float16", "tf32"] = parameter(
        "auto", "Arithmetic of the network; auto takes bfloat16 where the hardware has it.", expert=True, published="float32",
        label="Arithmetic")
    ema_decay: float = parameter(
        0.95, "Decay of the running average of the weights, which then serves for use; 0 keeps none.", expert=True, ge=0, lt=1, published=0,
        label="Decay of the averaged weights")
    checkpoint_interval: int = parameter(100, "Steps between two checkpoints; 0 writes one an epoch.", unit="steps", expert=True, ge=0,
        keeps_result=KEPT, label="Checkpoint every")
    validation_interval: int = parameter(50, "Steps between two validations; 0 validates once an epoch.", unit="steps", expert=True, ge=0,
        label="Validation every")

    patch_px: int = parameter(
        32, "Side of a training patch; at least the size of the largest objects.", label="Patch size", unit="voxel", ge=16, le=256,
        multiple_of=4, published=56)
    patches_per_epoch: int = parameter(400, "Patches that make an epoch.", expert=True, ge=1, published=2500)
    jitter_px: int = parameter(
        8, "Patches are moved away from their object by up to so many voxels along each axis.", unit="voxel", expert=True, ge=0, le=128,
        published=13, label="Random shift of patches")
    background_share: float = parameter(
        0.1, "Share of patches centred on background, which teaches what is none of the classes.", ge=0, lt=1, published=0,
        label="Share of background")
    augmentation: Literal["none", "tilt_axis", "three_axes"] = parameter(
        "three_axes", "Random half turns: about the tilt axis, which leaves any missing wedge as it is, or about all three axes, which "
        "suits tilt ranges symmetric about 0.", published="tilt_axis")
    tilt_axis: Literal["y", "x"] = parameter("y", "Axis of the tomogram about which the sample was tilted.", expert=True,
        acts_when={"augmentation": "tilt_axis"})
    normalisation: Literal["tomogram", "patch"] = parameter(
        "tomogram", "Mean 0 and deviation 1 of the whole tomogram, as in use, or of each patch.", expert=True, published="patch")
    loss: Literal["dice_ce", "tversky"] = parameter(
        "dice_ce", "Dice with cross-entropy, or the sum of Tversky indices.", expert=True, published="tversky")
    held_out: float = parameter(
        0.15, "Share of every tomogram, one block at the end of its longer side in the plane, kept for validation; 0 validates nothing.",
        ge=0, lt=0.5, label="Share held out")
    validation_patches: int = parameter(24, "Patches of one validation.", expert=True, ge=1, acts_when={"held_out": other_than(0)},
        label="Patches of a validation")

    class_names: str = parameter(
        "", "Names of the classes 1, 2, ... with commas: ribosome,proteasome. With names every class must have labels.",
        label="Class names")
    resample_labels: bool = parameter(
        False, "Take the nearest label where labels have another voxel size than their tomogram, in place of an error.",
        label="Resample labels")
    particle_diameter: float = parameter(
        250.0, "Diameter of the balls painted around the particles of a list that states none.", unit="A", gt=0, le=10000)
    class_diameters: str = parameter(
        "", "The same for each of the classes 1, 2, ... with commas, in Angstrom: 250,120.", label="Diameters of classes")

    @classmethod
    def published(cls, **changes: object) -> "TrainSegmenterParameters":
        """The published settings: 100 epochs of 100 steps of 25 patches of 56 voxels, Adam 1e-4, Tversky loss (DUAL C11)."""
        values = {
            "iterations": 0, "epochs": 100, "patches_per_epoch": 2500, "batch_size": 25, "learning_rate": 1e-4, "schedule": "constant",
            "gradient_clip": 0.0, "precision": "float32", "ema_decay": 0.0, "patch_px": 56, "jitter_px": 13, "background_share": 0.0,
            "augmentation": "tilt_axis", "normalisation": "patch", "loss": "tversky", "validation_interval": 0}
        return cls(**{**values, **changes})


class SegmentClassesParameters(Parameters):
    """Class maps and coordinates from a trained network."""

    tile_px: int = parameter(
        96, "Largest side of the tiles that go through the network; larger is faster and takes more memory.", label="Tile size",
        unit="voxel", ge=16, le=512, multiple_of=4, published=192)
    overlap_px: int = parameter(
        16, "Smallest overlap of neighbouring tiles.", label="Tile overlap", unit="voxel", expert=True, ge=0, le=256, published=55)
    batch_size: int = parameter(1, "Tiles through the network at once.", expert=True, ge=1, label="Batch size",
                                keeps_result="speed and memory alone")
    probabilities: bool = parameter(False, "Write the probability of every class too, in percent.", label="Write probabilities")
    coordinates: bool = parameter(True, "Turn the class map into coordinates for each class.", label="Write coordinates")
    clustering: Literal["components", "mean_shift"] = parameter(
        "components", "How voxels become particles: connected voxels of any class, cut apart where they are too large; or mean shift over "
        "all voxels. The class is that of most voxels.", published="mean_shift", acts_when={"coordinates": True})
    cluster_radius: float = parameter(
        0.0, "Radius of the mean shift; 0 takes that of the smallest class in the training, published 5 voxels of 10 A.", unit="A",
        ge=0, le=5000, published=50, acts_when={"coordinates": True, "clustering": "mean_shift"})
    smallest_part: float = parameter(
        0.25, "Particles have at least this part of the volume that their class had in the training.", ge=0, le=1,
        acts_when={"coordinates": True}, label="Smallest size")
    largest_part: float = parameter(
        4.0, "Particles have at most this multiple of the volume that their class had in the training; 0 sets no limit.", ge=0,
        acts_when={"coordinates": True}, label="Largest size")
    sizes: str = parameter(
        "", "Smallest and largest number of voxels of classes, in place of the two above: 1:50-900,3:20-.",
        label="Size limits", expert=True, acts_when={"coordinates": True})
    smallest_score: float = parameter(0.0, "Particles score at least this; scores go from 0 to 1.", ge=0, le=1,
        acts_when={"coordinates": True})
    resample: bool = parameter(
        True, "Resample tomograms whose voxel size differs from the model's by more than 5 % and bring the results back.", expert=True,
        label="Resample other voxel sizes")
