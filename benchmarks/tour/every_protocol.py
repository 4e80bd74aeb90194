"""Run every protocol of the plugin in Scipion's real window: form, Execute, Analyze Results, all that it shows.

``.venv/bin/python benchmarks/tour/every_protocol.py --out FOLDER --images FOLDER [--from RUN | --only RUN ...]`` makes a project with a run
of each protocol (:mod:`every_run`), then goes through them one by one with the mouse: the form is opened and validated by its own Execute,
the run has to finish, each line of its viewer has to open a window, of which a picture is kept. ``--from`` and ``--only`` name runs of the
project that is there; what is finished is only shown.
It goes on where a protocol fails, and ends with a table: what opened, ran and showed. Needs what tour.py needs.
"""
from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from every_run import Step, make_project, protocol_of, steps
from hands import Hands, Item
from sample import Sample
from tour import ENDED, FORM, LOOKS, RUN_SECONDS, VIEWER, Tour

from cryoetseg.scipion_home import load_plugins, prepare

PROJECT = "every"
PROJECT_WINDOW = "every ("  # and who has it open
EYE = "Visualize"  # the word of the eye beside a line of a viewer
MESSAGES = ("Info", "Error", "ERROR", "Validation", "Warning")  # in the titles of windows that say why not
NAMES = sorted((step.name for step in steps(Path())), key=len, reverse=True)  # a name may begin with another one
PATIENCE = 90.0  # seconds until a viewer shows something


class EveryProtocol(Tour):
    """The runs of a project that is shown as a list."""

    def open_project(self) -> None:
        hands = self.hands
        hands.open_manager(self.folder / "window.log")
        hands.press(PROJECT, "Label")
        hands.find("Refresh", "Label")

    def box(self, label: str) -> Item:
        """The row of a run, scrolled into view."""
        return self.hands.scrolled(lambda row: run_of(row)[0] == label, f"run '{label}'", max, 1)

    def state(self, label: str) -> str:
        rows = [run_of(item) for item in self.hands.items() if item.kind == "Row"]
        return next((state.split()[0] for name, state in rows if name == label and state), "")

    def go_through(self, step: Step) -> str:
        """What is wrong with a run in the window; empty where everything opened, ran and showed. One that is finished is not repeated."""
        self.open(step.name)
        picture = f"every_{step.name.replace(' ', '_')}"
        self.hands.shoot(f"{picture}_form")
        if self.state(step.name) == "finished":
            self.hands.press("Close", "Button", FORM)
        else:
            self.hands.press("Execute", "Button", FORM)
            if refusal := self._refusal():
                return f"not launched: {refusal}"
            if (state := self._ended(step.name)) != "finished":
                return state
        if protocol_of(step).__name__ == step.protocol:  # Scipion's own, whose viewers need other plugins
            return ""
        self.hands.click(self.box(step.name))
        time.sleep(2)
        return self._shown(picture)

    def _refusal(self) -> str:
        """The title of the window that says why a run is not launched; empty where the form closes."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            titles = self.titles()
            if refused := [title for title in titles if title.startswith(MESSAGES)]:
                words = " ".join(item.text for item in self.hands.items(refused[0]) if item.kind in ("Label", "Text"))
                self._close_all()
                return words or refused[0]
            self.answer("Single")
            if not any(FORM in title for title in titles):
                return ""
            time.sleep(0.5)
        self.hands.shoot("failure")
        titles = self.titles()
        self._close_all()
        return f"the form stays open, with {', '.join(titles)}"

    def _ended(self, label: str) -> str:
        """How a run ended, looked at again where the window calls a run dead whose process has just ended."""
        end, looks = time.monotonic() + RUN_SECONDS, LOOKS
        while time.monotonic() < end and looks:
            self.hands.press("Refresh", "Label")
            time.sleep(4)
            self.box(label)
            state = self.state(label)
            if state == "finished":
                return state
            looks -= state in ENDED
        return state

    def _shown(self, picture: str) -> str:
        """What does not open of what Analyze Results offers; all that opens is kept as a picture and closed."""
        self.hands.press("Analyze results", "Button", PROJECT_WINDOW)
        if not (first := self._opened([])):
            return "nothing to show"
        if VIEWER not in first:
            self._keep(first, picture)
            return self._close_all()
        self.hands.move(VIEWER, 0, 0)
        tabs = [item.text for item in self.hands.items(VIEWER) if item.kind == "Tab"]
        seen = [fault for tab in tabs for fault in self._lines(tab, f"{picture}_{tab.replace(' ', '_')}")]
        self._close_all()
        return "; ".join(filter(None, seen)) if seen else "a viewer without lines"

    def _lines(self, tab: str, picture: str) -> list[str]:
        """What is wrong with each line of a tab of a viewer; empty words where its eye opens a window."""
        self.hands.press(tab, "Tab", VIEWER)
        self.hands.shoot(picture)
        eyes = [item for item in self.hands.items(VIEWER) if item.kind == "Button" and item.text.strip() == EYE]
        return [self._line(eye, f"{picture}_{number + 1}") for number, eye in enumerate(eyes)]

    def _line(self, eye: Item, picture: str) -> str:
        known = self.titles()
        self.hands.click(eye)
        title = self._opened(known)
        if title and not title.startswith(MESSAGES):
            self._keep(title, picture)
        self._close_all(but=VIEWER)
        return "" if title and not title.startswith(MESSAGES) else f"{picture} shows {title or 'nothing'}"

    def _opened(self, known: Sequence[str]) -> str:
        """The title of a window that opens beside the project's and the known ones; empty where none does."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            new = [title for title in self.titles() if title not in known and not title.startswith("Scipion")]
            if new:
                return new[-1]
            time.sleep(0.5)
        return ""

    def titles(self) -> list[str]:
        """Titles of all windows but the project's."""
        return [seen["title"].strip() for seen in self.hands.windows() if not seen["title"].strip().startswith(PROJECT_WINDOW)]

    def _keep(self, title: str, name: str) -> None:
        self.hands.move(title, 640, 40)
        time.sleep(3)
        self.hands.shoot(name)

    def _close_all(self, but: str = "") -> str:
        """Close every window but the project's and one other."""
        for title in self.titles():
            if not but or but not in title:
                self.hands.close(title)
        time.sleep(1)
        return ""


