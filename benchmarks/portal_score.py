"""Score a method on data of the CryoET Data Portal by ids, or on what was fetched before, against the published annotations.

    python benchmarks/portal_score.py portal:DATASET[/RUN] --out FOLDER [--object NAME=RADIUS[:WEIGHT] ...] -- pick deepet MODEL

The words after ``--`` are a cryoetseg command that picks; each run's tomogram and an output folder are added. The score is that of the
CZII challenge and of POPSICLE's localisation: F-beta with beta 4 for each object, hits within half a particle's radius (Angstrom), mean
by weights. ``--object`` names the objects that count as the annotations call them, by default those of the challenge. Picks of a class
that is called like an object count for it; with ``--any-class`` all picks count for the one object that is wanted. A FOLDER/DATASET
with portal.json, as ``data fetch`` writes, is used without the network when it stands in place of the address.
"""
from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from cryoetseg.core.interchange.portal_fetch import RECORD, fetch
from cryoetseg.core.metrics.challenge import CZII, REACH, Counts, Wanted, challenge_counts, challenge_score, f_beta
from cryoetseg.core.particles.formats import read_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.runtime.job import RESULT_FILE, read_result


def main() -> int:
    """Fetch, pick, score; prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--object", action="append", default=[])
    parser.add_argument("--any-class", action="store_true")
    parser.add_argument("--server", default="")
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    options, command = parser.parse_args(sys.argv[1:end]), sys.argv[end + 1:]
    objects = dict(map(wanted, options.object)) or CZII
    if options.any_class and len(objects) > 1:
        parser.error(f"with --any-class one --object is wanted, not {len(objects)}")
    root, rows = fetched(options.data, options.out, options.server)
    total = dict.fromkeys(objects, Counts())
    for row in rows:
        picks = picked(root / row["tomogram"], options.out / "picks" / row["run"], command)
        for name, counts in score_run(picks, row, root, objects, options.any_class).items():
            total[name] = total[name].plus(counts)
    sys.stdout.write(table_of(total, objects) + "\n")
    return 0


def wanted(text: str) -> tuple[str, Wanted]:
    """``ribosome=150:2`` as name, radius and weight."""
    name, _, size = text.rpartition("=")
    radius, _, weight = size.partition(":")
    return name, Wanted(float(radius), float(weight or 1))


def fetched(data: str, out: Path, server: str) -> tuple[Path, list[dict[str, Any]]]:
    """The folder of the dataset and what lies in it, run by run."""
    if not data.startswith("portal:"):
        return Path(data), json.loads((Path(data) / RECORD).read_text(encoding="utf-8"))["runs"]
    rows = fetch(data, out, server)
    return out / data.removeprefix("portal:").partition("/")[0], rows


def picked(tomogram: Path, folder: Path, command: list[str]) -> ParticleTable:
    """What the command finds in the tomogram."""
    subprocess.run([sys.executable, "-m", "cryoetseg.core", *command, str(tomogram), "--out", str(folder)], check=True)
    (found,) = read_result(folder / RESULT_FILE).outputs_of("particles")
    return read_particles(folder / found.path)


def score_run(picks: ParticleTable, row: dict[str, Any], root: Path, objects: dict[str, Wanted], any_class: bool) -> dict[str, Counts]:
    """Counts of each object in one run, against its annotations that are ground truth, or all where none is."""
    lists = [item for item in row["annotations"] if item["ground_truth"]] or row["annotations"]
    names = [picks.class_names.get(int(number), "") for number in picks.class_id]
    counts = {}
    for name, what in objects.items():
        mine = picks.zyx if any_class else picks.zyx[[found == name for found in names]]
        true = [place for item in lists if item["object"] == name for place in read_particles(root / item["path"]).zyx * row["voxel_size"]]
        counts[name] = challenge_counts(mine * picks.voxel_size, true, REACH * what.radius)
    return counts


def table_of(total: dict[str, Counts], objects: dict[str, Wanted]) -> str:
    """The scores in Markdown."""
    rows = [f"| {name} | {objects[name].radius:g} | {objects[name].weight:g} | {counts.hits} | {counts.wrong} | {counts.missed} | "
            f"{f_beta(counts):.3f} |" for name, counts in total.items()]
    return "\n".join(["| object | radius (A) | weight | hits | wrong | missed | F4 |", "| --- | --- | --- | --- | --- | --- | --- |", *rows,
                      f"| all | | | | | | {challenge_score(total, objects):.3f} |"])


if __name__ == "__main__":
    sys.exit(main())
