"""Forms are made from the parameter models: nothing is lost, renamed twice or unbounded."""
import re
from typing import Literal, Optional

import pytest
from pwem.protocols import EMProtocol
from pyworkflow.protocol import LEVEL_ADVANCED, BooleanParam, EnumParam, FloatParam, IntParam, StringParam

from cryoetseg import protocols
from cryoetseg.core.foundation.params import SegmentSlabsParameters
from cryoetseg.core.models.shelf import shipped_folder
from cryoetseg.core.runtime.params import PRESETS, Parameters, describe, parameter, published_values
from cryoetseg.core.students.picker.params import TrainPickerParameters
from cryoetseg.objects import CryoEtSegModel
from cryoetseg.protocols import (
    ProtCryoEtSegClusterParticles,
    ProtCryoEtSegCompareVoxUda,
    ProtCryoEtSegPickParticles,
    ProtCryoEtSegSegmentSlabs,
    ProtCryoEtSegTrainMembranes,
    ProtCryoEtSegTrainPicker,
    ProtCryoEtSegTrainSegmenter,
    ProtCryoEtSegTrainVoxUda,
    slice_ranges,
)
from cryoetseg.protocols.form_builder import _formValue, addFields, attributeName, fieldsByBase, groupsFrom, parametersOf

CLASSES = [getattr(protocols, name) for name in protocols.__all__]
PROTOCOLS = [pytest.param(made, made._model, id=made.__name__) for made in CLASSES if hasattr(made, "_model")]


class Sample(Parameters):
    """One field of every kind."""

    box_size: int = parameter(32, "Size of the box.", unit="voxels", ge=2, le=64)
    tile_px: float = parameter(1.5, "Tile.", unit="A", expert=True, gt=0)
    solver: Literal["eigen", "gradient_descent"] = parameter("gradient_descent", "Solver.")
    folder: str = parameter("", "Folder.")
    clean: bool = parameter(True, "Clean up.")
    seed: Optional[int] = parameter(None, "Seed.", ge=0)


class SampleProtocol(EMProtocol):
    """A form with one field of every kind."""

    _label = "sample"

    def _defineParams(self, form):
        form.addSection("Input")
        addFields(form, Sample, Sample.model_fields)


@pytest.fixture(scope="module")
def form():
    return SampleProtocol()


def test_every_kind_of_field_gets_its_widget(form):
    expected = {
        "boxSize": IntParam, "tilePx": FloatParam, "solver": EnumParam, "folder": StringParam, "clean": BooleanParam, "seed": IntParam,
    }
    assert {name: type(form.getParam(name)) for name in expected} == expected


def test_labels_carry_units_and_help_carries_bounds(form):
    assert form.getParam("boxSize").getLabel() == "Box size (voxels)"
    assert form.getParam("tilePx").getLabel() == "Tile px (Å)"
    assert form.getParam("boxSize").getHelp() == "Size of the box. Allowed: 2 to 64."
    assert form.getParam("tilePx").expertLevel.get() == LEVEL_ADVANCED


def test_values_come_back_as_the_core_wants_them(form):
    assert parametersOf(form, Sample) == Sample().model_dump()
    changed = SampleProtocol(boxSize=8, solver=0, folder=" weights ", clean=False, seed=3)
    expected = {"box_size": 8, "tile_px": 1.5, "solver": "eigen", "folder": "weights", "clean": False, "seed": 3}
    assert parametersOf(changed, Sample) == expected


@pytest.mark.parametrize(("value", "message"), [
    (1, "= 1 is out of bounds. Allowed: 2 to 64."), (65, "= 65 is out of bounds"), (None, "should be an integer"),
])
def test_bounds_become_messages(form, value, message):
    (found,) = form.getParam("boxSize").validate(value)
    assert message in found


def test_an_optional_field_may_stay_empty(form):
    assert form.getParam("seed").validate(None) == []
    assert form.getParam("seed").validate(-1) == ["= -1 is out of bounds. Allowed: at least 0."]


@pytest.mark.parametrize(("protocolClass", "model"), PROTOCOLS)
def test_forms_show_every_parameter_once_and_give_back_the_defaults(protocolClass, model):
    protocol = protocolClass()
    shown = [name for name, _ in protocol.getDefinition().iterAllParams()]
    for name in model.model_fields:
        assert shown.count(attributeName(name)) == 1, name
    assert parametersOf(protocol, model) == model().model_dump()


# Fields that depend on an input besides: shown with the form as it opens only where the input says so
NARROWED = {"ProtCryoEtSegPickParticles": {"peaks", "cut", "tile_px", "padding_px", "batch"},
            "ProtCryoEtSegTrainSegmenter": {"particle_diameter", "class_diameters"},
            "ProtCryoEtSegTransferDual": {"particle_diameter", "class_diameters", "resample_labels"},
            "ProtCryoEtSegTrainPicker": {"held_out"}, "ProtCryoEtSegTrainMembranes": {"tuning_iterations"},
            "ProtCryoEtSegClusterParticles": {"near_membrane"}}


