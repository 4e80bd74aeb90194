"""The steps of the chain, each a recorded job in a folder of its own: what is done is not repeated after an interruption."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ...methods import parameters_model, run_job
from ...models.shelf import model_folder
from ...runtime.errors import CryoetsegError, ParameterError
from ...runtime.job import InputFile, Job, Result
from ...runtime.names import file_stem, named_inputs
from ...runtime.params import parameters_from
from ...runtime.record import ENDED_BY, TIME_LIMIT
from ...volumes.cleaned import open_cleaned
from ...volumes.io import read_header
from ...volumes.sample import slices_with_sample
from .params import PipelineParameters

logger = logging.getLogger(__name__)
GENERAL = "general"
STEPS = ("segment-slabs", "train-membranes", "train-picker", "segment-membranes", "pick-deepet")
MEMBRANES, PICKER = STUDENTS = ("membranes", "picker")
PSEUDO_LABELS = "pseudo_labels"  # folder


@dataclass(frozen=True)
class Labels:
    """What the students learn from in one tomogram: a mask file and a particle list; None where there is nothing to learn."""

    membranes: Path | None
    particles: Path | None


@dataclass(frozen=True)
class Students:
    """Folders of the trained models; None where there were no labels for one."""

    membranes: Path | None
    picker: Path | None


@dataclass(frozen=True)
class Found:
    """The files found in one tomogram."""

    membranes: Path | None
    particles: Path | None


class Chain:
    """The jobs of one run of the chain: they share its output folder, seed, device and parameters."""

    def __init__(self, job: Job, parameters: PipelineParameters) -> None:
        self._job, self._parameters = job, parameters
        self.cut_short = False  # whether a time limit ended one of the trainings
        self.folder = Path(job.output_folder)
        self.tomograms = checked_tomograms(job)
        self.labelled = self.tomograms[: parameters.training_tomograms]
        self.z_range = labelled_range(self.labelled, parameters)
        _check_steps(parameters.steps)

    def students(self, labels: Mapping[str, Labels], only: str = "") -> Students:
        """The networks that the tomograms go through: the shipped general ones, or students of the pseudo-labels ``labels``."""
        if self._parameters.start == GENERAL:
            return Students(model_folder(GENERAL, "membranes"), model_folder(GENERAL, "picker"))
        return self.train(labels, "students", only, {} if self._parameters.start == "pseudo-labels" else {"rounds": 0})

    def pseudo_labels(self) -> dict[str, Labels]:
        """Segment the slabs of the training tomograms (Uddin26 steps 1-6); nothing where the general models need none."""
        if self._parameters.start == GENERAL:
            return {}
        return {tomogram.tilt_series_id: self.label(tomogram) for tomogram in self.labelled}

    def label(self, tomogram: InputFile) -> Labels:
        """Segment the slabs of one training tomogram."""
        first, last = self.z_range
        own = {"z_start": first, "z_end": last, "particle_diameter": self._parameters.particle_diameter}
        name = tomogram.tilt_series_id
        logger.info("pseudo-labels: %s, slices %d to %d", name, first, last - 1)
        return labels_from(self._run("segment-slabs", f"{PSEUDO_LABELS}/{file_stem(name)}", [tomogram], own))

    def train(
        self, labels: Mapping[str, Labels], folder: str, only: str = "", membranes_own: Mapping[str, Any] = MappingProxyType({}),
    ) -> Students:
        """Train the membrane U-Net and the picker on ``labels`` by tilt-series id (Uddin26 steps 7-8), below ``folder``.

        ``only`` one of them where it is named ``membranes`` or ``picker``; ``membranes_own`` are parameters of the U-Net's training that
        the chain sets.
        """
        first, last = self.z_range
        own = {"z_start": first, "z_end": last}
        masks = self._pairs({name: label.membranes for name, label in labels.items()}, "labels")
        lists = self._pairs({name: label.particles for name, label in labels.items()}, "particles")
        membranes = picker = None
        if masks and only in ("", MEMBRANES):
            logger.info("student for membranes, %s", folder)
            membranes = _only(self._run("train-membranes", f"{folder}/{MEMBRANES}", masks, {**own, **membranes_own}), "model")
        if lists and only in ("", PICKER):
            logger.info("student for particles, %s", folder)
            diameter = {"particle_diameter": self._parameters.particle_diameter}
            picker = _only(self._run("train-picker", f"{folder}/{PICKER}", lists, {**own, **diameter}), "model")
        return Students(membranes, picker)

    def apply(self, students: Students, tomogram: InputFile, folder: str) -> Found:
        """Membranes and particles of a whole tomogram (Uddin26 step 9), below ``folder``."""
        name = tomogram.tilt_series_id
        membranes = particles = None
        if students.membranes:
            logger.info("membranes of %s", name)
            inputs, own = [_model(students.membranes), tomogram], {"z_auto": self._parameters.z_auto}
            membranes = _only(self._run("segment-membranes", f"{folder}/{file_stem(name)}/membranes", inputs, own), "membrane_mask")
        if students.picker:
            logger.info("particles of %s", name)
            inputs = [_model(students.picker), tomogram]
            particles = _only(self._run("pick-deepet", f"{folder}/{file_stem(name)}/particles", inputs, {}), "particles")
        return Found(membranes, particles)

    def _pairs(self, files: Mapping[str, Path | None], role: str) -> list[InputFile]:
        """The training tomograms that have a label file, each followed by it."""
        pairs = []
        for tomogram in self.labelled:
            path = files.get(tomogram.tilt_series_id)
            if path is not None:
                pairs += [tomogram, InputFile(path=str(path), role=role, tilt_series_id=tomogram.tilt_series_id)]
        return pairs

    def _run(self, method: str, folder: str, inputs: Sequence[InputFile], own: Mapping[str, Any]) -> Result:
        chosen = {**own, **self._parameters.steps.get(method, {})}
        parameters = parameters_from(parameters_model(method), chosen).model_dump(mode="json")
        result = run_job(Job(method=method, parameters=parameters, inputs=list(inputs), output_folder=str(self.folder / folder),
                             seed=self._job.seed, device=self._job.device))
        self.cut_short = self.cut_short or result.metrics.get(ENDED_BY) == TIME_LIMIT
        return result


def labels_from(result: Result) -> Labels:
    """The pseudo-labels that a run of segment-slabs left."""
    return Labels(_only(result, "membrane_mask") if result.metrics.get("membrane_fraction", 1) else None,
                  _only(result, "particles") if result.metrics.get("particles", 1) else None)


def checked_tomograms(job: Job) -> list[InputFile]:
    """The job's tomograms, each with a name of its own; raises :class:`InputError` when there is none."""
    return named_inputs(job, "tomogram")


