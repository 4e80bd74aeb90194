"""Weights made by others: fetched by an explicit command, checked by SHA-256, kept in a folder the user can copy and set."""
from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ..runtime.checksums import sha256
from ..runtime.errors import WeightsError
from ..runtime.files import read_json, write_json

logger = logging.getLogger(__name__)

FOLDER_VARIABLE = "CRYOETSEG_WEIGHTS"
RECORD = "weights.json"
GIT_SUM_DIGITS = 40


class Source(NamedTuple):
    """A public repository at one fixed revision (a commit, which fixes the content of every file), the files taken from it, their licence,
    and the SHA-256 of those files for which it is written down here."""

    repository: str
    revision: str
    files: tuple[str, ...]
    licence: str
    size: str
    sha256: Mapping[str, str] = {}


SOURCES = {
    "stable-diffusion-v1-4": Source(
        "CompVis/stable-diffusion-v1-4",
        "133a221b8aa7292a167afc5127cb63fb5005638b",
        (
            "unet/config.json",
            "unet/diffusion_pytorch_model.safetensors",
            "vae/config.json",
            "vae/diffusion_pytorch_model.safetensors",
            "text_encoder/config.json",
            "text_encoder/model.safetensors",
            "tokenizer/merges.txt",
            "tokenizer/vocab.json",
            "tokenizer/special_tokens_map.json",
            "tokenizer/tokenizer_config.json",
        ),
        "CreativeML OpenRAIL-M",
        "4.3 GB",
    ),
    "cellpose-sam": Source(
        "mouseland/cellpose-sam",
        "7c61431b5fbb078f3296754bd15d9f51b320f837",
        ("cpsam",),
        "BSD-3-Clause",
        "1.2 GB",
        {"cpsam": "e1440429eb384f95afe32bcba6510f90d518eaedc917ede549bed6804004abe2"},
    ),
}
BACKBONES = ("stable-diffusion-v1-4",)


def weights_root(folder: str = "") -> Path:
    """Where weights are kept: ``folder``, else $CRYOETSEG_WEIGHTS, else a folder in the user's home."""
    chosen = folder or os.environ.get(FOLDER_VARIABLE, "")
    return Path(chosen).expanduser() if chosen else Path.home() / ".local" / "share" / "cryoetseg" / "weights"


def fetched_folder(name: str, folder: str = "") -> Path:
    """Folder of the fetched weights called ``name``; raises :class:`WeightsError` that says how to get them."""
    target = weights_root(folder) / name
    missing = [file for file in known_source(name).files if not (target / file).is_file()]
    if missing:
        raise WeightsError(
            f"the weights '{name}' are not complete in {target}: {missing[0]} is missing",
            f"a folder with {len(known_source(name).files)} files",
            f"run 'cryoetseg weights fetch {name}' once on a machine with internet, or set the weights folder "
            f"(${FOLDER_VARIABLE}) to where they are",
        )
    return target


def known_source(name: str) -> Source:
    """Where the weights called ``name`` come from; raises :class:`WeightsError` for unknown names."""
    if name not in SOURCES:
        raise WeightsError(f"unknown weights '{name}'", ", ".join(SOURCES), "check the name")
    return SOURCES[name]


def fetch(name: str, folder: str = "") -> Path:
    """Download the weights called ``name``, check each file and record its SHA-256; the only place that opens a connection.

    Files already there and sound are kept, so an interrupted fetch goes on where it stopped. Returns the folder.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    source, target = known_source(name), weights_root(folder) / name
    try:
        expected = _published_sums(source)
        for file in source.files:
            if not _is_sound(target / file, expected.get(file)):
                hf_hub_download(source.repository, file, revision=source.revision, local_dir=target)
    except (OSError, *HfHubHTTPError.__bases__) as error:  # type: ignore[misc]  # the bases: what its library of connections raises
        raise WeightsError(f"fetching '{name}' from {source.repository} failed: {error}", "a connection to huggingface.co",
                           f"try again, or copy the folder {target} from a machine that has it") from error
    _check_all(target, source, expected)
    write_json(target / RECORD, {**source._asdict(), "sha256": {file: sha256(target / file) for file in source.files}})
    shutil.rmtree(target / ".cache", ignore_errors=True)
    logger.info("%s (%s, licence %s) is in %s", name, source.size, source.licence, target)
    return target


def verify(name: str, folder: str = "") -> Path:
    """Compare fetched weights with the sums recorded when they were fetched, and with those known here; returns their folder."""
    target = fetched_folder(name, folder)
    if not (target / RECORD).is_file():
        raise WeightsError(f"{target} has no {RECORD}", "a folder made by 'cryoetseg weights fetch'", f"fetch {name} again")
    recorded = read_json(target / RECORD).get("sha256")
    _check_all(target, known_source(name), recorded if isinstance(recorded, dict) else {})
    return target


def _published_sums(source: Source) -> dict[str, str]:
    """What the repository states of its files at the fixed revision: the SHA-256 of large ones, git's SHA-1 of the others."""
    from huggingface_hub import HfApi

    listed = HfApi().model_info(source.repository, revision=source.revision, files_metadata=True).siblings or []
    return {entry.rfilename: entry.lfs.sha256 if entry.lfs is not None else entry.blob_id or "" for entry in listed}


def _is_sound(path: Path, expected: object) -> bool:
    """Whether a file has the sum ``expected``; without one it is not sound."""
    if not path.is_file() or not isinstance(expected, str):
        return False
    return expected == (_git_sum(path) if len(expected) == GIT_SUM_DIGITS else sha256(path))


def _git_sum(path: Path) -> str:
    """What git calls a small file by."""
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _check_all(target: Path, source: Source, expected: Mapping[str, object]) -> None:
    for file in source.files:
        if not expected.get(file):
            raise WeightsError(f"nothing tells what {target / file} has to be", "a sum for every file", "fetch again")
        for wanted in (expected[file], source.sha256.get(file, expected[file])):
            if not _is_sound(target / file, wanted):
                raise WeightsError(f"{target / file} differs from what {source.repository} states", f"the sum {wanted}",
                                   "delete the file and fetch again")
