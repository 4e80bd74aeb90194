"""Workers on this machine: one for each visible GPU, or for shares of the processor's cores."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

from .ledger import Ledger
from .plan import read_plan
from .survey import Standing, survey

logger = logging.getLogger(__name__)
WORK = (sys.executable, "-m", "cryoetseg.core", "batch", "work")
CORES_OF_A_WORKER = 4
LOOK_SECONDS = 0.5
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def run_workers(folder: Path, workers: int) -> None:
    """Serve the batch by ``workers`` processes (0: one a GPU, or a share of the cores) until nothing is left to do.

    A worker that was killed is replaced. Interrupted, this program ends its workers, and these their jobs.
    """
    environments = environments_of(workers)
    logger.info("%d workers on this machine", len(environments))
    processes = [_start(folder, environment) for environment in environments]
    try:
        while any(process.poll() is None for process in processes):
            time.sleep(LOOK_SECONDS)
            for index, process in enumerate(processes):
                if process.poll() is not None and process.returncode < 0 and not _is_over(folder):
                    logger.warning("a worker was killed by signal %d; another takes its place", -process.returncode)
                    processes[index] = _start(folder, environments[index])
    finally:
        for process in processes:
            if process.poll() is None:
                process.terminate()
        for process in processes:
            process.wait()


def environments_of(workers: int) -> list[dict[str, str]]:
    """What each worker sees: its GPU, or its number of threads. ``workers`` 0 means as many as the machine has room for."""
    gpus = visible_gpus()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    count = workers or len(gpus) or max(1, cores // CORES_OF_A_WORKER)
    threads = str(max(1, cores // count))
    shared = {name: os.environ.get(name, threads) for name in THREADS}
    return [{**shared, **({"CUDA_VISIBLE_DEVICES": gpus[index % len(gpus)]} if gpus else {})} for index in range(count)]


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, by the names CUDA takes; asks the driver, not torch, which takes seconds to load."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name.strip() for name in chosen.split(",") if name.strip() and name.strip() != "-1"]
    try:
        listed = subprocess.run(["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"], capture_output=True, text=True, check=True,
                                timeout=30)  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return []
    return listed.stdout.split()


def _start(folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*WORK, str(folder)], env={**os.environ, **environment})


def _is_over(folder: Path) -> bool:
    ledger = Ledger(folder)
    return ledger.is_cancelled() or all(item.is_final for item in _standings(folder, ledger))


def _standings(folder: Path, ledger: Ledger) -> list[Standing]:
    return survey(read_plan(folder), ledger)
