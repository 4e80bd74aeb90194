"""Membrane masks that were corrected by hand."""
from typing import Any, Dict, List, Optional

from pyworkflow.protocol import Form, PointerParam
from pyworkflow.utils import Message
from tomo.objects import SetOfTomoMasks, TomoMask

from cryoetseg.constants import CURATE_MEMBRANES
from cryoetseg.convert import byTsId, inputFile, maskLike, tsIdsOf
from cryoetseg.core.runtime.job import InputFile, Result
from cryoetseg.core.students.membranes.curate_params import CurateMembranesParameters, Place, places_in, places_text

from .form_builder import addFields, byHand
from .input_checks import checkIds
from .protocol_base import ProtCryoEtSegBase
from .protocol_tomograms_base import counted, tellingWarnings

CURATED_MASKS = "curatedMasks"
A3_PER_NM3 = 1000.0


class ProtCryoEtSegCurateMembranes(ProtCryoEtSegBase):
    """Take membranes out of masks and put others in by hand; what was changed stays in the project with the run.

    *Correct membranes by clicks* in *Analyze Results* of a segmentation, or in the right-click menu of masks, launches this: a click on a
    membrane takes it out, a click on what the probabilities hold beside it puts that in. No network runs, and the input stays as it is.
    """

    _label = "correct membranes by hand"
    _possibleOutputs = {CURATED_MASKS: SetOfTomoMasks}
    _method = CURATE_MEMBRANES
    _model = CurateMembranesParameters

    def _defineParams(self, form: Form) -> None:
        form.addSection(label=Message.LABEL_INPUT)
        form.addParam("inMasks", PointerParam, pointerClass="SetOfTomoMasks", important=True, label="Membrane masks",
                      help="Masks of 0 and 1, of which each connected part is a membrane, or with a number for each membrane as *measure "
                           "membranes* gives them. Of any program.")
        form.addParam("inProbabilities", PointerParam, pointerClass=byHand("SetOfTomoMasks"), allowsNull=True,
                      label="Probabilities (optional)",
                      help="Output *probabilities* of *segment membranes*: what they hold beside the masks may be put in.")
        addFields(form, self._model, self._model.model_fields)
        self._addParallel(form)

    # --------------------------- jobs --------------------------------------
    def _getItemIds(self) -> List[str]:
        return tsIdsOf(self.inMasks.get())

    def _getInputs(self, tsId: str) -> List[InputFile]:
        maps = byTsId(self.inProbabilities.get()) if self.inProbabilities.get() is not None else {}
        inputs = [inputFile(self._masks()[tsId], "mask")]
        return [*inputs, inputFile(maps[tsId], "probability")] if tsId in maps else inputs

    def _getParameters(self, tsId: str) -> Dict[str, Any]:
        """Only the places of one tomogram, so that clicks in another one change nothing here."""
        values = super()._getParameters(tsId)
        own = {name: places_text(place for place in places_in(values[name]) if place.series == tsId) for name in ("removed", "added")}
        return {**values, **own}

    def _masks(self) -> Dict[str, TomoMask]:
        if not hasattr(self, "_masksById"):
            self._masksById = byTsId(self.inMasks.get())
        return self._masksById

    # --------------------------- outputs -----------------------------------
    def _registerResult(self, tsId: str, result: Result) -> None:
        source = self._masks()[tsId]
        mask = maskLike(source, self._getOutputFile(tsId, result, "membrane_mask"))
        mask.setVolName(source.getVolName())  # the tomogram, not the mask before
        self._extendOutput(CURATED_MASKS, self._createMasks, tsId, [mask], [self.inMasks])

    def _createMasks(self) -> SetOfTomoMasks:
        masks = SetOfTomoMasks.create(self._getPath(), suffix=CURATED_MASKS)
        masks.copyInfo(self.inMasks.get())
        return masks

    # --------------------------- information -------------------------------
    def _validateInputs(self) -> List[str]:
        errors = checkIds(self.inMasks, "Membrane masks")
        if errors or self.inMasks.get() is None:
            return errors
        try:
            removed, added = places_in(self.removed.get()), places_in(self.added.get())
        except ValueError:
            return []  # the parameter model says it
        outside = [*filter(None, [self._placeError("Taken out", removed), self._placeError("Put in", added)])]
        return outside or [*filter(None, [self._mapError(added)])]

    def _placeError(self, label: str, places: List[Place]) -> Optional[str]:
        wrong = next((place for place in places if not self._isInside(place)), None)
        if wrong is None:
            return None
        return f"*{label}*: {wrong.series} {wrong.x:g}, {wrong.y:g}, {wrong.z:g} lies in no mask of the set."

    def _isInside(self, place: Place) -> bool:
        mask = self._masks().get(place.series)
        return mask is not None and all(-0.5 <= value < size - 0.5 for value, size in zip(place[1:], mask.getDim()))

    def _mapError(self, added: List[Place]) -> Optional[str]:
        """Membranes are put in from probabilities of the same tomogram."""
        known = set(tsIdsOf(self.inProbabilities.get())) if self.inProbabilities.get() is not None else set()
        lacking = sorted({place.series for place in added} - known)
        if not lacking:
            return None
        return (f"*Put in* names {', '.join(lacking[:5])}, of which *Probabilities* has nothing. What to do: choose the output "
                "*probabilities* of the run that made the masks.")

    def _summarise(self, results: Dict[str, Result]) -> List[str]:
        rows = {tsId: result.metrics[tsId] for tsId, result in results.items()}
        changed = {tsId: row for tsId, row in rows.items() if row["taken_out"] or row["put_in"]}
        lines = [f"{tsId}: {counted(row['taken_out'], 'membrane')} ({row['taken_out_A3'] / A3_PER_NM3:.0f} nm³) taken out and "
                 f"*{row['put_in']}* ({row['put_in_A3'] / A3_PER_NM3:.0f} nm³) put in by hand." for tsId, row in changed.items()]
        same = len(rows) - len(changed)
        return [*lines, *([f"{counted(same, 'mask')} without a change."] if same else []), *tellingWarnings(results)]

    def _methods(self) -> List[str]:
        if not hasattr(self, CURATED_MASKS):
            return []
        text = f"By hand {len(places_in(self.removed.get()))} membranes were taken out of the masks"
        added = len(places_in(self.added.get()))
        return [f"{text} and {added} put in from what had a probability of {self.candidatesFrom.get():g} or more." if added else f"{text}."]

    def _citations(self) -> List[str]:
        return []
