"""``cryoetseg weights``: weights made by others, fetched once; the only commands that open a network connection."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..runtime.errors import WeightsError
from .help import SectionedCommand, command_group
from .options import Settings, with_settings
from .running import print_json

app = command_group("Weights made by others: fetch once, check, list. Only 'fetch' opens a network connection.")
DEFAULT_FOLDER = "$CRYOETSEG_WEIGHTS, else ~/.local/share/cryoetseg/weights"
NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="Which weights; 'cryoetseg weights list' shows the names.", show_default=False)
]
FolderOption = Annotated[
    str,
    typer.Option(
        "--folder",
        metavar="FOLDER",
        help="Where weights are kept.",
        show_default="$CRYOETSEG_WEIGHTS, else ~/.local/share/cryoetseg/weights",
    ),
]


@app.command(cls=SectionedCommand)
@with_settings()
def fetch(name: NameArgument, folder: FolderOption = "", *, settings: Settings) -> None:
    """Download weights, check every file's SHA-256 and record it. Their own licence applies; it is printed."""
    from ..foundation import weights

    _show(name, weights.fetch(name, folder), settings)


@app.command(cls=SectionedCommand)
@with_settings()
def verify(name: NameArgument, folder: FolderOption = "", *, settings: Settings) -> None:
    """Compare weights on disk with the SHA-256 recorded when they were fetched."""
    from ..foundation import weights

    _show(name, weights.verify(name, folder), settings)


@app.command("list", cls=SectionedCommand)
@with_settings()
def list_weights(folder: FolderOption = "", *, settings: Settings) -> None:
    """List the weights that can be fetched, their size and licence, and which are here."""
    from ..foundation import weights

    rows = []
    for name, source in weights.SOURCES.items():
        rows.append({"name": name, "size": source.size, "licence": source.licence, "folder": _folder_of(name, folder)})
    if settings.as_json:
        print_json(rows)
        return
    for row in rows:
        typer.echo(f"{row['name']:24} {row['size']:8} {row['licence']:24} {row['folder'] or 'not fetched'}")


def _folder_of(name: str, folder: str) -> str:
    from ..foundation import weights

    try:
        return str(weights.fetched_folder(name, folder))
    except WeightsError:
        return ""


def _show(name: str, folder: Path, settings: Settings) -> None:
    if settings.as_json:
        print_json({"name": name, "folder": str(folder)})
    else:
        typer.echo(f"{name} is complete in {folder}")