@pytest.mark.parametrize("preset", [0, 1])
@pytest.mark.parametrize(("protocolClass", "model"), PROTOCOLS)
def test_forms_show_what_acts_and_hide_what_does_not(protocolClass, model, preset):
    protocol = protocolClass()
    if preset and not hasattr(protocol, "preset"):
        return
    if preset:
        protocol.preset.set(preset)
    values = parametersOf(protocol, model)
    for field in describe(model):
        if field.name not in NARROWED.get(protocolClass.__name__, ()):
            assert bool(protocol.evalParamCondition(attributeName(field.name))) == field.acts(values), field.name


def values_to_try(model, field):
    """Values of a field that others depend on: those that conditions name, and others."""
    if field.choices or field.kind is bool:
        return field.choices or (True, False)
    named = {value for other in describe(model) for alternative in other.needs for need in alternative if need.name == field.name
             for value in need.values}
    other = {int: 7, float: 0.3, str: "other"}[field.kind]
    return sorted({field.default, *named, *(() if field.known else (other,))}, key=str)


@pytest.mark.parametrize(("protocolClass", "model"), PROTOCOLS)
def test_forms_follow_every_field_that_others_depend_on(protocolClass, model):
    """Whatever one of them is set to: what then acts is shown, what then does nothing is hidden."""
    fields = {field.name: field for field in describe(model)}
    protocol = protocolClass()
    for name in sorted({need.name for field in fields.values() for alternative in field.needs for need in alternative}):
        attribute = getattr(protocol, attributeName(name))
        before = attribute.get()
        for value in values_to_try(model, fields[name]):
            attribute.set(_formValue(fields[name], value))
            values = parametersOf(protocol, model)
            assert values[name] == value
            shown = {field.name for field in fields.values() if protocol.evalParamCondition(attributeName(field.name))}
            acting = {field.name for field in fields.values() if field.acts(values)}
            assert shown ^ acting <= NARROWED.get(protocolClass.__name__, set()), (name, value)
        attribute.set(before)


@pytest.mark.parametrize(("protocolClass", "chosen", "shown"), [
    (ProtCryoEtSegPickParticles, {}, {"diameterMin": True, "peaks": False}),
    (ProtCryoEtSegTrainPicker, {"startFrom": 2}, {"heldOut": True, "width": False, "patchPx": True, "inEmpty": True}),
    (ProtCryoEtSegTrainPicker, {"startFrom": 1}, {"heldOut": True, "width": False, "patchPx": False, "inEmpty": False}),
    (ProtCryoEtSegTrainPicker, {}, {"heldOut": False, "width": True, "patchPx": True, "inEmpty": True}),
    (ProtCryoEtSegTrainMembranes, {}, {"slices": True, "normalisation": True, "cropPx": True, "tuningIterations": False}),
    (ProtCryoEtSegTrainMembranes, {"startFrom": 1}, {"slices": False, "normalisation": False, "smoothingPx": False, "cropPx": True}),
    (ProtCryoEtSegTrainMembranes, {"startFrom": 1}, {"tuningIterations": True}),
    (ProtCryoEtSegTrainMembranes, {"startFrom": 2}, {"tuningIterations": False}),
    (ProtCryoEtSegTrainMembranes, {"unpainted": 2}, {"rounds": False, "confidence": False}),
    (ProtCryoEtSegClusterParticles, {}, {"nearMembrane": False, "align": True}),
    (ProtCryoEtSegTrainSegmenter, {"labelsFrom": 1}, {"particleDiameter": True, "resampleLabels": False}),
])
def test_fields_follow_the_inputs(protocolClass, chosen, shown):
    protocol = protocolClass(**chosen)
    assert {name: bool(protocol.evalParamCondition(name)) for name in shown} == shown


@pytest.mark.parametrize(("folder", "isGeneral"), [("general-particles", True), ("", False)])
def test_a_chosen_model_brings_its_own_fields(folder, isGeneral):
    """An imported general picker has the fields of the shipped one, for picking and where a training starts from it."""
    model = CryoEtSegModel.fromFolder(str(shipped_folder("general", "picker"))) if isGeneral else CryoEtSegModel("folder", "picker")
    protocol = ProtCryoEtSegPickParticles()
    protocol.inModel.set(model)
    shown = {name: bool(protocol.evalParamCondition(name)) for name in ("diameterMin", "membraneProteins", "peaks", "tilePx")}
    assert shown == {"diameterMin": isGeneral, "membraneProteins": isGeneral, "peaks": not isGeneral, "tilePx": not isGeneral}
    training = ProtCryoEtSegTrainPicker(startFrom=2)
    training.inStart.set(model)
    assert bool(training.evalParamCondition("patchPx")) == (not isGeneral)
    assert training.evalParamCondition("heldOut")


