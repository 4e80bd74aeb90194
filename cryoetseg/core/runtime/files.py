"""Files appear whole or not at all: written under a temporary name in the same folder, flushed, then renamed.

Imported by Scipion's own interpreter: valid Python 3.8.
"""
import errno
import json
import os
import shutil
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Optional, Union

from .errors import InputError, MemoryLimitError, OutputError
from .temporary import make_part, part_name, put_in_place, restore

PathLike = Union[str, "os.PathLike[str]"]
Permit = Callable[[Path], None]
_permit: "ContextVar[Optional[Permit]]" = ContextVar("permit", default=None)


def is_file(path: Path) -> bool:
    """Whether a file is there; False too for names that are too long or not allowed."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


@contextmanager
def writing_by(permit: Optional[Permit]) -> Iterator[None]:
    """Within the block ``permit`` is asked for each file before it is written; what it raises goes to the writer. None asks nobody."""
    token = _permit.set(permit)
    try:
        yield
    finally:
        _permit.reset(token)


def current_permit() -> Optional[Permit]:
    """Who is asked in the run that is going on."""
    return _permit.get()


def check_permit(target: PathLike) -> None:
    """Raise :class:`OutputError` when the run that is going on may not write ``target``: for methods that write after long work."""
    permit = _permit.get()
    if permit is not None:
        permit(Path(target))


@contextmanager
def atomic_path(target: PathLike) -> Iterator[Path]:
    """Give a temporary path beside ``target``; rename it into place when the block succeeds.

    Raises :class:`OutputError` when the folder cannot be written or the disk is full. An earlier ``target`` stays
    untouched unless the block succeeds. The suffix is kept, because many writers choose the format by it.
    """
    target = Path(target)
    check_permit(target)
    part = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = make_part(target)
        yield part
        _flush(part)
        os.replace(part, target)
    except OSError as error:
        raise not_written(target, error) from error
    finally:
        if part is not None and part.is_file():
            part.unlink()


@contextmanager
def atomic_folder(target: PathLike) -> Iterator[Path]:
    """As :func:`atomic_path`, for a folder: the block fills an empty one, which then takes the place of an earlier one as a whole."""
    target = Path(target)
    check_permit(target)
    part = part_name(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        restore(target)
        part.mkdir()
        yield part
        for path in part.rglob("*"):
            _flush(path)
        put_in_place(part, target)
    except OSError as error:
        raise not_written(target, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def not_written(target: PathLike, error: OSError) -> Exception:
    """The typed error for a file that could not be written."""
    if error.errno == errno.ENOMEM:
        return MemoryLimitError(f"out of memory while writing {target}", "a job that fits into memory",
                                "use a machine with more memory, or run fewer jobs at once")
    return OutputError(f"cannot write {target}: {error.strerror or error}", "a folder that can be written, with free space",
                       "choose another output folder or free space, then run again")


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
        linked = part_name(target)
        try:
            os.link(source, linked)
            os.replace(linked, part)
        except OSError:  # another disk, or one without links
            shutil.copyfile(source, part)
