"""What the code says of a protocol, as rows of tables: inputs, parameters, outputs, papers, place in Scipion's menu.

Needs a prepared Scipion (``cryoetseg.scipion_home``), because the form is read from the protocol itself.
"""
import ast
import inspect
import json
import re
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Tuple

import typer
from pyworkflow.protocol import LEVEL_ADVANCED, BooleanParam, EnumParam, MultiPointerParam, PathParam, PointerParam

import cryoetseg
from cryoetseg import bibtex, protocols
from cryoetseg._plugin import pageName as pageName
from cryoetseg.core import cli
from cryoetseg.core.runtime.params import FieldDescription, describe
from cryoetseg.protocols.form_builder import UNIT_SYMBOLS, attributeName
from cryoetseg.protocols.protocol_pick_particles import CENTRES
from cryoetseg.protocols.protocol_train_picker import FROM_OTHERS

SECTION = "CryoETSeg"  # the plugin's own section of Scipion's menu
# fields of every Scipion form, not of ours
SCIPIONS = {"numberOfMpi", "numberOfThreads", "hostName", "runName", "runMode", "expertLevel", "gpuList", "useGpu", "binThreads"}
NETWORKS = {CENTRES: "that of the general picker"}
SAID = {FROM_OTHERS: "unless it starts from the general picker"}  # conditions that would be too long in full
INPUT_PARAMS = (PointerParam, MultiPointerParam, PathParam)
Row = Tuple[str, ...]


class Parameter(NamedTuple):
    """One field of a parameter model as a reader of the documentation wants it; all texts."""

    label: str
    option: str
    default: str
    published: str
    unit: str
    help: str
    expert: bool


def classes() -> List[type]:
    """All protocols of the package."""
    return [getattr(protocols, name) for name in protocols.__all__]


def description(protocolClass: type) -> str:
    """The help text of the form."""
    return inspect.cleandoc(protocolClass.__doc__ or "")


def menuPlaces(protocolClass: type) -> List[str]:
    """Where ``protocols.conf`` puts it, as ``CryoETSeg > Train``."""
    def places(nodes: List[Dict[str, Any]], above: List[str]) -> List[str]:
        found = []
        for node in nodes:
            if node.get("value") == protocolClass.__name__:
                found.append(" > ".join(above))
            found += places(node.get("children", []), [*above, node["text"]])
        return found

    # the section of the plugin lists everything, so it comes first
    return sorted(places(_menu(), []), key=lambda place: not place.startswith(SECTION))


def menuOrder() -> List[str]:
    """Names of the protocol classes as the plugin's own section of the menu lists them."""
    def names(node: Dict[str, Any]) -> List[str]:
        below = [name for child in node.get("children", []) for name in names(child)]
        return [node["value"]] if node["tag"] == "protocol" else below

    return [name for section in _menu() if section["text"] == SECTION for name in names(section)]


def _menu() -> List[Dict[str, Any]]:
    text = (Path(cryoetseg.__file__).parent / "protocols.conf").read_text(encoding="utf-8")
    return json.loads(text[text.index("=") + 1:])


def inputs(protocolClass: type) -> List[Row]:
    """(label, types, whether it is needed, help) of what is chosen in the form."""
    run = protocolClass()
    return [(param.getLabel(), _types(param), _needed(run, param), _helpOf(param))
            for _, param in _ownParams(run) if isinstance(param, INPUT_PARAMS)]


def labels(protocolClass: type) -> Dict[str, str]:
    """The labels of the form's fields by the names of parameters and inputs."""
    shown = {name: param.getLabel() for name, param in _ownParams(protocolClass())}
    return {**shown, **{field.name: field.label for field in _fields(protocolClass)}}


def ownFields(protocolClass: type) -> List[Row]:
    """(label, default, help) of fields that are neither inputs nor parameters of the method."""
    run = protocolClass()
    model = {attributeName(field.name) for field in _fields(protocolClass)}
    return [(param.getLabel(), _shown(_formDefault(param)), _helpOf(param))
            for name, param in _ownParams(run) if name not in model and not isinstance(param, INPUT_PARAMS)]


def outputs(protocolClass: type) -> Dict[str, str]:
    """Type of each output by its name."""
    return {name: made.__name__ for name, made in (getattr(protocolClass, "_possibleOutputs", None) or {}).items()}


def parameters(protocolClass: type, words: List[str]) -> List[Parameter]:
    """The parameters of the method with the options of the command ``words`` (empty where there is no command)."""
    options = commandOptions(words) if words else {}
    return [_parameter(protocolClass, field, options) for field in _fields(protocolClass)]


def commandOptions(words: List[str]) -> Dict[str, str]:
    """The long option of each parameter of the command ``cryoetseg WORDS``; raises ValueError where there is no such command."""
    command: Any = typer.main.get_command(cli.app)
    for word in words:
        command = command.get_command(None, word) if hasattr(command, "get_command") else None
        if command is None:
            raise ValueError(f"there is no command 'cryoetseg {' '.join(words)}'")
    return {param.name: param.opts[0] for param in command.params if param.opts and param.opts[0].startswith("--")}


def papers(protocolClass: type) -> List[Row]:
    """(key, reference, address) of what the protocol cites."""
    entries = _bibliography()
    return [entries[key] for key in protocolClass()._citations() or []]


def _fields(protocolClass: type) -> List[FieldDescription]:
    return describe(protocolClass._model) if hasattr(protocolClass, "_model") else []


def _ownParams(run: Any) -> List[Tuple[str, Any]]:
    return [(name, run.getParam(name)) for name, _ in run.iterDefinitionAttributes()
            if name not in SCIPIONS and not name.startswith("_")]


