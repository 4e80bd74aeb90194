"""Membranes and particle candidates from tomograms without labels."""
from typing import Any, Dict, List

from pyworkflow.protocol import Form
from pyworkflow.utils import Message
from tomo.objects import SetOfCoordinates3D, SetOfTomoMasks

from cryoetseg._plugin import Plugin
from cryoetseg.constants import SEGMENT_SLABS
from cryoetseg.core.foundation.backbone_folder import STABLE_DIFFUSION, find_folder, network_class
from cryoetseg.core.foundation.params import SegmentSlabsParameters
from cryoetseg.core.foundation.weights import BACKBONES
from cryoetseg.core.runtime.errors import WeightsError
from cryoetseg.core.runtime.job import Result

from .form_builder import addGroups, addPreset, fieldsByBase, parametersOf
from .launch_checks import backboneChoices, backboneErrors, splitterErrors
from .methods_text import otherThanPublished
from .protocol_streamed_base import ProtCryoEtSegStreamedBase
from .protocol_tomograms_base import counted, tellingWarnings
from .slice_ranges import rangeInWords

# Tab of each group of the parameter model and the group's label; groups that are not named here go to the last tab
TABS = {
    "Input": {"Slab": "Slabs", "Backbone": "Backbone", "Particle size": "Particles"},
    "Eigenimages": {"Tiling": "Tiles", "Spectral": "Spectral step", "Aggregation": "Merging of eigenimages"},
    "Detection": {"Separation": "Membranes and particles", "Threshold": "Slice by slice: threshold",
                  "Splitting": "Slice by slice: regions", "Filter": "Slice by slice: which regions are particles"},
}


MEMBRANE_MASKS, COORDINATES = "membraneMasks", "coordinates"


class ProtCryoEtSegSegmentSlabs(ProtCryoEtSegStreamedBase):
    """Find membranes and particle candidates in tomograms without any label or template.

    Slices of the chosen range become pictures, a diffusion network says which of their parts belong together, and the eigenvectors
    of these affinities show the structures. They are merged, thresholded and split into membranes and compact particles, and
    detections are linked along z.

    The backbone *cryoet-tiny* comes with the package and needs no GPU. The published one, Stable Diffusion v1-4, needs its weights:
    run 'cryoetseg weights fetch stable-diffusion-v1-4' once.

    Output: membrane masks of the size of the tomograms, and coordinates of particle candidates with scores. *Analyze Results* shows
    both on the tomogram, and the eigenimages with which of them were merged and why.
    """

    _label = "segment slabs"
    _possibleOutputs = {MEMBRANE_MASKS: SetOfTomoMasks, COORDINATES: SetOfCoordinates3D}
    _inputHelp = "Tomograms to segment, best with voxels of 8 to 16 Å."
    _method = SEGMENT_SLABS
    _model = SegmentSlabsParameters

    # --------------------------- form --------------------------------------
    def _defineParams(self, form: Form) -> None:
        groups = dict(fieldsByBase(self._model))
        for tab, labels in TABS.items():
            form.addSection(label=Message.LABEL_INPUT if tab == "Input" else tab)
            if tab == "Input":
                self._addTomograms(form)
                addPreset(form, self._model)
            addGroups(form, self._model, [(label, groups.pop(title)) for title, label in labels.items() if title in groups])
        addGroups(form, self._model, list(groups.items()))
        backbone = form.getParam("backbone")
        backbone.choices = backboneChoices(backbone.choices)
        self._addSeed(form)
        self._addGpu(form)
        self._addParallel(form)

    def _kindOfWork(self) -> str:
        return f"{self._method} by {self._backbone()}"

    # --------------------------- outputs -----------------------------------
    def _registerResult(self, tsId: str, result: Result) -> None:
        self._registerMask(MEMBRANE_MASKS, tsId, result, "membrane_mask")
        self._registerCoordinates(COORDINATES, tsId, result, self.particleDiameter.get())

    # --------------------------- information -------------------------------
    def _validateLaunch(self) -> List[str]:
        values = parametersOf(self, self._model)
        return super()._validateLaunch() + backboneErrors(values) + splitterErrors(values)

    def _summarise(self, results: Dict[str, Result]) -> List[str]:
        count = self.coordinates.getSize() if hasattr(self, COORDINATES) else 0
        minutes = sum(result.seconds for result in results.values()) / 60
        return [f"{counted(count, 'particle candidate')} and membrane masks in {counted(len(results), 'tomogram')} by {self._backbone()}, "
                f"{minutes:.1f} minutes.", *tellingWarnings(results)]

    def _methods(self) -> List[str]:
        if not hasattr(self, MEMBRANE_MASKS):
            return []
        values, diffusion = parametersOf(self, self._model), self._isDiffusion()
        backbone = "Stable Diffusion [Rombach2022]" if diffusion else f"the diffusion network {self._backbone()}"
        slices = counted(len(self._getFinishedIds()), "tomogram", "")
        return [f"Membranes and particle candidates were found without labels in {rangeInWords(self)} of {slices}, after [Uddin2026]: "
                f"eigenvectors of the affinities of {backbone} [Zhang2024], for particles of {values['particle_diameter']:g} Å, "
                f"{_separatedBy(values)}.", *otherThanPublished(self._model, values)]

    def _backbone(self) -> str:
        return str(parametersOf(self, self._model, ["backbone"])["backbone"])

    def _isDiffusion(self) -> bool:
        """Whether the backbone is Stable Diffusion, or a network of its kind."""
        try:
            return network_class(find_folder(self._backbone(), Plugin.getWeightsFolder())) == STABLE_DIFFUSION
        except WeightsError:
            return self._backbone() in BACKBONES

    def _citations(self) -> List[str]:
        return ["Uddin2026", "Zhang2024", *(["Rombach2022"] if self._isDiffusion() else [])]


def _separatedBy(values: Dict[str, Any]) -> str:
    """How membranes and particles were told apart, with the thresholds."""
    if values["separation"] == "volume":
        return ("told apart in three dimensions at a membrane threshold of {membrane_threshold:g} (seed {membrane_seed:g}) and a particle "
                "threshold of {particle_threshold:g}").format(**values)
    return "told apart slice by slice at a threshold offset of {threshold_offset:g} grey levels, cut by {splitter}".format(**values)
