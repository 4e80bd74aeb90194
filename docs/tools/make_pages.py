"""Write the pages of the documentation that are made from the code: one a protocol, and the list of all error messages.

``python docs/tools/make_pages.py`` writes what changed; with ``--check`` it only names the pages that are older than the code and
exits with 1. Needs the environment of ``make install``.
"""
import sys
import tempfile
from pathlib import Path
from typing import Dict

sys.path.insert(0, str(Path(__file__).resolve().parent))


def texts() -> Dict[Path, str]:
    """All pages by their path. Scipion must be prepared."""
    import messages
    import protocol_pages

    return {**protocol_pages.pages(), messages.PAGE: messages.page()}


def stale(wanted: Dict[Path, str]) -> Dict[Path, str]:
    """Those of the ``wanted`` pages that are missing or differ on disk."""
    return {path: text for path, text in wanted.items() if not path.is_file() or path.read_text(encoding="utf-8") != text}


def leftovers(wanted: Dict[Path, str]) -> Dict[Path, str]:
    """Pages of protocols that are no more."""
    folders = {path.parent for path in wanted if path.name == "index.md"}
    return {path: "" for folder in folders for path in folder.glob("*.md") if path not in wanted}


def main() -> int:
    """Write or check the pages; returns the exit code."""
    from cryoetseg.scipion_home import load_plugins, prepare

    with tempfile.TemporaryDirectory() as home:
        prepare(home)
        load_plugins()
        wanted = texts()
    outdated, gone = stale(wanted), leftovers(wanted)
    if "--check" not in sys.argv:
        for path, text in outdated.items():
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        for path in gone:
            path.unlink()
    verb = "older than the code" if "--check" in sys.argv else "written"
    for path in [*outdated, *gone]:
        sys.stdout.write(f"{path.name}: {verb if path in outdated else 'of no protocol'}\n")
    return int("--check" in sys.argv and bool(outdated or gone))


if __name__ == "__main__":
    sys.exit(main())
