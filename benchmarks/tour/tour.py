"""Drive Scipion's real window through the workflow without labels, with mouse and keyboard, and keep pictures of it.

``.venv/bin/python benchmarks/tour/tour.py --out FOLDER [--images docs/images]`` makes a project, imports a small simulated tomogram, fills
and runs the forms, opens the viewers and writes tour_*.png at 1600 x 1000. Needs Debian's packages xvfb, openbox, xdotool and
imagemagick. FOLDER is made anew, except its tomogram. It stops at the first thing that is not on the screen, with failure.png.
"""
from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from hands import PROGRAMS, Hands

from cryoetseg.scipion_home import prepare

ROOT = Path(__file__).resolve().parents[2]
VOXEL_SIZE = 13.48
SAMPLE = ["--voxel-size", str(VOXEL_SIZE), "--size-z", "40", "--size-y", "128", "--size-x", "128", "--snr", "0.3", "--seed", "7",
          "--particles", "ribosome_80s:3, proteasome_26s, tric", "--vesicle-count", "2", "--sheet-count", "0", "--actin-count", "1"]
FORM = "Protocol Run"
RUN_SECONDS = 1800.0  # of a run, on a slow and busy machine
TOMOGRAMS = "tomo - import tomograms.Tomograms"
SEGMENTED = "cryoetseg - segment slabs"


def sample(folder: Path) -> None:
    """A small simulated tomogram, kept from an earlier tour."""
    if not (folder / "tour.mrc").is_file():
        command = [str(Path(sys.executable).parent / "cryoetseg"), "simulate", str(folder), "--name", "tour", *SAMPLE]
        subprocess.run(command, check=True)


def name_of(text: str) -> str:
    """The name of a run in the drawing of the project; a star before it marks a plugin that is being developed."""
    return text.split("\n")[0].removeprefix("* ")


