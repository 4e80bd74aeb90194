"""Drive Scipion's real window through the general models in one go, look at every result, and open every form of the plugin.

``.venv/bin/python benchmarks/tour/general.py --out FOLDER --images FOLDER [--tomogram FILE --voxel-size A] [--no-forms]`` imports the
template *cryoetseg-general_models*, starts all of its runs at once, opens what *Analyze Results* offers of each, then the form of every
protocol, and writes pictures. It stops at the first thing that is not on the screen. Needs what tour.py needs.
"""
from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from pathlib import Path

from hands import Hands
from sample import SLICES, VOXEL_SIZE, Sample, simulated
from tour import CUSTOMIZER, FORM, Tour, take

from cryoetseg.scipion_home import load_plugins, prepare

TEMPLATE = "cryoetseg-general_models"
IMPORTED, EXPORTED = "tomo - import tomograms", "cryoetseg - export coordinates"
MEMBRANES, PICKED, KINDS = "cryoetseg - segment membranes", "cryoetseg - pick particles", "cryoetseg - cluster particles"
WINDOW = "Correct membranes by clicks"


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
            for button in [item for item in hands.items("Confirm") if item.text.strip() == "All"]:
                hands.click(button)
            return not any(FORM in seen["title"] for seen in hands.windows())

        hands.wait(launched, 300, "launching")
        self.finish(EXPORTED)
        hands.shoot("general_runs")

    def look_at_membranes(self) -> None:
        """The masks, then the window of clicks."""
        hands = self.hands
        hands.click(self.box(MEMBRANES))
        time.sleep(2)
        self.analyze()
        self.view("Membranes on the tomogram", "Membranes", "general_membranes")
        hands.click(hands.beside("Correct membranes by clicks", "Button"))
        hands.move(WINDOW, 640, 40)
        time.sleep(3)
        hands.shoot("general_curation")
        hands.close(WINDOW)
        hands.press("Close", "Button", "Protocol Viewer")

    def look_at_picks(self) -> None:
        """The picks on slices and in three dimensions, then the kinds on their map."""
        self.hands.click(self.box(PICKED))
        time.sleep(2)
        self.analyze()
        self.view("Picks on the tomogram", "Picks", "general_picks")
        self.view("Picks and membranes in 3D", "Particles and membranes", "general_scatter")
        self.hands.press("Close", "Button", "Protocol Viewer")
        self.hands.click(self.box(KINDS))
        time.sleep(2)
        self.analyze()
        self.view("Map and averages", "Kinds", "general_kinds")
        self.hands.press("Close", "Button", "Protocol Viewer")

    def look_at_export(self) -> None:
        """The folder with the list for RELION 5."""
        self.hands.click(self.box(EXPORTED))
        time.sleep(2)
        self.analyze()
        self.keep("Browsing", "general_export")

    def open_every_form(self) -> None:
        """Each protocol by its row in the menu."""
        for label in labels():
            self.form(f"cryoetseg - {label}")
            self.hands.shoot(f"form_{label.replace(' ', '_').replace('/', '_')}")
            self.hands.press("Close", "Button", FORM)
            self.hands.wait(lambda: not any(FORM in seen["title"] for seen in self.hands.windows()), 60, f"closing {label}")


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
    parser.add_argument("--no-forms", action="store_true", help="leave out the forms")
    options = parser.parse_args()
    folder = options.out.absolute()
    shutil.rmtree(folder / "scipion", ignore_errors=True)
    options.images.mkdir(parents=True, exist_ok=True)
    own = options.tomogram
    sample = Sample(own.absolute(), options.voxel_size, SLICES) if own else simulated(folder / "tomograms")
    prepare(folder / "scipion")
    load_plugins()
    signal.signal(signal.SIGTERM, lambda *details: sys.exit("error: ended"))  # so that the screen and its windows end too
    with Hands(folder, options.images.absolute()) as hands:
        tour = GeneralTour(hands, folder, sample)
        take([tour.make_project, tour.use_general_template, tour.run_all, tour.look_at_membranes, tour.look_at_picks,
              tour.look_at_export, *([] if options.no_forms else [tour.open_every_form])])


if __name__ == "__main__":
    main()
