"""What a copick project elsewhere holds, fetched by copick's own library into a project on this machine.

The library (optional) reaches whatever fsspec does, S3 and SSH among it, and the data portal. Files keep copick's layout and content.
"""
from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ..runtime.errors import InputError, OutputError
from ..runtime.files import atomic_path, write_json
from ..runtime.names import inside
from .copick_project import MULTILABEL, PICKS, RUNS, Pattern, fits, parse_pattern, parse_uri

CONFIG, DATA = "copick.json", "data"


def fetch(address: str, folder: Path) -> list[dict[str, Any]]:
    """Fetch ``copick:CONFIG.json?TYPE@VOXELSIZE&run=PATTERN`` into the project ``folder/copick.json``: the tomograms that are named, and
    all picks and segmentations of their runs. Returns for each run how many of each came.

    Raises :class:`InputError` without the library and where nothing fits, :class:`OutputError` when the connection or the disk fails.
    """
    config, uri, runs = parse_uri(address)
    library = _library()
    try:
        project = library.from_file(str(config))
        chosen = [run for run in project.runs if fnmatchcase(run.name, runs)]
        rows = [_fetch_run(run, parse_pattern(uri), folder / DATA / RUNS / inside(run.name)) for run in chosen]
        objects = [item.model_dump(mode="json", exclude_none=True) for item in project.config.pickable_objects]
    except OSError as error:
        raise OutputError(f"cannot fetch {address}: {error}", "a connection to where the project lies, and free space",
                          "fetch again") from error
    if not any(row["tomograms"] for row in rows):
        raise InputError(f"{address} names no tomogram of the project", "TYPE@VOXELSIZE&run=PATTERN", "copick browse shows what there is")
    write_json(folder / CONFIG, {"config_type": "filesystem", "name": str(project.config.name or ""), "version": "1.0.0",
                                 "pickable_objects": objects, "overlay_root": f"local://{(folder / DATA).absolute()}"})
    return rows


def _library() -> Any:
    try:
        import copick
    except ImportError as error:
        raise InputError("fetching from a copick project needs the library copick, which is not installed", "pip install copick",
                         "it needs numpy 2: give it an environment of its own, with cryoetseg beside it") from error
    return copick


def _fetch_run(run: Any, pattern: Pattern, folder: Path) -> dict[str, Any]:
    tomograms = [(spacing.voxel_size, item) for spacing in run.voxel_spacings for item in spacing.tomograms
                 if fits(item.tomo_type, spacing.voxel_size, pattern)]
    for size, item in tomograms:
        _copy(item.zarr(), folder / f"VoxelSpacing{size:.3f}" / f"{inside(item.tomo_type)}.zarr")
    picks = list(run.picks) if tomograms else []
    for item in picks:
        item.load()
        title = inside(f"{item.user_id}_{item.session_id}_{item.pickable_object_name}")
        write_json(folder / PICKS / f"{title}.json", item.meta.model_dump(mode="json"))
    masks = list(run.segmentations) if tomograms else []
    for item in masks:
        stem = inside(f"{item.voxel_size:.3f}_{item.user_id}_{item.session_id}_{item.name}{MULTILABEL if item.is_multilabel else ''}")
        kind = "InstanceSegmentations" if getattr(item, "is_instance", False) else "Segmentations"
        _copy(item.zarr(), folder / kind / f"{stem}.zarr")
    return {"run": run.name, "tomograms": len(tomograms), "picks": len(picks), "segmentations": len(masks)}


def _copy(store: Any, folder: Path) -> None:
    """Write a zarr as the files that it is made of; those that are there, whole, stay."""
    for key, content in store.items():
        path = folder / inside(key, "/")
        if not path.is_file() or path.stat().st_size != len(content):
            with atomic_path(path) as part:
                part.write_bytes(content)
