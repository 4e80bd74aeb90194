"""Parameters of training a particle picker and of picking with it.

Imported by Scipion's own interpreter: valid Python 3.8, no dependency but pydantic.
"""
from typing import Literal

from ...runtime.params import Parameters, parameter
from ...training.params import KEPT, TrainingParameters


class TrainPickerParameters(TrainingParameters):
    """DeepETPicker. The defaults give a useful picker within minutes on a processor; :meth:`published` is the paper's training."""

    iterations: int = parameter(240, "Optimiser steps; 0 takes the number of epochs instead.", ge=0, published="60 epochs", label="Steps")
    batch_size: int = parameter(4, "Crops in one optimiser step, over all processes together.", ge=1, published=8, label="Batch size")
    learning_rate: float = parameter(2e-3, "Largest learning rate.", gt=0, published=1e-3)
    schedule: Literal["constant", "one_cycle", "cosine", "step"] = parameter(
        "one_cycle", "How the learning rate moves; one_cycle rises over the first tenth and falls.", expert=True, published="one_cycle",
        label="Course of the learning rate")
    ema_decay: float = parameter(
        0.98, "Decay of the running average of the weights, which then serves for use; 0 keeps none.", expert=True, ge=0, lt=1, published=0,
        label="Decay of the averaged weights")
    precision: Literal["float32", "auto", "bfloat16", "float16", "tf32"] = parameter(
        "auto", "Arithmetic of the networks; auto takes bfloat16 where the hardware has it, twice as fast on such processors. Crops of 40 "
        "voxels and less are always trained in float32.",
        expert=True, published="float32", label="Arithmetic")
    checkpoint_interval: int = parameter(100, "Steps between two checkpoints; 0 writes one an epoch.", unit="steps", expert=True, ge=0,
        keeps_result=KEPT, label="Checkpoint every")
    validation_interval: int = parameter(60, "Steps between two validations; 0 validates once an epoch.", unit="steps", expert=True, ge=0,
        label="Validation every")

    particle_diameter: float = parameter(
        0.0, "True diameter of the particles; 0 takes it from the particle list, or 250 A where the list does not tell.",
        label="Particle diameter", unit="A", ge=0.0, le=10000.0)
    class_diameters: str = parameter(
        "", "True diameters of several classes in the order of their numbers, with commas, such as 260,140; empty takes the particle "
        "diameter for all.", unit="A", expert=True, label="Diameters of the classes")
    label: Literal["gaussian", "sphere", "cubic"] = parameter(
        "gaussian", "Shape of the body painted at each particle: gaussian is a cube without its corners (TBall), sphere, cubic.",
        expert=True, published="gaussian", label="Shape of the label")
    label_share: float = parameter(
        0.6, "Diameter of the label over that of the particle, rounded to an odd number of voxels of at least 5. Published settings range "
        "from 0.5 to more than 1.", expert=True, gt=0.0, le=1.5, published="11 / 23", label="Size of the label")
    z_start: int = parameter(0, "First slice whose particles are all listed, counted from 0.", label="First labelled slice", ge=0)
    z_end: int = parameter(
        0, "End of the labelled slices, not included; 0 takes the slices that the listed particles reach. Voxels outside teach nothing.",
        label="Last labelled slice + 1", ge=0)
    unclicked: Literal["background", "unknown"] = parameter(
        "background", "What places without a particle of the list are: background, the list being complete in the labelled slices; or "
        "unknown, so that a handful of clicks is enough beside a model to start from: only the surroundings of each particle, where no "
        "other can begin, are background.", label="Places without a particle")
    empty_share: float = parameter(
        0.2, "Share of the crops taken from tomograms without any particle, where there are such; they teach what is none.",
        label="Share of empty tomograms", expert=True, ge=0.0, lt=1.0)
    held_out: float = parameter(
        0.2, "Share of the particles kept from a training that starts from a model, to tell whether it became better.", expert=True,
        ge=0.0, le=0.5, label="Share held out")
    ignored_share: float = parameter(
        0.0, "Share of the particles, those with the lowest scores, that count neither as particle nor as background.",
        expert=True, ge=0.0, lt=1.0, label="Share ignored")
    patch_px: int = parameter(
        32, "Side of a training crop, a multiple of 8.", unit="voxel", expert=True, ge=16, le=256, multiple_of=8, published=72,
        label="Side of a training patch")
    width: int = parameter(
        16, "Feature maps of the finest level, an even number; coarser levels have 2, 3 and 4.5 times as many.", expert=True, ge=4, le=96,
        multiple_of=2, published=24, label="Width of the network")
    augmentation: Literal["published", "mirrors", "tilt_axis", "none"] = parameter(
        "mirrors", "published: half the crops may be bent, turned by up to 15 degrees or scaled by up to 5 %, the others are mirrored; "
        "mirrors: each axis with probability 0.5; tilt_axis: turned by 180 degrees about the tilt axis y, which leaves the missing wedge "
        "as it is; none.",
        expert=True, published="published")
    background_share: float = parameter(
        0.2, "Share of crops taken anywhere in the labelled slices instead of around a particle.", expert=True, ge=0.0, lt=1.0, published=0,
        label="Share of background")
    loss: Literal["dice", "dice_ce"] = parameter(
        "dice_ce", "Dice alone, or Dice plus cross-entropy, which grades doubtful particles better.", expert=True, published="dice")
    rounds: int = parameter(
        1, "Rounds of training; after each but the last, the picker's own confident picks in the labelled slices become the labels.",
        expert=True, ge=1, le=5, published=1, acts_when={"unclicked": "background"})
    validation_crops: int = parameter(8, "Crops of one validation; 0 does not validate and keeps the last weights.", expert=True, ge=0,
        label="Crops of a validation")

    @classmethod
    def published(cls) -> "TrainPickerParameters":
        """The training of the paper's tool: 60 epochs of 72 voxel crops, AdamW 0.001, one cycle per epoch, Dice (DeepETPicker 2.4)."""
        return cls(iterations=0, epochs=60, batch_size=8, learning_rate=1e-3, weight_decay=0.01, schedule="one_cycle", ema_decay=0.0,
                   precision="float32", validation_interval=0, label="gaussian", label_share=11 / 23, patch_px=72, width=24,
                   augmentation="published", background_share=0.0, loss="dice", rounds=1)


