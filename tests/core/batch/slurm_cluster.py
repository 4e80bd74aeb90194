"""A real Slurm of one machine on the loopback, for tests and benchmarks; needs slurmctld, slurmd, slurm-client, and root."""

import contextlib
import os
import shutil
import subprocess
import time
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "scontrol")
CONFIGURATION = """
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
AuthType=auth/none
CredType=cred/none
SlurmUser=root
SlurmdUser=root
SlurmctldPort={controller_port}
SlurmdPort={daemon_port}
SlurmctldPidFile={folder}/controller.pid
SlurmdPidFile={folder}/daemon.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldLogFile={folder}/controller.log
SlurmdLogFile={folder}/daemon.log
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
KillWait=5
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_min_interval=0
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
NodeName=localhost NodeAddr=127.0.0.1 CPUs=2 RealMemory=4000 State=UNKNOWN
PartitionName=cpu Nodes=localhost Default=YES MaxTime=INFINITE State=UP
"""


def lacking():
    """Why there can be no Slurm here; empty when there can."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"Slurm is not installed: no {', '.join(missing)}"
    return "" if os.geteuid() == 0 else "only root can start a Slurm of its own"


@contextlib.contextmanager
def slurm(folder, controller_port=16827, daemon_port=16828):
    """Run a cluster of one node with two cores; within the block SLURM_CONF names it."""
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    path = Path(folder) / "slurm.conf"
    path.write_text(CONFIGURATION.format(folder=folder, controller_port=controller_port, daemon_port=daemon_port))
    before = os.environ.get("SLURM_CONF")
    os.environ["SLURM_CONF"] = str(path)
    output = os.open(Path(folder) / "output", os.O_WRONLY | os.O_CREAT)
    daemons = [subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True) for command in (
        ["slurmctld", "-D", "-f", str(path)], ["slurmd", "-D", "-f", str(path), "-N", "localhost"])]  # fmt: skip
    try:
        _wait_until_idle()
        yield
    finally:
        subprocess.run(["scancel", "--user", "root"], check=False, capture_output=True)
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait()
        os.close(output)
        os.environ.pop("SLURM_CONF")
        if before is not None:
            os.environ["SLURM_CONF"] = before


def _wait_until_idle():
    deadline = time.monotonic() + 60
    while "idle" not in subprocess.run(["sinfo", "--noheader"], check=False, capture_output=True, text=True).stdout:
        if time.monotonic() > deadline:
            raise TimeoutError("Slurm did not start")
        time.sleep(0.2)


def tasks():
    """Slurm's tasks that are not over, such as ``11_0``."""
    listed = subprocess.run(["squeue", "--noheader", "--array", "--format=%i"], check=True, capture_output=True, text=True).stdout
    return listed.split()


def worker_processes(folder):
    """The processes that serve a batch as tasks of Slurm."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            continue
        if entry.name.isdigit() and b"submitit.core._submit" in command and str(folder).encode() in b" ".join(command):
            found.append(int(entry.name))
    return found
