"""What goes wrong under kills, crafted names, simultaneous runs, full disks and little memory: the table of docs/reliability.md.

    python benchmarks/reliability.py --seed 1 [--share 1] [--kills 40] [--pairs 10] [--disks 20] [--memory 9] [--mutations 8000] [--jobs 60]
                                     [--write]

Each row is one kind of trouble: how often it was tried, how often the engine bore it, and what went wrong: a wrong result with exit 0, an
untyped end, a lost result, a file outside of the output folder. ``--write`` puts the table into docs/reliability.md. Mutated files and
batches are made by the programs beside this one (``reliability_formats.py``, ``reliability_batch.py``), which do more when called alone.
Half of these counts are tried unless ``--share`` says otherwise. A count that is given is taken as it is, and 0 leaves a row out. The exit
code is 1 where anything failed.
"""
from __future__ import annotations

import argparse
import logging
import math
import os
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cryoetseg.core.runtime.checksums import sha256
from cryoetseg.core.runtime.errors import CryoetsegError, is_out_of_memory
from cryoetseg.core.runtime.files import write_text
from cryoetseg.core.runtime.job import RESULT_FILE, InputFile, Job, MethodOutcome, Output, Result, read_result
from cryoetseg.core.runtime.record import finished_result, recorded_run
from cryoetseg.core.volumes.io import create_volume, write_volume

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reliability.md"
START, END = "<!-- table -->", "<!-- end of table -->"
WRONG, UNTYPED, LOST, OUTSIDE = FAILURES = ("wrong with exit 0", "untyped", "lost", "outside")
COUNTS = {"kills": 40, "pairs": 10, "disks": 20, "memory": 9, "mutations": 8000, "jobs": 60}
SHARE = 0.5  # of these counts
KILLED_WORKERS = 4
# commands and the MiB between which their address space is cut: from too little to import to nearly enough
STARVED = [(["pick", "dog", "large.mrc", "--count", "5"], (700, 1200)),
           (["segment", "membranes", "general", "small.mrc"], (1000, 3000)),
           (["segment", "slabs", "small.mrc", "--z", "12:14", "--draws", "1"], (1000, 3000))]  # fmt: skip
VOLUMES, PLANES, SIDE = 3, 24, 48
BUSY, TYPED = 9, range(1, 10)  # exit codes of the engine's own errors
NAMES = ["TS_01", "data_001", "001", "1.10", "1.1", "1e5", "_x", "#1", "a#b", "NA", "nan", "O'Neil", 'say "aye"', "data_7", "loop_",
         "_t", "with space", "Größe µ", "$(touch x)", "a;b", "-rf", "..", ".hidden", "~", "%s", "50%", "*", "?", "n" * 200, "é" * 100,
         "a\nb", "\t"]  # fmt: skip


@dataclass
class Row:
    """One line of the table."""

    trouble: str
    tried: int = 0
    failures: Counter[str] = field(default_factory=Counter)

    def cells(self) -> str:
        """The row in Markdown."""
        bad = sum(self.failures.values())
        return f"| {self.trouble} | {self.tried} | {self.tried - bad} | " + " | ".join(str(self.failures[kind]) for kind in FAILURES) + " |"


# --------------------------- a job that takes a while ----------------------
def work(job: Job) -> MethodOutcome:
    """Volumes filled plane by plane, and a list, all a function of the seed."""
    folder, outputs = Path(job.output_folder), []
    for number in range(VOLUMES):
        rng, name = np.random.default_rng([job.seed, number]), f"{number}.mrc"
        with create_volume(folder / name, (PLANES, SIDE, SIDE), np.float32, 10.0) as volume:
            for plane in range(PLANES):
                volume[plane] = rng.normal(size=(SIDE, SIDE))
        outputs.append(Output(kind="tomogram", path=name))
    write_text(folder / "list.csv", "\n".join(map(str, np.random.default_rng(job.seed).normal(size=2000))))
    return MethodOutcome(outputs=[*outputs, Output(kind="table", path="list.csv")])


def figure(result: Result) -> Result:
    """What is drawn after the work."""
    write_text(Path(result.job["output_folder"]) / "figure.txt", f"{result.job['seed']}\n" * 5000)
    return result.model_copy(update={"outputs": [*result.outputs, Output(kind="figure", path="figure.txt")]})


def job_of(folder: Path, seed: int) -> Job:
    """The job with this seed."""
    return Job(method="work", output_folder=str(folder), seed=seed)