def run_of(row: Item) -> tuple[str, str]:
    """Name and state of a run from its row, which begins with its number; empty words for a row of another list."""
    number, _, rest = row.text.strip().partition(" ")
    name = next((name for name in NAMES if rest.startswith(name)), "") if number.isdigit() else ""
    return name, rest[len(name):].strip() if name else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the project")
    parser.add_argument("--images", type=Path, required=True, help="folder of the pictures")
    parser.add_argument("--from", dest="first", default="", help="name of the run to go on with, in the project that is there")
    parser.add_argument("--only", nargs="+", default=[], help="names of runs, in the project that is there")
    options = parser.parse_args()
    folder, is_there = options.out.absolute(), bool(options.first or options.only)
    if not is_there:
        shutil.rmtree(folder, ignore_errors=True)
    prepare(folder / "scipion")
    load_plugins()
    plan = steps(folder) if is_there else make_project(PROJECT, folder)
    names = [step.name for step in plan]
    plan = [step for step in plan[names.index(options.first) if options.first else 0:] if step.name in (options.only or names)]
    signal.signal(signal.SIGTERM, lambda *details: sys.exit("error: ended"))  # so that the screen and its windows end too
    wrong = 0
    with Hands(folder, options.images.absolute()) as hands:
        tour = EveryProtocol(hands, folder, Sample(folder, 0.0, ""))
        tour.open_project()
        for step in plan:
            began = time.monotonic()
            fault = tour.go_through(step)
            wrong += bool(fault)
            sys.stdout.write(f"| {protocol_of(step)._label} | {fault or 'opened, ran, shown'} | {time.monotonic() - began:.0f} s |\n")
            sys.stdout.flush()
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
