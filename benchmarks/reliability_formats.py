"""How readers bear damaged files: small valid files of every format, mutated with a seed; counted is what ends without a typed error.

    python benchmarks/reliability_formats.py --mutations 20000 --seed 1

A file that is read without complaint is no failure here: a changed grey value or coordinate is as valid as the one before. Each row of
the table is one format: mutations tried, refused by a typed error, read, ended untyped. The exit code is the number of untyped ends, at
most 1.
"""
from __future__ import annotations

import argparse
import json
import logging
import shutil
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import reliability_models
import reliability_projects
import tifffile

from cryoetseg.core.particles.formats import WRITERS, read_particles, write_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.runtime.errors import CryoetsegError
from cryoetseg.core.runtime.job import InputFile, Job, read_job, read_result, write_job
from cryoetseg.core.volumes.io import read_volume, write_volume

LISTS = {"relion": "star", "stopgap": "star", "dynamo": "tbl", "em_motl": "em", "coords": "coords", "xyz": "xyz", "imod_points": "pts",
         "imod_model": "mod", "copick": "json", "csv": "csv", "deepfinder": "xml", "portal": "ndjson"}
WORDS = ["", "nan", "inf", "-1", "1e400", "9" * 400, "1e30", "0x10", "None", "null", "true", "{}", "[]", "'", '"', "#", "data_x", "loop_",
         "_x", "\x00", "\ufeff", "\ud800", "é", "\u2028", "<a/>", "&x;", "[" * 5000, "{\"a\":" * 5000, "-", "1_0", "1+2i", "½", "\t", "\n"]


@dataclass
class Count:
    """Ends of the mutations of one format."""

    tried: int = 0
    refused: int = 0
    read: int = 0
    untyped: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Case:
    """One format: the valid file or folder, and what reads it."""

    name: str
    path: Path
    read: Callable[[Path], object]


def cases(folder: Path) -> list[Case]:
    """A small valid file of every format under ``folder``."""
    return [*_volumes(folder), *_lists(folder), *_records(folder), *_models(folder), *_projects(folder)]


def _volumes(folder: Path) -> list[Case]:
    array = np.random.default_rng(0).normal(size=(4, 6, 8)).astype(np.float32)
    for suffix in ("mrc", "em", "tif", "zarr"):
        write_volume(folder / f"volume.{suffix}", array, 10.0, (1.0, 2.0, 3.0))
    write_volume(folder / "bytes.mrc", (array > 0).astype(np.int8), 10.0)
    tifffile.imwrite(folder / "ome.tif", array, ome=True, compression="zlib", metadata={"axes": "ZYX", "PhysicalSizeX": 1.0})
    return [Case(path.name, path, read_volume) for path in [*sorted(folder.glob("volume.*")), folder / "bytes.mrc", folder / "ome.tif"]]


def _lists(folder: Path) -> list[Case]:
    table = ParticleTable.from_points([[3.5, 2.0, 1.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]], voxel_size=10.0, tilt_series_id="7", score=0.5,
                                      class_id=1, class_names={1: "ribosome"}, angles=[10.0, 20.0, 30.0])
    found = []
    for name in WRITERS:
        path = folder / f"{name}.{LISTS[name]}"
        write_particles(table, path, format=name)
        found.append(Case(f"{name} .{LISTS[name]}", path, read_particles))
    write_particles(table, folder / "relion5.star", format="relion5", tomogram_shape=(20, 30, 40))
    return [*found, Case("relion5 .star", folder / "relion5.star", read_particles)]


def _records(folder: Path) -> list[Case]:
    job = Job(method="pick-dog", parameters={"radius": 3}, inputs=[InputFile(path="a.mrc")], output_folder=str(folder / "out"))
    write_job(folder / "job.json", job)
    result = {"method": "pick-dog", "job": job.model_dump(), "outputs": [{"kind": "particles", "path": "a.star"}], "metrics": {},
              "seconds": 1.0, "peak_memory_bytes": 1, "device": "cpu", "versions": {}, "sha256": {}, "command": []}
    (folder / "result.json").write_text(json.dumps(result, indent=2))
    return [Case("job.json", folder / "job.json", read_job), Case("result.json", folder / "result.json", read_result)]


def _models(folder: Path) -> list[Case]:
    return [Case(f"model of {kind}", folder / kind, load) for kind, load in reliability_models.models(folder).items()]


def _projects(folder: Path) -> list[Case]:
    return [Case(name, path, read) for name, (path, read) in reliability_projects.projects(folder / "projects").items()]


