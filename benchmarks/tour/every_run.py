"""A Scipion project with a run of every protocol of the plugin, wired and not yet started, for the hands that press Execute."""
import os
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Tuple

import numpy as np

from cryoetseg.core.volumes.io import write_volume

VOXEL_SIZE = 13.0
SAMPLE = {"count": 2, "seed": 5, "sizeZ": 40, "sizeY": 96, "sizeX": 96, "voxelSize": VOXEL_SIZE, "tiltStep": 6.0, "snr": 1.0,
          "particles": "ribosome_80s, tric", "occupancy": 0.3, "vesicleCount": 2, "vesicleRadiusMin": 200.0, "vesicleRadiusMax": 300.0,
          "ellipsoidCount": 0, "tubeCount": 0, "sheetCount": 0, "actinCount": 1, "membraneProteins": 0.0}
SHORT = {"iterations": 4, "batchSize": 2, "checkpointInterval": 2, "validationInterval": 2, "logInterval": 1}
DUAL = {"iterations": 4, "batchSize": 2, "patchPx": 16, "judgeChannels": "2,4", "filterRadius": 3, "validationPatches": 2,
        "modelVoxelSize": 0.0}
VOXUDA = {"iterations": 4, "batchSize": 2, "width": 4, "size": 16, "noiseSamples": 2, "sourceCount": 4}
BOXES, BOX = 4, 16  # subtomograms that are imported, and their side


class Step(NamedTuple):
    """A run: its name, its protocol, the outputs it takes as ``parameter: (name of a run, output)``, and the values of its form."""

    name: str
    protocol: str
    inputs: Dict[str, Tuple[str, str]]
    values: Dict[str, Any]


def steps(folder: Path) -> List[Step]:
    """A run of every protocol, each after those whose outputs it takes; files go into ``folder``."""
    simulated = {output: ("simulated", output) for output in ("tomograms", "grandModels", "classMasks", "membraneMasks", "coordinates")}
    tomograms, truth, true_masks = (simulated[name] for name in ("tomograms", "coordinates", "membraneMasks"))
    probabilities = {"inProbabilities": ("membranes", "probabilities")}
    learning = {"inTomos": tomograms, "inMasks": true_masks}
    restoring = {"inTomos": tomograms, "inModel": ("dual", "model")}
    volumes, masks = ("volumes", "outputVolumes"), ("masks", "outputVolumes")
    picks, model = ("picked", "coordinates"), folder / "model"
    imported = {"samplingRate": VOXEL_SIZE, "filesPattern": "*.mrc"}
    return [
        Step("simulated", "SimulateTomograms", {}, SAMPLE),
        Step("slabs", "SegmentSlabs", {"inTomos": tomograms}, {"zStart": 16, "zLast": 23, "particleDiameter": 280.0}),
        Step("membranes", "SegmentMembranes", {"inTomos": tomograms}, {}),
        Step("other threshold", "ThresholdMembranes", probabilities, {"threshold": 0.3}),
        Step("by hand", "CurateMembranes", {"inMasks": ("membranes", "membraneMasks"), **probabilities}, {}),
        Step("measured", "MeasureMembranes", {"inMasks": true_masks}, {}),
        Step("filaments", "SegmentFilaments", {"inTomos": tomograms}, {}),
        Step("trained membranes", "TrainMembranes", learning, {"cropPx": 32, "rounds": 0, **SHORT}),
        Step("scored masks", "EvaluateSegmentation", {"predicted": ("membranes", "membraneMasks"), "truth": true_masks}, {}),
        Step("picked", "PickParticles", {"inTomos": tomograms}, {}),
        Step("by differences", "PickDog", {"inTomos": tomograms}, {"particleDiameter": 250.0, "count": 20}),
        Step("kinds", "ClusterParticles", {"inCoordinates": truth, "inMasks": true_masks}, {}),
        Step("one kind", "SelectByCluster", {"inCoordinates": ("kinds", "coordinates")}, {"clusters": "1"}),
        Step("best", "SelectByScore", {"inCoordinates": picks}, {"threshold": 0.3}),
        Step("corrected", "CurateCoordinates", {"inCoordinates": picks}, {}),
        Step("lists", "ExportCoordinates", {"inCoordinates": picks}, {"folder": str(folder / "lists")}),
        Step("scored picks", "EvaluatePicking", {"predicted": picks, "truth": truth}, {}),
        Step("trained picker", "TrainPicker", {"inTomos": tomograms, "inCoordinates": truth},
             {"patchPx": 16, "width": 4, "validationCrops": 2, "particleDiameter": 250.0, **SHORT}),
        Step("exported model", "ExportModel", {"inModel": ("trained picker", "model")}, {"folder": str(model)}),
        Step("imported model", "ImportModel", {}, {"folder": str(model)}),
        Step("trained segmenter", "TrainSegmenter", {"inTomos": tomograms, "inMasks": simulated["classMasks"]},
             {"patchPx": 16, "validationPatches": 2, **SHORT}),
        Step("classes", "SegmentClasses", {"inTomos": tomograms, "inModel": ("trained segmenter", "model")}, {}),
        Step("copick project", "ExportCopick", {"inTomos": tomograms, "inCoordinates": truth}, {}),
        Step("from copick", "ImportCopick", {}, {}),
        Step("dual", "TrainDual", {"inTomos": tomograms, "inClean": simulated["grandModels"]},
             {"denoiserChannels": "2,4", "generatorChannels": "2,4", "noiseChannels": "2,2,4", **DUAL}),
        Step("taken model", "ExportDual", {"inTraining": ("dual", "")}, {}),
        Step("denoised", "DenoiseDual", restoring, {}),
        Step("converted", "ConvertDual", restoring, {}),
        Step("made noisy", "SimulateDual", {**restoring, "inTomos": simulated["grandModels"]}, {}),
        Step("trained wedge", "TrainWedge", {"inTomos": tomograms}, {"fillChannels": "2,4", "cutChannels": "2,4", **DUAL}),
        Step("filled", "FillWedge", {"inTomos": tomograms, "inModel": ("trained wedge", "model")}, {}),
        Step("labelled", "TransferDual", {**restoring, "inGrandModels": simulated["grandModels"], "inMasks": simulated["classMasks"]},
             {"iterations": 4, "batchSize": 1, "patchPx": 16, "heldOut": 0.0}),
        Step("volumes", "ProtImportVolumes", {}, {"filesPath": str(folder / "volumes"), **imported}),
        Step("masks", "ProtImportVolumes", {}, {"filesPath": str(folder / "masks"), **imported}),
        Step("vox-uda", "TrainVoxUda", {"inTarget": volumes}, VOXUDA),
        Step("compared", "CompareVoxUda", {"inTarget": volumes, "inTargetMasks": masks},
             {"rows": "source_only,vox_uda,supervised", "seeds": 1, **VOXUDA}),
        Step("by vox-uda", "SegmentVoxUda", {"inTomos": tomograms, "inModel": ("vox-uda", "model")}, {}),
        Step("generator", "TrainGenerator", {"inTomos": tomograms, "inCoordinates": truth},
             {"iterations": 4, "batchSize": 2, "boxPx": 16, "channels": 8, "validationItems": 2, "noiseSteps": 20}),
        Step("generated", "GenerateParticles", {"inModel": ("generator", "model")}, {"count": 2, "steps": 2}),
        Step("subtomograms", "SegmentSubtomograms", {"inSubtomos": ("generated", "subtomograms"), "inModel": ("vox-uda", "model")}, {}),
        Step("pasted", "PasteParticles", {"inTomos": tomograms, "inCoordinates": truth, "inModel": ("generator", "model")},
             {"count": 1, "spacing": 60.0, "steps": 2}),
    ]