class PickDeepetParameters(Parameters):
    """Picking with a trained model."""

    peaks: Literal["soft", "published"] = parameter(
        "soft", "soft pools the probabilities themselves, which ranks doubtful picks; published cuts them at 0.5 first.",
        label="Peaks", published="published")
    height_threshold: float = parameter(
        0.0, "Smallest height of a peak after pooling; 0 takes half of the height that one label all alone reaches, which is 0.3 to 0.8 by "
        "its size. For the general model the smallest probability, 0 takes 0.2.", label="Smallest height", ge=0.0, le=1.0, published=0.1)
    ranking: Literal["combined", "height"] = parameter(
        "combined", "Order and score of the picks: height is that of the peak; combined is the mean of two quantiles, of the height and of "
        "the contrast at particle size, which orders the picks the network is sure of; with the general model in voxels of 20 A and more "
        "only.", published="height")
    count: int = parameter(0, "Number of best picks kept in each tomogram; 0 keeps all.", label="Number of picks", ge=0, le=10000000)
    distance: float = parameter(
        0.0, "Picks are at least so far apart, over all classes; 0 takes half the smallest particle diameter and one voxel, as published; "
        "the general model half the larger one of the two.",
        label="Smallest distance", unit="A", ge=0.0, le=10000.0)
    diameter_min: float = parameter(
        0.0, "Picks with a smaller estimated diameter are left out; for models that estimate it, as the general one does.",
        label="Smallest diameter", unit="A", ge=0.0, le=10000.0)
    diameter_max: float = parameter(
        0.0, "Picks with a larger estimated diameter are left out; 0 sets no limit.", label="Largest diameter", unit="A", ge=0.0,
        le=10000.0)
    membrane_proteins: Literal["keep", "drop", "only"] = parameter(
        "keep", "What becomes of picks that a membrane holds, which the general model tells from free particles.")
    border: float = parameter(
        0.0, "Picks whose centre lies nearer to a face of the tomogram are left out.", label="Distance from the faces", unit="A", ge=0.0,
        le=10000.0)
    cut: float = parameter(
        0.5, "Probability above which a voxel belongs to a particle, for published peaks.", expert=True, gt=0.0, lt=1.0, published=0.5,
        acts_when={"peaks": "published"}, label="Cut of probabilities")
    tile_px: int = parameter(
        64, "Side of a tile, a multiple of 8.", unit="voxel", expert=True, ge=16, le=512, multiple_of=8, published=72,
        label="Side of a tile")
    padding_px: int = parameter(
        8, "Voxels at each face of a tile that only serve as surroundings.", unit="voxel", expert=True, ge=0, le=128, published=12,
        label="Rim of a tile")
    batch: int = parameter(1, "Tiles computed at once.", expert=True, ge=1, le=256, label="Tiles at once",
                           keeps_result="speed and memory alone")
    views: Literal["1", "2", "4", "8"] = parameter(
        "1", "Mirrored copies of each tile whose answers are averaged: slower, steadier.", expert=True, published="1",
        label="Mirrored copies")
    coords: bool = parameter(False, "Also write DeepETPicker's .coords file: class x y z score.", label="Write a list of DeepETPicker")
