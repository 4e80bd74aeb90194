"""What a killed core leaves behind: half-written files, whose names hold the number of its process (``core.runtime.files``)."""
import glob
import os
import re

PART = re.compile(r"\.(\d+)\.part[^/]*$")


def removeParts(folder: str) -> None:
    """Remove the half-written files below a folder, except those of a core that still runs on this machine."""
    for path in glob.glob(os.path.join(glob.escape(folder), "**", ".*.part*"), recursive=True):
        found = PART.search(path)
        if found and os.path.isfile(path) and not isRunning(int(found.group(1))):
            os.remove(path)


def isRunning(process: int) -> bool:
    """Whether a process of this number runs on this machine."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # someone else's
        return True
    return True
