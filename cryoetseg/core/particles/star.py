"""STAR files as tables of text, with errors that name the file.

Every value is kept as text, because names such as 001, 1.10, 1e5 or NA are not numbers; :func:`.options.numbers` turns columns into
numbers where numbers are meant. Quoting follows STAR and RELION's reader: a value begins and ends with the same quotation mark, ``#``
begins a comment only where a value would begin.
"""
from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import starfile

from ..runtime.errors import InputError
from ..runtime.files import is_file, write_text
from ..runtime.provenance import origin_of
from .text_rows import LINE_END, read_text

TOKEN = re.compile(r"""'(?P<single>.*?)'(?=\s|$)|"(?P<double>.*?)"(?=\s|$)|(?P<comment>\#.*)|(?P<plain>\S+)""")
KEYWORD = re.compile(r"(data|save)_|(loop|stop|global)_$", re.IGNORECASE)
INCOMPLETE_ROWS = ("optics",)  # RELION writes nothing, not even quotes, for a file name that is not set at the end of a row
VALID = "data blocks whose rows have a value for every column"


def find_in_project(path: Path, name: str) -> tuple[Path, Path]:
    """A file that the STAR file ``path`` names from its project's folder, which is that of ``path`` or one above it; the file and that
    folder. Raises :class:`InputError` when there is none."""
    for folder in [path.absolute().parent, *path.absolute().parent.parents]:
        if is_file(folder / name):
            return folder / name, folder
    raise InputError(f"{path}: it names '{name}', which does not exist in its folder or above", "a list inside its RELION project",
                     "copy the project as a whole, or make the list again")


def read_blocks(path: Path) -> dict[str, pd.DataFrame]:
    """The blocks of a STAR file by name, every value as text; a block without loop becomes a table of one row.

    Raises :class:`InputError` naming file and line.
    """
    lines = [_split(line, path, number) for number, line in enumerate(LINE_END.split(read_text(path)), start=1)]
    starts = [number for number, line in enumerate(lines) if line.begins("data_")]
    if not starts:
        raise InputError(f"{path}: no line starts with data_", "a STAR file with data blocks")
    blocks: dict[str, pd.DataFrame] = {}
    for start, end in zip(starts, [*starts[1:], len(lines)]):
        name = lines[start].words[0][len("data_"):]
        if name in blocks:
            raise InputError(f"{path}: line {start + 1}: a second block data_{name}", "blocks of different names", "split the file")
        blocks[name] = _block(lines, start + 1, end, name, path)
    return blocks


class _Line(NamedTuple):
    """The values of a line; ``plain`` when the first was not quoted and may be a keyword or a column name."""

    words: list[str]
    plain: bool

    def begins(self, start: str) -> bool:
        """Whether the line is one word with this beginning, as keywords and column names are."""
        return self.plain and len(self.words) == 1 and self.words[0].startswith(start)


def _split(line: str, path: Path, number: int) -> _Line:
    if "'" not in line and '"' not in line and "#" not in line:
        return _Line(line.split(), True)
    words: list[str] = []
    plain = True
    for found in TOKEN.finditer(line):
        kind, text = found.lastgroup, found.group(found.lastgroup or 0)
        if kind == "comment":
            break
        if kind == "plain" and text[0] in "'\"":
            raise InputError(f"{path}: line {number}: the quotation mark before {text[1:][:40]} is not closed", VALID)
        plain = plain and (bool(words) or kind == "plain")
        words.append(text)
    return _Line(words, plain)


def _block(lines: list[_Line], first: int, end: int, name: str, path: Path) -> pd.DataFrame:
    """One block from its lines [first, end): ``loop_``, column names, rows; or pairs of a name and a value."""
    numbers = [number for number in range(first, end) if lines[number].words]
    if not numbers or not lines[numbers[0]].begins("loop_"):
        return _pairs([lines[number] for number in numbers], numbers, path)
    columns: list[str] = []
    for number in numbers[1:]:
        if not lines[number].begins("_"):
            break
        columns.append(lines[number].words[0][1:])
    rows = numbers[1 + len(columns):]
    _refuse_doubled(columns, path)
    values = [_row(lines[number].words, columns, name, path, number) for number in rows]
    return pd.DataFrame(values, columns=pd.Index(columns), dtype=object)


def _row(words: list[str], columns: list[str], block: str, path: Path, number: int) -> list[str]:
    if len(words) < len(columns) and block in INCOMPLETE_ROWS:
        return words + [""] * (len(columns) - len(words))
    if len(words) != len(columns):
        raise InputError(f"{path}: line {number + 1} has {len(words)} values, data_{block} {len(columns)} columns, and is not a valid row",
                         VALID, "copy or make the file again")
    return words


def _pairs(lines: list[_Line], numbers: list[int], path: Path) -> pd.DataFrame:
    for line, number in zip(lines, numbers):
        if not line.plain or not line.words[0].startswith("_") or len(line.words) > 2:
            raise InputError(f"{path}: line {number + 1} is neither a loop nor a column name with its value: {' '.join(line.words)[:60]}",
                             VALID)
    columns = [line.words[0][1:] for line in lines]
    _refuse_doubled(columns, path)
    return pd.DataFrame([[line.words[1] if len(line.words) == 2 else "" for line in lines]], columns=pd.Index(columns), dtype=object)


def _refuse_doubled(columns: list[str], path: Path) -> None:
    doubled = sorted({name for name in columns if columns.count(name) > 1})
    if doubled:
        raise InputError(f"{path}: column {doubled[0]} is there twice", "columns of different names", "remove one of them")


def write_blocks(path: Path, blocks: dict[str, pd.DataFrame]) -> None:
    """Write tables as STAR loops, atomically, with six decimals. The same tables give the same bytes.

    Raises :class:`InputError` for text that STAR cannot hold: line breaks, or both kinds of quotation marks.
    """
    quoted = {name: block.map(lambda value: quote(value, path) if isinstance(value, str) else value) for name, block in blocks.items()}
    text = starfile.to_string(quoted, float_format="%.6f", quote_character="")
    # starfile begins with the time of writing: two equal lists would have different checksums, and what reads them would run again
    made = origin_of(path)
    write_text(path, (f"# {made}\n" if made else "") + text.split("\n", 1)[1].lstrip("\n"))


def quote(value: str, path: Path) -> str:
    """``value`` as it stands in a STAR file: in quotation marks where it would else be read as something else."""
    if any(ord(letter) < 32 or letter in "\x7f\x85\u2028\u2029" for letter in value) or ("'" in value and '"' in value):
        raise InputError(f"cannot write {path}: STAR files cannot hold the name {value!r}",
                         "names without line breaks and with at most one kind of quotation marks", "rename it")
    if value and not re.search(r"\s|[#'\"]", value) and value[0] not in "_$[];" and not KEYWORD.match(value):
        return value
    mark = "'" if '"' in value else '"'
    return f"{mark}{value}{mark}"
