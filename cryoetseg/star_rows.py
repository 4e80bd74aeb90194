"""Particle lists of the core as Scipion reads and writes them: STAR loops whose values are text, whatever they look like.

A tilt series may be called data_7, _t, #1 or O'Neil; a reader that goes by how lines begin would end the list there.
"""
import re
from typing import Dict, List, Sequence

from cryoetseg.core.runtime.errors import InputError
from cryoetseg.core.runtime.files import write_text

BLOCK = "particles"
# as in STAR, a value that begins with a quotation mark ends at the same one before white space
TOKEN = re.compile(r"""'(.*?)'(?=\s|$)|"(.*?)"(?=\s|$)|(\S+)""")


def rowsOf(path: str, required: Sequence[str]) -> List[Dict[str, str]]:
    """The rows of the block ``data_particles``, by column name; raises :class:`InputError` for a damaged list."""
    try:
        with open(path, encoding="utf-8") as stream:
            lines = stream.read().splitlines()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", "a RELION STAR file") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text: {error}", "a RELION STAR file") from error
    starts = [number for number, line in enumerate(lines) if line.strip() == f"data_{BLOCK}"]
    if not starts:
        raise InputError(f"{path} has no block data_{BLOCK}", f"a RELION STAR file with a block data_{BLOCK}")
    body = [line.strip() for line in lines[starts[0] + 1:]]
    columns, first = _columns(body)
    missing = [name for name in required if name not in columns]
    if missing:
        raise InputError(f"{path} lacks one of the columns {', '.join(required)}", "a RELION STAR file with positions in voxels")
    return _rows(path, columns, body[first:])


def _columns(body: List[str]) -> "tuple[List[str], int]":
    """The names after ``loop_``, and where the rows begin."""
    columns: List[str] = []
    number = body.index("loop_") + 1 if "loop_" in body else len(body)
    # a row of several columns is never a single name
    while number < len(body) and re.fullmatch(r"_rln\w+(\s+#\d+)?", body[number]):
        columns.append(body[number].split()[0][1:])
        number += 1
    return columns, number


def _rows(path: str, columns: Sequence[str], lines: Sequence[str]) -> List[Dict[str, str]]:
    rows: List[Dict[str, str]] = []
    for line in lines:
        values = [single or double or plain for single, double, plain in TOKEN.findall(line)]
        if len(values) == len(columns) and values:
            rows.append(dict(zip(columns, values)))
        elif line and (len(values) != 1 or len(columns) == 1):
            raise InputError(f"{path}: a row of {len(values)} values in a block of {len(columns)} columns: {line[:60]}",
                             "as many values as columns", "make the list again")
        elif line:  # the next block
            break
    return rows


def writeRows(path: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write one block of rows of text, quoted where it must be, atomically."""
    header = [f"_{name} #{number}" for number, name in enumerate(columns, start=1)]
    write_text(path, "\n".join(["", f"data_{BLOCK}", "", "loop_", *header, *(" ".join(row) for row in rows), ""]) + "\n")


def quoted(text: str) -> str:
    """``text`` as one value of a STAR file; raises :class:`InputError` for what STAR cannot hold."""
    if re.search(r"[\x00-\x1f]", text) or ("'" in text and '"' in text):
        raise InputError(f"STAR files cannot hold the name {text!r}", "no line breaks, at most one kind of quotation marks",
                         "rename the tilt series")
    mark = "'" if '"' in text else '"'
    plain = text and re.fullmatch(r"[^\s#'\"]+", text) and not re.match(r"[_$\[\];]|(data|save|loop|stop|global)_", text, re.IGNORECASE)
    return text if plain else f"{mark}{text}{mark}"
