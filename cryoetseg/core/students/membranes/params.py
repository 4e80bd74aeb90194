"""Parameters of training the membrane student and of segmenting with it. Defaults are what measures better.

Imported by Scipion's own interpreter: valid Python 3.8, no dependency but pydantic.
"""
from typing import Any, Literal

from ...runtime.params import Parameters, other_than, parameter
from ...training.params import KEPT, TrainingParameters

SELF_TRAINED = {"rounds": other_than(0), "unpainted": "background"}


class TrainMembranesParameters(TrainingParameters):
    """A 2D U-Net on one or several neighbouring slices, from membrane masks of any origin (Uddin26 1.9)."""

    iterations: int = parameter(500, "Optimiser steps of each round; 0 takes the number of epochs instead.", ge=0, published=30000,
        label="Steps")
    tuning_iterations: int = parameter(
        60, "Optimiser steps where the training goes on from a network that sees volumes, as the general model does: it needs few, and "
        "each takes seconds. At most the number of steps above.", label="Steps from the general model", ge=1)
    batch_size: int = parameter(4, "Crops in one optimiser step, over all processes together.", ge=1, published=8, label="Batch size")
    learning_rate: float = parameter(
        2e-3, "Largest learning rate. The supplement has 0.1 with SGD, the released program 0.01.", gt=0, published=0.1)
    weight_decay: float = parameter(
        1e-3, "Weight decay of the optimiser. The supplement has 1e-5, the released program 1e-4.", expert=True, ge=0, published=1e-5)
    optimiser: Literal["adamw", "sgd"] = parameter(
        "adamw", "Optimiser: AdamW, or gradient descent with momentum 0.9.", expert=True, published="sgd")
    schedule: Literal["constant", "one_cycle", "cosine", "step"] = parameter(
        "cosine", "How the learning rate moves.", expert=True, published="step", label="Course of the learning rate")
    warm_up: float = parameter(0.05, "Part of the training in which the learning rate rises.", expert=True, ge=0, le=1,
        acts_when={"schedule": ("one_cycle", "cosine")}, label="Share of the rise")
    precision: Literal["float32", "auto", "bfloat16", "float16", "tf32"] = parameter(
        "auto", "Arithmetic of the networks; auto takes bfloat16 where the hardware has it, three times faster on such processors.",
        expert=True, published="float32", label="Arithmetic")
    ema_decay: float = parameter(
        0.98, "Decay of the running average of the weights, which then serves for validation and use; 0 keeps none.",
        expert=True, ge=0, lt=1, published=0.0, label="Decay of the averaged weights")
    gradient_clip: float = parameter(1.0, "Largest norm of the gradient; 0 does not clip.", expert=True, ge=0, published=0.0,
        label="Largest gradient")
    checkpoint_interval: int = parameter(250, "Steps between two checkpoints; 0 writes one an epoch.", unit="steps", expert=True, ge=0,
        keeps_result=KEPT, label="Checkpoint every")
    validation_interval: int = parameter(
        100, "Steps between two validations; 0 validates once an epoch.", unit="steps", expert=True, ge=0, published=200,
        label="Validation every")

    z_start: int = parameter(0, "First slice that is labelled; slices before it are not taken as background.", label="First labelled slice",
                             unit="voxel", ge=0)
    z_end: int = parameter(
        0, "First slice behind the labelled ones; 0 takes the slices between the first and the last one with a label, and all of a "
        "tomogram that holds none.", label="End of labelled slices", unit="voxel", ge=0)
    unpainted: Literal["background", "painted_slices", "unknown"] = parameter(
        "background", "What voxels without a label are: background; background in slices in which something is painted, the other slices "
        "being unknown; or unknown everywhere, so that membrane (1) and some background (2) are painted. What is unknown, and labels below "
        "0, counts for nothing; painted slices take no self-training.", label="Unpainted voxels")
    empty_share: float = parameter(
        0.2, "Largest share of the training slices that come from tomograms without any membrane, which teach what is none.",
        label="Share of empty tomograms", expert=True, ge=0, lt=1)
    membrane_class: int = parameter(0, "Number of the membrane in the label volume; 0 takes every label above 0.", ge=0, le=32767)
    resample_labels: bool = parameter(
        False, "Bring labels of another shape or voxel size onto the tomogram's grid, the nearest label for each voxel.",
        label="Resample labels")
    slices: int = parameter(
        5, "Neighbouring slices the network sees at once to label the middle one, an odd number.", unit="slices", ge=1, le=15,
        published=1, label="Slices seen at once")
    crop_px: int = parameter(
        96, "Side of a training crop, at most the slice itself. The paper trains on whole slices.", unit="voxel", ge=16, le=4096,
        multiple_of=16, published=1024, label="Side of a training crop")
    normalisation: Literal["volume", "slice"] = parameter(
        "volume", "Grey values are standardised by mean and deviation of the tomogram, or of each slice.", expert=True, published="slice")
    smoothing_px: float = parameter(
        1.0, "Width of the Gaussian that smooths each slice before the network, so that it need not learn to; 0 smooths nothing.",
        label="Smoothing", unit="voxel", ge=0, le=5, published=0.0)
    augmentation: Literal["extended", "published"] = parameter(
        "extended", "Random changes of training crops: turns by 90 degrees, flips, rotations up to 20 degrees; the extended ones turn "
        "every crop and also flip along z, change contrast and add noise.", published="published")
    foreground_crops: float = parameter(
        0.5, "Share of the crops that are centred on a labelled voxel; the others lie anywhere.", expert=True, ge=0, le=1,
        published=0.0, label="Crops on labels")
    ignore_band_px: int = parameter(
        1, "Voxels on either side of a label's border that are not learned from, because pseudo-labels are least certain there.",
        label="Ignored border", unit="voxel", ge=0, le=10, published=0)
    rounds: int = parameter(
        1, "Rounds of self-training: the student labels the training slices anew, drops small components and goes on learning from "
        "where it was confident. Meant for pseudo-labels; exact labels need none.",
        label="Rounds of self-training", ge=0, le=5, published=0, acts_when={"unpainted": "background"})
    confidence: float = parameter(
        0.2, "Voxels are learned in self-training when the membrane's probability p has |2 p - 1| above this.", expert=True, ge=0, lt=1,
        acts_when=SELF_TRAINED, label="Confidence")
    smallest_component: float = parameter(
        1e6, "Connected membranes of a smaller volume become background in self-training.", unit="A^3", expert=True, ge=0,
        acts_when=SELF_TRAINED)
    held_out: float = parameter(
        0.15, "Share of the labelled slices kept for validation, one block of neighbours. The paper draws single slices, whose "
        "neighbours are trained on.", expert=True, ge=0, le=0.5, published=0.2, label="Share held out")

    @classmethod
    def supplement(cls, **changes: Any) -> "TrainMembranesParameters":
        """The settings of the paper's supplement (S6), then ``changes``."""
        values = {name: field.json_schema_extra["published"] for name, field in cls.model_fields.items()  # type: ignore[call-overload, index]
                  if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("published") is not None}
        return cls(**{**values, "step_every": 10000, "step_factor": 0.1, **changes})

    @classmethod
    def published(cls, **changes: Any) -> "TrainMembranesParameters":
        """The paper's settings: those of the supplement."""
        return cls.supplement(**changes)

    @classmethod
    def released(cls, **changes: Any) -> "TrainMembranesParameters":
        """The settings of the paper's released program, then ``changes``."""
        return cls.supplement(**{"learning_rate": 0.01, "weight_decay": 1e-4, **changes})


