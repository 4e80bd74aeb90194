"""The chain taken apart for many machines: each part does some of its recorded steps, the last one finds all done and reports."""

from __future__ import annotations

from ...runtime.errors import JobError
from ...runtime.job import RESULT_FILE, Job, Result, read_result
from ...runtime.params import parameters_from
from .bounds import Truth, truths_of
from .chain import GENERAL, PSEUDO_LABELS, STUDENTS, Chain, Students, labels_from
from .params import PipelineParameters
from .run import train_oracle

LABELS, TRAINING, APPLICATION, REPORT = "labels", "training", "application", "report"
PSEUDO, ORACLE = "pseudo", "oracle"  # what a training learns from
FOLDERS = {PSEUDO: "students", ORACLE: "oracle"}


def stages(job: Job) -> list[list[str]]:
    """The parts by name, stage after stage: pseudo-labels a tomogram, each training, results a tomogram, the report.

    The general models need neither pseudo-labels nor a training.
    """
    parameters = parameters_from(PipelineParameters, job.parameters)
    chain = Chain(job, parameters)
    taught = parameters.start != GENERAL
    sources = [*([PSEUDO] if taught else []), *([ORACLE] if _has_oracle(chain, parameters, truths_of(job)) else [])]
    found = [
        [f"{LABELS}/{tomogram.tilt_series_id}" for tomogram in chain.labelled if taught],
        [f"{TRAINING}/{source}/{student}" for source in sources for student in STUDENTS],
        [f"{APPLICATION}/{tomogram.tilt_series_id}" for tomogram in chain.tomograms],
        [REPORT],
    ]
    return [stage for stage in found if stage]


def run_part(job: Job, part: str) -> None:
    """Do one part before the report, which is the job itself. Raises :class:`JobError` for a name that is none."""
    parameters = parameters_from(PipelineParameters, job.parameters)
    chain, truths = Chain(job, parameters), truths_of(job)
    kind, _, name = part.partition("/")
    tomograms = {tomogram.tilt_series_id: tomogram for tomogram in chain.tomograms}
    if kind == LABELS and name in tomograms:
        chain.label(tomograms[name])
    elif kind == TRAINING:
        source, _, student = name.partition("/")
        _train(chain, truths, source, student)
    elif kind == APPLICATION and name in tomograms:
        students = chain.students({}) if parameters.start == GENERAL else _trained(chain, PSEUDO)
        chain.apply(students, tomograms[name], "found")
        if _has_oracle(chain, parameters, truths) and name in truths:
            chain.apply(_trained(chain, ORACLE), tomograms[name], "oracle")
    else:
        raise JobError(f"part '{part}' of a pipeline", ", ".join(part for stage in stages(job) for part in stage))


def _train(chain: Chain, truths: dict[str, Truth], source: str, student: str) -> None:
    if source == ORACLE:
        train_oracle(chain, truths, student)
    else:
        labels = {item.tilt_series_id: labels_from(_record(chain, PSEUDO_LABELS, item.tilt_series_id)) for item in chain.labelled}
        chain.students(labels, student)


def _trained(chain: Chain, source: str) -> Students:
    """The students that the parts before have trained; None for one that had nothing to learn from."""
    folders = [chain.folder / FOLDERS[source] / student for student in STUDENTS]
    models = [folder / read_result(folder / RESULT_FILE).outputs_of("model")[0].path if (folder / RESULT_FILE).is_file() else None
              for folder in folders]
    return Students(*models)


def _record(chain: Chain, *folders: str) -> Result:
    """What a part before has left, read and not run again: many parts need it at the same time."""
    return read_result(chain.folder.joinpath(*folders) / RESULT_FILE)


def _has_oracle(chain: Chain, parameters: PipelineParameters, truths: dict[str, Truth]) -> bool:
    return parameters.oracle and all(tomogram.tilt_series_id in truths for tomogram in chain.labelled)
