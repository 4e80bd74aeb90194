"""The methods by name: which parameters each takes and which function runs it. Nothing heavy is imported before it is needed."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from .runtime.errors import JobError
from .runtime.job import Job, MethodOutcome, Result
from .runtime.params import Parameters, named_files
from .runtime.record import Finish, recorded_run

Entry = Callable[[Job], MethodOutcome]


class Method(NamedTuple):
    """Where the parameters and the entry point of a method live, as ``module:name`` below ``cryoetseg.core``.

    ``each`` is the role whose inputs are worked on independently of each other, so that each may be a job of its own; ``reseeded``
    says that input number i of them takes the seed of the job plus i. ``parts`` is the module that takes a chain apart. ``reads`` lists
    the files and folders of a job that neither its inputs nor its parameters name.
    """

    parameters: str
    entry_point: str
    each: str = ""
    reseeded: bool = False
    parts: str = ""
    reads: str = ""


METHODS = {
    "simulate": Method("simulation.params:SimulateParameters", "simulation.many:run"),
    "simulate-subtomograms": Method("simulation.params:SubtomogramParameters", "simulation.subtomograms:run"),
    "segment-slabs": Method("foundation.params:SegmentSlabsParameters", "foundation.apply:run", each="tomogram"),
    "train-backbone": Method("foundation.training_params:TrainBackboneParameters", "foundation.train:run"),
    "train-general": Method("recipes.general.params:TrainGeneralParameters", "recipes.general.run:run"),
    "train-embedding": Method("recipes.embedding.params:TrainEmbeddingParameters", "recipes.embedding.run:run"),
    "train-picker": Method("students.picker.params:TrainPickerParameters", "students.picker.train:run"),
    "pick-deepet": Method("students.picker.params:PickDeepetParameters", "students.picker.apply:run", each="tomogram"),
    "train-membranes": Method("students.membranes.params:TrainMembranesParameters", "students.membranes.train:run"),
    "segment-membranes": Method("students.membranes.params:SegmentMembranesParameters", "students.membranes.apply:run", each="tomogram"),
    "threshold-membranes": Method("students.membranes.params:ThresholdMembranesParameters", "students.membranes.rethreshold:run",
                                  each="probability"),
    "curate-membranes": Method("students.membranes.curate_params:CurateMembranesParameters", "students.membranes.curate:run", each="mask"),
    "segment-filaments": Method("students.filaments.params:SegmentFilamentsParameters", "students.filaments.apply:run", each="tomogram"),
    "train-segmenter": Method("students.segmenter.params:TrainSegmenterParameters", "students.segmenter.train:run"),
    "segment-classes": Method("students.segmenter.params:SegmentClassesParameters", "students.segmenter.apply:run", each="tomogram"),
    "measure-membranes": Method("surfaces.params:MeasureMembranesParameters", "surfaces.apply:run", each="mask"),
    "membrane-points": Method("surfaces.params:MembranePointsParameters", "surfaces.apply:run_points", each="mask"),
    "membrane-distance": Method("surfaces.params:MembraneDistanceParameters", "surfaces.apply:run_distances"),
    "pick-dog": Method("picking.params:DogParameters", "picking.apply:run", each="tomogram"),
    "cluster-particles": Method("clusters.params:ClusterParticlesParameters", "clusters.apply:run"),
    "select-particles": Method("particles.params:SelectParticlesParameters", "particles.selection:run"),
    "export-particles": Method("particles.params:ExportParticlesParameters", "particles.export:run"),
    "export-chimerax": Method("interchange.params:ExportChimeraxParameters", "interchange.chimerax:run"),
    "export-ome-zarr": Method("interchange.params:ExportOmeZarrParameters", "interchange.ome_zarr:run"),
    "export-copick": Method("interchange.params:ExportCopickParameters", "interchange.copick_export:run"),
    "import-copick": Method("interchange.params:ImportCopickParameters", "interchange.copick_import:run",
                            reads="interchange.copick_import:files_read"),
    "export-relion": Method("interchange.params:ExportRelionParameters", "interchange.relion_export:run"),
    "train-generator": Method("generation.params:TrainGeneratorParameters", "generation.train:run"),
    "generate-particles": Method("generation.params:SampleParameters", "generation.sample:run"),
    "paste-particles": Method("generation.params:PasteParameters", "generation.paste:run"),
    "evaluate-generation": Method("generation.params:EvaluateGenerationParameters", "generation.evaluate:run"),
    "simulate-voxuda-source": Method("voxuda.params:VoxUdaSourceParameters", "recipes.voxuda_source:run"),
    "train-voxuda": Method("voxuda.params:TrainVoxUdaParameters", "voxuda.train:run"),
    "segment-subtomograms": Method("voxuda.params:SegmentSubtomogramsParameters", "voxuda.apply:run", each="tomogram"),
    "voxuda-ablation": Method("voxuda.params:VoxUdaAblationParameters", "voxuda.ablation:run"),
    "train-dual": Method("dual.params:TrainDualParameters", "dual.train:run"),
    "train-dual-wedge": Method("dual.params:TrainWedgeParameters", "dual.wedge_train:run"),
    "export-dual": Method("dual.params:ExportDualParameters", "dual.export:export"),
    "denoise-dual": Method("dual.params:DenoiseParameters", "dual.apply:run_denoise", each="tomogram"),
    "simulate-dual": Method("dual.params:SimulateDualParameters", "dual.apply:run_simulate", each="grand_model", reseeded=True),
    "convert-dual": Method("dual.params:ConvertParameters", "dual.apply:run_convert", each="tomogram", reseeded=True),
    "fill-wedge": Method("dual.params:WedgeParameters", "dual.wedge:run", each="tomogram", reseeded=True),
    "transfer-dual": Method("recipes.dual_chain.params:TransferParameters", "recipes.dual_chain.transfer:run"),
    "compare-denoisers": Method("recipes.dual_chain.params:CompareDenoisersParameters", "recipes.dual_chain.compare:run"),
    "evaluate-segmentation": Method("metrics.params:EvaluateSegmentationParameters", "metrics.apply:run"),
    "evaluate-picking": Method("metrics.params:EvaluatePickingParameters", "metrics.apply:run"),
    "evaluate-restoration": Method("metrics.params:EvaluateRestorationParameters", "metrics.apply:run"),
    "pipeline": Method("recipes.pipeline.params:PipelineParameters", "recipes.pipeline.run:run", parts="recipes.pipeline.parts"),
}


def method(name: str) -> Method:
    """The method called ``name``; raises :class:`JobError` that lists the known ones."""
    if name not in METHODS:
        raise JobError(f"unknown method '{name}'", ", ".join(METHODS))
    return METHODS[name]


def parameters_model(name: str) -> type[Parameters]:
    """The parameter model of a method."""
    return _load(method(name).parameters)  # type: ignore[return-value]


def run_job(job: Job, finish: Finish | None = None, *, overwrite: bool = False, published: Iterable[Path] = ()) -> Result:
    """Run a job, or return its stored result when it is already done; the options are those of :func:`recorded_run`."""
    _take_room_for_algebra()
    files = named_files(parameters_model(job.method), job.parameters)
    if method(job.method).reads:
        files += _load(method(job.method).reads)(job)  # type: ignore[operator]
    entry_point: Entry = _load(method(job.method).entry_point)  # type: ignore[assignment]
    return recorded_run(job, entry_point, finish, overwrite=overwrite, files=files, published=published)


def _take_room_for_algebra() -> None:
    """OpenBLAS takes its buffer at the first call; where memory is limited and gone by then, it tries again for ever and never fails."""
    import numpy as np

    np.linalg.inv(np.eye(2))


def stages_of(job: Job) -> list[list[str]]:
    """The parts of a chain by name, stage after stage: those of one stage need all of the stages before; none for other methods."""
    parts = method(job.method).parts
    return _load(f"{parts}:stages")(job) if parts else []  # type: ignore[operator, no-any-return]


def run_part(job: Job, part: str) -> None:
    """Run one part of a chain, all parts that it needs being done."""
    _load(f"{method(job.method).parts}:run_part")(job, part)  # type: ignore[operator]


def _load(address: str) -> object:
    module, name = address.split(":")
    return getattr(import_module(f"cryoetseg.core.{module}"), name)
