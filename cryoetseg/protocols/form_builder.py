"""Forms from parameter models: every parameter is defined once, in the core; here it becomes a Scipion form field and back.

A field ``voxel_size`` of the model is the protocol's attribute ``voxelSize``.
"""
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple, Type

from pyworkflow.protocol import (
    LEVEL_ADVANCED,
    LEVEL_NORMAL,
    BooleanParam,
    EnumParam,
    FloatParam,
    FolderParam,
    Form,
    IntParam,
    Param,
    Protocol,
    StringParam,
)
from pyworkflow.protocol.params import Validator

from cryoetseg.core.runtime.params import (
    PRESET_HELP,
    PRESETS,
    FieldDescription,
    Need,
    Parameters,
    describe,
    needs_in_words,
    published_values,
    with_preset,
)

from . import slice_ranges

UNIT_SYMBOLS = {"A": "Å", "A2": "Å²", "A^2": "Å²", "A^3": "Å³", "um": "µm", "1/um2": "1/µm²", "e/A2": "e⁻/Å²", "degrees": "°",
                "voxel": "voxels", "pixel": "pixels", "min": "minutes", "0-255": "grey levels of 255", "of 20": "twentieths"}
PARAM_CLASSES = {bool: BooleanParam, int: IntParam, float: FloatParam, str: StringParam}
RENAMED = {"project": "copickProject", slice_ranges.END: slice_ranges.LAST_ATTRIBUTE}  # Scipion keeps its own project as "project"
OTHER_FOLDER = "a folder"  # the last choice of a field with known names; the folder itself has a field of its own
PRESET = "preset"  # attribute of the choice that :func:`addPreset` adds
Layout = Sequence[Tuple[str, Sequence[str]]]  # (label of a group, names of its fields)
Starts = Sequence[Tuple[str, str]]  # (label of a group, name of its first field)


class Bounds(Validator):
    """Checks one value against the bounds of its parameter; an emptied field raises nothing, as Scipion's own validators do."""

    def __init__(self, field: FieldDescription) -> None:
        self.lower, self.upper = field.lower, field.upper

    def __call__(self, value: Any) -> List[str]:
        if value is None:
            return []  # Scipion itself asks for a value where one is needed
        below = self.lower is not None and value < self.lower
        above = self.upper is not None and value > self.upper
        return [f"= {value} is out of bounds. Allowed: {self.interval()}."] if below or above else []

    def interval(self) -> str:
        """The allowed range in words."""
        if self.lower is None:
            return f"at most {self.upper:g}"
        return f"at least {self.lower:g}" if self.upper is None else f"{self.lower:g} to {self.upper:g}"


def attributeName(fieldName: str) -> str:
    """``voxel_size`` -> ``voxelSize``; the end of a range of slices is the last one in forms."""
    if fieldName in RENAMED:
        return RENAMED[fieldName]
    first, *others = fieldName.split("_")
    return first + "".join(part.capitalize() for part in others)


def labelOf(field: FieldDescription) -> str:
    """Label of a field with its unit, unless it names it; slices of a range are called alike everywhere."""
    if field.name in slice_ranges.LABELS:
        return slice_ranges.LABELS[field.name]
    unit = UNIT_SYMBOLS.get(field.unit, field.unit)
    return f"{field.label} ({unit})" if unit and unit not in field.label.lower().split() else field.label


def addGroups(form: Form, model: Type[Parameters], layout: Layout) -> None:
    """Add the fields named in ``layout``, each list under its own group of the current section of the form.

    Lists of one label share a group: Scipion would keep only the last of them in the form.
    """
    groups: Dict[str, List[str]] = {}
    for label, names in layout:
        groups.setdefault(label, []).extend(names)
    for label, members in groups.items():
        addFields(form.addGroup(label), model, members)