@pytest.mark.parametrize(("protocolClass", "model"), PROTOCOLS)
def test_a_form_filled_with_published_values_runs_as_the_preset_does(protocolClass, model):
    if not hasattr(model, "published"):
        return
    filled = protocolClass(**protocolClass().presetValues("published"))
    assert parametersOf(filled, model) == parametersOf(protocolClass(preset=PRESETS.index("published")), model)
    assert parametersOf(protocolClass(**protocolClass().presetValues("default")), model) == parametersOf(protocolClass(), model)


def test_rows_of_a_comparison_vary_what_they_compare():
    """A denoiser that one row takes has parameters that act, whatever the form says of the others."""
    gaussian = ProtCryoEtSegTrainVoxUda(denoiser=0)
    assert not gaussian.evalParamCondition("gaussianSigma")
    assert ProtCryoEtSegCompareVoxUda(denoiser=0).evalParamCondition("gaussianSigma")


@pytest.mark.parametrize("protocolClass", CLASSES)
def test_labels_are_words(protocolClass):
    """No abbreviation of the code, and units as words or signs that a biologist reads; each once."""
    shown = protocolClass().getDefinition().iterAllParams()
    for label in [str(param.getLabel()) for name, param in shown if not name.startswith("_")]:
        assert not re.search(r"\b(px|ema|coords|min|max|clahe|snrs?)\b", label, re.IGNORECASE) or "(CLAHE)" in label, label
        assert not set("^_") & set(label), label
        words, _, unit = label.partition(" (")
        assert unit.rstrip(")").lower() not in words.lower().split(), label


@pytest.mark.parametrize(("last", "end"), [(0, 0), (1, 2), (17, 18)])
def test_the_last_slice_is_included(last, end):
    assert parametersOf(ProtCryoEtSegSegmentSlabs(zLast=last), SegmentSlabsParameters)["z_end"] == end
    assert slice_ranges.endOf(slice_ranges.lastOf(end)) == end


@pytest.mark.parametrize(("protocolClass", "model"), PROTOCOLS)
def test_ranges_of_slices_are_called_alike(protocolClass, model):
    if "z_end" not in model.model_fields:
        return
    form = protocolClass()
    assert [form.getParam(name).getLabel() for name in ("zStart", "zLast")] == ["First slice", "Last slice"]
    assert form.getParam("zLast").getHelp().startswith("Last slice, itself included, counted from 0; 0 ")


def test_the_form_follows_what_is_chosen():
    slices, published = ProtCryoEtSegSegmentSlabs(separation=1), ProtCryoEtSegSegmentSlabs(preset=PRESETS.index("published"))
    other = ProtCryoEtSegSegmentSlabs(backbone=2, backboneFolder="my_backbone")
    assert slices.evalParamCondition("linkSlices")
    assert not slices.evalParamCondition("membraneSeed")
    assert published.evalParamCondition("thresholdOffset")
    assert not published.evalParamCondition("linkSlices")  # the published rules ask for no slabs in a row
    assert other.evalParamCondition("clahe")
    assert not other.evalParamCondition("linkSlices")


@pytest.mark.parametrize(("protocolClass", "model"), PROTOCOLS)
def test_the_published_preset_is_offered_where_there_is_one_and_fills_what_was_not_changed(protocolClass, model):
    offered = dict(protocolClass().getDefinition().iterAllParams()).get("preset")
    assert (offered is not None) == hasattr(model, "published")
    if offered is not None:
        assert parametersOf(protocolClass(preset=PRESETS.index("published")), model) == model.published().model_dump()
        value = next(iter(published_values(model).values()))
        assert str(value) in offered.getHelp()


def test_what_is_changed_beside_the_preset_stays():
    values = parametersOf(ProtCryoEtSegTrainPicker(preset=PRESETS.index("published"), batchSize=3), TrainPickerParameters)
    assert (values["batch_size"], values["width"]) == (3, TrainPickerParameters.published().width)


@pytest.mark.parametrize(("protocolClass", "model"), PROTOCOLS)
def test_no_parameter_hides_an_attribute_of_scipion_or_an_output(protocolClass, model):
    bare, outputs = EMProtocol(), protocolClass._possibleOutputs or {}
    assert [name for name in model.model_fields if hasattr(bare, attributeName(name)) or attributeName(name) in outputs] == []


def test_groups_follow_the_smaller_models():
    groups = dict(fieldsByBase(SegmentSlabsParameters))
    assert groups["Slab"][:3] == ["z_auto", "z_start", "z_end"]
    assert groups["Particle size"] == ["particle_diameter"]
    assert sorted(name for names in groups.values() for name in names) == sorted(SegmentSlabsParameters.model_fields)


def test_groups_reach_to_the_next_start():
    starts = [("Box", "box_size"), ("Rest", "folder")]
    assert groupsFrom(Sample, starts[:1], starts) == [("Box", ["box_size", "tile_px", "solver"])]
    assert groupsFrom(Sample, starts[1:], starts) == [("Rest", ["folder", "clean", "seed"])]
