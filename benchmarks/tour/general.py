"""Drive Scipion's real window through the general models in one go, look at every result, and open every form of the plugin.

``.venv/bin/python benchmarks/tour/general.py --out FOLDER --images FOLDER [--tomogram FILE --voxel-size A] [--only forms|runs]`` imports
the template *cryoetseg-general_models*, starts all of its runs at once, opens what *Analyze Results* offers of each, chooses a kind of
particles by clicks, then opens the form of every protocol, and writes pictures. It stops at the first thing that is not on the screen and
tells at the end which words of forms are cut off. Needs what tour.py needs.
"""
from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from pathlib import Path

from hands import CORNER, Hands
from sample import SLICES, VOXEL_SIZE, Sample, simulated
from tour import CUSTOMIZER, FORM, VIEWER, Tour, take
from window import CUT

from cryoetseg.scipion_home import load_plugins, prepare

TEMPLATE = "cryoetseg-general_models"
IMPORTED, EXPORTED = "tomo - import tomograms", "cryoetseg - export coordinates"
MEMBRANES, PICKED, KINDS = "cryoetseg - segment membranes", "cryoetseg - pick particles", "cryoetseg - cluster particles"
CHOSEN = "clusters 1"  # the run that the window of kinds launches
WINDOW, KINDS_WINDOW = "Correct membranes by clicks", "Kinds of particles"


class GeneralTour(Tour):
    """The template of the general models, and every form."""

    def use_general_template(self) -> None:
        """Others > Import workflow template."""
        hands = self.hands
        hands.press("Others", "Menu")
        hands.do("key", "Down", "Return")
        hands.press(TEMPLATE, "Row", "Workflow templates", times=2)
        values = {"Folder of the tomograms": self.sample.file.parent, "Pattern of the files": self.sample.file.name,
                  "Voxel size": self.sample.voxel_size}
        for label, value in values.items():
            hands.fill(label, value, CUSTOMIZER)
        hands.press("Accept", "Button", CUSTOMIZER)
        hands.wait(lambda: self.state(EXPORTED) != "", 60, "making the runs")

    def run_all(self) -> None:
        """Execute the first run and, where Scipion asks, all that wait for it."""
        hands = self.hands
        self.open(IMPORTED)
        hands.press("Execute", "Button", FORM)

        def launched() -> bool:
            self.answer("All")
            return not any(FORM in seen["title"] for seen in hands.windows())

        hands.wait(launched, 300, "launching")
        self.finish(EXPORTED)
        hands.shoot("tour_general_runs")

    def look_at_membranes(self) -> None:
        """The masks, then the window of clicks."""
        hands = self.hands
        hands.click(self.box(MEMBRANES))
        time.sleep(2)
        self.analyze()
        self.view("Membranes on the tomogram", "Membranes", "tour_general_membranes")
        hands.click(hands.beside("Correct membranes by clicks", "Button", VIEWER))
        hands.move(WINDOW, 640, 40)
        time.sleep(3)
        hands.shoot("tour_general_curation")
        hands.close(WINDOW)
        hands.press("Close", "Button", VIEWER)

    def look_at_picks(self) -> None:
        """The picks on slices and in three dimensions."""
        self.hands.click(self.box(PICKED))
        time.sleep(2)
        self.analyze()
        self.view("Picks on the tomogram", "Picks", "tour_general_picks")
        self.view("Picks and membranes in 3D", "Particles and membranes", "tour_general_scatter")
        self.hands.press("Close", "Button", VIEWER)

    def look_at_kinds(self) -> None:
        """Averages, counts and tables of the kinds."""
        self.hands.click(self.box(KINDS))
        time.sleep(2)
        self.hands.shoot("tour_general_kinds_summary")
        self.analyze()
        self.view("Averages and members", "Averages and members", "tour_general_averages")
        self.view("How many there are", "Counts", "tour_general_counts")

    def choose_a_kind(self) -> None:
        """On the map: a particle by its point, the first kind by its average; then the set that the button writes."""
        hands = self.hands
        hands.click(hands.beside("Map and averages", "Button", VIEWER))
        hands.move(KINDS_WINDOW, 380, 20)
        hands.press("1 (", "Axes")
        hands.click(hands.find("click a point", "Axes"))
        time.sleep(3)
        hands.shoot("tour_general_kinds")
        hands.press("Write a set of", "Axes")
        hands.wait(lambda: self.state(CHOSEN) != "", 60, "making the run")
        hands.close(KINDS_WINDOW)
        hands.press("Close", "Button", VIEWER)
        self.finish(CHOSEN)
        self.analyze()
        self.view("Picks on the tomogram", "Picks", "tour_general_chosen")
        hands.press("Close", "Button", VIEWER)

    def look_at_export(self) -> None:
        """The folder with the list for RELION 5."""
        self.hands.click(self.box(EXPORTED))
        time.sleep(2)
        self.analyze()
        self.keep("Browsing", "tour_general_export")

    def open_every_form(self) -> None:
        """Each protocol by its row in the menu, each tab, with all fields shown; at the end what was cut off anywhere."""
        wrong = []
        for label in labels():
            self.form(f"cryoetseg - {label}")
            wrong += [f"{label}: {fault}" for fault in self.faults(f"form_{label.replace(' ', '_').replace('/', '_')}")]
            self.hands.close(FORM)
            self.hands.wait(lambda: not any(FORM in seen["title"] for seen in self.hands.windows()), 60, f"closing {label}")
        if wrong:
            raise SystemExit("error: " + "\n".join(wrong))

    def faults(self, name: str) -> list[str]:
        """What is cut off in the open form, with pictures of its tabs as they are with all fields shown."""
        found = [] if self.closes() else ["its buttons lie below the screen"]
        for level in [item for item in self.hands.items(FORM) if item.text.strip() == "Advanced"]:  # where a form has such fields
            self.hands.click(level)
        for tab in [item.text for item in self.hands.items(FORM) if item.kind == "Tab"]:
            self.hands.press(tab, "Tab", FORM)
            found += [f"'{item.text.strip()}' is cut off in {tab}" for item in self.hands.items(FORM) if item.kind.endswith(CUT)]
            self.hands.shoot(f"{name}_{tab.replace(' ', '_')}")
        return found

    def closes(self) -> bool:
        """Whether the buttons of the open form can be reached."""
        close = self.hands.find("Close", "Button", FORM)
        return close.top + close.height <= CORNER[1]


