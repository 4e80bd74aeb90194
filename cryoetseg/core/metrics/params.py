"""Parameters of the evaluations.

Imported by Scipion's own interpreter: valid Python 3.8, no dependency but pydantic.
"""
from typing import Literal

from ..runtime.params import Parameters, other_than, parameter


class EvaluateSegmentationParameters(Parameters):
    """How a mask or label volume is compared with the truth."""

    labels: Literal["mask", "classes"] = parameter(
        "mask", "Compare two masks (anything above the threshold is foreground), or two label volumes class by class.", label="Compare")
    threshold: float = parameter(
        0.0, "Values of the predicted volume above this are foreground. 0 suits masks and labels, 0.5 probability maps.",
        ge=-1000.0, le=1000.0, acts_when={"labels": "mask"})
    z_start: int = parameter(0, "First z slice that is compared, counted from 0.", unit="slices", ge=0)
    z_end: int = parameter(0, "Slice after the last that is compared; 0 goes to the end.", unit="slices", ge=0)
    tolerance_px: float = parameter(
        1.0, "Surface Dice counts surface voxels within this distance of the other surface.", unit="voxels", ge=0.0, le=50.0,
        label="Tolerance of surfaces", acts_when={"labels": "mask"})
    bootstrap_repeats: int = parameter(
        1000, "Draws of the bootstrap behind confidence intervals; 0 leaves them out.", expert=True, ge=0, le=100000,
        label="Draws for intervals", acts_when={"labels": "mask"})
    confidence: float = parameter(0.95, "Level of the confidence intervals.", expert=True, gt=0.0, lt=1.0,
        label="Confidence", acts_when={"labels": "mask", "bootstrap_repeats": other_than(0)})


class EvaluatePickingParameters(Parameters):
    """How particle positions are compared with the truth."""

    radius_px: float = parameter(
        10.0, "A prediction hits a true centre within this distance, inclusive, each at most once.", label="Matching radius", unit="voxels",
        published=10, gt=0.0, le=1000.0)
    class_matching: Literal["any", "same"] = parameter(
        "any", "Match particles whatever their class, or only those of the same class, with scores for each class.", label="Match classes")
    recall_counts: str = parameter("", "Also report recall for so many of the best predictions, such as '268, 500, 800'.",
        label="Recall at counts")
    size_limits: str = parameter(
        "", "Also report recall and average precision by size: the diameters that part the sizes, such as '150, 250'. The truth must state "
        "diameters.", unit="A", label="Limits of sizes")
    z_start: int = parameter(0, "Particles below this z slice are left out of both lists.", unit="slices", ge=0)
    z_end: int = parameter(0, "Particles from this z slice on are left out of both lists; 0 keeps all.", unit="slices", ge=0)
    bootstrap_repeats: int = parameter(
        1000, "Draws of the bootstrap behind confidence intervals; 0 leaves them out.", expert=True, ge=0, le=100000,
        label="Draws for intervals")
    confidence: float = parameter(0.95, "Level of the confidence intervals.", expert=True, gt=0.0, lt=1.0,
        label="Confidence", acts_when={"bootstrap_repeats": other_than(0)})


class EvaluateRestorationParameters(Parameters):
    """How a restored volume is compared with the clean truth."""

    z_start: int = parameter(0, "First z slice that is compared, counted from 0.", unit="slices", ge=0)
    z_end: int = parameter(0, "Slice after the last that is compared; 0 goes to the end.", unit="slices", ge=0)
    shell_threshold: float = parameter(
        0.5, "Resolution is where the Fourier shell correlation with the truth falls below this.", expert=True, gt=0.0, lt=1.0)
