"""Which files of an output folder our runs made. Others are not overwritten, and nothing is written outside the folder."""
from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from .checksums import checksum
from .errors import OutputError

LEDGER = ".made_by_cryoetseg"
TRAINING = "training"  # folder of checkpoints, older than the ledger where an earlier version made it


def is_outside(name: str) -> bool:
    """Whether a name relative to a folder leads out of it."""
    return os.path.normpath(name).split(os.sep)[0] == os.pardir or os.path.isabs(name)


class Ledger:
    """Asked by ``files`` before each file is written (see ``files.writing_by``).

    A file is ours when a run in this folder wrote it, which is noted before it appears; ``known`` are names from records that are
    older than the list. ``published`` are files outside of the folder that the user named. ``begin`` is called once, before the first
    file of this run is written. ``touched`` are the names that this run wrote, relative to the folder.
    """

    def __init__(self, folder: Path, known: Iterable[str], begin: Callable[[], None], *, overwrite: bool = False,
                 published: Iterable[Path] = ()) -> None:
        self.folder, self.overwrite, self._begin = Path(os.path.abspath(folder)), overwrite, begin
        self._published = {os.path.abspath(path) for path in published}
        self._list = self.folder / LEDGER
        self._ours = {os.path.normpath(name) for name in [*known, *self._listed()]}
        self.touched: set[str] = set()
        self.begun = False

    def __call__(self, target: Path) -> None:
        """Note that ``target`` is written; raises :class:`OutputError` when that must not be."""
        path = os.path.abspath(target)
        name = os.path.relpath(path, self.folder)
        if name in self.touched:
            return
        self.check(target)
        if not self.begun:
            self.begun = True
            self._begin()
        self.touched.add(name)
        if name not in self._ours:
            self._ours.add(name)
            with open(self._list, "a", encoding="utf-8", errors="surrogateescape") as stream:
                stream.write(name.replace("\n", "\\n") + "\n")

    def check(self, target: Path) -> None:
        """Raise :class:`OutputError` when ``target`` lies outside of the folder, or exists and is not ours."""
        path = os.path.abspath(target)
        name = os.path.relpath(path, self.folder)
        if path in self._published:
            return
        if is_outside(name):
            raise OutputError(f"{path} lies outside of the output folder {self.folder}", "names of files in that folder",
                              "choose a name without / and ..")
        if os.path.lexists(path) and name not in self._ours and not self.overwrite and not self._is_of_a_training(name):
            raise OutputError(f"{path} exists, and no record in {self.folder} made it", "a name that is free, or a file of an earlier run",
                              "choose another output folder or name, move the file away, or give --overwrite")

    def check_published(self, known: Iterable[tuple[str, str]]) -> None:
        """Raise :class:`OutputError` when a published file exists and is not what a record here published, by name and checksum."""
        earlier = set(known)
        for path in self._published:
            if self.overwrite or not os.path.lexists(path):
                continue
            if (os.path.relpath(path, self.folder), checksum(path)) not in earlier:
                raise OutputError(f"{path} exists, and no run here made it, or it was changed since", "a name that is free",
                                  "choose another name, move the file away, or give --overwrite")

    def _is_of_a_training(self, name: str) -> bool:
        return name.split(os.sep)[0] == TRAINING and not self._list.exists()

    def _listed(self) -> list[str]:
        try:
            return self._list.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        except OSError:
            return []
