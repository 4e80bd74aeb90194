"""Drive Scipion's real window through the workflow without labels, with mouse and keyboard, and keep pictures of it.

``.venv/bin/python benchmarks/tour/tour.py --out FOLDER [--images docs/images] [--tomogram FILE --voxel-size A --z 40:72]`` makes a project,
imports the workflow template, runs its steps one by one on a tomogram (a small simulated one unless another is named), opens wizards
and viewers, exports the coordinates, and writes tour_*.png at 1600 x 1000. Needs Debian's packages xvfb, openbox, xdotool and
imagemagick. FOLDER is made anew, except its simulated tomogram. It stops at the first thing that is not on the screen, with failure.png.
"""
from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from hands import CORNER, PROGRAMS, Hands, Item
from sample import SLICES, VOXEL_SIZE, Sample, simulated

from cryoetseg.scipion_home import prepare

ROOT = Path(__file__).resolve().parents[2]
DIAMETER = 280  # Angstrom, of a ribosome
TEMPLATE = "cryoetseg-unsupervised_segmentation"
# Scipion calls the runs of a template by their protocols
IMPORTED, SEGMENTED, PICKED = "tomo - import tomograms", "cryoetseg - segment slabs", "cryoetseg - pick particles"
TRAINED = "cryoetseg - train membranes"
ENDED = ("finished", "failed", "aborted")  # states of a run
TREE_WIDTH = 470  # pixels, so that the names of the protocols can be read
FORM, VIEWER, CUSTOMIZER = "Protocol Run", "Protocol Viewer", "Workflow template customizer"
VIEWER_PLACE = (0, 520)  # left of the windows that it opens
LOOKS = 6  # at a run that is said to have failed
RUN_SECONDS = 3600.0  # of a run, on a slow and busy machine


def name_of(text: str) -> str:
    """The name of a run in the drawing of the project; a star before it marks a plugin that is being developed."""
    return text.split("\n")[0].removeprefix("* ")


