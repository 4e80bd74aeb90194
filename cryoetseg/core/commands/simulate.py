"""``cryoetseg simulate``: tomograms with exact truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from ..runtime.job import InputFile
from .help import SectionedCommand, command_group
from .options import Settings, with_settings
from .running import build_job, input_file, run_and_show

app = command_group()
METHOD = "simulate"


@app.command(cls=SectionedCommand)
@with_settings(METHOD)
def simulate(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of the results; made when missing.", show_default=False)],
    template: Annotated[
        Optional[list[Path]],
        typer.Option(
            "--template",
            metavar="FILE",
            help="Density map or PDB file of a further macromolecule; may be given several times.",
            show_default=False,
        ),
    ] = None,
    *,
    settings: Settings,
) -> None:
    """Simulate tomograms with exact truth: reconstruction, clean volume, masks, coordinates with orientations."""
    templates: list[InputFile] = [input_file(path, "template", contrast="bright") for path in template or []]
    run_and_show(build_job(METHOD, templates, out, settings), settings)