def make_project(name: str, folder: Path) -> List[Step]:
    """Save the runs of a new project, whose window shows them as a list, and write the files that some of them read."""
    from pyworkflow.project import Manager

    _write_subtomograms(folder)
    here, made, planned = os.getcwd(), {}, steps(folder)
    project = Manager().createProject(name, runsView=0)
    for step in planned:
        made[step.name] = _saved(project, step, made)
    made["from copick"].config.set(os.path.abspath(made["copick project"]._getExtraPath("project", "copick.json")))
    project.saveProtocol(made["from copick"])
    os.chdir(here)
    return planned


def protocol_of(step: Step) -> Any:
    """The class of a run's protocol."""
    from pwem.protocols import ProtImportVolumes

    from cryoetseg import protocols

    return getattr(protocols, f"ProtCryoEtSeg{step.protocol}", ProtImportVolumes)


def _saved(project: Any, step: Step, made: Dict[str, Any]) -> Any:
    run = project.newProtocol(protocol_of(step), **step.values)
    for parameter, (source, output) in step.inputs.items():
        pointer = getattr(run, parameter)
        pointer.set(made[source])
        pointer.setExtended(output)
    run.setObjLabel(step.name)
    if run.hasAttribute("useGpu"):
        run.useGpu.set(False)
    project.saveProtocol(run)
    return run


def _write_subtomograms(folder: Path) -> None:
    """Dark balls in noise and their masks, as another program may have extracted them."""
    ball = (np.stack(np.meshgrid(*[np.arange(BOX) - BOX // 2] * 3, indexing="ij")) ** 2).sum(axis=0) < 20
    for number in range(BOXES):
        noise = np.random.default_rng(number).normal(size=ball.shape)
        write_volume(folder / "volumes" / f"p{number}.mrc", (noise - 3 * ball).astype(np.float32), VOXEL_SIZE)
        write_volume(folder / "masks" / f"p{number}.mrc", ball.astype(np.int8), VOXEL_SIZE)
