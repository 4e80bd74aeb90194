"""Adaptation of a segmenter to subtomograms without labels."""
import os
from typing import Any, Dict, List

from pyworkflow.object import Pointer
from pyworkflow.protocol import LEVEL_ADVANCED, EnumParam, FloatParam, Form, IntParam, MultiPointerParam, PointerParam, StringParam
from pyworkflow.utils import Message

from cryoetseg._plugin import Plugin
from cryoetseg.constants import SIMULATE_VOXUDA_SOURCE, TRAIN_VOXUDA
from cryoetseg.convert import templateFiles
from cryoetseg.core.runtime.job import JOB_FILE, RESULT_FILE, InputFile, Job, Result, read_result, write_job
from cryoetseg.core.runtime.params import PRESETS, describe, published_values, with_preset
from cryoetseg.core.voxuda.params import SOURCE_IMAGING, TrainVoxUdaParameters, VoxUdaSourceParameters, fitted_voxel_size

from .form_builder import addGroups, addPreset, attributeName, byHand, fieldsByBase, labelOf, parametersOf
from .input_checks import Writers
from .methods_text import otherThanPublished
from .protocol_base import CONTRASTS
from .protocol_tomograms_base import tellingWarnings
from .protocol_train_base import LOOP_GROUP, MODEL, TRAINING, ProtCryoEtSegTrainBase
from .subtomogram_sets import checkSubtomograms, subtomogramFiles

SOURCE = "source"
IMAGING = [field for field in describe(VoxUdaSourceParameters) if field.name in SOURCE_IMAGING]
IMAGING_CLASSES = {int: IntParam, float: FloatParam, str: StringParam}
ANGLES, DEFOCUS = ("tilt_min", "tilt_max"), "defocus"
KNOWN_FROM = {**dict.fromkeys(ANGLES, "the target's acquisition"), DEFOCUS: "the CTF of the target"}  # where a field is left empty
# Parts of the method that act on the unlabelled target, as papers would say it
PARTS = {"consistency": "the target's noise on the source", "adversarial": "a domain discriminator", "pseudo_labels": "pseudo-labels"}


def _sourceAttribute(name: str) -> str:
    """``sourceTiltMin`` for ``tilt_min``."""
    return attributeName(f"{SOURCE}_{name}")


def meanUnderfocus(ctfs: Any) -> float:
    """Mean underfocus in micrometres over all tilt images of a set of CTFs, of both axes of astigmatism."""
    values = [(ctf.getDefocusU() + ctf.getDefocusV()) / 2 for series in ctfs.iterItems() for ctf in series.iterItems()]
    return sum(values) / len(values) / 1e4