def serve(folder: Path, seed: int, limit: int) -> int:
    """Run the job as the program does: an exit code for each kind of error. ``limit`` is the size that files may have, 0 for any."""
    if limit:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        recorded_run(job_of(folder, seed), work, figure)
    except CryoetsegError as error:
        return error.exit_code
    except Exception as error:  # what the table counts
        return 5 if is_out_of_memory(error) else 70
    return 0


def started(folder: Path, seed: int, limit: int = 0) -> subprocess.Popen[bytes]:
    """The same in a process of its own."""
    return subprocess.Popen([sys.executable, __file__, "--serve", str(folder), str(seed), str(limit)], stderr=subprocess.DEVNULL)


def contents(folder: Path) -> dict[str, str]:
    """SHA-256 of the results by name; records, which hold times, left out."""
    return {path.name: sha256(path) for path in sorted(folder.iterdir()) if path.suffix in (".mrc", ".csv", ".txt")}


def is_true(folder: Path, seed: int, wanted: dict[str, str]) -> bool:
    """Whether a record that says done is right."""
    return finished_result(job_of(folder, seed)) is None or contents(folder) == wanted


# --------------------------- rows ------------------------------------------
def kills(folder: Path, count: int, rng: random.Random) -> Row:
    """SIGKILL at any moment; what says done must be right, and the same command must end as if nothing had happened."""
    row = Row("kills (SIGKILL at a random moment)")
    begun = time.monotonic()
    started(folder / "whole", 1).wait()
    duration, wanted = time.monotonic() - begun, contents(folder / "whole")
    for number in range(count):
        here = folder / f"kill{number % 5}"
        process = started(here, 1)
        time.sleep(rng.uniform(0.3, 1.05) * duration)
        process.send_signal(signal.SIGKILL)
        process.wait()
        row.tried += 1
        if here.exists() and not is_true(here, 1, wanted):
            row.failures[WRONG] += 1
        if (here / RESULT_FILE).exists():
            (here / RESULT_FILE).unlink()  # or the next run would find all done
    for here in folder.glob("kill*"):
        if started(here, 1).wait() != 0 or contents(here) != wanted or list(here.glob(".*.part*")):
            row.failures[LOST] += 1
    return row


def simultaneous(folder: Path, count: int, rng: random.Random) -> Row:
    """Two different jobs at once in one folder: one runs, or one after the other; never a mixture under one record."""
    row = Row("two jobs at once in one folder")
    for number in range(count):
        here = folder / f"pair{number}"
        first = started(here, 1)
        time.sleep(rng.uniform(0, 0.2))
        codes = [first, started(here, 2)]
        ends = [process.wait() for process in codes]
        row.tried += 1
        if any(end not in (0, BUSY) for end in ends):
            row.failures[UNTYPED] += 1
        elif 0 not in ends:
            row.failures[LOST] += 1
        else:
            seed = int(read_result(here / RESULT_FILE).job["seed"])
            alone = folder / f"alone{seed}"
            if not alone.exists():
                started(alone, seed).wait()
            row.failures[WRONG] += contents(here) != contents(alone)
    return row


def crafted_names(folder: Path, count: int, rng: random.Random) -> Row:
    """Tilt-series ids and file names of all kinds: what is written lies in the folder and says the name when it is read."""
    from cryoetseg.core.particles.formats import read_particles
    from cryoetseg.core.picking.apply import run as pick

    row = Row("crafted names of tomograms")
    write_volume(folder / "tomogram.mrc", np.random.default_rng(1).normal(size=(20, 24, 24)).astype(np.float32), 10.0)
    for number, name in enumerate([*NAMES, *(f"../{name}" for name in NAMES[:8]), "/etc/x", "a/b", "a\\b", "x\x00y"]):
        here = folder / f"name{number}" / "out"
        inputs = [InputFile(path=str(folder / "tomogram.mrc"), tilt_series_id=name)]
        parameters = {"particle_diameter": 60.0, "selection": "count", "count": 5}
        job = Job(method="pick-dog", parameters=parameters, inputs=inputs, output_folder=str(here))
        row.tried += 1
        try:
            (output,) = recorded_run(job, pick).outputs
            table = read_particles(here / output.path)
            row.failures[WRONG] += set(table.tilt_series_ids()) != {name} or len(table) != 5
        except CryoetsegError:
            pass
        except Exception:  # what the table counts
            row.failures[UNTYPED] += 1
        row.failures[OUTSIDE] += sorted(os.listdir(here.parent)) not in ([], ["out"])
    return row