class Tour:
    """The steps in their order; each leaves the project's window alone on the screen."""

    def __init__(self, hands: Hands, folder: Path, sample: Sample, iterations: int = 0) -> None:
        self.hands, self.folder, self.sample, self.iterations = hands, folder, sample, iterations

    def make_project(self) -> None:
        hands = self.hands
        hands.open_manager(self.folder / "window.log")
        hands.press("Create Project", "Button")
        hands.fill("Project  name", "tour", "Create project")
        hands.press("Create", "Button", "Create project")
        hands.find("Organize", "Label")
        hands.drag(self.sash(), TREE_WIDTH)
        while (view := hands.find("", "TCombobox")).text != "Tomography":
            hands.click(view)
            hands.do("key", "Down", "Return")
        hands.scroll_to("cryoetseg - generate particles")
        hands.shoot("tour_project")

    def sash(self) -> tuple[int, int]:
        """The border between the tree of protocols and the runs: it is left of the button Add."""
        add = self.hands.find("Add", "Label")
        return add.left - 2, add.top + 400

    def use_template(self) -> None:
        """Others > Import workflow template."""
        hands, sample = self.hands, self.sample
        hands.press("Others", "Menu")
        hands.do("key", "Down")
        hands.do("key", "Return")
        hands.press(TEMPLATE, "Row", "Workflow templates", times=2)
        first, end = sample.slices.split(":")
        values = {"Folder of the tomograms": sample.file.parent, "Pattern of the files": sample.file.name, "Voxel size": sample.voxel_size,
                  "First slice": first, "Last slice": int(end) - 1, "Particle diameter (A)": DIAMETER, "Particle diameter for": DIAMETER}
        for label, value in values.items():
            hands.fill(label, value, CUSTOMIZER)
        hands.move(CUSTOMIZER, 500, 200)
        hands.shoot("tour_template")
        hands.press("Accept", "Button", CUSTOMIZER)
        hands.wait(lambda: self.state(PICKED) != "", 60, "making the runs")
        hands.shoot("tour_runs")

    # --------------------------- forms --------------------------------------
    def box(self, label: str) -> Item:
        """The box of a run in the drawing of the project, once the hint about another one is gone."""
        self.hands.do("mousemove", *CORNER)
        time.sleep(1)
        return next(item for item in self.hands.items() if item.kind == "Drawn" and name_of(item.text) == label)

    def open(self, label: str) -> None:
        """Open the form of a run by a double click on its box."""
        self.hands.click(self.box(label), times=2)
        self.show_form()

    def form(self, protocol: str, **values: object) -> None:
        """Open the form of a protocol by its row in the menu, and fill in values by their label, with _ for a space."""
        self.hands.scroll_to(protocol)
        self.hands.press(protocol, "Row", times=2)
        self.show_form()
        for label, value in values.items():
            self.hands.fill(label.replace("_", " "), value, FORM)

    def show_form(self) -> None:
        self.hands.find("Close", "Button", FORM)
        self.hands.move(FORM, 600, 30)

    def choose(self, label: str, output: str) -> None:
        """Choose an output of another run by the list behind the lens, unless it was chosen already."""
        hands = self.hands
        if hands.beside(label, "Label", FORM).text == output:
            return
        hands.click(hands.beside(label, "Button", FORM))
        hands.press(output, "Row", "Select object", times=2)
        hands.wait(lambda: hands.beside(label, "Label", FORM).text == output, 30, f"choosing {output}")

    def execute(self) -> None:
        """Press Execute, answer what Scipion asks, and see the form close."""
        self.hands.press("Execute", "Button", FORM)

        def launched() -> bool:
            self.answer("Single")
            return not any(FORM in seen["title"] for seen in self.hands.windows())

        self.hands.wait(launched, 120, "launching")

    def answer(self, waiting: str) -> None:
        """Go on where Scipion warns or asks, and take ``waiting``, Single or All, for the runs that wait for this one."""
        for question in ("Confirm", "There are some warnings"):
            for button in [item for item in self.hands.items(question) if item.text.strip() in (waiting, "Yes")]:
                self.hands.click(button)

    def finish(self, label: str) -> None:
        """Wait for a run, then mark it in the drawing of the project."""

        def is_at(*states: str) -> bool:
            self.hands.press("Refresh", "Label")  # Scipion itself looks less and less often
            time.sleep(5)
            return self.state(label) in states

        self.hands.wait(lambda: is_at(*ENDED), RUN_SECONDS, label)
        # Scipion's window calls a run dead whose process ended between two looks, until it looks again
        if self.state(label) != "finished" and not any(is_at("finished") for _ in range(LOOKS)):
            self.hands.shoot("failure")
            raise SystemExit(f"error: {label}: {self.state(label)}; see failure.png")
        self.hands.click(self.box(label))
        time.sleep(2)

    def state(self, label: str) -> str:
        """The word with which the drawing of the project tells how a run is; how far it is may follow."""
        drawn = [item.text for item in self.hands.items() if item.kind == "Drawn"]
        return next((text.split("\n")[-1].split()[0] for text in drawn if name_of(text) == label), "")

    # --------------------------- viewers ------------------------------------
    def view(self, label: str, title: str, name: str) -> None:
        """Press the eye beside a line of the viewer, put its window beside, and keep the picture."""
        self.hands.move(VIEWER, *VIEWER_PLACE)
        self.hands.click(self.hands.beside(label, "Button", VIEWER))
        self.keep(title, name)

    def keep(self, title: str, name: str) -> None:
        self.hands.move(title, 640, 40)
        time.sleep(3)
        self.hands.shoot(name)
        self.hands.close(title)

    def wizard(self, label: str, title: str, name: str) -> None:
        """Press the wand beside a parameter, keep the picture of its preview, and close it."""
        self.hands.click(self.hands.beside(label, "Button", FORM))
        self.hands.find("Cancel", "Button", title)
        self.hands.move(title, 300, 60)
        self.hands.shoot(name)
        self.hands.press("Cancel", "Button", title)

    def analyze(self) -> None:
        self.hands.press("Analyze results", "Button", "tour")

    # --------------------------- the steps ----------------------------------
    def import_tomogram(self) -> None:
        self.open(IMPORTED)
        self.hands.shoot("tour_import")
        self.execute()
        self.finish(IMPORTED)

    def segment(self) -> None:
        self.open(SEGMENTED)
        self.hands.shoot("tour_form_segment")
        self.wizard("First slice", "Slab range", "tour_wizard_slices")
        self.wizard("Particle diameter", "Threshold", "tour_wizard_threshold")
        self.execute()
        self.finish(SEGMENTED)
        self.hands.shoot("tour_run_done")
        self.analyze()
        self.view("Membranes and candidates on the tomogram", "Segmented slabs", "tour_overlay")
        self.view("Eigenimages and how they were merged", "Eigenimages", "tour_eigenimages")
        self.hands.press("Close", "Button", VIEWER)

    def train_membranes(self) -> None:
        self.open(TRAINED)
        self.shorten()
        self.execute()
        self.hands.wait(self.logged, RUN_SECONDS, "the first steps of the training")
        self.hands.click(self.box(TRAINED))
        self.analyze()
        self.keep(TRAINED, "tour_training")
        self.finish(TRAINED)

    def shorten(self) -> None:
        """Fill in the number of steps, where the command line has one."""
        if self.iterations:
            self.hands.press("Training", "Tab", FORM)
            self.hands.fill("Steps", self.iterations, FORM)

    def logged(self) -> bool:
        """Whether a training has some lines in its table, or has ended with fewer."""
        self.hands.press("Refresh", "Label")
        time.sleep(5)
        if self.state(TRAINED) in ENDED:
            return True
        tables = (self.folder / "scipion" / "user_data" / "projects" / "tour" / "Runs").glob("*Train*/**/metrics.csv")
        return any(len(table.read_text(encoding="utf-8").splitlines()) > 12 for table in tables)

    def segment_membranes(self) -> None:
        label = "cryoetseg - segment membranes"
        self.open(label)
        self.execute()
        self.finish(label)

    def pick(self) -> None:
        label = "cryoetseg - train DeepETPicker"
        self.open(label)
        self.shorten()
        self.execute()
        self.finish(label)
        self.open(PICKED)
        self.execute()
        self.finish(PICKED)
        self.analyze()
        self.view("Picks on the tomogram", "Picks", "tour_picks")
        self.view("Picks and membranes in 3D", "Particles and membranes", "tour_scatter")
        self.hands.press("Close", "Button", VIEWER)

    def show_wizard(self) -> None:
        """The tilt range, in the form of a training that is not started."""
        self.form("cryoetseg - train missing wedge")
        self.choose("Tomograms", f"{IMPORTED}.Tomograms")
        self.wizard("First tilt angle", "Tilt range", "tour_wizard_tilt")
        self.hands.press("Close", "Button", FORM)

    def export(self) -> None:
        """The list for RELION 5 and the models for IMOD."""
        for number, choice in enumerate(("relion5", "imod model")):
            self.form("cryoetseg - export coordinates")
            self.choose("Coordinates", f"{PICKED}.coordinates")
            while (box := self.hands.beside("Format", "TCombobox", FORM)).text != choice:
                self.hands.click(box)
                self.hands.do("key", "Down", "Return")
            label = "cryoetseg - export coordinates" + (f" ({number + 1})" if number else "")
            self.execute()
            self.finish(label)


