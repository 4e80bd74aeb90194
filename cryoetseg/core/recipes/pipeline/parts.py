"""The chain taken apart for many machines: each part does some of its recorded steps, the last one finds all done and reports."""

from __future__ import annotations

from ...runtime.errors import JobError
from ...runtime.job import Job
from ...runtime.params import parameters_from
from .bounds import Truth, truths_of
from .chain import STUDENTS, Chain, Students
from .params import PipelineParameters
from .run import train_oracle

LABELS, TRAINING, APPLICATION, REPORT = "labels", "training", "application", "report"
PSEUDO, ORACLE = "pseudo", "oracle"  # what a training learns from


def stages(job: Job) -> list[list[str]]:
    """The parts by name, stage after stage: pseudo-labels a tomogram, each training, results a tomogram, the report."""
    parameters = parameters_from(PipelineParameters, job.parameters)
    chain = Chain(job, parameters)
    sources = [PSEUDO, *([ORACLE] if _has_oracle(chain, parameters, truths_of(job)) else [])]
    return [
        [f"{LABELS}/{tomogram.tilt_series_id}" for tomogram in chain.labelled],
        [f"{TRAINING}/{source}/{student}" for source in sources for student in STUDENTS],
        [f"{APPLICATION}/{tomogram.tilt_series_id}" for tomogram in chain.tomograms],
        [REPORT],
    ]


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
        chain.apply(_train(chain, truths, PSEUDO), tomograms[name], "found")
        if _has_oracle(chain, parameters, truths) and name in truths:
            chain.apply(_train(chain, truths, ORACLE), tomograms[name], "oracle")
    else:
        raise JobError(f"part '{part}' of a pipeline", ", ".join(part for stage in stages(job) for part in stage))


def _train(chain: Chain, truths: dict[str, Truth], source: str, only: str = "") -> Students:
    if source == ORACLE:
        return train_oracle(chain, truths, only)
    return chain.train(chain.pseudo_labels(), "students", only)


def _has_oracle(chain: Chain, parameters: PipelineParameters, truths: dict[str, Truth]) -> bool:
    return parameters.oracle and all(tomogram.tilt_series_id in truths for tomogram in chain.labelled)