def full_disks(folder: Path, count: int, rng: random.Random) -> Row:
    """Files may grow to a random size only: a typed end, the earlier results of the folder whole."""
    row = Row("full disks (files cut at a random size)")
    here = folder / "disk"
    started(here, 1).wait()
    wanted = contents(here)
    for _ in range(count):
        code = started(here, 2, rng.randrange(1, PLANES * SIDE * SIDE * 4)).wait()
        row.tried += 1
        row.failures[UNTYPED] += code not in TYPED
        row.failures[WRONG] += code == 0
        for name, digest in contents(here).items():
            row.failures[LOST] += name in wanted and digest not in (wanted[name],)
    return row


def little_memory(folder: Path, count: int, rng: random.Random) -> Row:
    """Address space that does not suffice, for a method on arrays and for two networks in turn: a typed end."""
    row = Row("too little memory (address space cut at a random size)")
    program = "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)\n" \
        "from cryoetseg.core.cli import main; main(sys.argv[2:])"
    for name, shape in (("large", (96, 256, 256)), ("small", (32, 96, 96))):
        write_volume(folder / f"{name}.mrc", np.random.default_rng(1).normal(size=shape).astype(np.float32), 10.0)
    for number in range(count):
        words, (low, high) = STARVED[number % len(STARVED)]
        words = ["-c", program, str(rng.randrange(low, high) * 2**20), *words, "--out", str(folder / f"memory{number}")]
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, cwd=folder)
        row.tried += 1
        row.failures[UNTYPED] += done.returncode not in (0, *TYPED)
    return row


def arrays(folder: Path, count: int, rng: random.Random) -> Row:
    """A batch served by two workers that are killed now and then: each job done once."""
    words = [str(Path(__file__).with_name("reliability_batch.py")), "--out", str(folder / "batch"), "--jobs", str(count),
             "--kills", str(min(KILLED_WORKERS, count - 1)), "--seed", str(rng.randrange(2**16)), "--executors", "local"]  # fmt: skip
    told = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True).stdout
    found = re.search(r"(\d+) workers killed \| (\d+) done once, (\d+) lost, (\d+) twice", told)
    if found is None:
        raise RuntimeError(f"reliability_batch.py printed {told!r}")
    killed, _, lost, twice = map(int, found.groups())
    return Row(f"jobs of a batch, {killed} of its workers killed", count, Counter({LOST: lost, WRONG: twice}))


def mutations(folder: Path, count: int, seed: int) -> list[Row]:
    """Damaged files of every format, a row each."""
    import reliability_formats  # and with it torch, which the many short processes above do without

    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    counts = reliability_formats.run(count, seed, folder)
    for name, made in counts.items():
        for text, times in made.untyped.most_common():
            sys.stderr.write(f"{name}: {times} x {text}\n")
    return [Row(f"mutated files: {name}", made.tried, Counter({UNTYPED: made.untyped.total()})) for name, made in counts.items()]


Trouble = Callable[[Path, int, random.Random], Row]
TROUBLES: list[Trouble] = [kills, simultaneous, crafted_names, full_disks, little_memory, arrays]
COUNT_OF: dict[Trouble, str] = {kills: "kills", simultaneous: "pairs", full_disks: "disks", little_memory: "memory", arrays: "jobs"}


def table_of(rows: list[Row]) -> str:
    """The rows in Markdown."""
    head = ["| trouble | tried | survived | " + " | ".join(FAILURES) + " |", "| --- " * (3 + len(FAILURES)) + "|"]
    return "\n".join([*head, *(row.cells() for row in rows)])


def main() -> int:
    """Run the rows asked for and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--share", type=float, default=SHARE, help="share of the counts that is tried")
    for name in COUNTS:
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--write", action="store_true", help="put the table into docs/reliability.md")
    options = parser.parse_args()
    tried = {name: math.ceil(options.share * count) if getattr(options, name) is None else getattr(options, name)
             for name, count in COUNTS.items()}
    with tempfile.TemporaryDirectory() as name:
        rows = []
        for trouble in TROUBLES:
            count = tried[COUNT_OF[trouble]] if trouble in COUNT_OF else 1
            if count:
                rows.append(trouble(Path(name), count, random.Random(f"{options.seed} {trouble.__name__}")))
                sys.stderr.write(rows[-1].cells() + "\n")  # minutes lie between rows
    if tried["mutations"]:
        with tempfile.TemporaryDirectory() as name:
            rows += mutations(Path(name), tried["mutations"], options.seed)
    text = table_of(rows)
    sys.stdout.write(text + "\n")
    if options.write:
        page = PAGE.read_text(encoding="utf-8")
        write_text(PAGE, page[:page.index(START) + len(START)] + "\n" + text + "\n" + page[page.index(END):])
    return min(1, sum(sum(row.failures.values()) for row in rows))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        sys.exit(serve(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
    sys.exit(main())
