"""Parameters are defined once: the Scipion form, the command line and the JSON record are made from these models.

Imported by Scipion's own interpreter, so valid Python 3.8 with no dependency but pydantic.
"""
import os
import re
from typing import Any, Container, Dict, List, Literal, NamedTuple, Optional, Sequence, Tuple, Type, TypeVar, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from typing_extensions import Annotated

from .errors import ParameterError

Model = TypeVar("Model", bound="Parameters")
LONGEST_NAME = 120  # bytes of a name to which endings are added
PRESETS = ("default", "published")
PRESET_HELP = "published takes the paper's value of every parameter that stands at its default; what you change stays as you set it."


def _odd(value: int) -> int:
    if value % 2 == 0:
        raise ValueError("an odd number is needed, so that one is the middle")
    return value


OddInt = Annotated[int, AfterValidator(_odd)]


class Parameters(BaseModel):
    """Base of every parameter model: immutable, unknown names refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Need(NamedTuple):
    """One parameter that another one depends on: it must have one of ``values``, or none of them."""

    name: str
    values: Tuple[Any, ...]
    is_other: bool = False

    def holds(self, given: Dict[str, Any]) -> bool:
        """Whether the parameters ``given`` are so."""
        return (given[self.name] in self.values) != self.is_other

    def words(self) -> str:
        """``separation slices``, ``backbone other than cryoet-tiny``."""
        shown = " or ".join(("yes" if value else "no") if isinstance(value, bool) else str(value) for value in self.values)
        return f"{self.name} {'other than ' if self.is_other else ''}{shown}"


Needs = Tuple[Tuple[Need, ...], ...]  # alternatives; in each all must hold


class Other(NamedTuple):
    """In ``acts_when``: every value but these."""

    values: Tuple[Any, ...]


def other_than(*values: Any) -> Other:
    """For ``acts_when``: every value of a parameter but these."""
    return Other(values)


Condition = Dict[str, Any]  # name of a parameter -> its value, a tuple of values, or other_than(...)


def needs_of(acts_when: Union[Condition, Sequence[Condition], None]) -> Needs:
    """What is declared in ``acts_when`` as alternatives of needs."""
    if not acts_when:
        return ()
    alternatives = [acts_when] if isinstance(acts_when, dict) else acts_when
    return tuple(tuple(_need(name, wanted) for name, wanted in condition.items()) for condition in alternatives)


def _need(name: str, wanted: Any) -> Need:
    if isinstance(wanted, Other):
        return Need(name, wanted.values, True)
    return Need(name, wanted if isinstance(wanted, tuple) else (wanted,))


def needs_in_words(needs: Needs) -> str:
    """``separation slices and filters scale_aware``; alternatives are joined by "or with"."""
    return ", or with ".join(" and ".join(need.words() for need in alternative) for alternative in needs)


def parameter(
    default: Any,
    help: str,
    *,
    label: str = "",
    unit: str = "",
    expert: bool = False,
    published: Any = None,
    path: bool = False,
    acts_when: Union[Condition, Sequence[Condition], None] = None,
    keeps_result: str = "",
    known: Sequence[str] = (),
    **bounds: Any,
) -> Any:
    """Declare one field of a :class:`Parameters` model.

    ``help`` is what a user reads, ``unit`` goes into labels, ``expert`` hides the field from the first page of a form,
    ``published`` is the paper's value where the default differs, ``path`` marks what may name a file or folder that shapes the result.
    ``acts_when`` says with which values of other parameters this one has an effect: ``{"separation": "slices"}``, all of several, or a
    list of alternatives; elsewhere forms hide it and command lines warn. ``keeps_result`` says why a change leaves what is found as it
    is (time, memory, files beside the result). ``known`` are names that forms offer where any other value is a folder. ``bounds`` are
    pydantic's (``ge``, ``gt``, ``le``, ``lt``).
    """
    needs = needs_of(acts_when)
    text = f"{help} Only with {needs_in_words(needs)}." if needs else help
    if published is not None:
        text = f"{text} Published value: {published}."
    extra = {"label": label, "unit": unit, "expert": expert, "published": published, "path": path, "needs": needs,
             "keeps_result": keeps_result, "known": tuple(known)}
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
    needs: Needs = ()
    keeps_result: str = ""
    known: Tuple[str, ...] = ()  # names that are offered; another value is a folder

    def acts(self, values: Dict[str, Any]) -> bool:
        """Whether this parameter has an effect beside the ``values`` of all parameters."""
        return not self.needs or any(all(need.holds(values) for need in alternative) for alternative in self.needs)


def describe(model: Type[Parameters]) -> List[FieldDescription]:
    """List the fields of a parameter model in the order of their definition."""
    varied = getattr(model, "varied", ())
    return [_without_needs_of(_describe_field(name, field), varied) for name, field in model.model_fields.items()]


def _without_needs_of(field: FieldDescription, varied: Sequence[str]) -> FieldDescription:
    """The field, which acts always where it depends on parameters that the method varies by itself."""
    depends = any(need.name in varied for alternative in field.needs for need in alternative)
    return field._replace(needs=()) if depends else field


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
                            extra.get("unit", ""), bool(extra.get("expert")), lower, upper, extra.get("needs", ()),
                            extra.get("keeps_result", ""), extra.get("known", ()))


def idle_parameters(model: Type[Parameters], values: Dict[str, Any]) -> List[str]:
    """One line for each of the ``values`` that differs from its default and has no effect beside the others."""
    everything = {**{name: field.default for name, field in model.model_fields.items()}, **values}
    return [f"{field.name} = {everything[field.name]} does nothing here: it acts only with {needs_in_words(field.needs)}"
            for field in describe(model) if everything[field.name] != field.default and not field.acts(everything)]


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


def with_preset(model: Type[Parameters], values: Dict[str, Any], preset: str, given: Container[str] = ()) -> Dict[str, Any]:
    """``values`` with those of a preset in place of defaults; raises :class:`ParameterError` for an unknown preset.

    Names in ``given`` keep their value, also where it is the default: command lines know what was written, forms do not.
    """
    if preset not in PRESETS:
        raise ParameterError(f"preset '{preset}'", ", ".join(PRESETS))
    taken = published_values(model) if preset == "published" else {}
    return {name: taken[name] if name in taken and name not in given and value == model.model_fields[name].default else value
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