class ProtCryoEtSegTrainVoxUda(ProtCryoEtSegTrainBase):
    """Train a network to segment your subtomograms without any label of them (Vox-UDA).

    It learns from labelled subtomograms of other molecules, simulated on the fly or given as a set with masks, and adapts to yours:
    noise like that of your data is added to the source, a discriminator keeps the features of both alike, and a slowly moving teacher
    labels your denoised subtomograms. The target may come from any extraction: this plugin's, RELION's, Dynamo's, or imported.

    Output: a model for *segment subtomograms* and for whole tomograms. *Analyze Results* shows the training curve, also while it runs.
    """

    _label = "train Vox-UDA"
    _method = TRAIN_VOXUDA
    _model = TrainVoxUdaParameters

    # --------------------------- form --------------------------------------
    def _defineParams(self, form: Form) -> None:
        groups = fieldsByBase(self._model)
        form.addSection(label=Message.LABEL_INPUT)
        self._addTarget(form)
        self._addSource(form)
        form.addSection(label="Adaptation")
        addPreset(form, self._model)
        addGroups(form, self._model, [("Adaptation", names) for title, names in groups if title != LOOP_GROUP])
        form.addSection(label=LOOP_GROUP)
        addGroups(form, self._model, [("Length, speed, care", names) for title, names in groups if title == LOOP_GROUP])
        self._addSeed(form)
        self._addGpu(form)
        form.addParallelSection(threads=1, mpi=0, binThreads=os.cpu_count() or 1,
                                binThreadsHelp="Processor cores that the training uses.")

    def _addTarget(self, form: Form) -> None:
        form.addParam("inTarget", PointerParam, pointerClass="SetOfSubTomograms, SetOfVolumes", important=True, label="Target",
                      help="Subtomograms to adapt to, all of one size and voxel size. No labels are needed.")
        self._addContrast(form)

    def _addSource(self, form: Form) -> None:
        form.addParam("inSource", PointerParam, pointerClass=byHand("SetOfSubTomograms, SetOfVolumes"), allowsNull=True,
                      label="Labelled source", help="Subtomograms with masks to learn from. Left empty, they are simulated.")
        form.addParam("inSourceMasks", PointerParam, pointerClass=byHand("SetOfSubTomograms, SetOfVolumes"), condition="inSource",
                      allowsNull=True, label="Masks of the source", help="One mask for each source subtomogram, in their order.")
        form.addParam("sourceContrast", EnumParam, choices=list(CONTRASTS), default=0, condition="inSource",
                      display=EnumParam.DISPLAY_HLIST, label="Source particles look",
                      help="Dark on a bright ground, as most reconstructions, or bright on a dark ground. It may differ from the target's.")
        form.addParam("sourceCount", IntParam, default=VoxUdaSourceParameters().count, condition="not inSource",
                      label="Simulated subtomograms", help="Number of simulated source subtomograms. The paper took 3000.")
        form.addParam("templates", MultiPointerParam, pointerClass="Volume, SetOfVolumes, AtomStruct", allowsNull=True,
                      condition="not inSource", label="Molecules of the source",
                      help="Density maps or atomic models to simulate the source from, other ones than the target's. Left empty, "
                           "built-in molecules are taken.")
        form.addParam("inCtf", PointerParam, pointerClass="SetOfCTFTomoSeries", allowsNull=True, condition="not inSource",
                      label="CTF of the target", help="CTF of the tilt series that the target comes from: the simulated source gets its "
                                                      "mean underfocus. A source imaged as the target was teaches most.")
        for field in IMAGING:
            origin = KNOWN_FROM.get(field.name)
            form.addParam(_sourceAttribute(field.name), IMAGING_CLASSES[field.kind], allowsNull=True,
                          default=None if origin else field.default, condition="not inSource", expertLevel=LEVEL_ADVANCED,
                          label=f"Source: {labelOf(field)[:1].lower()}{labelOf(field)[1:]}",
                          help=field.help + (f" Left empty, that of {origin} is taken, else {field.default:g}." if origin else ""))

    def presetValues(self, preset: str) -> Dict[str, Any]:
        """Those of the training, and of how the source is simulated."""
        ofSource = with_preset(VoxUdaSourceParameters, VoxUdaSourceParameters().model_dump(), preset)
        published = [name for name in published_values(VoxUdaSourceParameters) if name in SOURCE_IMAGING]
        source = {_sourceAttribute(name): ofSource[name] for name in published}
        return {**super().presetValues(preset), "sourceCount": ofSource["count"], **source}

    # --------------------------- jobs --------------------------------------
    def _isSimulated(self) -> bool:
        return self.inSource.get() is None

    def _writeInputs(self, tsId: str) -> None:
        """Simulate the source, where none is given, by a job of its own in ``extra/source``."""
        if not self._isSimulated() or os.path.exists(self._getItemFile(SOURCE, RESULT_FILE)):
            return
        # at the target's voxel size, so that the source fills its boxes
        target = self.inTarget.get()
        voxelSize = self.commonVoxelSize.get() or fitted_voxel_size(target.getSamplingRate(), max(target.getDimensions()), self.size.get())
        templates = templateFiles(self.templates)
        particles = "none" if templates else VoxUdaSourceParameters().particles
        parameters = VoxUdaSourceParameters(**{**self._imaging(), "size": self.size.get(), "particles": particles,
                                               "voxel_size": voxelSize}).model_dump()
        write_job(self._getItemFile(SOURCE, JOB_FILE), Job(
            method=SIMULATE_VOXUDA_SOURCE, parameters=parameters, inputs=templates, output_folder=self._getItemFile(SOURCE),
            seed=self._getSeed(SOURCE), device="cpu"))
        Plugin.runCore(self, self._getItemFile(SOURCE, JOB_FILE))

    def _imaging(self) -> Dict[str, Any]:
        """How many and how imaged the source is: as the form says, tilts and underfocus as known of the target, else as the preset."""
        values = {field.name: getattr(self, _sourceAttribute(field.name)).get() for field in IMAGING}
        acquisition = self.inTarget.get().getAcquisition()
        angles = (acquisition.getAngleMin(), acquisition.getAngleMax()) if hasattr(acquisition, "getAngleMin") else (None, None)
        known = dict(zip(ANGLES, angles)) if None not in angles and angles[0] < 0 < angles[1] else {}  # few programs write it down
        if self.inCtf.get() is not None:
            known[DEFOCUS] = meanUnderfocus(self.inCtf.get())
        given = {**known, **{name: value for name, value in values.items() if value is not None}, "count": self.sourceCount.get()}
        whole = {**VoxUdaSourceParameters().model_dump(), **given}
        return with_preset(VoxUdaSourceParameters, whole, PRESETS[self.preset.get()])

    def _wantedLists(self, tsId: str) -> Writers:
        return {}

    def _getInputs(self, tsId: str) -> List[InputFile]:
        files = subtomogramFiles(self.inTarget.get(), "target", CONTRASTS[self.contrast.get()])
        if not self._isSimulated():
            files += subtomogramFiles(self.inSource.get(), SOURCE, CONTRASTS[self.sourceContrast.get()])
            if self.inSourceMasks.get() is not None:
                files += subtomogramFiles(self.inSourceMasks.get(), "source_mask")
            return files
        if not os.path.exists(self._getItemFile(SOURCE, RESULT_FILE)):
            return files
        made = read_result(self._getItemFile(SOURCE, RESULT_FILE)).outputs_of("subtomograms")
        return files + [InputFile(path=self._getItemFile(SOURCE, item.path), role=SOURCE, voxel_size=item.voxel_size) for item in made]

    # --------------------------- outputs -----------------------------------
    def _sources(self) -> List[Pointer]:
        return [self.inTarget] if self._isSimulated() else [self.inTarget, self.inSource]

    # --------------------------- information -------------------------------
    def _validateInputs(self) -> List[str]:
        errors = checkSubtomograms(self.inTarget, "Target", least=2)
        if self._isSimulated() and self.inCtf.get() is not None:
            mean = meanUnderfocus(self.inCtf.get())
            errors += [] if 0 < mean <= 30 else [f"*CTF of the target* has a mean underfocus of {mean:.1f} um. Allowed: above 0, up to 30."]
        if not self._isSimulated():
            errors += checkSubtomograms(self.inSource, "Labelled source", least=2)
            masks = self.inSourceMasks.get()
            if masks is not None and masks.getSize() != self.inSource.get().getSize():
                errors.append(f"*Masks of the source* holds {masks.getSize()} masks for {self.inSource.get().getSize()} subtomograms. "
                              "Allowed: one each.")
        return errors

    def _summarise(self, results: Dict[str, Result]) -> List[str]:
        (result,) = results.values()
        metrics = result.metrics
        lines = [f"*{metrics['steps']}* steps on *{metrics['source_subtomograms']}* labelled and *{metrics['target_subtomograms']}* "
                 f"unlabelled subtomograms in {result.seconds / 60:.1f} minutes."]
        if hasattr(self, MODEL):
            lines.append(f"Model: {self.model.describe()}.")
        return lines + tellingWarnings(results)

    def _methods(self) -> List[str]:
        if not hasattr(self, MODEL):
            return []
        metrics, values = self._readResult(TRAINING).metrics, parametersOf(self, self._model)
        source = f"{'simulated ' if self._isSimulated() else ''}labelled"
        parts = [text for name, text in PARTS.items() if values[name]]
        adapted = f"adapted to {metrics['target_subtomograms']} unlabelled ones by {', '.join(parts)} of Vox-UDA" if parts else (
            "not adapted to the unlabelled ones: all parts of Vox-UDA that do so were off")
        return [f"A VoxResNet was trained for {metrics['steps']} steps on {metrics['source_subtomograms']} {source} subtomograms and "
                f"{adapted} [Li2024] (learning rate {values['learning_rate']:g}, batch size {values['batch_size']}, seed "
                f"{self.seed.get()}).", *otherThanPublished(self._model, values)]

    def _citations(self) -> List[str]:
        return ["Li2024", "Chen2018"]
