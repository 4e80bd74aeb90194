"""Tomograms and annotations of the CryoET data portal, fetched by its own client (optional package cryoet-data-portal).

They lie as in the portal, RUN/Reconstructions/VoxelSpacing7.840/..., where readers find voxel size, run and object by the folders' names.
"""
from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ..runtime.errors import InputError, OutputError
from ..runtime.files import write_json
from ..runtime.names import inside

ADDRESS = re.compile(r"portal:(\d+)(?:/(.+))?")
RECORD = "portal.json"
LICENCE = "CC0-1.0, the terms of the CryoET Data Portal; cite the dataset's publications"


def fetch(address: str, folder: Path, server: str = "", annotations: bool = True) -> list[dict[str, Any]]:
    """Fetch ``portal:DATASET`` or ``portal:DATASET/RUN`` into ``folder``; returns, for each run, its files, voxel size and licence.

    What is there already, whole, is not fetched again. Raises :class:`InputError` for an address that names nothing and without the
    client, and :class:`OutputError` without a connection and for a file that did not arrive whole.
    """
    parts = ADDRESS.fullmatch(address)
    if not parts:
        raise InputError(f"address '{address}'", "portal:DATASET or portal:DATASET/RUN, for example portal:10004/Position_161")
    portal = _client_library()
    from gql.transport.exceptions import TransportError  # the client's way to the service

    try:
        return _fetch_dataset(portal, parts, folder, server, annotations)
    except TransportError as error:
        raise OutputError(f"the portal does not answer: {error}", "a connection to the portal", "fetch again") from error


def _fetch_dataset(portal: Any, parts: re.Match[str], folder: Path, server: str, annotations: bool) -> list[dict[str, Any]]:
    client = portal.Client(server or None)
    dataset = portal.Dataset.get_by_id(client, int(parts[1]))
    if dataset is None:
        raise InputError(f"the portal has no dataset {parts[1]}", "a number of a dataset", "see cryoetdataportal.czscience.com")
    runs = portal.Run.find(client, [portal.Run.dataset_id == dataset.id])
    chosen = [run for run in runs if parts[2] in (None, run.name)]
    if not chosen:
        raise InputError(f"dataset {parts[1]} has no run '{parts[2]}'", ", ".join(run.name for run in runs[:20]))
    rows = [_fetch_run(portal, client, dataset, run, folder / str(dataset.id) / inside(run.name), annotations) for run in chosen]
    write_json(folder / str(dataset.id) / RECORD, {"dataset": dataset.id, "title": dataset.title, "licence": LICENCE,
                                                   "publications": dataset.dataset_publications, "runs": rows})
    return rows


def _client_library() -> Any:
    try:
        import cryoet_data_portal
    except ImportError as error:
        raise InputError("fetching from the CryoET data portal needs its client, which is not installed", "pip install cryoet-data-portal",
                         "or download the files at cryoetdataportal.czscience.com") from error
    return cryoet_data_portal


def _fetch_run(portal: Any, client: Any, dataset: Any, run: Any, folder: Path, annotations: bool) -> dict[str, Any]:
    tomograms = portal.Tomogram.find(client, [portal.Tomogram.run_id == run.id])
    if not tomograms:
        raise InputError(f"run {run.name} of dataset {dataset.id} has no tomogram", "a run with tomograms")
    # the curators' choice, else the first
    tomogram = next((item for item in tomograms if item.is_visualization_default), tomograms[0])
    place = folder / "Reconstructions" / f"VoxelSpacing{tomogram.voxel_spacing:.3f}"
    target = place / "Tomograms" / Path(tomogram.https_mrc_file).name
    if not target.is_file() or target.stat().st_size != int(tomogram.file_size_mrc):
        _arrive(tomogram.download_mrcfile, target.parent)
        if target.stat().st_size != int(tomogram.file_size_mrc):
            target.unlink()
            raise OutputError(f"{target} did not arrive whole", f"{int(tomogram.file_size_mrc)} bytes", "fetch again")
    lists = []
    for item in portal.Annotation.find(client, [portal.Annotation.run_id == run.id]) if annotations else []:
        home = place / "Annotations" / str(item.id)
        if not any(home.glob("*.ndjson")):
            _arrive(lambda into, item=item: item.download(into, format="ndjson"), home)
        lists += [{"object": item.object_name, "ground_truth": bool(item.ground_truth_status), "path": str(path.relative_to(folder.parent))}
                  for path in sorted(home.glob("*.ndjson"))]
    return {"run": run.name, "voxel_size": tomogram.voxel_spacing, "tomogram": str(target.relative_to(folder.parent)),
            "processing": tomogram.processing, "annotations": lists, "licence": LICENCE}


def _arrive(download: Any, folder: Path) -> None:
    """Run a download into a folder of its own and move what came; raises :class:`OutputError` when the connection or the disk fails."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch_") as part:
        try:
            download(part)
            for file in Path(part).iterdir():
                shutil.move(file, folder / file.name)
        except OSError as error:  # connection errors of requests are OSError too
            raise OutputError(f"cannot fetch into {folder}: {error}", "a connection to the portal and free space", "fetch again") from error
