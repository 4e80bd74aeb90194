"""Function five of DUAL (spec C11): synthetic tomograms, whose classes are known, train the segmenter of the real ones.

Three recorded jobs in folders of their own, so that a chain that was interrupted goes on where it stopped.
"""
from __future__ import annotations

from pathlib import Path
from typing import Any

from ...methods import run_job
from ...runtime.errors import JobError
from ...runtime.job import InputFile, Job, MethodOutcome, Output, Result
from ...runtime.params import parameters_from
from ...runtime.record import ENDED_BY
from ...volumes.io import open_volume
from ...volumes.resampling import resampled_shape
from .matching import largest_side, match_spectrum, wanted_spectrum
from .params import TransferParameters

SYNTHETIC, MATCHED, TRAINING, SEGMENTED = "synthetic", "matched", "segmenter", "segmented"
OWN_FIELDS = {"copies", "least_noise", "match_spectra"}


def run(job: Job) -> MethodOutcome:
    """Inputs: ``model`` (a trained DUAL), ``grand_model`` and ``labels`` (their class masks, in the same order), ``tomogram``.

    Outputs: the synthetic tomograms, the segmenter's ``model`` and what it finds in the tomograms.
    """
    p = parameters_from(TransferParameters, job.parameters)
    models, labels = job.inputs_of("grand_model"), job.inputs_of("labels")
    if not models or len(models) != len(labels):
        raise JobError(f"{len(models)} grand models and {len(labels)} class masks", "one class mask for each, at least one pair")
    if not job.inputs_of("tomogram"):
        raise JobError("no input has the role 'tomogram'", "the tomograms to segment")
    folder = Path(job.output_folder)
    pairs = [pair for copy in range(p.copies) for pair in _synthetic_pairs(job, copy, p.least_noise)]
    if p.match_spectra:
        pairs = _with_matched_spectra(job, pairs)
    trained = _run(job, "train-segmenter", pairs, folder / TRAINING, p.model_dump(mode="json", exclude=OWN_FIELDS))
    network = InputFile(path=str(folder / TRAINING / trained.outputs_of("model")[0].path), role="model")
    segmented = _run(job, "segment-classes", [network, *job.inputs_of("tomogram")], folder / SEGMENTED, {})
    outputs = [Output(kind="synthetic_tomogram", path=str(Path(item.path).relative_to(folder)), voxel_size=item.voxel_size,
                      tilt_series_id=item.tilt_series_id) for item in pairs if item.role == "tomogram"]
    outputs += _below(TRAINING, trained.outputs) + _below(SEGMENTED, segmented.outputs)
    ended = {ENDED_BY: trained.metrics[ENDED_BY]} if ENDED_BY in trained.metrics else {}
    return MethodOutcome(outputs=outputs, metrics={"training": trained.metrics, **segmented.metrics, **ended},
                         warnings=[*trained.warnings, *segmented.warnings])


def _synthetic_pairs(job: Job, copy: int, least_noise: float) -> list[InputFile]:
    """Synthetic tomograms of one draw of the noise, each with its class mask."""
    folder = Path(job.output_folder) / SYNTHETIC / f"draw{copy + 1}"
    models, labels = job.inputs_of("grand_model"), job.inputs_of("labels")
    made = _run(job, "simulate-dual", [*job.inputs_of("model"), *models], folder, {"least_noise": least_noise},
                seed=job.seed + copy * len(models))
    pairs = []
    for output, mask in zip(made.outputs_of("tomogram"), labels):
        name = f"{Path(output.path).stem}_{copy + 1}"
        pairs += [InputFile(path=str(folder / output.path), role="tomogram", voxel_size=output.voxel_size, tilt_series_id=name),
                  mask.model_copy(update={"role": "labels", "tilt_series_id": name})]
    return pairs


def _with_matched_spectra(job: Job, pairs: list[InputFile]) -> list[InputFile]:
    """The pairs with synthetic tomograms of the target's mean power spectrum, made once."""
    folder = Path(job.output_folder) / MATCHED
    synthetic, targets = [item for item in pairs if item.role == "tomogram"], job.inputs_of("tomogram")
    voxel_size = open_volume(synthetic[0].path).header.voxel_size
    headers = [open_volume(item.path, item.voxel_size).header for item in (*synthetic, *targets)]
    side = largest_side([resampled_shape(tuple(header.shape), header.voxel_size, voxel_size) for header in headers])
    wanted = wanted_spectrum(targets, voxel_size, folder / "resampled", job.seed, side)
    matched = []
    for number, item in enumerate(synthetic):
        path = folder / f"{item.tilt_series_id}.mrc"
        if not path.exists():
            match_spectrum(Path(item.path), wanted, path, job.seed + number)
        matched.append(item.model_copy(update={"path": str(path)}))
    return [*matched, *(item for item in pairs if item.role != "tomogram")]


def _run(job: Job, method: str, inputs: list[InputFile], folder: Path, parameters: dict[str, Any], seed: int | None = None) -> Result:
    return run_job(Job(method=method, parameters=parameters, inputs=inputs, output_folder=str(folder),
                       seed=job.seed if seed is None else seed, device=job.device))


def _below(folder: str, outputs: list[Output]) -> list[Output]:
    return [output.model_copy(update={"path": f"{folder}/{output.path}"}) for output in outputs]