def labelled_range(labelled: Sequence[InputFile], parameters: PipelineParameters) -> tuple[int, int]:
    """The slices [first, last) that give pseudo-labels, the same in all training tomograms."""
    depths = [read_header(item.path, item.voxel_size).shape[0] for item in labelled]
    if parameters.z_auto and parameters.start != GENERAL:
        return _middle_of(*_common_sample(labelled), parameters.labelled_slices)
    if parameters.z_end and not parameters.z_auto:
        if not parameters.z_start < parameters.z_end <= min(depths):
            raise ParameterError(f"slices {parameters.z_start}:{parameters.z_end}", f"a range inside 0:{min(depths)}")
        return parameters.z_start, parameters.z_end
    if len(set(depths)) > 1:
        raise ParameterError(f"training tomograms of {', '.join(map(str, depths))} slices have no common middle", "a slice range",
                             "give one with --z A:B that holds structure in all of them")
    return _middle_of(0, depths[0], parameters.labelled_slices)


def _common_sample(tomograms: Sequence[InputFile]) -> tuple[int, int]:
    """The slices with sample in all of the tomograms; raises :class:`ParameterError` where there are none."""
    ranges = []
    for item in tomograms:
        (first, last), warnings = slices_with_sample(open_cleaned(item.path, item.contrast, item.voxel_size)[0], item.tilt_series_id)
        logger.info("%s: sample in slices %d to %d", item.tilt_series_id, first, last - 1)
        for text in warnings:
            logger.warning("%s", text)
        ranges.append((first, last))
    first, last = max(start for start, _ in ranges), min(end for _, end in ranges)
    if first >= last:
        raise ParameterError(f"the sample lies in other slices in each of {', '.join(item.tilt_series_id for item in tomograms)}",
                             "slices that hold sample in all training tomograms", "take one training tomogram, or give --z A:B")
    return first, last


def _middle_of(first: int, last: int, most: int) -> tuple[int, int]:
    count = min(most, last - first)
    start = first + (last - first - count) // 2
    return start, start + count


def _check_steps(steps: Mapping[str, Mapping[str, Any]]) -> None:
    """Bad parameters of a late step are told before the first one runs."""
    for name, values in steps.items():
        if name not in STEPS:
            raise ParameterError(f"parameters for the step '{name}'", ", ".join(STEPS))
        parameters_from(parameters_model(name), dict(values))


def _model(folder: Path) -> InputFile:
    return InputFile(path=str(folder), role="model")


def _only(result: Result, kind: str) -> Path:
    return Path(result.job["output_folder"]) / result.outputs_of(kind)[0].path


def attempt(failures: dict[str, str], name: str, work: Any, *arguments: Any) -> Any:
    """Do ``work`` for one tomogram; a failure is noted under its name, and the others go on."""
    try:
        return work(*arguments)
    except CryoetsegError as error:
        logger.error("%s: %s", name, error)
        failures[name] = str(error)
        return None
