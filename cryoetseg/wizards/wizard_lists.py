"""Menus for fields that hold a list: what there is to choose from stands in the input."""
from typing import Any, Callable, Dict, List

from pyworkflow.gui.dialog import ListDialog, showError
from pyworkflow.gui.tree import ListTreeProviderString
from pyworkflow.object import String
from pyworkflow.wizard import Wizard

from cryoetseg.convert import groupName
from cryoetseg.protocols import (
    ProtCryoEtSegCompareVoxUda,
    ProtCryoEtSegEvaluatePicking,
    ProtCryoEtSegGenerateParticles,
    ProtCryoEtSegPasteParticles,
    ProtCryoEtSegSelectByCluster,
)

Choices = Dict[str, str]  # what is written into the form, and how the menu shows it


def groupsOf(coordinates: Any) -> Choices:
    """The groups of a set of coordinates with their names, and how many coordinates each has; nothing without a set."""
    names: Choices = {}
    counts: Dict[str, int] = {}
    for item in coordinates.iterItems() if coordinates is not None else []:
        number = str(item.getGroupId() or 0)
        names.setdefault(number, groupName(item))
        counts[number] = counts.get(number, 0) + 1
    return {number: f"{number}  {names[number]}  ({counts[number]})" for number in sorted(names, key=int)}


def classesOf(model: Any) -> Choices:
    """The classes that a model knows, by name; nothing without a model."""
    return {name: name for name in model.getClasses().values()} if model is not None else {}


def rowsOf(protocol: Any) -> Choices:
    """The rows that a comparison can have: those it has by default."""
    return {name: name.replace("_", " ") for name in protocol._model.model_fields["rows"].default.split(",")}


CHOICES: Dict[type, Callable[[Any], Choices]] = {
    ProtCryoEtSegSelectByCluster: lambda protocol: groupsOf(protocol.inCoordinates.get()),
    ProtCryoEtSegEvaluatePicking: lambda protocol: groupsOf(protocol.truth.get()),
    ProtCryoEtSegGenerateParticles: lambda protocol: classesOf(protocol.inModel.get()),
    ProtCryoEtSegPasteParticles: lambda protocol: classesOf(protocol.inModel.get()),
    ProtCryoEtSegCompareVoxUda: rowsOf,
}
FIELDS = {ProtCryoEtSegSelectByCluster: "clusters", ProtCryoEtSegEvaluatePicking: "truthGroups", ProtCryoEtSegGenerateParticles: "classes",
          ProtCryoEtSegPasteParticles: "classes", ProtCryoEtSegCompareVoxUda: "rows"}


class CryoEtSegListWizard(Wizard):
    """Shows what there is as a list in which several can be chosen, and writes them with commas into the form."""

    _targets = [(made, [field]) for made, field in FIELDS.items()]

    def show(self, form: Any, *params: Any) -> None:
        """Called by the form's wizard button."""
        choices = CHOICES[type(form.protocol)](form.protocol)
        if not choices:
            showError("Choose", "Nothing is there to choose from yet. What to do: choose the input first.", form.root)
            return
        shown = list(choices.values())
        chosen = self.choose(form.root, shown)
        if chosen:
            names = [name for name, text in choices.items() if text in chosen]
            form.setVar(FIELDS[type(form.protocol)], ",".join(names))

    def choose(self, parent: Any, shown: List[str]) -> List[str]:
        """Those of the lines ``shown`` that the user marks; none when the window is closed."""
        window = ListDialog(parent, "Choose", ListTreeProviderString([String(text) for text in shown]),
                            "Mark one, or several with Ctrl held.")
        return [str(item.get()) for item in window.values]
