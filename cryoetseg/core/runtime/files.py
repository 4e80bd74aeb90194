"""Files appear whole or not at all: written under a temporary name in the same folder, flushed, then renamed."""
import hashlib
import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, Union

from .errors import InputError, OutputError

PathLike = Union[str, "os.PathLike[str]"]


@contextmanager
def atomic_path(target: PathLike) -> Iterator[Path]:
    """Give a temporary path beside ``target``; rename it into place when the block succeeds.

    Raises :class:`OutputError` when the folder cannot be written or the disk is full. An earlier ``target`` stays
    untouched unless the block succeeds. The suffix is kept, because many writers choose the format by it.
    """
    target = Path(target)
    part = target.with_name(f".{target.stem}.{os.getpid()}.part{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield part
        _flush(part)
        os.replace(part, target)
    except OSError as error:
        raise OutputError(f"cannot write {target}: {error.strerror or error}", "a folder that can be written, with free space",
                          "choose another output folder or free space, then run again") from error
    finally:
        if part.is_file():
            part.unlink()


def _flush(path: Path) -> None:
    if path.is_file():
        with open(path, "rb") as stream:
            os.fsync(stream.fileno())


def write_text(target: PathLike, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(target) as part:
        part.write_text(text, encoding="utf-8")


def write_json(target: PathLike, content: Any) -> None:
    """Write ``content`` as indented JSON atomically."""
    write_text(target, json.dumps(content, indent=2, default=str) + "\n")


def read_json(path: PathLike) -> Dict[str, Any]:
    """Read a JSON object; raises :class:`InputError` when missing or damaged."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}", "an existing JSON file") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON: {error}", "a JSON file written by this program") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} holds a {type(content).__name__}", "a JSON object")
    return content


def link_or_copy(source: PathLike, target: PathLike) -> None:
    """Give a file one more name: a hard link where the disk allows, because volumes are large, else a copy."""
    with atomic_path(target) as part:
        try:
            os.link(source, part)
        except OSError:  # another disk, or one without links
            shutil.copyfile(source, part)


def sha256(path: PathLike, chunk: int = 1 << 20) -> str:
    """SHA-256 of a file as hexadecimal text, read in chunks."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(chunk), b""):
            digest.update(block)
    return digest.hexdigest()