def labels() -> list[str]:
    """What the protocols are called, in the order of the menu."""
    from cryoetseg import protocols

    return [getattr(protocols, name)._label for name in protocols.__all__]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the project and of its tomogram")
    parser.add_argument("--images", type=Path, required=True, help="folder of the pictures")
    parser.add_argument("--tomogram", type=Path, help="a tomogram of your own, particles dark")
    parser.add_argument("--voxel-size", type=float, default=VOXEL_SIZE, help="its voxel size in Angstrom")
    parser.add_argument("--only", choices=("runs", "forms"), help="leave out the other part")
    options = parser.parse_args()
    folder = options.out.absolute()
    shutil.rmtree(folder / "scipion", ignore_errors=True)
    own = options.tomogram
    sample = Sample(own.absolute(), options.voxel_size, SLICES) if own else simulated(folder / "tomograms")
    prepare(folder / "scipion")
    load_plugins()
    signal.signal(signal.SIGTERM, lambda *details: sys.exit("error: ended"))  # so that the screen and its windows end too
    with Hands(folder, options.images.absolute()) as hands:
        tour = GeneralTour(hands, folder, sample)
        runs = [tour.use_general_template, tour.run_all, tour.look_at_membranes, tour.look_at_picks, tour.look_at_kinds,
                tour.choose_a_kind, tour.look_at_export]
        take([tour.make_project, *(runs if options.only != "forms" else ()), *([tour.open_every_form] if options.only != "runs" else ())])


if __name__ == "__main__":
    main()
