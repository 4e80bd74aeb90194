"""Wands of single fields: a preset fills the form, lists become menus; what they write is what the form then holds."""
import pytest
from tomo.objects import SetOfCoordinates3D

from cryoetseg.convert import Particle, coordinatesOf
from cryoetseg.core.runtime.params import PRESETS
from cryoetseg.objects import CryoEtSegModel
from cryoetseg.protocols import (
    ProtCryoEtSegCompareVoxUda,
    ProtCryoEtSegGenerateParticles,
    ProtCryoEtSegSelectByCluster,
    ProtCryoEtSegTrainPicker,
    ProtCryoEtSegTrainVoxUda,
)
from cryoetseg.protocols.form_builder import parametersOf
from cryoetseg.wizards import CryoEtSegListWizard, CryoEtSegPresetWizard, wizard_lists, wizard_preset


class Form:
    """What a wand sees of Scipion's form: the protocol, and fields that can be set."""

    root = None

    def __init__(self, protocol):
        self.protocol = protocol

    def setVar(self, name, value):
        getattr(self.protocol, name).set(value)


@pytest.fixture
def told(monkeypatch):
    """What windows would say."""
    messages = []
    monkeypatch.setattr(wizard_preset, "showInfo", lambda title, text, parent: messages.append(text))
    monkeypatch.setattr(wizard_lists, "showError", lambda title, text, parent: messages.append(text))
    return messages


def test_the_wand_writes_the_published_values_and_what_is_shown_counts_then(told):
    form = Form(ProtCryoEtSegTrainPicker(preset=PRESETS.index("published")))
    CryoEtSegPresetWizard().show(form)
    published = form.protocol._model.published()
    assert (form.protocol.width.get(), form.protocol.batchSize.get()) == (published.width, published.batch_size)
    assert parametersOf(form.protocol, form.protocol._model) == published.model_dump()
    form.protocol.width.set(form.protocol._model().width)  # back to the default by hand
    assert parametersOf(form.protocol, form.protocol._model)["width"] == form.protocol._model().width
    assert "published values stand in the form" in told[0]


def test_the_wand_takes_the_values_back(told):
    form = Form(ProtCryoEtSegTrainPicker(preset=PRESETS.index("published")))
    CryoEtSegPresetWizard().show(form)
    CryoEtSegPresetWizard().show(form)
    assert parametersOf(form.protocol, form.protocol._model) == form.protocol._model().model_dump()


def test_the_source_of_voxuda_is_filled_as_well(told):
    form = Form(ProtCryoEtSegTrainVoxUda(preset=PRESETS.index("published")))
    CryoEtSegPresetWizard().show(form)
    assert (form.protocol.sourceCount.get(), form.protocol.sourceMaxShift.get(), form.protocol.sourceNeighbours.get()) == (3000, 8, 4)


def test_lists_are_chosen_from_what_is_there(monkeypatch, told):
    protocol = ProtCryoEtSegGenerateParticles()
    model = CryoEtSegModel("folder", "generator")
    model.setClasses({0: "ribosome", 1: "apoferritin", 2: "tric"})
    protocol.inModel.set(model)
    monkeypatch.setattr(CryoEtSegListWizard, "choose", lambda self, parent, shown: [shown[2], shown[0]])
    CryoEtSegListWizard().show(Form(protocol))
    assert protocol.classes.get() == "ribosome,tric"
    compared = ProtCryoEtSegCompareVoxUda()
    CryoEtSegListWizard().show(Form(compared))
    assert compared.rows.get() == "source_only,vox_uda"
    assert told == []


def test_groups_of_coordinates_are_shown_with_names_and_counts(sets, tmp_path):
    coordinates = SetOfCoordinates3D.create(str(tmp_path))
    coordinates.setSamplingRate(10.0)
    coordinates.setPrecedents(sets.tomograms)
    kinds = [(2, "tric"), (10, ""), (2, "tric")]
    for item in coordinatesOf([Particle(4.0, 4.0, 4.0, classId=number, className=name) for number, name in kinds],
                              sets.tomograms.getFirstItem()):
        coordinates.append(item)
    assert wizard_lists.groupsOf(coordinates) == {"2": "2  tric  (2)", "10": "10    (1)"}


def test_without_an_input_it_is_asked_for(told):
    CryoEtSegListWizard().show(Form(ProtCryoEtSegSelectByCluster()))
    assert "choose the input first" in told[0]
