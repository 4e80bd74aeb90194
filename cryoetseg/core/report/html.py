"""A report as one HTML file that needs nothing beside it: pictures inside, tables, and how every result was made."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from ..runtime.errors import InputError
from ..runtime.files import PathLike, write_text
from ..runtime.job import Result

TEMPLATE = "report.html"


@dataclass(frozen=True)
class Picture:
    """A PNG file and the sentence under it."""

    path: Path
    caption: str = ""

    @property
    def source(self) -> str:
        """The picture as a data address, so that the report stays one file."""
        try:
            content = Path(self.path).read_bytes()
        except OSError as error:
            raise InputError(f"cannot read picture {self.path}: {error.strerror or error}", "an existing PNG file") from error
        return "data:image/png;base64," + base64.b64encode(content).decode("ascii")


@dataclass(frozen=True)
class Table:
    """Rows of words and numbers under column names; numbers are shown with three decimals."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    caption: str = ""


@dataclass(frozen=True)
class Step:
    """Something that the reader can do, and the command for it where there is one."""

    text: str
    command: str = ""


@dataclass(frozen=True)
class Section:
    """A heading with text, tables, pictures, words with their meanings and steps, in this order."""

    title: str
    text: str = ""
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
    meanings: Sequence[tuple[str, str]] = ()
    steps: Sequence[Step] = ()


def write_report(path: PathLike, title: str, sections: Sequence[Section], results: Sequence[Result] = ()) -> Path:
    """Write the report to ``path`` atomically; ``results`` give its last part, how everything was made. Returns the path."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["readable"] = readable
    environment.filters["command_line"] = command_line
    template = environment.from_string(files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8"))
    write_text(path, template.render(title=title, sections=sections, results=results))
    return Path(path)


def command_line(result: Result) -> str:
    """The command of a result as a shell takes it, from the folder that its paths start from."""
    command = shlex.join(result.command)
    return f"cd {shlex.quote(result.working_folder)} && {command}" if result.working_folder else command


def readable(value: Any) -> str:
    """A cell of a table as text: floats with three significant decimals, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3f}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.3g}"
    return str(value)
