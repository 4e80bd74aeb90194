"""Parameters of the whole unsupervised chain.

Imported by Scipion's own interpreter: valid Python 3.8, no dependency but pydantic.
"""
from typing import Any, Dict, Literal

from ...foundation.params import SegmentSlabsParameters
from ...runtime.params import Parameters, other_than, parameter, published_values
from ...students.membranes.params import TrainMembranesParameters
from ...students.picker.params import TrainPickerParameters

# Of applying the students the paper and its tools say: no component is dropped, tiles do not overlap (Uddin26 S6), DeepETPicker's own peaks
PUBLISHED_APPLICATION: Dict[str, Dict[str, Any]] = {
    "segment-membranes": {"smallest_component": 0.0, "tile_px": 512, "overlap_px": 0},
    "pick-deepet": {"peaks": "published", "height_threshold": 0.1, "ranking": "height", "tile_px": 72, "padding_px": 12},
}


class PipelineParameters(Parameters):
    """What the chain as a whole needs; everything else belongs to its steps."""

    start: Literal["general", "pseudo-labels", "nothing"] = parameter(
        "general", "Where the networks come from. general: the shipped models, which know all tomograms. pseudo-labels: students that "
        "learn from the pseudo-labels of some slices of these tomograms and then from their own confident answers. nothing: the same "
        "without that second lesson, the chain as published.", published="nothing")
    particle_diameter: float = parameter(250.0, "Diameter of the particles that are sought.", unit="A", gt=0, le=5000)
    training_tomograms: int = parameter(
        1, "So many of the tomograms, from the first on, give the pseudo-labels that the students learn from.", published=1, ge=1)
    z_auto: bool = parameter(
        False, "Work in the slices between the faces of the ice, found in each tomogram; where they are not clear, in every "
        "slice, with a warning.", label="Slices that hold the sample")
    z_start: int = parameter(
        0, "First slice of the slabs that give pseudo-labels, counted from 0; used together with the end slice.", unit="slices", ge=0,
        acts_when={"z_auto": False, "z_end": other_than(0)})
    z_end: int = parameter(
        0, "Slice after the last that gives pseudo-labels; 0 takes slices in the middle of the tomogram.", unit="slices", ge=0,
        acts_when={"z_auto": False})
    labelled_slices: int = parameter(
        32, "Slices in the middle that give pseudo-labels where no range is given.", unit="slices", published=100, ge=1,
        acts_when=[{"z_auto": True}, {"z_end": 0}])
    oracle: bool = parameter(
        True, "Where the truth of the training tomograms is given, train the same students on it too: the bound from above.")
    steps: Dict[str, Dict[str, Any]] = parameter(
        {}, "Parameters of single steps in place of their defaults, by method and name.", expert=True)

    @classmethod
    def published(cls) -> "PipelineParameters":
        """The paper's chain from end to end: a hundred slices of one tomogram, every step with its published settings."""
        models = (("segment-slabs", SegmentSlabsParameters), ("train-membranes", TrainMembranesParameters),
                  ("train-picker", TrainPickerParameters))
        steps = {name: published_values(model) for name, model in models}
        return cls(start="nothing", labelled_slices=100, training_tomograms=1, steps={**steps, **PUBLISHED_APPLICATION})
