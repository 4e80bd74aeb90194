"""Workers as tasks of Slurm, started by submitit: one array a stage, each after the one before."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

from ..runtime.errors import JobError, ParameterError
from .params import SubmitParameters
from .worker import PROGRAM, Worker

QUEUE_FOLDER = "slurm"
MB_OF_GB = 1024
MOST_WORKERS = 64  # where the user does not say how many
SIGNAL_SECONDS = 60  # before the time limit Slurm tells a worker, which ends its job and asks to be started again
NOTHING_LEFT = "Invalid job id"


class Serve:
    """What a task does: serve the batch. submitit stores it, calls it, and before the time limit asks it for a checkpoint."""

    def __init__(self, folder: Path, numbers: list[int], program: Sequence[str] = PROGRAM) -> None:
        self._folder, self._numbers, self._program = folder, numbers, tuple(program)
        self._worker: Optional[Worker] = None

    def __call__(self) -> int:
        worker = Worker(self._folder, self._numbers, wait=False, program=self._program)
        worker.stop_on_signals()
        self._worker = worker
        return worker.serve()

    def checkpoint(self) -> Any:
        """Called by submitit's signal handler in the middle of :meth:`__call__`: end the job and be started again."""
        from submitit.helpers import DelayedSubmission

        if self._worker is not None:
            self._worker.abandon()
        return DelayedSubmission(Serve(self._folder, self._numbers, self._program))


def submit(folder: Path, stages: dict[int, list[int]], p: SubmitParameters, program: Sequence[str] = PROGRAM) -> list[str]:
    """Submit the workers of each stage that has jobs left; ``stages`` gives these by stage. Returns Slurm's job numbers, one a stage.

    Workers of a stage may also take up what is left of the stages before, for example where a machine failed.
    """
    submitit = _submitit()
    jobs: list[str] = []
    open_numbers: list[int] = []
    for stage, numbers in sorted(stages.items()):
        open_numbers = [*open_numbers, *numbers]
        options = _options(p, f"{folder.name}-{stage}", jobs[-1:])
        tasks = [Serve(folder, open_numbers, program)] * min(len(numbers), p.workers or MOST_WORKERS)
        try:
            executor = submitit.SlurmExecutor(folder / QUEUE_FOLDER)
            executor.update_parameters(**options)
            with executor.batch():
                submitted = [executor.submit(task) for task in tasks]
        except (submitit.core.utils.FailedJobError, submitit.core.utils.FailedSubmissionError) as error:
            raise JobError(f"Slurm refused the jobs: {' '.join(str(error).split())}", "what 'sinfo' and your cluster's pages offer",
                           "change --partition, --memory, --minutes, --directives") from error  # fmt: skip
        jobs.append(submitted[0].job_id.partition("_")[0])
    return jobs


def cancel(jobs: list[str]) -> None:
    """Take the tasks out of the queue and end those that run; those that are over already are no error."""
    _call(["scancel", *jobs])


def states(jobs: list[str]) -> dict[str, int]:
    """How many tasks are in each of Slurm's states; those that are over are no longer listed."""
    listed = _call(["squeue", "--noheader", "--array", "--format=%T", "--jobs=" + ",".join(jobs)])
    words = listed.split()
    return {word.lower(): words.count(word) for word in dict.fromkeys(words)}


def _call(command: list[str]) -> str:
    if shutil.which(command[0]) is None:
        raise JobError(f"no command {command[0]} here", "a machine from which Slurm can be reached", "log in to the cluster")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and NOTHING_LEFT not in done.stderr:
        raise JobError(f"{command[0]}: {' '.join(done.stderr.split())}", "", "ask the cluster's help desk when this stays")
    return done.stdout


def _submitit() -> Any:
    try:
        import submitit
    except ImportError as error:
        raise ParameterError("executor slurm without the package submitit", "local, or submitit installed",
                             "pip install 'cryoetseg[batch]' -c constraints.txt") from error  # fmt: skip
    if shutil.which("sbatch") is None:
        raise JobError("no command sbatch here", "a machine from which Slurm can be reached",
                       "log in to the cluster, or use --executor local")  # fmt: skip
    return submitit


def _options(p: SubmitParameters, name: str, after: list[str]) -> dict[str, Any]:
    options: dict[str, Any] = {
        "job_name": name, "time": p.minutes, "cpus_per_task": p.cpus, "mem": f"{round(p.memory * MB_OF_GB)}MB",
        "signal_delay_s": SIGNAL_SECONDS, "stderr_to_stdout": True, "additional_parameters": _directives(p.directives),
    }  # fmt: skip
    chosen = {"gpus_per_node": p.gpus or None, "partition": p.partition, "account": p.account, "setup": [p.setup] if p.setup else None,
              "dependency": f"afterany:{after[0]}" if after else None}  # fmt: skip
    return {**options, **{option: value for option, value in chosen.items() if value is not None}}


def _directives(lines: list[str]) -> dict[str, Any]:
    """``--name=value`` or ``--name`` as submitit takes them."""
    pairs = [line.lstrip("-").partition("=") for line in lines]
    return {name: value if equals else True for name, equals, value in pairs}
