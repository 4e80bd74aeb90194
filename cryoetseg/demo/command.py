"""The command of the demo.

``python -m cryoetseg.demo --out DIR`` puts a real tomogram through the general models and a simulated one through the method without
labels, scores both against what is known of them beside trivial baselines and writes ``DIR/report.html``. With ``--tomogram FILE`` the
user's own takes their place; without truth there are pictures and counts.
"""

import shlex
from pathlib import Path
from typing import List, Optional

import typer

from cryoetseg.core.commands.options import z_range
from cryoetseg.core.particles.formats import read_particles
from cryoetseg.core.report.html import Step, Table, readable
from cryoetseg.core.report.known import Known
from cryoetseg.core.report.summary import REPORT, Segmented, write_summary
from cryoetseg.demo.project import PROJECT, REAL, REAL_RADIUS, RECALL_COUNTS, Demo, open_window, run_demo

app = typer.Typer(add_completion=False, rich_markup_mode=None)
DEMO_FOLDER = Path("demo_output")
OUT = typer.Option(DEMO_FOLDER, "--out", metavar="FOLDER", help="Folder of the report and of the Scipion project.")
TOMOGRAM = typer.Option(None, "--tomogram", metavar="FILE", help="Your own tomogram instead of those of the demo.")
VOXEL_SIZE = typer.Option(None, "--voxel-size", metavar="ANGSTROM", help="Voxel size, where the tomogram's header has none.")
SLICES = typer.Option("", "--z", metavar="A:B", help="Slices to segment, counted from 0; B is not included. Default: the middle.")
WINDOW = typer.Option(False, "--gui", help="Open the project in Scipion's window instead of running it.")
PROJECT_NAME = typer.Option(PROJECT, "--project", metavar="NAME", help="The project to open with --gui, made when it is new.")
VERBOSE = typer.Option(False, "--verbose", help="Print the traceback of an error.")


@app.command()
def demo(
    out: Path = OUT,
    tomogram: Optional[Path] = TOMOGRAM,
    voxel_size: Optional[float] = VOXEL_SIZE,
    z: str = SLICES,
    gui: bool = WINDOW,
    project: str = PROJECT_NAME,
    verbose: bool = VERBOSE,
) -> None:
    """Run the main job in a Scipion project and write a report."""
    if gui:
        raise typer.Exit(open_window(out, project))
    finished = run_demo(out, tomogram, voxel_size, z_range(z) if z else None)
    name = REPORT if tomogram is None else f"{tomogram.stem}.html"
    window = window_command(finished.project.name, out)
    tables = write_summary(segmented(finished), out, "cryoetseg: what is in a tomogram, nothing labelled", name, next_steps(window))
    for line in [*score_lines(tables), f"report:  {out.absolute() / name}", f"project: {finished.project}", f"window:  {window}"]:
        typer.echo(line)


def window_command(project: str, out: Path) -> str:
    """What to type in the checkout to open this project in Scipion's window, and no other."""
    chosen = {"PROJECT": (project, PROJECT), "DEMO": (str(out), str(DEMO_FOLDER))}
    return " ".join(["make gui", *(f"{name}={shlex.quote(value)}" for name, (value, default) in chosen.items() if value != default)])


def next_steps(window: str) -> List[Step]:
    """What a reader of the report may do next; commands are for the folder of the checkout."""
    return [
        Step("Look at these runs in Scipion's window: a click on a box and Analyze Results shows masks and picks over every slice, and "
             "moves their thresholds live.", window),
        Step("Put a tomogram of your own through the same; Z=40:72 names slices, VOXEL_SIZE=13.48 the voxel size in Å where the file does "
             "not tell it.", "make demo TOMOGRAM=my_tomogram.mrc"),
        Step("Take the general models over whole tomograms, without Scipion.", ".venv/bin/cryoetseg pipeline my_tomogram.mrc --out found"),
        Step("Too many picks? Raise the smallest probability, or name the range of diameters that you look for.",
             ".venv/bin/cryoetseg pick deepet general my_tomogram.mrc --out picks --height-threshold 0.5 --diameter-min 200"),
        Step("Not what you look for? Some clicks teach the general model; in the window these are the protocols correct coordinates by "
             "hand and train DeepETPicker. The tour, docs/tour.md, goes through all of it with pictures."),
    ]


def segmented(finished: Demo) -> List[Segmented]:
    """The segmented tomograms of a finished demo with what is known of them; the real one first."""
    runs, root = finished.runs, finished.project
    truths, found = runs["source"].results, runs["segmentation"].results
    items = [Segmented(record, record, truths.get(name), None, root) for name, record in sorted(found.items())]
    if "real_particles" in runs:
        masks, picks = runs["real_membranes"].results, runs["real_particles"].results
        items = [Segmented(masks[name], picks[name], None, published_ribosomes(), root) for name in masks] + items
    return items


def published_ribosomes() -> Known:
    """Of the real tomogram, which its README describes."""
    points = read_particles(REAL["picks"], voxel_size=REAL["samplingRate"]).zyx
    about = ("A part of tomogram 171 of EMPIAR-11658 (CC0), the inside of a cell. The general models, which simulated tomograms taught, "
             "found this; the tomogram was looked at while they were made, so it illustrates and does not test. "
             "Membranes have no truth here: "
             f"judge them by eye. Of its ribosomes {len(points)} are published.")
    return Known("published ribosomes", about, points, REAL_RADIUS, tuple(int(count) for count in RECALL_COUNTS.split(",")))


def score_lines(tables: List[Table]) -> List[str]:
    """Scores as tables of text, methods as rows; a sentence instead where there was nothing to score against."""
    if not tables:
        return ["no scores, because nothing is known of this tomogram; look at the pictures", ""]
    return [line for table in tables for line in [table.caption, *_table_lines(table), ""]]


def _table_lines(table: Table) -> List[str]:
    cells = [list(table.columns), *([readable(cell) or "-" for cell in row] for row in table.rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cells]
