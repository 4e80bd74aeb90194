"""``cryoetseg data``: public data, fetched on request; besides ``weights fetch`` the only command that opens a network connection."""

from __future__ import annotations

from typing import Annotated

import typer

from .help import SectionedCommand, command_group
from .options import FolderOption, Settings, with_settings
from .running import print_json

app = command_group("Public data. Only 'fetch' opens a network connection.")


@app.command(cls=SectionedCommand)
@with_settings()
def fetch(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="portal:DATASET or portal:DATASET/RUN.", show_default=False)],
    out: FolderOption,
    annotations: Annotated[bool, typer.Option(help="Fetch the runs' point annotations too.")] = True,
    server: Annotated[
        str, typer.Option("--server", metavar="URL", help="Address of the portal's service.", show_default="the client's")
    ] = "",
    *,
    settings: Settings,
) -> None:
    """Fetch tomograms and point annotations of the CryoET data portal, with voxel size and licence in DATASET/portal.json."""
    from ..interchange.portal_fetch import fetch as fetch_from_portal

    rows = fetch_from_portal(address, out.absolute(), server, annotations)
    if settings.as_json:
        print_json(rows)
        return
    for row in rows:
        typer.echo(f"{row['run']:24} {row['voxel_size']:g} A  {row['tomogram']}  {len(row['annotations'])} annotations")
    typer.echo(f"licence: {rows[0]['licence']}")