def _types(param: Any) -> str:
    if isinstance(param, PathParam):
        return "folder"
    given = param.pointerClass
    names = given if isinstance(given, list) else str(given).split(",")
    return ", ".join(str(name).strip() for name in names) + (" (several)" if isinstance(param, MultiPointerParam) else "")


def _needed(run: Any, param: Any) -> str:
    condition = str(param.condition) if param.condition.hasValue() else ""
    needed = "no" if getattr(param, "allowsNull", None) and param.allowsNull.get() else "yes"
    return f"{needed}, {_condition(run, condition)}" if condition else needed


def _condition(run: Any, condition: str) -> str:
    """``not inSource`` -> ``without *Labelled source*``; ``labelsFrom == 0`` -> ``with *Labels*: class masks``."""
    return _inWords(run, ast.parse(condition.strip(), mode="eval").body)


def _inWords(run: Any, node: Any) -> str:
    """A condition of Scipion's form, parsed, in the labels of the form."""
    for condition, words in SAID.items():
        if ast.dump(node) == ast.dump(ast.parse(condition, mode="eval").body):
            return words
    if isinstance(node, ast.BoolOp):
        parts = [_inWords(run, part) for part in node.values]
        return (" and " if isinstance(node.op, ast.And) else ", or ").join(parts)
    if isinstance(node, ast.UnaryOp):
        return f"without *{run.getParam(node.operand.id).getLabel()}*"
    if isinstance(node, ast.Name):
        return f"with *{run.getParam(node.id).getLabel()}*"
    if isinstance(node, ast.Constant):
        return "never, as it has no effect here"
    if isinstance(node.left, ast.Call):
        label = run.getParam(node.left.func.value.id).getLabel()
        network = NETWORKS.get(node.comparators[0].value, node.comparators[0].value)
        return f"with a *{label}* whose network is {'not ' if isinstance(node.ops[0], ast.NotEq) else ''}{network}"
    name = node.left.orelse if isinstance(node.left, ast.IfExp) else node.left  # with a preset its value, else the form's
    param, (wanted,) = run.getParam(name.id), node.comparators
    values = ast.literal_eval(wanted)
    shown = " or ".join(_choice(param, value) for value in (values if isinstance(values, (list, tuple)) else [values]))
    return f"with *{param.getLabel()}* {'other than ' if isinstance(node.ops[0], (ast.NotIn, ast.NotEq)) else ''}{shown}"


def _choice(param: Any, value: Any) -> str:
    if isinstance(param, EnumParam):
        return param.choices[int(value)].replace(" (not installed)", "")
    return _shown(value)


def formFields(protocolClass: type) -> List[Row]:
    """(label, level, when the form shows it) of all fields of a form; *always*, or the condition in words."""
    run, rows = protocolClass(), []
    for _, param in _ownParams(run):
        condition = str(param.condition) if param.condition.hasValue() else ""
        advanced = "advanced" if param.expertLevel.get() == LEVEL_ADVANCED else ""
        rows.append((param.getLabel(), advanced, _condition(run, condition) if condition else "always"))
    return rows


def _formDefault(param: Any) -> Any:
    value = param.default.get() if hasattr(param.default, "get") else param.default
    if isinstance(param, BooleanParam):
        return str(value) == "True"  # kept as text
    return param.choices[int(value)] if isinstance(param, EnumParam) and value is not None else value


def _helpOf(param: Any) -> str:
    text = str(param.getHelp() or "").strip()
    return "" if text == "None" else " ".join(text.split())


def _parameter(protocolClass: type, field: FieldDescription, options: Dict[str, str]) -> Parameter:
    published = (protocolClass._model.model_fields[field.name].json_schema_extra or {}).get("published")
    help_ = field.help if published is None else field.help.removesuffix(f" Published value: {published}.")
    return Parameter(
        label=field.label, option=_option(field.name, options), default=_shown(field.default),
        published="" if published is None else _shown(published), unit=UNIT_SYMBOLS.get(field.unit, field.unit),
        help=f"{help_.rstrip('.')}.{_allowed(field)}", expert=field.expert)


def _option(name: str, options: Dict[str, str]) -> str:
    if not options:
        return ""
    if name in ("z_start", "z_end", "z_auto") and name not in options:
        name = "z"  # spelled A:B, or auto, in one option
    if name not in options:
        raise ValueError(f"the command has no option for {name}")
    return options[name]


def _allowed(field: FieldDescription) -> str:
    if field.choices:
        return f" One of {', '.join(field.choices)}."
    if field.lower is not None and field.upper is not None:
        return f" {field.lower:g} to {field.upper:g}."
    if field.lower is not None:
        return f" At least {field.lower:g}."
    return f" At most {field.upper:g}." if field.upper is not None else ""


def _shown(value: Any) -> str:
    if value is None:
        return "automatic"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) or "empty"


def _bibliography() -> Dict[str, Row]:
    entries = {}
    for kind, key, body in re.findall(r"@(\w+)\{(\w+),\n(.*?)\n\}", bibtex.__doc__ or "", re.DOTALL):
        field = dict(re.findall(r"^\s*(\w+) = \{(.*)\},?$", body, re.MULTILINE))
        where = field.get("journal") or field.get("booktitle", kind)
        numbers = ", ".join(field[name].replace("--", "-") for name in ("volume", "pages") if name in field)
        text = f"{_authors(field['author'])}: {_plain(field['title'])}. {where} {numbers} ({field['year']})."
        entries[key] = (key, " ".join(text.split()), f"https://doi.org/{field['doi']}")
    return entries


def _authors(text: str) -> str:
    return _plain(text.replace(" and others", " et al.").replace(" and ", "; "))


def _plain(text: str) -> str:
    """TeX of names and units as letters."""
    return text.replace('{\\"o}', "ö").replace("{\\AA}", "Å")
