"""``cryoetseg data``: public data, fetched on request; besides ``weights fetch`` the only command that opens a network connection."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .addresses import COPICK
from .help import SectionedCommand, command_group
from .options import FolderOption, Settings, with_settings
from .running import print_json

app = command_group("Public data. Only 'fetch' opens a network connection.")


@app.command(cls=SectionedCommand)
@with_settings()
def fetch(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", show_default=False,
                                            help="portal:DATASET, portal:DATASET/RUN or 'copick:CONFIG.json?TYPE@VOXELSIZE&run=PATTERN'.")],
    out: FolderOption,
    annotations: Annotated[bool, typer.Option(help="Fetch the runs' point annotations too.")] = True,
    server: Annotated[
        str, typer.Option("--server", metavar="URL", help="Address of the portal's service.", show_default="the client's")
    ] = "",
    *,
    settings: Settings,
) -> None:
    """Fetch tomograms and point annotations of the CryoET data portal, with voxel size and licence in DATASET/portal.json.

    From a copick project on S3, by SSH or in the portal: tomograms, picks and segmentations, into a project in OUT/copick.json.
    """
    if address.startswith(COPICK):
        _fetch_project(address, out.absolute(), settings)
        return
    from ..interchange.portal_fetch import fetch as fetch_from_portal

    rows = fetch_from_portal(address, out.absolute(), server, annotations)
    lines = [f"{row['run']:24} {row['voxel_size']:g} A  {row['tomogram']}  {len(row['annotations'])} annotations" for row in rows]
    _show(rows, [*lines, f"licence: {rows[0]['licence']}"], settings)


def _fetch_project(address: str, out: Path, settings: Settings) -> None:
    from ..interchange.copick_fetch import CONFIG, fetch

    rows = fetch(address, out)
    lines = [f"{row['run']:24} {row['tomograms']} tomograms  {row['picks']} picks  {row['segmentations']} segmentations" for row in rows]
    _show(rows, [*lines, f"project: {out / CONFIG}"], settings)


def _show(rows: list[dict[str, Any]], lines: list[str], settings: Settings) -> None:
    """What was fetched, as JSON or as ``lines`` to read."""
    if settings.as_json:
        print_json(rows)
    else:
        typer.echo("\n".join(lines))
