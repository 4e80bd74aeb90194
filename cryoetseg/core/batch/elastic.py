"""Workers that come and go with the work: dask-jobqueue asks Slurm, PBS, LSF, SGE, OAR or HTCondor for as many as there is work for."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..runtime.errors import ParameterError
from ..runtime.progress import track
from .params import SubmitParameters
from .worker import PROGRAM, Worker

logger = logging.getLogger(__name__)
CLUSTERS = {"slurm": "SLURMCluster", "pbs": "PBSCluster", "lsf": "LSFCluster", "sge": "SGECluster", "oar": "OARCluster",
            "htcondor": "HTCondorCluster", "local": "LocalCluster"}  # fmt: skip
GPU_DIRECTIVES = {"slurm": "--gres=gpu:{}", "lsf": '-gpu "num={}"'}  # elsewhere it depends on the site
MOST_WORKERS = 64
QUEUE_FOLDER = "dask"
MOST_LOSSES = 3  # a task whose workers were lost more often is given up; the ledger counts too


def run_elastic(folder: Path, stages: dict[int, list[int]], p: SubmitParameters, program: Sequence[str] = PROGRAM) -> None:
    """Serve the batch stage by stage with up to ``p.workers`` workers of the queue; stays until all is done or nothing more can be."""
    distributed, cluster_class = _packages(p.queue)
    with cluster_class(**_options(folder, p)) as cluster, distributed.Client(cluster) as client:
        logger.info("dask: %s", cluster.dashboard_link)
        for stage, numbers in sorted(stages.items()):
            cluster.adapt(minimum=0, maximum=min(len(numbers), p.workers or MOST_WORKERS))
            futures = client.map(serve_one, [str(folder)] * len(numbers), numbers, pure=False, program=list(program))
            for _ in track(distributed.as_completed(futures, raise_errors=False), f"stage {stage}", total=len(futures)):
                continue


def serve_one(folder: str, number: int, program: Sequence[str] = PROGRAM) -> int:
    """What dask has a worker do: one job, waiting while another attempt at it may still live."""
    return Worker(Path(folder), [number], program=program).serve()


def _packages(queue: str) -> tuple[Any, Any]:
    try:
        import dask
        import dask_jobqueue
        import distributed
        from dask_jobqueue.local import LocalCluster
    except ImportError as error:
        raise ParameterError("executor dask without the package dask-jobqueue", "local, or dask-jobqueue installed",
                             "pip install 'cryoetseg[batch]' -c constraints.txt") from error  # fmt: skip
    dask.config.set({"distributed.scheduler.allowed-failures": MOST_LOSSES})
    return distributed, LocalCluster if queue == "local" else getattr(dask_jobqueue, CLUSTERS[queue])


def _options(folder: Path, p: SubmitParameters) -> dict[str, Any]:
    directives = list(p.directives)
    if p.gpus:
        if p.queue not in GPU_DIRECTIVES:
            raise ParameterError(f"{p.gpus} GPUs in {p.queue}", "0, because sites differ", "ask for them with --directives instead")
        directives.append(GPU_DIRECTIVES[p.queue].format(p.gpus))
    options: dict[str, Any] = {
        "cores": p.cpus, "processes": 1, "memory": f"{p.memory:g}GB", "job_extra_directives": directives,
        "log_directory": str(folder / QUEUE_FOLDER), "job_script_prologue": [p.setup] if p.setup else [],
        # one job at a time, with all cores of the worker
        "worker_extra_args": ["--nthreads", "1"],
    }  # fmt: skip
    hours, minutes = divmod(p.minutes, 60)
    if p.queue != "local":
        options["walltime"] = f"{hours:02d}:{minutes:02d}" + ("" if p.queue == "lsf" else ":00")
    places = {"queue": p.partition, "account" if p.queue in ("slurm", "pbs") else "project": p.account}
    return {**options, **{name: value for name, value in places.items() if value is not None}}
