"""What a training learns from, in its checkpoint: a training goes on only with the data with which it began."""
from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..runtime.errors import InputError
from ..runtime.record import current_inputs

logger = logging.getLogger(__name__)
DATA = "data"
Row = dict[str, Any]


def current_data() -> list[Row] | None:
    """Role, file name, SHA-256, voxel size and contrast of each input of the job that is running, in order; None outside of a job.

    Without folders, so that a project may be moved.
    """
    found = current_inputs()
    if found is None:
        return None
    rows = [{"role": item.role, "file": Path(item.path).name, "sha256": found.sha256[item.path], "voxel_size": item.voxel_size,
             "contrast": item.contrast} for item in found.job.inputs]
    named = {item.path for item in found.job.inputs}
    return rows + [{"role": "parameter", "file": Path(path).name, "sha256": digest, "voxel_size": None, "contrast": ""}
                   for path, digest in found.sha256.items() if path not in named]


def check_same_data(folder: Path, recorded: Sequence[Row] | None, now: Sequence[Row] | None) -> None:
    """Raise :class:`InputError` that names the first file that is not the one with which the training in ``folder`` began.

    A training that was begun by a program rather than by a job does not know its data.
    """
    if recorded is None or now is None:
        if recorded != now:
            logger.warning("warning: whether the training in %s began with these data is not recorded", folder)
        return
    differences = [_difference(old, new) for old, new in zip(recorded, now) if _content(old) != _content(new)]
    if len(recorded) != len(now):
        differences.append(f"{len(now)} input files in place of {len(recorded)}")
    if differences:
        raise InputError(f"the training in {folder} began with other data: {differences[0]}", "the data with which it began",
                         "give these, or choose another output folder to start anew")


def _content(row: Row) -> tuple[Any, ...]:
    """A file may have got another name; what counts is in it, and how it is read."""
    return row["role"], row["sha256"], row["voxel_size"], row["contrast"]


def _difference(old: Row, new: Row) -> str:
    name = f"the {new['role']} {new['file']}"
    if old["sha256"] != new["sha256"]:
        return f"{name} changed" if old["file"] == new["file"] else f"{name} in place of {old['file']}"
    changed = [f"{key.replace('_', ' ')} {old[key]} -> {new[key]}" for key in ("role", "voxel_size", "contrast") if old[key] != new[key]]
    return f"{name}: {', '.join(changed)}"
