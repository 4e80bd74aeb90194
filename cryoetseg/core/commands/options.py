"""Options of the command line, made from the parameter models: name, unit, bounds, default and help are written once."""

from __future__ import annotations

import functools
import inspect
import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from ..methods import parameters_model
from ..runtime.errors import ParameterError
from ..runtime.params import PRESET_HELP, PRESETS, FieldDescription, Parameters, describe, parameters_from, published_values, with_preset
from .addresses import resolved
from .help import EXPERT_SECTION, PARAMETER_SECTION, RUN_SECTION

CONTRASTS = ("dark", "bright")
SCALARS = (bool, int, float, str)
AUTO = "auto"  # slice range that is found
SLICE_FIELDS = ("z_start", "z_end", "z_auto")  # of parameter models, all of them told by --z

TomogramArgument = Annotated[Path, typer.Argument(metavar="TOMOGRAM", help="Tomogram: .mrc, .rec, .em, .tif or .zarr.", show_default=False)]
TomogramsArgument = Annotated[
    list[Path], typer.Argument(metavar="TOMOGRAM...", help="Tomograms: .mrc, .rec, .em, .tif or .zarr.", show_default=False)
]
TrainingTomogramsOption = Annotated[
    list[Path], typer.Option("--tomogram", metavar="FILE", help="A tomogram to learn from; repeat for several.", show_default=False)
]
FolderOption = Annotated[
    Path, typer.Option("--out", metavar="FOLDER", help="Folder of the results; made when missing.", show_default=False)
]
VoxelSizeOption = Annotated[
    Optional[float],
    typer.Option(
        "--voxel-size",
        metavar="ANGSTROM",
        help="Voxel size in Angstrom per voxel, in place of the one in the file's header.",
        show_default="from the header",
    ),
]
TiltSeriesIdOption = Annotated[
    Optional[list[str]],
    typer.Option("--tilt-series-id", metavar="ID", help="Name of the tomogram's tilt series; repeat for several, in their order.",
                 show_default="the file's name"),
]  # fmt: skip
SizeOption = Annotated[
    Optional[Path],
    typer.Option("--tomogram", metavar="FILE", help="The tomogram of a list that counts from its centre, as those of RELION 5.",
                 show_default="not needed"),
]  # fmt: skip
ContrastOption = Annotated[
    str, typer.Option("--contrast", metavar="dark|bright", help="How particles and membranes look in the tomogram; microscopes give dark.")
]


CONTEXT = "context"  # under which name typer hands over how the options were given


@dataclass(frozen=True)
class Settings:
    """What every command takes, and the checked parameters of its method."""

    parameters: dict[str, Any]
    seed: Optional[int]
    device: Optional[str]
    as_json: bool
    verbose: bool
    overwrite: bool = False
    preset: str = PRESETS[0]
    beside: dict[str, Any] = field(default_factory=dict)  # what was written for options beside those of the method


