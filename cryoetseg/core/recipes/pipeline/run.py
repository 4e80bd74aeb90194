"""The chain as a job: tomograms in, masks, coordinates and a report out."""

from __future__ import annotations

from pathlib import Path

from ...report.comparison import Scores, mean_scores
from ...report.summary import REPORT
from ...runtime.errors import JobError
from ...runtime.files import link_or_copy, write_json
from ...runtime.job import RESULT_FILE, InputFile, Job, MethodOutcome, Output, read_result
from ...runtime.names import file_stem
from ...runtime.params import parameters_from
from ...runtime.record import ENDED_BY, TIME_LIMIT
from ...volumes.io import read_header
from .bounds import ORACLE, PSEUDO, STUDENT, Judge, Truth, true_labels, truths_of, with_ratio
from .chain import Chain, Found, Labels, Students, attempt
from .params import PipelineParameters
from .report import Finished, write_chain_report

SCORES = "scores.json"
NAMES = {"membranes": "{}_membranes.mrc", "particles": "{}_particles.star"}
ORACLE_TRAINING = {"rounds": 0, "iterations": 1000}  # exact labels need no second lesson, and as many steps as both lessons together
KINDS = {"membranes": "membrane_mask", "particles": "particles"}


def run(job: Job) -> MethodOutcome:
    """Slabs, pseudo-labels, students, then every tomogram (role ``tomogram``); truth, where known, under the roles ``truth_mask`` and
    ``truth_particles``. Raises :class:`JobError` at the end when a tomogram failed: all others are finished by then."""
    parameters = parameters_from(PipelineParameters, job.parameters)
    truths = truths_of(job)
    chain = Chain(job, parameters)
    labels = chain.pseudo_labels()
    students = chain.students(labels)
    oracle = train_oracle(chain, truths) if parameters.oracle else Students(None, None)
    failures: dict[str, str] = {}
    items = [item for tomogram in chain.tomograms
             if (item := attempt(failures, tomogram.tilt_series_id, _finish, chain, tomogram, students, oracle, labels,
                                 truths.get(tomogram.tilt_series_id), parameters))]
    records = [read_result(path) for path in sorted(chain.folder.glob(f"*/**/{RESULT_FILE}"))]
    write_json(chain.folder / SCORES, {item.tomogram.tilt_series_id: {"scores": item.scores, "labelled_scores": item.labelled_scores}
                                       for item in items})
    means = write_chain_report(chain.folder, items, students, failures, parameters.particle_diameter,
                               chain.z_range if labels else None, records)
    if failures:
        raise JobError(f"{len(failures)} of {len(chain.tomograms)} tomograms failed: " + "; ".join(failures.values()),
                       advice="mend these and run the same command again; the others are finished and kept")
    outputs = [output for item in items for output in _publish(chain.folder, item)]
    metrics = {"scores": means, "labelled_scores": _labelled_means(items), "tomograms": len(items),
               **({ENDED_BY: TIME_LIMIT} if chain.cut_short else {})}
    tables = [Output(kind="report", path=REPORT), Output(kind="table", path=SCORES)]
    return MethodOutcome(outputs=[*outputs, *tables], metrics=metrics, warnings=_warnings(students))


def train_oracle(chain: Chain, truths: dict[str, Truth], only: str = "") -> Students:
    """The same students on the truth of the same slices of the same tomograms; none where the truth of one is unknown."""
    names = [item.tilt_series_id for item in chain.labelled]
    if not all(name in truths for name in names):
        return Students(None, None)
    labels = {name: true_labels(name, truths[name], chain.z_range, chain.folder / "oracle" / "labels") for name in names}
    return chain.train(labels, "oracle", only, ORACLE_TRAINING)


def _finish(
    chain: Chain, tomogram: InputFile, students: Students, oracle: Students, labels: dict[str, Labels], truth: Truth | None,
    parameters: PipelineParameters,
) -> Finished:
    found = chain.apply(students, tomogram, "found")
    if truth is None:
        return Finished(tomogram, found, None, {}, {})
    results = {STUDENT: found}
    if oracle != Students(None, None):
        results[ORACLE] = chain.apply(oracle, tomogram, "oracle")
    judge = Judge(tomogram, truth, parameters.particle_diameter)
    scores = judge.scores(results)
    labelled: Scores = {}
    if tomogram.tilt_series_id in labels:
        own = labels[tomogram.tilt_series_id]
        results = {PSEUDO: Found(own.membranes, own.particles), **results}
        labelled = judge.scores(results, chain.z_range)
    return Finished(tomogram, found, truth, scores, labelled)


def _publish(folder: Path, item: Finished) -> list[Output]:
    """Give the results their final names in the output folder."""
    name = item.tomogram.tilt_series_id
    voxel_size = read_header(item.tomogram.path, item.tomogram.voxel_size).voxel_size
    outputs = []
    for part, pattern in NAMES.items():
        source = getattr(item.found, part)
        if source is not None:
            link_or_copy(source, folder / pattern.format(file_stem(name)))
            outputs.append(Output(kind=KINDS[part], path=pattern.format(file_stem(name)), voxel_size=voxel_size, tilt_series_id=name))
    return outputs


def _labelled_means(items: list[Finished]) -> Scores:
    tables = [item.labelled_scores for item in items if item.labelled_scores]
    return with_ratio(mean_scores(tables)) if tables else {}


def _warnings(students: Students) -> list[str]:
    lacking = {"membranes": students.membranes, "particles": students.picker}
    return [f"no student for {name}, because the pseudo-labels hold none: give another slab range or lower the thresholds of "
            "segment-slabs" for name, model in lacking.items() if model is None]
