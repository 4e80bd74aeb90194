"""Parameters of the chains around DUAL.

Imported by Scipion's own interpreter: valid Python 3.8, no dependency but pydantic.
"""
from ...dual.params import ApplyDualParameters
from ...runtime.params import parameter
from ...students.segmenter.params import TrainSegmenterParameters


class TransferParameters(TrainSegmenterParameters):
    """Synthetic tomograms with known classes train DeepFinder's network, which then segments the real ones."""

    copies: int = parameter(1, "Synthetic tomograms made from each grand model, each with noise of its own.", ge=1, le=100)
    least_noise: float = parameter(
        0.3, "Each synthetic tomogram draws how much of the learned noise it has, evenly from this share to all of it: a short training "
        "learns faster from less noise.", ge=0.0, le=1.0, published=1, label="Least share of the noise")
    match_spectra: bool = parameter(
        True, "Then give each synthetic tomogram the mean power spectrum of the tomograms to segment.", published="no",
        label="Match power spectra")

    @classmethod
    def published(cls, **changes: object) -> "TransferParameters":
        """The published segmenter on synthetic tomograms as they are, with all of their noise."""
        return super().published(**{"least_noise": 1.0, "match_spectra": False, **changes})  # type: ignore[return-value]


class CompareDenoisersParameters(ApplyDualParameters):
    """How denoisers are compared where the truth is known."""

    particle_diameter: float = parameter(
        280.0, "Diameter of the particles that the difference of Gaussians looks for.", unit="A", gt=0.0, le=10000.0)
    particle_class: int = parameter(0, "Class of the true particles that count; 0 takes all.", ge=0, le=1000)
    picks: int = parameter(0, "Number of picks; 0 takes as many as there are true particles.", ge=0, le=1000000, published=500)
    radius: float = parameter(80.0, "A pick hits a true centre within this distance.", unit="A", gt=0.0, le=1000.0, published=80)
