"""The previews: what they show and what they write into the form, with and without a window."""
import numpy as np
import pytest
from pyworkflow.object import Pointer, String
from scipy.ndimage import gaussian_filter

from cryoetseg import protocols, wizards
from cryoetseg.core.foundation.params import SegmentSlabsParameters
from cryoetseg.core.report.figures import new_figure
from cryoetseg.core.runtime.errors import InputError, ParameterError
from cryoetseg.core.runtime.params import describe
from cryoetseg.protocols import ProtCryoEtSegEvaluatePicking, ProtCryoEtSegEvaluateSegmentation, ProtCryoEtSegSegmentSlabs
from cryoetseg.wizards import (
    CryoEtSegListWizard,
    CryoEtSegPresetWizard,
    CryoEtSegSlabRangeWizard,
    CryoEtSegThresholdWizard,
    preview_wizard,
)
from cryoetseg.wizards.preview_wizard import previewOf
from cryoetseg.wizards.slab_preview import SlabPreview, drawRange, drawThreshold

DEFAULTS = SegmentSlabsParameters().model_dump()
SEPARATIONS = next(field.choices for field in describe(SegmentSlabsParameters) if field.name == "separation")


@pytest.fixture(scope="module")
def preview():
    """Noise with a dark ball (radius 8 voxels) around slice 20."""
    volume = np.random.default_rng(0).normal(size=(32, 64, 64)).astype(np.float32)
    z, y, x = np.ogrid[:32, :64, :64]
    volume[(z - 20) ** 2 + (y - 30) ** 2 + (x - 34) ** 2 < 64] -= 6
    return SlabPreview("TS_1", volume, 10.0, "dark")


def test_the_profile_is_high_where_there_is_something(preview):
    assert preview.depth == 32
    assert abs(int(np.argmax(preview.profile())) - 20) <= 3


@pytest.mark.parametrize(("chosen", "expected"), [
    ((4, 12), (4, 12)), ((0, 0), (0, 32)), ((50, 3), (31, 32)), ((9, 9), (9, 10)), ((-3, 99), (0, 32)),
])
def test_ranges_are_kept_inside(preview, chosen, expected):
    assert preview.clampedRange(*chosen) == expected


def test_dark_and_bright_particles_are_both_shown_dark(preview):
    inverted = SlabPreview("TS_1", -preview.volume, 10.0, "bright")
    slab = preview.slab(20, DEFAULTS)
    np.testing.assert_allclose(slab, inverted.slab(20, DEFAULTS), atol=1e-3)
    assert slab.min() >= 0
    assert slab.max() <= 255
    assert slab[30, 34] < slab.mean()


def test_a_higher_offset_keeps_less_and_the_ball_stays(preview):
    slab = preview.slab(20, DEFAULTS)
    low, high = (preview.threshold(slab, {**DEFAULTS, "threshold_offset": offset}) for offset in (3.0, 25.0))
    assert high.sum() < low.sum()
    assert high[30, 34]


def test_figures_say_what_they_show(preview):
    figure = new_figure(9, 5)
    drawRange(figure, preview, 4, 20)
    assert [axes.get_title() for axes in figure.axes] == ["TS_1: slices 4 to 19 (16 slabs)", "z = 4", "z = 11", "z = 19"]
    drawThreshold(figure, preview, 20, {**DEFAULTS, "separation": "slices"})
    assert figure.axes[0].get_title() == "TS_1, z = 20"
    assert figure.axes[1].get_title().startswith("threshold keeps")
    drawThreshold(figure, preview, 20, {**DEFAULTS, "separation": "volume", "particle_diameter": 160.0})
    assert "particles, membranes" in figure.axes[1].get_title()


@pytest.mark.parametrize("first", [14, None])
def test_the_sample_that_is_found_is_drawn_on_the_profile(first):
    """Balls in noise from slice 14 to 34; noise alone has no faces."""
    volume = np.random.default_rng(0).normal(size=(48, 96, 96)).astype(np.float32)
    if first is not None:
        places = np.random.default_rng(1).integers((first, 0, 0), (34, 96, 96), size=(2304, 3))
        points = np.zeros_like(volume)
        points[tuple(places.T)] = 60
        volume -= gaussian_filter(points, 2)
    made = SlabPreview("TS_1", volume, 10.0, "dark")
    figure = new_figure(9, 5)
    drawRange(figure, made, 4, 20)
    faces = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_linestyle() == "--"]
    assert faces == ([] if first is None else pytest.approx([13.5, 33.5], abs=5))
    assert made.sample() is None or faces == [made.sample()[0] - 0.5, made.sample()[1] - 0.5]


def test_the_ball_is_found_in_three_dimensions(preview):
    _, points = preview.separation(20, {**DEFAULTS, "particle_diameter": 160.0, "particle_threshold": 4.0})
    assert np.abs(points - (30, 34)).max(axis=1).min() <= 2


def test_bad_parameters_of_the_form_are_told(preview):
    with pytest.raises(ParameterError, match="averaged_slices"):
        preview.slab(20, {**DEFAULTS, "averaged_slices": 0})


