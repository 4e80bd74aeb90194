"""Addresses of data in projects, in place of file names: ``copick:config.json?wbp@10.0``,
``relion:tomograms.star?TS_*``, AreTomo3's TiltSeries_Metrics.csv.

An address is resolved once, before the job is built: the job names files, so that it can be run again without the project's program.
What the project knows of a file, its tilt series and voxel size, is remembered here until its :class:`InputFile` is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Optional

from ..runtime.errors import InputError, ParameterError

TOMOGRAM_PARAMETERS = ("tomogram", "tomograms", "noisy", "clean", "empty", "restored")
PICK_PARAMETERS = ("particles", "lists", "truth_particles")
MASK_PARAMETERS = ("labels", "mask", "masks", "truth_mask", "source_masks", "target_masks")
COPICK, RELION = "copick:", "relion:"


@dataclass(frozen=True)
class Known:
    """What a project says of one of its files."""

    tilt_series_id: str
    voxel_size: Optional[float] = None


_known: dict[str, Known] = {}


def known(path: Path) -> Optional[Known]:
    """What a project said of the file, or None for a file that was named by its path."""
    return _known.get(str(path.absolute()))


def resolved(name: str, value: Any) -> Any:
    """The value of a command's parameter ``name`` with every address in it replaced by the files it stands for.

    Raises :class:`ParameterError` when several files are meant where one is wanted.
    """
    if isinstance(value, list) and value and all(isinstance(item, Path) for item in value):
        return [file for item in value for file in _files(name, item)]
    if isinstance(value, Path):
        files = _files(name, value)
        if len(files) != 1:
            raise ParameterError(f"{value} stands for {len(files)} files", "one file",
                                 "add &run=NAME to copick:..., ?NAME to relion:..., or name the file itself")
        return files[0]
    return value


def _files(name: str, path: Path) -> list[Path]:
    if str(path).startswith(COPICK):
        return _of_copick(name, str(path))
    if str(path).startswith(RELION):
        file, _, pattern = str(path)[len(RELION):].partition("?")
        return _of_relion(Path(file), pattern or "*")
    if name in TOMOGRAM_PARAMETERS and path.suffix.lower() == ".star" and path.is_file() and _lists_tomograms(path):
        return _of_relion(path, "*")
    if name in TOMOGRAM_PARAMETERS and path.suffix.lower() == ".csv" and path.is_file():
        return _of_aretomo(path)
    return [path]


def _of_aretomo(path: Path) -> list[Path]:
    from ..interchange.aretomo import is_tomogram_list, read_tomograms

    return [_remember(file, Known(name)) for name, file in read_tomograms(path).items()] if is_tomogram_list(path) else [path]


def _lists_tomograms(path: Path) -> bool:
    from ..interchange.relion_project import is_tomogram_list

    return is_tomogram_list(path)


def _of_relion(path: Path, pattern: str) -> list[Path]:
    from ..interchange.relion_project import read_tomograms

    tomograms, files = read_tomograms(path).tomograms, []
    chosen = [tomogram for tomogram in tomograms.values() if fnmatchcase(tomogram.name, pattern)]
    if not chosen:
        raise InputError(f"{path} has no tomogram '{pattern}'", ", ".join(list(tomograms)[:20]))
    for tomogram in chosen:
        if tomogram.file is None:
            raise InputError(f"{path}: tomogram {tomogram.name} has no reconstruction", "a list of reconstructed tomograms",
                             "reconstruct it in RELION or WarpTools, or name the tomograms themselves")
        files.append(_remember(tomogram.file, Known(tomogram.name, tomogram.voxel_size)))
    return files


def _of_copick(name: str, address: str) -> list[Path]:
    from ..interchange.copick_project import parse_pattern, parse_uri, read_project

    config, uri, runs = parse_uri(address)
    project, pattern = read_project(config), parse_pattern(uri)
    if name in PICK_PARAMETERS or (name not in MASK_PARAMETERS and ":" in uri and "@" not in uri):
        entries, known_ones = project.picks(pattern, runs), project.picks(parse_pattern(""), runs)
    elif name in MASK_PARAMETERS or ":" in uri:
        entries, known_ones = project.segmentations(pattern, runs), project.segmentations(parse_pattern(""), runs)
    else:
        entries, known_ones = project.tomograms(pattern, runs), project.tomograms(parse_pattern(""), runs)
        _refuse_several(address, [entry.run for entry in entries], [entry.uri for entry in entries])
    if not entries:
        there = ", ".join(dict.fromkeys(entry.uri for entry in known_ones)) or "nothing of the kind"
        raise InputError(f"{address} names nothing in the project", f"one of: {there}", f"runs are: {', '.join(project.run_names()[:20])}")
    finest = {entry.run: entry.voxel_size for entry in reversed(project.tomograms(parse_pattern(""), runs))}
    return [_remember(entry.path, Known(entry.run, entry.voxel_size or finest.get(entry.run))) for entry in entries]


def _refuse_several(address: str, runs: list[str], uris: list[str]) -> None:
    """A run has one tomogram in an address: two types or voxel sizes would be worked on as if they were two samples."""
    if len(set(runs)) < len(runs):
        raise InputError(f"{address} names several tomograms of a run", f"one of: {', '.join(dict.fromkeys(uris))}",
                         "write its type and voxel size, TYPE@VOXELSIZE")


def _remember(path: Path, what: Known) -> Path:
    _known[str(path.absolute())] = what
    return path