def addFields(form: Any, model: Type[Parameters], names: Iterable[str]) -> None:
    """Add fields of ``model`` by name, in the given order, to a form or a group of it."""
    fields = {field.name: field for field in describe(model)}
    for name in names:
        condition = _condition(fields, fields[name], published_values(model))
        _addField(form, fields[name], condition)
        if name == slice_ranges.END and slice_ranges.AUTO in fields:  # a method that goes through whole sets of tomograms
            form.addParam(slice_ranges.PERCENT_ATTRIBUTE, BooleanParam, default=False, label=slice_ranges.PERCENT_LABEL,
                          condition=condition, help=slice_ranges.PERCENT_HELP)
    _linkConditions(form if isinstance(form, Form) else form._form)


def _linkConditions(form: Form) -> None:
    """Tell Scipion what conditions depend on: by itself it knows only of fields that were added before the dependent one."""
    for name, param in form.iterParams():
        form._analizeCondition(name, param)
    for _, param in form.iterParams():
        param._dependants = list(dict.fromkeys(param._dependants))


def _condition(fields: Dict[str, FieldDescription], field: FieldDescription, published: Dict[str, Any]) -> Optional[str]:
    """When the form shows a field, as Scipion evaluates it."""
    if not field.needs:
        return None
    alternatives = [" and ".join(_needed(fields[need.name], need, published) for need in alternative) for alternative in field.needs]
    return " or ".join(f"({alternative})" for alternative in alternatives)


def _needed(field: FieldDescription, need: Need, published: Dict[str, Any]) -> str:
    """One need; where the preset takes a published value in place of a default that the form goes on showing, that one counts."""
    value = attributeName(field.name)
    if field.name in published:
        default, other = _formValue(field, field.default), _formValue(field, published[field.name])
        value = f"({other!r} if {PRESET} == {PRESETS.index('published')} and {value} == {default!r} else {value})"
    return f"{value} {'not in' if need.is_other else 'in'} {[_formValue(field, wanted) for wanted in need.values]!r}"


def _formValue(field: FieldDescription, value: Any) -> Any:
    """A value of the core as the form keeps it: of a choice its place."""
    if field.name == slice_ranges.END:
        return slice_ranges.lastOf(value)
    offered = field.choices or field.known
    return offered.index(value) if offered else value


def _addField(form: Any, field: FieldDescription, condition: Optional[str]) -> Param:
    options: Dict[str, Any] = {
        "label": labelOf(field),
        "help": _helpOf(field),
        "expertLevel": LEVEL_ADVANCED if field.expert else LEVEL_NORMAL,
        "allowsNull": field.optional or field.kind is str,
        "condition": condition,
    }
    if field.known:
        return _addKnown(form, field, options)
    if field.choices:
        shown = [choice.replace("_", " ") for choice in field.choices]
        return form.addParam(attributeName(field.name), EnumParam, choices=shown, default=field.choices.index(field.default), **options)
    if field.kind in (int, float):
        options["validators"] = [Bounds(field)]
        if field.lower is not None or field.upper is not None:
            options["help"] += f" Allowed: {Bounds(field).interval()}."
    return form.addParam(attributeName(field.name), PARAM_CLASSES[field.kind], default=field.default, **options)


def _helpOf(field: FieldDescription) -> str:
    """The help without the condition under which a field acts, as the form hides it elsewhere."""
    text = field.help.replace(f" Only with {needs_in_words(field.needs)}.", "") if field.needs else field.help
    return slice_ranges.helpOf(field.name, text) if field.name in slice_ranges.LABELS else text


def narrow(form: Form, fieldName: str, condition: str) -> None:
    """Show a field of the form only where also ``condition`` holds, which speaks of inputs."""
    name = attributeName(fieldName)
    param = form.getParam(name)
    known = str(param.condition) if param.condition.hasValue() else ""
    param.condition.set(f"({known}) and ({condition})" if known else condition)
    _linkConditions(form)


def _addKnown(form: Any, field: FieldDescription, options: Dict[str, Any]) -> Param:
    """The names that are known as a choice, and a field for a folder beside them."""
    name = attributeName(field.name)
    param = form.addParam(name, EnumParam, choices=[*field.known, OTHER_FOLDER], default=field.known.index(field.default), **options)
    shown = f"{name} == {len(field.known)}"
    condition = f"({options['condition']}) and {shown}" if options["condition"] else shown
    form.addParam(folderAttribute(field.name), FolderParam, default="", allowsNull=True, condition=condition,
                  label=f"Folder of the {field.label.lower()}", help=f"With *{field.label}*: {OTHER_FOLDER}.")
    return param


