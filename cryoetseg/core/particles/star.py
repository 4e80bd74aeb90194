"""STAR files as pandas tables, with errors that name the file."""
from __future__ import annotations

from pathlib import Path

import pandas as pd
import starfile

from ..runtime.errors import InputError
from ..runtime.files import write_text


def read_blocks(path: Path) -> dict[str, pd.DataFrame]:
    """The blocks of a STAR file by name; a block without loop becomes a table of one row. Raises :class:`InputError`."""
    try:
        text = path.read_text(encoding="utf-8")
        if not any(line.startswith("data_") for line in text.splitlines()):
            raise InputError(f"{path}: no line starts with data_", "a STAR file with data blocks")
        blocks = starfile.read(path, always_dict=True)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}", "a STAR file, which is text") from error
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, pd.errors.ParserError) as error:
        raise InputError(f"{path} is not a valid STAR file: {error}", "data blocks whose rows have a value for every column") from error
    return {name: block if isinstance(block, pd.DataFrame) else pd.DataFrame([block]) for name, block in blocks.items()}


def write_blocks(path: Path, blocks: dict[str, pd.DataFrame]) -> None:
    """Write tables as STAR loops, atomically, with six decimals. The same tables give the same bytes."""
    text = starfile.to_string(blocks, float_format="%.6f")
    # starfile begins with the time of writing: two equal lists would have different checksums, and what reads them would run again
    write_text(path, "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#")).lstrip("\n"))
