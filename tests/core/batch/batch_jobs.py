"""Small batches, and a stand-in for the program of a job that starts in milliseconds and keeps a journal of what it did."""

import sys
from pathlib import Path

from cryoetseg.core.batch.plan import PlannedJob, make_plan, write_plan
from cryoetseg.core.runtime.job import Job

# Like a recorded run: with a result it does nothing, else it works, writes the result and one line of the journal.
STAND_IN = """
import json, os, sys, time
folder, number = sys.argv[1], int(sys.argv[2])
job = json.load(open(folder + "/plan.json"))["jobs"][number - 1]["job"]
out, wish = job["output_folder"], job["parameters"]
def note(word):
    journal = os.open(folder + "/journal", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(journal, f"{word} {number}\\n".encode())
    os.close(journal)
os.makedirs(out, exist_ok=True)
if not os.path.exists(out + "/result.json"):
    note("began")
    time.sleep(wish.get("seconds", 0))
    if wish.get("fails"):
        sys.exit("error: it is broken")
    note("done")
    open(out + "/result.json", "w").write("{}")
"""
# A worker of such jobs: FOLDER and the program as JSON follow.
SERVE = """
import json, sys
from pathlib import Path
from cryoetseg.core.batch.worker import Worker
worker = Worker(Path(sys.argv[1]), program=json.loads(sys.argv[2]))
worker.stop_on_signals()
worker.serve()
"""
PROGRAM = (sys.executable, "-I", "-S", "-c", STAND_IN)


def stand_in_batch(folder, count, wishes=None, after=None):
    """The plan of ``count`` jobs with parameters of the stand-in; ``after`` maps a job's number to those it needs."""
    jobs = [PlannedJob(number=n, name=f"job{n}", after=(after or {}).get(n, []),
                       job=Job(method="count", output_folder=str(folder / "out" / str(n)), parameters=(wishes or {}).get(n, {})))
            for n in range(1, count + 1)]  # fmt: skip
    write_plan(folder, make_plan(jobs))
    return folder


def journal(folder):
    """The numbers of the jobs that the stand-in finished, in that order."""
    path = Path(folder) / "journal"
    lines = path.read_text().split("\n") if path.exists() else []
    return [int(line.split()[1]) for line in lines if line.startswith("done")]
