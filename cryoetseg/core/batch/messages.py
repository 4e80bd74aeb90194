"""What a job said last."""

from __future__ import annotations

import re
from pathlib import Path

END_BYTES, LONGEST = 65536, 1000
ERROR = "error: "


def last_message(log: Path) -> str:
    """The last error of a job's log, else its last line; empty when there is none. Only the end of a long log is read."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - END_BYTES))
            text = stream.read().decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [line.strip() for line in re.split(r"[\r\n]+", text) if line.strip()]
    errors = [line.removeprefix(ERROR) for line in lines if line.startswith(ERROR)]
    return (errors or lines or [""])[-1][:LONGEST]