@pytest.fixture
def protocol(sets):
    run = ProtCryoEtSegSegmentSlabs(zStart=2, zLast=0)
    run.inTomos = Pointer(sets.tomograms)
    return run


def test_the_first_tomogram_is_previewed(protocol):
    made = previewOf(protocol)
    assert (made.name, made.volume.shape, made.voxelSize, made.contrast) == ("TS_1", (12, 20, 28), 10.0, "dark")


@pytest.mark.parametrize(("picked", "shown"), [("TS_2", ["TS_2"]), (None, [])])
def test_any_tomogram_of_the_set_can_be_looked_at(protocol, monkeypatch, picked, shown):
    """The window lists all; one that was closed without a choice opens no preview."""
    offered, previewed = [], []

    class Listing:
        def __init__(self, parent, title, provider, *texts):
            offered.extend(item.get() for item in provider.getObjects())
            self.values = [String(picked)] if picked else []

    class Form:
        root = None

        def setVar(self, name, value):
            setattr(self, name, value)

    monkeypatch.setattr(preview_wizard, "ListDialog", Listing)
    wizard = CryoEtSegSlabRangeWizard()
    monkeypatch.setattr(wizard, "choose", lambda parent, run, preview: previewed.append(preview.name) or {"zStart": 3})
    form = Form()
    form.protocol = protocol
    wizard.show(form)
    assert offered == ["TS_1", "TS_2"]
    assert previewed == shown
    assert getattr(form, "zStart", None) == (3 if shown else None)


def test_without_input_the_message_says_what_to_do():
    with pytest.raises(InputError, match="choose the input first"):
        previewOf(ProtCryoEtSegSegmentSlabs())


def test_sliders_become_values_of_the_form(preview, protocol):
    assert CryoEtSegSlabRangeWizard.accepted(ProtCryoEtSegSegmentSlabs(), preview, [20.0, 4.0]) == {"zStart": 20, "zLast": 20}
    values = CryoEtSegThresholdWizard.parameters(protocol, [5.0, 1.5, 3.5, 180.0])
    expected = {"membrane_threshold": 1.5, "particle_threshold": 3.5, "particle_diameter": 180.0, "z_start": 2}
    assert {name: values[name] for name in expected} == expected
    chosen = CryoEtSegThresholdWizard.accepted(protocol, [5.0, 1.5, 3.5, 180.0])
    assert chosen == {"membraneThreshold": 1.5, "particleThreshold": 3.5, "particleDiameter": 180.0}


def test_sliders_are_those_that_count_with_the_separation(protocol, preview):
    labels = [scale.label for scale in CryoEtSegThresholdWizard.scales(protocol, preview)]
    assert labels == ["Slice", "Membrane threshold", "Particle threshold", "Particle diameter (Å)"]
    protocol.separation.set(SEPARATIONS.index("slices"))
    assert CryoEtSegThresholdWizard.accepted(protocol, [5.0, 7.5, 180.0]) == {"thresholdOffset": 7.5, "particleDiameter": 180.0}
    assert len(CryoEtSegThresholdWizard.scales(protocol, preview)) == 3


def test_targets_are_fields_of_forms_with_tomograms():
    for wizard in map(wizards.__dict__.get, wizards.__all__):
        for target, names in wizard._targets:
            form = target()
            assert all(hasattr(form, name) for name in names), (wizard, target)
            if wizard not in (CryoEtSegListWizard, CryoEtSegPresetWizard):  # these two look at no tomogram
                assert hasattr(form, "inTomos") or hasattr(form, "truth"), (wizard, target)


def test_every_range_of_slices_has_a_wand():
    """Scipion finds a wizard by the class of the form itself, not by that of its parents."""
    ranges = {made for made in map(protocols.__dict__.get, protocols.__all__) if hasattr(made(), "zStart")}
    assert {target for target, _ in CryoEtSegSlabRangeWizard._targets} == ranges
    assert len(ranges) == 7


@pytest.mark.parametrize(("protocolClass", "shape"), [
    (ProtCryoEtSegEvaluatePicking, (12, 20, 28)), (ProtCryoEtSegEvaluateSegmentation, (12, 20, 28)),
])
def test_an_evaluation_previews_its_truth(sets, protocolClass, shape):
    run = protocolClass()
    run.truth = Pointer(sets.coordinates if protocolClass is ProtCryoEtSegEvaluatePicking else sets.masks)
    assert previewOf(run).volume.shape == shape


@pytest.mark.parametrize(("button", "expected"), [("<Return>", {"zStart": 5, "zLast": 11}), ("<Escape>", None)])
def test_the_window_gives_back_what_was_chosen(window_root, protocol, monkeypatch, button, expected):
    from cryoetseg.wizards import preview_window

    class Driven(preview_window.PreviewWindow):
        """Moves the first slider and presses a key, as a user does."""

        def body(self, master):
            super().body(master)
            self.after(300, lambda: self.variables[0].set(5))
            self.after(600, lambda: self._redraw())
            self.after(900, lambda: (self.focus_force(), self.event_generate(button)))

    monkeypatch.setattr(preview_window, "PreviewWindow", Driven)
    assert CryoEtSegSlabRangeWizard().choose(window_root, protocol, previewOf(protocol)) == expected