def with_settings(
    method: str | type[Parameters] = "", without: Iterable[str] = (), beside: Sequence[FieldDescription] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Replace a command's ``settings`` argument by the common options and one option per parameter of ``method``, by name, or of a model.

    Parameters named in ``without`` get no option, because the command has a better spelling for them and puts them into
    ``settings.parameters`` itself; they are checked when the job runs. ``beside`` are further options, of another model, without defaults;
    what is written for them comes in ``settings.beside``.
    """
    model = method if isinstance(method, type) else parameters_model(method) if method else Parameters
    fields = [field for field in describe(model) if field.name not in set(without)]
    presets = [_preset_option()] if published_values(model) else []
    others = [_option(f._replace(default=None, optional=True)) for f in beside]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name != "settings"]
        contexts = [inspect.Parameter(CONTEXT, inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)] if presets else []
        offered = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own] + contexts + presets + others
        offered += [*map(_option, fields), *_common_options()]

        @functools.wraps(command)
        def run(**values: Any) -> None:
            common = {p.name: values.pop(p.name) for p in _common_options()}
            given = {field.name: _parsed(field, values.pop(field.name)) for field in fields}
            given = {name: value for name, value in given.items() if value is not None}
            preset = values.pop("preset") if presets else PRESETS[0]
            if presets:
                spelled_otherwise = published_values(model) if preset == "published" else {}
                given = {**spelled_otherwise, **with_preset(model, given, preset, _written(values.pop(CONTEXT), given))}
            also = {f.name: values.pop(f.name) for f in beside}
            also = {name: value for name, value in also.items() if value is not None}
            configure_logging(common["verbose"])
            values = {name: resolved(name, value) for name, value in values.items()}
            command(**values, settings=Settings(parameters=given, preset=preset, beside=also, **common))

        # typer reads a command's options from its signature and its annotations
        run.__signature__ = inspect.Signature(offered)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in offered}
        del run.__wrapped__  # type: ignore[attr-defined]
        return run

    return decorate


def _written(context: typer.Context, names: Iterable[str]) -> set[str]:
    """Those of the options that stand on the command line, whatever their value."""
    sources = {name: context.get_parameter_source(name) for name in names}
    return {name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"}


def checked_parameters(method: str, given: dict[str, Any]) -> dict[str, Any]:
    """All parameters of ``method`` as plain JSON values, defaults filled in; raises ParameterError."""
    return parameters_from(parameters_model(method), given).model_dump(mode="json")


def z_range(text: str) -> tuple[int, int]:
    """The half-open slice range ``A:B`` (0-based slices A, ..., B-1); raises ParameterError."""
    start, colon, stop = text.partition(":")
    try:
        first, last = int(start), int(stop)
    except ValueError:
        first, last = 0, -1
    if not colon or first < 0 or last <= first:
        raise ParameterError(f"z range '{text}'", "A:B with 0 <= A < B, slices counted from 0, B not included",
                             "for example --z 40:72, or --z auto for those that hold the sample")
    return first, last


def chosen_slices(text: str) -> dict[str, Any]:
    """Parameters of the slice range ``A:B``, or of the one found with ``auto``; nothing for an empty text; raises ParameterError."""
    if text == AUTO:
        return {"z_auto": True}
    return dict(zip(("z_start", "z_end"), z_range(text))) if text else {}


def checked_contrast(contrast: str) -> str:
    """``contrast`` when it is one of the two words; raises ParameterError."""
    if contrast not in CONTRASTS:
        raise ParameterError(f"contrast '{contrast}'", " or ".join(CONTRASTS), "microscopes give dark particles")
    return contrast


def configure_logging(verbose: bool) -> None:
    """Send the package's messages to standard error: what a user should know, or everything when ``verbose``."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s" if verbose else "%(message)s"))
    package = logging.getLogger("cryoetseg")
    package.handlers, package.propagate = [handler], False
    package.setLevel(logging.DEBUG if verbose else logging.INFO)


def _preset_option() -> inspect.Parameter:
    declaration = typer.Option(metavar="|".join(PRESETS), help=PRESET_HELP, rich_help_panel=PARAMETER_SECTION)
    return inspect.Parameter("preset", inspect.Parameter.KEYWORD_ONLY, default=PRESETS[0], annotation=Annotated[str, declaration])


def _option(field: FieldDescription) -> inspect.Parameter:
    listed = field.kind not in SCALARS
    default = ",".join(map(str, field.default)) if listed and field.default is not None else field.default
    declaration = typer.Option(
        metavar=None if field.kind is bool else _metavar(field),
        help=_help(field),
        rich_help_panel=EXPERT_SECTION if field.expert else PARAMETER_SECTION,
        show_default="chosen by the program" if default is None else True,
    )
    kind: Any = Optional[str if listed else field.kind]
    annotation = Annotated[kind, declaration]
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _metavar(field: FieldDescription) -> str:
    if field.choices:
        return "|".join(field.choices)
    return field.unit.upper().replace(" ", "_") or {int: "NUMBER", float: "NUMBER"}.get(field.kind, "TEXT")


def _help(field: FieldDescription) -> str:
    parts = [field.help.rstrip(".")]
    if field.unit:
        parts.append(f"In {field.unit}")
    if field.lower is not None and field.upper is not None:
        parts.append(f"From {field.lower:g} to {field.upper:g}")
    elif field.lower is not None:
        parts.append(f"At least {field.lower:g}")
    elif field.upper is not None:
        parts.append(f"At most {field.upper:g}")
    return ". ".join(parts) + "."


def _parsed(field: FieldDescription, value: Any) -> Any:
    """Lists are written with commas; everything else is already of its type."""
    if value is None or field.kind in SCALARS:
        return value
    return [item.strip() for item in str(value).split(",") if item.strip()]


def _common_options() -> list[inspect.Parameter]:
    rows: list[tuple[str, Any, Any, Any]] = [
        (
            "seed",
            Optional[int],
            None,
            typer.Option(
                metavar="NUMBER", help="Seed of every random number; same seed, same result.", show_default="0, or the job file's"
            ),
        ),
        (
            "device",
            Optional[str],
            None,
            typer.Option(metavar="auto|cpu|cuda|cuda:N|mps", help="Where to compute.", show_default="auto, or the job file's"),
        ),
        (
            "overwrite",
            bool,
            False,
            typer.Option("--overwrite", help="Replace files that lie where results go and that no run of this program made there."),
        ),
        ("as_json", bool, False, typer.Option("--json", help="Print the result as JSON on standard output, for scripts.")),
        ("verbose", bool, False, typer.Option("--verbose", help="Print everything, and the traceback of an error.")),
    ]
    for _, _, _, declaration in rows:
        declaration.rich_help_panel = RUN_SECTION
    return [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, declaration])
        for name, kind, default, declaration in rows
    ]