class ThresholdMembranesParameters(Parameters):
    """From probabilities of membrane to a mask."""

    threshold: float = parameter(0.5, "Voxels are membrane when their probability reaches this.", gt=0, lt=1, published=0.5)
    smallest_component: float = parameter(
        1.5e6, "Connected membranes of a smaller volume are dropped: 1.5e6 is a piece of 35 000 A^2, a fifteenth of a vesicle of 40 nm. "
        "0 keeps all, as the paper does.", unit="A^3", ge=0)


class SeeingParameters(Parameters):
    """Which part of a tomogram a network is shown, and in what tiles."""

    z_auto: bool = parameter(
        False, "Segment the slices between the faces of the ice, found in each tomogram; where they are not clear, every slice, "
        "with a warning.", label="Slices that hold the sample")
    z_start: int = parameter(0, "First slice to segment, counted from 0.", label="First slice", unit="voxel", ge=0,
                             acts_when={"z_auto": False})
    z_end: int = parameter(0, "First slice behind the last one to segment; 0 takes every slice up to the last one.", label="End slice",
                           unit="voxel", ge=0, acts_when={"z_auto": False})
    test_flips: bool = parameter(
        False, "Average the answers to the four mirror images of each tile: steadier, four times slower.",
        label="Average over mirror images")
    tile_px: int = parameter(
        256, "Side of the tiles a slice is cut into.", unit="voxel", expert=True, ge=32, le=4096, multiple_of=16, published=512,
        label="Side of a tile")
    overlap_px: int = parameter(
        32, "Voxels shared by neighbouring tiles, whose probabilities are averaged. The paper's tiles do not overlap.", unit="voxel",
        expert=True, ge=0, le=2048, label="Overlap of tiles")


class SegmentMembranesParameters(SeeingParameters, ThresholdMembranesParameters):
    """Membranes of whole tomograms by a trained student."""

    write_probability: bool = parameter(True, "Also write the probability of membrane for each voxel.", expert=True,
        label="Write probabilities")
