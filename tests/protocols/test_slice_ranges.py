"""Ranges of slices in forms: numbers, percent of the height, or found; told before the launch where they cannot be."""
import pytest
from scipion_environment import new_run

from cryoetseg.protocols import ProtCryoEtSegSegmentFilaments, ProtCryoEtSegSegmentMembranes, ProtCryoEtSegSegmentSlabs
from cryoetseg.protocols.slice_ranges import formRange, rangeErrors, rangeInWords, rangeOf

APPLIED = (ProtCryoEtSegSegmentSlabs, ProtCryoEtSegSegmentMembranes, ProtCryoEtSegSegmentFilaments)


def form(**values):
    return ProtCryoEtSegSegmentMembranes(**values)


@pytest.mark.parametrize(("values", "height", "expected"), [
    ({"zStart": 25, "zLast": 75}, 40, (10, 30)),
    ({"zStart": 25, "zLast": 75}, 101, (25, 76)),
    ({"zStart": 50}, 40, (20, 40)),
    ({"zStart": 99, "zLast": 100}, 10, (9, 10)),  # at least one slice
])
def test_percent_follow_the_height(values, height, expected):
    assert rangeOf(form(zPercent=True, **values), height) == expected
    assert rangeOf(form(**values), height) == (values["zStart"], values["zLast"] + 1 if "zLast" in values else 0)


def test_what_is_found_counts_before_percent():
    assert rangeInWords(form(zAuto=True, zPercent=True, zStart=20)) == "the slices that hold the sample"
    assert rangeErrors(form(zAuto=True, zPercent=True, zStart=200), {"TS": 10}) == []


@pytest.mark.parametrize(("values", "words"), [
    ({}, "all slices"), ({"zStart": 3}, "slices 3 to the last"), ({"zStart": 3, "zLast": 9}, "slices 3 to 9"),
    ({"zPercent": True, "zStart": 20}, "the slices from 20 to 100 % of the height"),
])
def test_ranges_in_words(values, words):
    assert rangeInWords(form(**values)) == words


@pytest.mark.parametrize("values", [{"zStart": 40, "zLast": 30}, {"zStart": 10, "zLast": 120}, {"zStart": 100}])
def test_no_range_in_percent_is_refused(values):
    (message,) = rangeErrors(form(zPercent=True, **values), {"TS": 400})
    assert "Allowed: 0 to 100" in message
    assert "What to do: switch *In percent of the height* off" in message


@pytest.mark.parametrize("isPercent", [False, True])
def test_the_form_gets_the_range_that_was_chosen_on_a_preview(isPercent):
    protocol = form(zPercent=isPercent)
    for name, value in formRange(protocol, 10, 30, 40).items():
        getattr(protocol, name).set(value)
    assert rangeOf(protocol, 40) == (10, 30)


@pytest.mark.parametrize("protocolClass", APPLIED)
def test_each_tomogram_gets_its_own_slices(project, simulated, protocolClass):
    run = new_run(project, protocolClass, inTomos=(simulated, "tomograms"), zPercent=True, zStart=25, zLast=50, useGpu=False)
    assert run.validate() == []
    values = run._getParameters("sim_001")
    assert (values["z_start"], values["z_end"]) == (8, 16)  # of 32


@pytest.mark.parametrize("protocolClass", APPLIED)
def test_slices_outside_of_a_tomogram_are_told(project, simulated, protocolClass):
    run = new_run(project, protocolClass, inTomos=(simulated, "tomograms"), zStart=20, zLast=40, useGpu=False)
    (message,) = run.validate()
    assert "Slices 20 to 40 are not in sim_001 (32 slices), sim_002 (32 slices). Allowed: 0 to 31" in message
