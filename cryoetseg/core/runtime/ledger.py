"""Which files of an output folder our runs made. Others are not overwritten, and nothing is written outside the folder."""
from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from .checksums import checksum
from .errors import OutputError
from .files import current_permit

LEDGER = ".made_by_cryoetseg"
TRAINING = "training"  # folder of checkpoints, older than the ledger where an earlier version made it


def is_outside(name: str) -> bool:
    """Whether a name relative to a folder leads out of it."""
    return os.path.normpath(name).split(os.sep)[0] == os.pardir or os.path.isabs(name)


def write_also_below(folders: Iterable[Path]) -> None:
    """Let the run that is going on write below ``folders`` too, which its user named: also there over nothing that is not ours."""
    permit = current_permit()
    if isinstance(permit, Ledger):
        permit.beside.extend(os.path.abspath(folder) for folder in folders)


class Ledger:
    """Asked by ``files`` before each file is written (see ``files.writing_by``).

    A file is ours when a run in this folder wrote it, which is noted before it appears; ``known`` are names from records that are
    older than the list. ``published`` are files outside of the folder that the user named. ``samples`` are the files of the tomograms
    that this run works on: the result of another tomogram is kept as if it were somebody else's. ``begin`` is called once, before the
    first file of this run is written. ``touched`` are the names that this run wrote, relative to the folder.
    """

    def __init__(self, folder: Path, known: Iterable[str], begin: Callable[[], None], *, overwrite: bool = False,
                 published: Iterable[Path] = (), samples: Sequence[str] = ()) -> None:
        self.folder, self.overwrite, self._begin = Path(os.path.abspath(folder)), overwrite, begin
        self._published = {os.path.abspath(path) for path in published}
        self._samples = [os.path.abspath(path) for path in samples]
        self._list = self.folder / LEDGER
        listed = self._listed()
        self._samples_of = {os.path.normpath(name): made_from for name, *made_from in listed if made_from}
        self._ours = {os.path.normpath(name) for name in [*known, *(row[0] for row in listed)]}
        self.touched: set[str] = set()
        self.beside: list[str] = []
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
            self._note([name])

    def note_results(self, names: Iterable[str]) -> None:
        """Note that what is called ``names`` is the whole result of this run's tomograms."""
        for name in map(os.path.normpath, names):
            if self._samples and self._samples_of.get(name) != self._samples:
                self._note([name, *self._samples])

    def _note(self, row: list[str]) -> None:
        with open(self._list, "a", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write("\t".join(text.replace("\n", "\\n").replace("\t", "\\t") for text in row) + "\n")

    def check(self, target: Path) -> None:
        """Raise :class:`OutputError` when ``target`` lies outside of the folder, or exists and is not ours."""
        path = os.path.abspath(target)
        name = os.path.relpath(path, self.folder)
        self._check_samples(path, name)
        if path in self._published:
            return
        if is_outside(name) and not any(os.path.commonpath([path, folder]) == folder for folder in self.beside):
            raise OutputError(f"{path} lies outside of the output folder {self.folder}", "names of files in that folder",
                              "choose a name without / and ..")
        if os.path.lexists(path) and name not in self._ours and not self.overwrite and not self._is_of_a_training(name):
            raise OutputError(f"{path} exists, and no record in {self.folder} made it", "a name that is free, or a file of an earlier run",
                              "choose another output folder or name, move the file away, or give --overwrite")

    def check_published(self, known: Iterable[tuple[str, str]]) -> None:
        """Raise :class:`OutputError` when a published file exists and is not what a record here published, by name and checksum.

        So for one that is the result of another tomogram.
        """
        earlier = set(known)
        for path in self._published:
            self._check_samples(path, os.path.relpath(path, self.folder))
            if self.overwrite or not os.path.lexists(path):
                continue
            if (os.path.relpath(path, self.folder), checksum(path)) not in earlier:
                raise OutputError(f"{path} exists, and no run here made it, or it was changed since", "a name that is free",
                                  "choose another name, move the file away, or give --overwrite")

    def _check_samples(self, path: str, name: str) -> None:
        """Raise :class:`OutputError` when ``path`` is the result of tomograms that still exist, none of which is this run's."""
        others = self._samples_of.get(name, [])
        if self.overwrite or not self._samples or set(others) & set(self._samples) or not os.path.lexists(path):
            return
        there = [other for other in others if os.path.exists(other)]  # a project that was moved takes its tomograms along
        if there:
            raise OutputError(f"{path} is the result of {there[0]}, and this run works on {self._samples[0]}",
                              "results of one tomogram in a folder, or of all that one command names",
                              "choose another output folder or file, name all tomograms in one command, or give --overwrite")

    def _is_of_a_training(self, name: str) -> bool:
        return name.split(os.sep)[0] == TRAINING and not self._list.exists()

    def _listed(self) -> list[list[str]]:
        """Rows of a name and the tomograms that it was made from, none while it is not whole; the last row of a name counts."""
        try:
            return [line.split("\t") for line in self._list.read_text(encoding="utf-8", errors="surrogateescape").split("\n") if line]
        except OSError:
            return []