def take(steps: Sequence[Callable[[], None]]) -> None:
    """Take steps one after the other and say how long each took."""
    for step in steps:
        began = time.monotonic()
        step()
        sys.stdout.write(f"{step.__name__}: {time.monotonic() - began:.0f} s\n")
        sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the project and of its tomogram")
    parser.add_argument("--images", type=Path, default=ROOT / "docs" / "images", help="folder of the pictures")
    parser.add_argument("--tomogram", type=Path, help="a tomogram of your own, particles dark")
    parser.add_argument("--voxel-size", type=float, default=VOXEL_SIZE, help="its voxel size in Angstrom")
    parser.add_argument("--z", metavar="A:B", default=SLICES, help="its slices to segment, counted from 0; B is not included")
    parser.add_argument("--iterations", type=int, default=0, help="of both trainings, for a slow machine; 0 keeps the default of the forms")
    options = parser.parse_args()
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        raise SystemExit(f"error: {', '.join(missing)} missing. What to do: apt-get install xvfb openbox xdotool imagemagick")
    folder = options.out.absolute()
    shutil.rmtree(folder / "scipion", ignore_errors=True)
    own = options.tomogram
    sample = Sample(own.absolute(), options.voxel_size, options.z) if own else simulated(folder / "tomograms")
    prepare(folder / "scipion")
    signal.signal(signal.SIGTERM, lambda *details: sys.exit("error: ended"))  # so that the screen and its windows end too
    with Hands(folder, options.images.absolute()) as hands:
        tour = Tour(hands, folder, sample, options.iterations)
        take([tour.make_project, tour.use_template, tour.import_tomogram, tour.segment, tour.train_membranes,
              tour.segment_membranes, tour.pick, tour.show_wizard, tour.export])


if __name__ == "__main__":
    main()
