"""Names of tomograms, and of the files made from them: one rule for all methods.

A tomogram goes by its tilt-series id, else by its file's name without suffix. Several of one name are told apart by the folders that
they lie in (``TS_01/rec.mrc`` and ``TS_02/rec.mrc`` become ``TS_01_rec`` and ``TS_02_rec``).

Imported by Scipion's own interpreter: valid Python 3.8.
"""
import os
import re
from collections import Counter
from pathlib import Path
from typing import List, Sequence, Tuple

from ..volumes.names import volume_stem
from .errors import InputError
from .job import InputFile, Job

LONGEST_NAME = 180  # bytes, so that endings such as _membranes_probability.mrc still fit into the 255 of a file name
UNSAFE = re.compile(r"[/\\\x00-\x1f\x7f]")
# what programs add to the name of a tilt series: RELION 5 and Warp, IMOD, AreTomo; and what this program adds to its results
TOLD_BY_PROGRAMS = re.compile(
    r"(\.(tomostar|mrc|mrcs|rec|st|ali|map|mdoc|em|tif|tiff|zarr|ome|gz|bz2|star|csv|coords|tbl|json)|_\d+(\.\d+)?Apx|[_-](full[_-])?rec(on)?|"
    r"_(membranes|particles|classes|confidence|probability|denoised|filled|converted|labels|mask|picks|truth|aligned|ali|vol|bin\d+))$",
    re.IGNORECASE)

NUMBERED = re.compile(r"(?:^|[^a-z])(?:ts|tomo|tomogram|position|tilt|series|lamella)[_-]?(\d+(?:_\d+)?)", re.IGNORECASE)


def name_of(item: InputFile) -> str:
    """What a tomogram is called."""
    return item.tilt_series_id or volume_stem(item.path)


def distinct(items: Sequence[InputFile]) -> List[InputFile]:
    """The inputs, each with a tilt-series id that no other one has, also not as the name of a file.

    Raises :class:`InputError` when the folders do not tell two of them apart, as when one file is given twice.
    """
    names = [name_of(item) for item in items]
    parts = [Path(os.path.abspath(item.path)).parts for item in items]
    depth, longest = 1, max((len(part) for part in parts), default=0)
    chosen = names
    while depth <= longest and len(set(map(file_stem, chosen))) < len(chosen):
        shared = Counter(map(file_stem, names))
        chosen = [name if shared[file_stem(name)] == 1 else "_".join([*_folders(part, depth), name]) for name, part in zip(names, parts)]
        depth += 1
    stems = Counter(map(file_stem, chosen))
    doubled = [item for item, name in zip(items, chosen) if stems[file_stem(name)] > 1]
    if doubled:
        listed = ", ".join(item.path for item in doubled[:5])
        raise InputError(f"inputs called {name_of(doubled[0])} that cannot be told apart: {listed}", "each once, each with its own name",
                         "leave out what is given twice, or give each its tilt-series id")
    return [item.model_copy(update={"tilt_series_id": name}) for item, name in zip(items, chosen)]


def inside(name: str, separators: str = "") -> str:
    """What another program or service calls something, as it is, for a file or folder. Raises :class:`InputError` where it would lead out
    of the folder that it is put in. ``separators`` may stand in it."""
    if ".." in name.split("/") or name.startswith("/") or ("/" in name and "/" not in separators):
        raise InputError(f"the project calls something '{name}'", "names without / and ..", "rename it in the project")
    return name


def _folders(parts: Sequence[str], depth: int) -> List[str]:
    return [part for part in parts[:-1] if part not in (os.sep, os.altsep)][-depth:]


def named_inputs(job: Job, role: str) -> List[InputFile]:
    """The job's inputs of ``role``, by :func:`distinct`; raises :class:`InputError` also when there is none."""
    items = job.inputs_of(role)
    if not items:
        raise InputError(f"no input has the role '{role}'", f"at least one '{role}'")
    return distinct(items)


def file_stem(name: str) -> str:
    """The beginning of the names of files made from a tomogram called ``name``: never a path, never hidden, not too long."""
    text = UNSAFE.sub("_", name)
    if text.startswith("."):
        text = "_" + text[1:]
    return os.fsdecode(os.fsencode(text)[:LONGEST_NAME]) or "_"


def series_key(name: str) -> str:
    """The name of a tilt series without what programs add: ``TS_01`` for ``TS_01_10.00Apx.mrc``, ``TS_01.tomostar``, ``TS_01_rec``."""
    while True:
        shorter = TOLD_BY_PROGRAMS.sub("", name)
        if shorter in (name, ""):
            return name
        name = shorter


def in_pairs(names: Sequence[str], offered: Sequence[str]) -> List[int]:
    """For each name the index of the one in ``offered`` that belongs to it: by :func:`series_key` where that tells all, else in order.

    Both have the same length.
    """
    keys = [series_key(name) for name in offered]
    wanted = [series_key(name) for name in names]
    if len(set(keys)) == len(keys) and set(keys) == set(wanted):
        return [keys.index(key) for key in wanted]
    return list(range(len(offered)))


def meant(name: str, known: Sequence[str]) -> str:
    """The one of ``known`` that ``name`` means; ``name`` itself where it is none of them or several."""
    found = matching(name, known)
    return found[0] if len(found) == 1 else name


def tell_apart(first: str, second: str) -> bool:
    """Whether two names speak of tilt series of different numbers, as TS_01 and TS_02_rec do; others may mean the same."""
    numbers = [NUMBERED.findall(name) for name in (first, second)]
    return all(numbers) and not {*map(_number, numbers[0])} & {*map(_number, numbers[1])}


def check_same_series(tomogram: str, other: str, what: str) -> None:
    """Raise :class:`InputError` when the names of a tomogram and of what is given for it speak of different tilt series."""
    if tell_apart(tomogram, other):
        raise InputError(f"{what} {other} for the tomogram {tomogram}", "both of one tilt series",
                         "give those of this tomogram, or rename what is called wrongly")


def _number(text: str) -> Tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text))


def matching(name: str, offered: Sequence[str]) -> List[str]:
    """The names in ``offered`` that mean the tilt series ``name``: the same one, else those that differ by what programs add."""
    if name in offered:
        return [name]
    return [other for other in offered if series_key(other) == series_key(name)]
