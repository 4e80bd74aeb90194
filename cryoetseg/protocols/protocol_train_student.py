"""What the trainings of membranes and of the picker share: a model to go on from, and tomograms that hold nothing."""
from typing import List, Optional, Sequence

from pyworkflow.object import Pointer
from pyworkflow.protocol import EnumParam, Form, PointerParam
from tomo.objects import SetOfTomograms

from cryoetseg.convert import byTsId, inputFile, tsIdsOf
from cryoetseg.core.models.shelf import shipped_folder
from cryoetseg.core.runtime.job import InputFile
from cryoetseg.model_folder import modelErrors, readCard

from .form_builder import byHand
from .input_checks import checkTomograms
from .protocol_apply_base import GENERAL
from .protocol_base import CONTRASTS
from .protocol_train_base import ProtCryoEtSegTrainBase

RANDOM, GENERAL_MODEL, CHOSEN = STARTS = "random weights", "the general model", "a model"
FROM_NOTHING = f"startFrom == {STARTS.index(RANDOM)}"  # as Scipion evaluates it


class ProtCryoEtSegTrainStudentBase(ProtCryoEtSegTrainBase):
    """Base of the trainings that may go on from a model."""

    _modelMethod = ""  # what the card of a fitting model says
    _startNetworks: Sequence[str] = ()  # what this training can go on from, as in cards
    _starts = STARTS

    @classmethod
    def isBase(cls) -> bool:
        """Keeps the base class out of Scipion's menu."""
        return cls is ProtCryoEtSegTrainStudentBase

    # --------------------------- form --------------------------------------
    def _addStart(self, form: Form) -> None:
        """The fields for a model to go on from and for empty tomograms."""
        form.addParam("startFrom", EnumParam, choices=list(self._starts), default=0, display=EnumParam.DISPLAY_COMBO, label="Start from",
                      help="Random weights, or a model that goes on learning: fewer labels are enough then. It stays as it was where "
                      "the training makes it no better on what was held out.")
        form.addParam("inStart", PointerParam, pointerClass="CryoEtSegModel", condition=f"startFrom == {self._starts.index(CHOSEN)}",
                      label="Model to start from", help=f"A model of *{self._label}*, or one imported with *import model*.")
        form.addParam("inEmpty", PointerParam, pointerClass=byHand("SetOfTomograms"), allowsNull=True, label="Tomograms without any",
                      help="Tomograms in which nothing of what is looked for can be seen: they teach what is none. No labels are needed.")

    def _start(self) -> str:
        return self._starts[self.startFrom.get()]

    def _empty(self) -> Optional[SetOfTomograms]:
        """The tomograms that hold nothing, where the form asks for them."""
        return self.inEmpty.get() if self.evalParamCondition("inEmpty") else None

    def _startFolder(self) -> str:
        """Folder of the model to go on from; empty for random weights or where none is chosen yet."""
        if self._start() == GENERAL_MODEL:
            return str(shipped_folder(GENERAL, self._modelMethod))
        model = self.inStart.get() if self._start() == CHOSEN else None
        return model.getPath() if model is not None else ""

    # --------------------------- jobs --------------------------------------
    def _getInputs(self, tsId: str) -> List[InputFile]:
        contrast = CONTRASTS[self.contrast.get()]
        empty = byTsId(self._empty()) if self._empty() is not None else {}
        files = [inputFile(empty[name], "empty", contrast) for name in sorted(empty)]
        if self._startFolder():
            files.append(InputFile(path=self._startFolder(), role="start"))
        return super()._getInputs(tsId) + files

    def _sources(self) -> List[Pointer]:
        chosen = [self.inStart] if self._start() == CHOSEN else []
        empty = [self.inEmpty] if self._empty() is not None else []
        return super()._sources() + [pointer for pointer in [*chosen, *empty] if pointer.get() is not None]

    # --------------------------- information -------------------------------
    def _validateInputs(self) -> List[str]:
        return super()._validateInputs() + self._emptyErrors() + self._startErrors()

    def _emptyErrors(self) -> List[str]:
        if self._empty() is None:
            return []
        errors = checkTomograms(self.inEmpty, "Tomograms without any")
        if errors or self.inTomos.get() is None:
            return errors
        both = sorted(set(tsIdsOf(self._empty())) & set(self.getTrainingIds()))
        if both:
            errors.append(f"{', '.join(both[:5])} are among *Tomograms*, with labels, and among *Tomograms without any*. Allowed: one of "
                          "the two. What to do: choose a subset of tomograms that hold none.")
        return errors

    def _startErrors(self) -> List[str]:
        folder = self._startFolder()
        if not folder:  # random weights, or a model that Scipion itself asks for
            return []
        errors = modelErrors(folder, self._modelMethod, f"*{self._label}*")
        if not errors and readCard(folder).network not in self._startNetworks:
            allowed = " or ".join(self._startNetworks)
            errors.append(f"*Model to start from* has the network '{readCard(folder).network}'. Allowed: {allowed}. "
                          f"What to do: choose a model of *{self._label}* or the general one.")
        return errors

    def _startText(self) -> str:
        """What the methods text says of the start; empty for random weights."""
        if self._start() == RANDOM:
            return ""
        origin = "the general model of the plugin" if self._start() == GENERAL_MODEL else f"a model for {self.inStart.get().describe()}"
        return f", going on from {origin}"