class Tour:
    """The steps in their order; each leaves the project's window alone on the screen."""

    def __init__(self, hands: Hands, folder: Path) -> None:
        self.hands, self.folder = hands, folder

    def make_project(self) -> None:
        hands = self.hands
        hands.open_manager(self.folder / "window.log")
        hands.press("Create Project", "Button")
        hands.fill("Project  name", "tour", "Create project")
        hands.press("Create", "Button", "Create project")
        hands.find("Organize", "Label")
        while (view := hands.find("", "TCombobox")).text != "Tomography":
            hands.click(view)
            hands.do("key", "Down", "Return")
        hands.scroll_to("cryoetseg - pick particles")
        hands.shoot("tour_project")

    # --------------------------- forms --------------------------------------
    def form(self, protocol: str, **values: object) -> None:
        """Open the form of a protocol by its row in the menu, and fill in values by their label, with _ for a space."""
        self.hands.scroll_to(protocol)
        self.hands.press(protocol, "Row", times=2)
        self.hands.find("Close", "Button", FORM)
        self.hands.move(FORM, 600, 30)
        for label, value in values.items():
            self.hands.fill(label.replace("_", " "), value, FORM)

    def choose(self, label: str, output: str) -> None:
        """Choose an output of another run by the list behind the lens, unless it was chosen already."""
        hands = self.hands
        if hands.beside(label, "Label", FORM).text == output:
            return
        hands.click(hands.beside(label, "Button", FORM))
        hands.press(output, "Row", "Select object", times=2)
        hands.wait(lambda: hands.beside(label, "Label", FORM).text == output, 30, f"choosing {output}")

    def run(self) -> None:
        """Press Execute and see the form close."""
        self.hands.press("Execute", "Button", FORM)
        self.hands.wait(lambda: not any(FORM in seen["title"] for seen in self.hands.windows()), 60, "launching")

    def finish(self, label: str) -> None:
        """Wait for a run, then mark it in the drawing of the project."""

        def ended() -> bool:
            self.hands.press("Refresh", "Label")  # Scipion itself looks less and less often
            time.sleep(5)
            return self.state(label) in ("finished", "failed", "aborted")

        self.hands.wait(ended, RUN_SECONDS, label)
        if self.state(label) != "finished":
            self.hands.shoot("failure")
            raise SystemExit(f"error: {label}: {self.state(label)}; see failure.png")
        self.hands.click(next(item for item in self.hands.items() if item.kind == "Drawn" and name_of(item.text) == label))
        time.sleep(2)

    def state(self, label: str) -> str:
        """What the drawing of the project says of a run."""
        drawn = [item.text for item in self.hands.items() if item.kind == "Drawn"]
        return next((text.split("\n")[-1].strip() for text in drawn if name_of(text) == label), "")

    # --------------------------- viewers ------------------------------------
    def view(self, label: str, title: str, name: str) -> None:
        """Press the eye beside a line of the viewer, put its window beside, and keep the picture."""
        self.hands.click(self.hands.beside(label, "Button"))
        self.keep(title, name)

    def keep(self, title: str, name: str) -> None:
        self.hands.move(title, 700, 40)
        time.sleep(2)
        self.hands.shoot(name)
        self.hands.close(title)

    def analyze(self) -> None:
        self.hands.press("Analyze results", "Button", "tour")

    # --------------------------- the steps ----------------------------------
    def import_tomogram(self) -> None:
        self.form("tomo - import tomograms", Files_directory=self.folder / "tomograms", Pattern="tour.mrc", Pixel_size=VOXEL_SIZE)
        self.hands.shoot("tour_import")
        self.run()
        self.finish("tomo - import tomograms")

    def segment(self) -> None:
        self.form(SEGMENTED, First_slice=16, End_slice=24, Particle_diameter=280)
        self.choose("Tomograms", TOMOGRAMS)
        self.hands.shoot("tour_form_segment")
        self.run()
        self.finish(SEGMENTED)
        self.hands.shoot("tour_run_done")
        self.analyze()
        self.view("Membranes and candidates on the tomogram", "Segmented slabs", "tour_overlay")
        self.view("Eigenimages and how they were merged", "Eigenimages", "tour_eigenimages")
        self.hands.press("Close", "Button", "Protocol Viewer")

    def train_membranes(self) -> None:
        label = "cryoetseg - train membranes"
        self.form(label)
        self.choose("Tomograms", TOMOGRAMS)
        self.choose("Membrane masks", f"{SEGMENTED}.membraneMasks")
        self.hands.press("Training", "Tab", FORM)
        self.hands.fill("Iterations", 60, FORM)
        self.run()
        self.finish(label)
        self.analyze()
        self.keep(label, "tour_training")

    def segment_membranes(self) -> None:
        label = "cryoetseg - segment membranes"
        self.form(label)
        self.choose("Tomograms", TOMOGRAMS)
        self.choose("Model", "cryoetseg - train membranes.model")
        self.run()
        self.finish(label)

    def pick(self) -> None:
        label = "cryoetseg - train DeepETPicker"
        self.form(label, Particle_diameter=280)
        self.choose("Tomograms", TOMOGRAMS)
        self.choose("Coordinates", f"{SEGMENTED}.coordinates")
        self.hands.press("Training", "Tab", FORM)
        self.hands.fill("Iterations", 60, FORM)
        self.run()
        self.finish(label)
        label = "cryoetseg - pick particles"
        self.form(label)
        self.choose("Tomograms", TOMOGRAMS)
        self.choose("Model", "cryoetseg - train DeepETPicker.model")
        self.run()
        self.finish(label)
        self.analyze()
        self.view("Picks on the tomogram", "Picks", "tour_picks")
        self.view("Picks and membranes in 3D", "Particles and membranes", "tour_scatter")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the project and of its tomogram")
    parser.add_argument("--images", type=Path, default=ROOT / "docs" / "images", help="folder of the pictures")
    options = parser.parse_args()
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        raise SystemExit(f"error: {', '.join(missing)} missing. What to do: apt-get install xvfb openbox xdotool imagemagick")
    folder = options.out.absolute()
    sample(folder / "tomograms")
    shutil.rmtree(folder / "scipion", ignore_errors=True)
    prepare(folder / "scipion")
    signal.signal(signal.SIGTERM, lambda *details: sys.exit("error: ended"))  # so that the screen and its windows end too
    with Hands(folder, options.images.absolute()) as hands:
        tour = Tour(hands, folder)
        for step in (tour.make_project, tour.import_tomogram, tour.segment, tour.train_membranes, tour.segment_membranes, tour.pick):
            began = time.monotonic()
            step()
            sys.stdout.write(f"{step.__name__}: {time.monotonic() - began:.0f} s\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
