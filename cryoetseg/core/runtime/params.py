"""Parameters are defined once: the Scipion form, the command line and the JSON record are made from these models.

Imported by Scipion's own interpreter, so valid Python 3.8 with no dependency but pydantic.
"""
import os
import re
from typing import Any, Dict, List, Literal, NamedTuple, Optional, Tuple, Type, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .errors import ParameterError

Model = TypeVar("Model", bound="Parameters")
LONGEST_NAME = 120  # bytes of a name to which endings are added
PRESETS = ("default", "published")
PRESET_HELP = "published takes the paper's value of every parameter that stands at its default; what you change stays as you set it."


class Parameters(BaseModel):
    """Base of every parameter model: immutable, unknown names refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


def parameter(
    default: Any,
    help: str,
    *,
    label: str = "",
    unit: str = "",
    expert: bool = False,
    published: Any = None,
    path: bool = False,
    **bounds: Any,
) -> Any:
    """Declare one field of a :class:`Parameters` model.

    ``help`` is what a user reads, ``unit`` goes into labels, ``expert`` hides the field from the first page of a form,
    ``published`` is the paper's value where the default differs, ``path`` marks what may name a file or folder that shapes the result.
    ``bounds`` are pydantic's (``ge``, ``gt``, ``le``, ``lt``).
    """
    text = help if published is None else f"{help} Published value: {published}."
    extra = {"label": label, "unit": unit, "expert": expert, "published": published, "path": path}
    return Field(default, description=text, json_schema_extra=extra, **bounds)


def checked_file_name(name: str) -> str:
    """``name`` when it may begin the names of files; a validator for fields: ``_name = field_validator("name")(checked_file_name)``."""
    if not name or len(os.fsencode(name)) > LONGEST_NAME or name.startswith(".") or re.search(r"[/\\\x00-\x1f]", name):
        raise ValueError(f"a name without / and \\, that does not begin with a dot, of 1 to {LONGEST_NAME} bytes, is allowed")
    return name


class FieldDescription(NamedTuple):
    """What a form or a command line needs to know of one parameter."""

    name: str
    kind: type  # bool, int, float or str
    default: Any
    optional: bool
    choices: Tuple[str, ...]
    help: str
    label: str
    unit: str
    expert: bool
    lower: Optional[float]
    upper: Optional[float]


def describe(model: Type[Parameters]) -> List[FieldDescription]:
    """List the fields of a parameter model in the order of their definition."""
    return [_describe_field(name, field) for name, field in model.model_fields.items()]


def _describe_field(name: str, field: Any) -> FieldDescription:
    annotation, optional = field.annotation, False
    members = [a for a in get_args(annotation) if a is not type(None)]
    if type(None) in get_args(annotation):
        annotation, optional = members[0], True
    choices: Tuple[str, ...] = ()
    if get_origin(annotation) is Literal:
        choices, annotation = tuple(str(choice) for choice in get_args(annotation)), str
    extra = field.json_schema_extra or {}
    lower, upper = _bounds(field)
    label = extra.get("label") or name.replace("_", " ").capitalize()
    return FieldDescription(name, annotation, field.default, optional, choices, field.description or "", label,
                            extra.get("unit", ""), bool(extra.get("expert")), lower, upper)


def _bounds(field: Any) -> Tuple[Optional[float], Optional[float]]:
    lower = upper = None
    for item in field.metadata:
        lower = next((getattr(item, key) for key in ("ge", "gt") if hasattr(item, key)), lower)
        upper = next((getattr(item, key) for key in ("le", "lt") if hasattr(item, key)), upper)
    return lower, upper


def named_files(model: Type[Parameters], values: Dict[str, Any]) -> List[str]:
    """The files and folders that exist among the values of parameters that may name one."""
    extras = {name: field.json_schema_extra for name, field in model.model_fields.items()}
    marked = [name for name, extra in extras.items() if isinstance(extra, dict) and extra.get("path")]
    return [values[name] for name in marked if values.get(name) and os.path.exists(values[name])]


def published_values(model: Type[Parameters]) -> Dict[str, Any]:
    """What the published settings of a model have otherwise than its defaults; nothing where it names none."""
    if not hasattr(model, "published"):
        return {}
    preset = model.published()
    return {name: getattr(preset, name) for name, field in model.model_fields.items() if getattr(preset, name) != field.default}


def with_preset(model: Type[Parameters], values: Dict[str, Any], preset: str) -> Dict[str, Any]:
    """``values`` with those of a preset in place of defaults; raises :class:`ParameterError` for an unknown preset."""
    if preset not in PRESETS:
        raise ParameterError(f"preset '{preset}'", ", ".join(PRESETS))
    taken = published_values(model) if preset == "published" else {}
    return {name: taken[name] if name in taken and value == model.model_fields[name].default else value
            for name, value in values.items()}


def parameters_from(model: Type[Model], values: Dict[str, Any]) -> Model:
    """Build ``model`` from plain values; raises :class:`ParameterError` naming every bad field at once."""
    try:
        return model(**values)
    except ValidationError as error:
        raise ParameterError(_explain(error), advice=_known_names(model, error)) from error


def _explain(error: ValidationError) -> str:
    rows = []
    for item in error.errors():
        name = ".".join(str(part) for part in item["loc"]) or "parameters"
        if item["type"] == "extra_forbidden":
            rows.append(f"unknown parameter '{name}'")
        else:
            rows.append(f"parameter '{name}' = {item['input']!r}: {item['msg']}")
    return "; ".join(rows)


def _known_names(model: Type[Parameters], error: ValidationError) -> str:
    if any(item["type"] == "extra_forbidden" for item in error.errors()):
        return "use one of " + ", ".join(model.model_fields)
    return "give a value inside the bounds; --help lists them"
