"""How help reads: plain text in sections, at most 120 columns, the same in a terminal, a log and a pipe."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand

OWN_SECTION, PARAMETER_SECTION, EXPERT_SECTION, RUN_SECTION = "Options", "Parameters", "Expert parameters", "Run"
SECTIONS = (OWN_SECTION, PARAMETER_SECTION, EXPERT_SECTION, RUN_SECTION)


class SectionedCommand(TyperCommand):
    """A command whose options are listed in the sections named by their ``rich_help_panel``."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, then each section of options that has any."""
        rows: dict[str, list[tuple[str, str]]] = {"Arguments": [], **{section: [] for section in SECTIONS}}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                rows[_section(parameter)].append(record)
        for section, records in rows.items():
            if records:
                with formatter.section(section):
                    formatter.write_dl(records)


def _section(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return "Arguments"
    panel = getattr(parameter, "rich_help_panel", None)
    return panel if panel in SECTIONS else RUN_SECTION if parameter.name == "help" else OWN_SECTION


def command_group(text: str = "") -> typer.Typer:
    """A typer application for one file of commands; ``text`` describes the group when it has several."""
    group = typer.Typer(
        help=text,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        context_settings={"max_content_width": 120, "help_option_names": ["-h", "--help"]},
    )
    if text:
        # without a callback typer turns a group of one command into that command
        group.callback(help=text)(_nothing)
    return group


def _nothing() -> None:
    """Groups do nothing by themselves."""