def mutate(content: bytes, generator: np.random.Generator) -> bytes:
    """One random damage: bits, bytes, numbers, cuts, doubled or moved parts, words and lines of text."""
    data = bytearray(content)
    kind, place = int(generator.integers(8)), int(generator.integers(max(1, len(data))))
    if kind == 0:
        data[place:place + 1] = bytes([data[place] ^ 1 << int(generator.integers(8))])
    elif kind == 1:
        data[place:place + 4] = int(generator.choice([0, 1, -1, 2**31 - 1, -2**31, 255, 65536])).to_bytes(4, "little", signed=True)
    elif kind == 2:
        data = data[:place]
    elif kind == 3:
        data[place:place] = data[place:place + int(generator.integers(1, 64))]
    elif kind == 4:
        del data[place:place + int(generator.integers(1, 16))]
    elif kind == 5:
        data[place:place + 8] = generator.bytes(8)
    else:
        data = _text_damage(bytes(data), generator, whole_line=kind == 7)
    return bytes(data)


def _text_damage(content: bytes, generator: np.random.Generator, whole_line: bool) -> bytearray:
    """A word replaced by an odd one, or a line left out or doubled."""
    lines = content.split(b"\n")
    row = int(generator.integers(len(lines)))
    if whole_line:
        lines[row:row + 1] = [lines[row]] * int(generator.choice([0, 2]))
        return bytearray(b"\n".join(lines))
    word = WORDS[int(generator.integers(len(WORDS)))].encode("utf-8", "surrogatepass")
    for mark in (b'"', b" ", b",", b"\t"):
        words = lines[row].split(mark)
        if len(words) > 1:
            words[int(generator.integers(len(words)))] = word
            lines[row] = mark.join(words)
            return bytearray(b"\n".join(lines))
    lines[row] = word
    return bytearray(b"\n".join(lines))


def run(mutations: int, seed: int, folder: Path, names: list[str] | None = None) -> dict[str, Count]:
    """Mutate every format in turn, ``mutations`` times in all; ``folder`` holds the files."""
    generator = np.random.default_rng(seed)
    wanted = [case for case in cases(folder) if not names or case.name in names]
    counts = {case.name: Count() for case in wanted}
    for number in range(mutations):
        case = wanted[number % len(wanted)]
        _try(case, counts[case.name], generator)
    return counts


def _try(case: Case, count: Count, generator: np.random.Generator) -> None:
    files = sorted(path for path in case.path.rglob("*") if path.is_file()) if case.path.is_dir() else [case.path]
    file = files[int(generator.integers(len(files)))]
    content = file.read_bytes()
    gone = len(files) > 1 and generator.random() < 0.1
    count.tried += 1
    try:
        file.unlink() if gone else file.write_bytes(_damaged(file, content, generator))
        case.read(case.path)
        count.read += 1
    except CryoetsegError:
        count.refused += 1
    except Exception as error:  # what is counted here
        place = traceback.extract_tb(error.__traceback__)
        ours = next((frame for frame in reversed(place) if "cryoetseg" in frame.filename and frame.filename != __file__), place[-1])
        count.untyped[f"{type(error).__name__} at {Path(ours.filename).name}:{ours.lineno}: {str(error)[:80]!r}"] += 1
    finally:
        file.write_bytes(content)


def _damaged(file: Path, content: bytes, generator: np.random.Generator) -> bytes:
    """Damage of bytes and words, or of JSON, as often, an edited field."""
    fields = file.suffix == ".json" and generator.random() < 0.5
    return reliability_models.edited(content, generator) if fields else mutate(content, generator)


def table_of(counts: dict[str, Count]) -> str:
    """The counts as a table for docs."""
    rows = [f"| {name} | {count.tried} | {count.refused} | {count.read} | {count.untyped.total()} |" for name, count in counts.items()]
    total = [sum(values) for values in zip(*((c.tried, c.refused, c.read, c.untyped.total()) for c in counts.values()))]
    return "\n".join(["| format | mutations | refused by a typed error | read | untyped |", "| --- | --- | --- | --- | --- |", *rows,
                      "| all | " + " | ".join(map(str, total)) + " |"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutations", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--formats", nargs="*", help="only these rows of the table")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    folder = Path(tempfile.mkdtemp(prefix="cryoetseg_reliability_"))
    try:
        counts = run(options.mutations, options.seed, folder, options.formats)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(table_of(counts))
    for name, count in counts.items():
        for text, times in count.untyped.most_common():
            print(f"{name}: {times} x {text}")
    return min(1, sum(count.untyped.total() for count in counts.values()))


if __name__ == "__main__":
    raise SystemExit(main())