def folderAttribute(fieldName: str) -> str:
    """The attribute that holds the folder of a field with known names: ``backbone`` -> ``backboneFolder``."""
    return attributeName(fieldName) + "Folder"


def byHand(pointerClass: str) -> str:
    """``pointerClass`` of an input that Scipion does not fill in with the first fitting output of the selected run.

    For every further input of a kind, which would get the same object as the first. Scipion compares the names as they are written
    before it fills in, and without blanks when the user looks for objects.
    """
    return f" {pointerClass}"


def addPreset(form: Any, model: Type[Parameters]) -> None:
    """Add the choice between defaults and published values, where the model names any; :func:`parametersOf` follows it."""
    published = published_values(model)
    if published:
        values = ", ".join(f"{field.label} {_shown(published[field.name])}" for field in describe(model) if field.name in published)
        form.addParam(PRESET, EnumParam, choices=list(PRESETS), default=0, display=EnumParam.DISPLAY_HLIST, label="Preset",
                      help=f"{PRESET_HELP} The form goes on showing the defaults; the wand writes the published values into it instead, "
                           f"and from then on what is shown counts. Published: {values}.")


def presetValues(model: Type[Parameters], preset: str) -> Dict[str, Any]:
    """What a form shows for every parameter that has a published value, by attribute: the values of the ``preset``."""
    published = published_values(model)
    fields = [field for field in describe(model) if field.name in published]
    return {attributeName(field.name): _formValue(field, published[field.name] if preset == "published" else field.default)
            for field in fields}


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value) or "nothing"


def parametersOf(protocol: Protocol, model: Type[Parameters], names: Iterable[str] = ()) -> Dict[str, Any]:
    """The values of the form, or of its preset, as the core's parameter dictionary; ``names`` restricts it, by default all fields."""
    wanted = set(names)
    values = {field.name: _valueOf(protocol, field) for field in describe(model) if not wanted or field.name in wanted}
    return with_preset(model, values, PRESETS[getattr(protocol, PRESET).get()]) if hasattr(protocol, PRESET) else values


def _valueOf(protocol: Protocol, field: FieldDescription) -> Any:
    value = getattr(protocol, attributeName(field.name)).get()
    if field.name == slice_ranges.END:
        return slice_ranges.endOf(value)
    if field.known:
        return field.known[value] if value < len(field.known) else _text(getattr(protocol, folderAttribute(field.name)).get())
    if field.choices:
        return field.choices[value]
    if field.kind is str:
        return _text(value)
    return value


def _text(value: Optional[str]) -> str:
    return (value or "").strip()


def groupsFrom(model: Type[Parameters], wanted: Starts, starts: Starts) -> List[Tuple[str, List[str]]]:
    """Layout of the ``wanted`` groups, each a label and its first field; a group reaches to the next field in ``starts``.

    A field added to the model later falls into the group of the field before it, so no form loses one.
    """
    names = list(model.model_fields)
    first = sorted(names.index(name) for _, name in starts)
    ends = dict(zip(first, [*first[1:], len(names)]))
    return [(label, names[names.index(name) : ends[names.index(name)]]) for label, name in wanted]


def fieldsByBase(model: Type[Parameters]) -> List[Tuple[str, List[str]]]:
    """Layout of a model put together from smaller ones: one group for each, called as its class, in the order of the fields."""
    groups: Dict[str, List[str]] = {}
    for name in model.model_fields:
        owner = next(base for base in reversed(model.__mro__) if issubclass(base, Parameters) and name in base.model_fields)
        groups.setdefault(_title(owner.__name__), []).append(name)
    return list(groups.items())


def _title(className: str) -> str:
    """``ParticleSizeParameters`` -> ``Particle size``."""
    stem = className[: -len("Parameters")] or className
    spaced = "".join(" " + letter.lower() if letter.isupper() else letter for letter in stem).strip()
    return spaced.capitalize()
