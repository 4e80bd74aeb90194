"""How a batch is given to a queue.

Imported by Scipion's own interpreter: valid Python 3.8, no dependency but pydantic.
"""
from typing import List, Literal, Optional

from ..runtime.params import Parameters, parameter


class SubmitParameters(Parameters):
    """Who runs the jobs of a batch, and what each worker gets."""

    executor: Literal["local", "slurm", "dask"] = parameter(
        "local", "local: processes on this machine; slurm: tasks of Slurm, by submitit; dask: workers that dask-jobqueue starts in the "
        "queue and ends as the work needs.")
    queue: Literal["slurm", "pbs", "lsf", "sge", "oar", "htcondor", "local"] = parameter("slurm", "The queue in which dask starts workers.")
    workers: int = parameter(
        0, "So many jobs run at the same time; 0: here one a GPU, else one for 4 cores; in a queue one a job, at most 64.", ge=0, le=10000)
    cpus: int = parameter(4, "Processor cores of each worker in a queue.", unit="cores", ge=1)
    gpus: int = parameter(0, "GPUs of each worker in a queue.", ge=0)
    memory: float = parameter(16.0, "Memory of each worker in a queue.", unit="GB", gt=0)
    minutes: int = parameter(240, "After so long the queue ends a worker; its job goes on in the next.", unit="minutes", ge=1)
    partition: Optional[str] = parameter(None, "Partition or queue; the cluster's own where none is given.")
    account: Optional[str] = parameter(None, "Account or project that is charged.")
    setup: Optional[str] = parameter(None, "Shell line that a worker needs first, such as 'module load cuda'.", expert=True)
    directives: List[str] = parameter([], "Further options for the queue, such as --qos=long or --gres=gpu:a100:1.", expert=True)
