"""How much of the files that are mapped counts as memory of this process."""
from pathlib import Path


def mapped_bytes():
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("RssFile:")[1].split()[0]) * 1024
