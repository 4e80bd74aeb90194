"""The command of the demo.

``python -m cryoetseg.demo --out DIR`` simulates two small tomograms, segments slabs, scores them against the truth beside trivial
baselines and writes ``DIR/report.html``. With ``--tomogram FILE`` the user's own takes their place; without truth there are pictures
and counts.
"""

import shlex
from pathlib import Path
from typing import List, Optional

import typer

from cryoetseg.core.commands.options import z_range
from cryoetseg.core.report.comparison import Scores
from cryoetseg.core.report.html import readable
from cryoetseg.core.report.summary import REPORT, Segmented, score_table, write_summary
from cryoetseg.demo.project import PROJECT, Demo, open_window, run_demo

app = typer.Typer(add_completion=False, rich_markup_mode=None)
DEMO_FOLDER = Path("demo_output")
OUT = typer.Option(DEMO_FOLDER, "--out", metavar="FOLDER", help="Folder of the report and of the Scipion project.")
TOMOGRAM = typer.Option(None, "--tomogram", metavar="FILE", help="Your own tomogram instead of simulated ones.")
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
    items = segmented(finished)
    name = REPORT if tomogram is None else f"{tomogram.stem}.html"
    scores = write_summary(items, out, "cryoetseg: segmentation without labels", name)
    for line in [*score_lines(scores), "", f"report:  {out.absolute() / name}", f"project: {finished.project}",
                 f"window:  {window_command(finished.project.name, out)}"]:
        typer.echo(line)


def window_command(project: str, out: Path) -> str:
    """What to type in the checkout to open this project in Scipion's window, and no other."""
    chosen = {"PROJECT": (project, PROJECT), "DEMO": (str(out), str(DEMO_FOLDER))}
    return " ".join(["make gui", *(f"{name}={shlex.quote(value)}" for name, (value, default) in chosen.items() if value != default)])


def segmented(finished: Demo) -> List[Segmented]:
    """The segmented tomograms of a finished demo with the truth of those that were simulated."""
    truths = finished.runs["source"].results
    found = finished.runs["segmentation"].results
    return [Segmented(record, truths.get(name), finished.project) for name, record in sorted(found.items())]


def score_lines(scores: Scores) -> List[str]:
    """The scores as a table of text, methods as rows; a sentence instead where there was no truth to score against."""
    if not scores:
        return ["no scores, because nothing is known of this tomogram; look at the pictures"]
    table = score_table(scores)
    cells = [list(table.columns), *([readable(cell) or "-" for cell in row] for row in table.rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cells]
