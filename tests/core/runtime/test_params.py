"""Parameter models: what forms and command lines learn of them, and what is refused."""

from typing import Literal, Optional

import pytest
from pydantic import ValidationError

from cryoetseg.core.runtime.errors import ParameterError
from cryoetseg.core.runtime.params import OddInt, Parameters, describe, idle_parameters, other_than, parameter, parameters_from


class Example(Parameters):
    """One field of every kind."""

    solver: Literal["eigen", "gradient"] = parameter("eigen", "Which solver.", published="gradient")
    diameter: float = parameter(250.0, "Diameter.", unit="A", gt=0, le=5000, label="Particle diameter")
    rounds: int = parameter(3, "Rounds.", expert=True, ge=1)
    limit: Optional[float] = parameter(None, "Upper limit.")
    clahe: bool = parameter(True, "Even out contrast.")


def described(name):
    return next(field for field in describe(Example) if field.name == name)


def test_fields_keep_the_order_of_their_definition():
    assert [field.name for field in describe(Example)] == ["solver", "diameter", "rounds", "limit", "clahe"]


def test_choices_are_described_as_words():
    solver = described("solver")
    assert (solver.kind, solver.choices, solver.default) == (str, ("eigen", "gradient"), "eigen")
    assert solver.help == "Which solver. Published value: gradient."


def test_bounds_units_and_labels_are_described():
    diameter, rounds = described("diameter"), described("rounds")
    assert (diameter.lower, diameter.upper, diameter.unit, diameter.label) == (0, 5000, "A", "Particle diameter")
    assert (rounds.lower, rounds.upper, rounds.expert, rounds.label) == (1, None, True, "Rounds")


def test_optional_fields_are_described_by_their_kind():
    limit = described("limit")
    assert (limit.kind, limit.optional, limit.default) == (float, True, None)


@pytest.mark.parametrize(
    "values", [{"diameter": 0}, {"diameter": 5001}, {"rounds": 0}, {"rounds": 2.5}, {"solver": "other"}, {"clahe": "maybe"}]
)
def test_values_out_of_bounds_are_refused_by_name(values):
    with pytest.raises(ParameterError, match=next(iter(values))):
        parameters_from(Example, values)


def test_every_bad_field_is_named_at_once():
    with pytest.raises(ParameterError, match=r"diameter.*rounds"):
        parameters_from(Example, {"diameter": -1, "rounds": -1})


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ParameterError, match=r"unknown parameter 'diametre'.*use one of solver, diameter"):
        parameters_from(Example, {"diametre": 3})


def test_parameters_cannot_be_changed_afterwards():
    with pytest.raises(ValidationError):
        Example().rounds = 5


class Dependent(Parameters):
    """Fields that act beside others only."""

    way: Literal["volume", "slices"] = parameter("volume", "Way.")
    name: str = parameter("tiny", "Name.")
    exact: bool = parameter(True, "Exact.")
    offset: float = parameter(3.0, "Offset.", published=2, acts_when={"way": "slices", "exact": True})
    folder: str = parameter("", "Folder.", acts_when=[{"name": other_than("tiny", "small")}, {"way": "slices"}])


def test_help_tells_with_what_a_parameter_acts():
    helps = {field.name: field.help for field in describe(Dependent)}
    assert helps["offset"] == "Offset. Only with way slices and exact yes. Published value: 2."
    assert helps["folder"] == "Folder. Only with name other than tiny or small, or with way slices."


@pytest.mark.parametrize(("values", "idle"), [
    ({}, []), ({"offset": 4.0}, ["offset"]), ({"offset": 4.0, "way": "slices"}, []),
    ({"offset": 4.0, "way": "slices", "exact": False}, ["offset"]),
    ({"folder": "a"}, ["folder"]), ({"folder": "a", "name": "small"}, ["folder"]), ({"folder": "a", "name": "large"}, []),
    ({"folder": "a", "way": "slices"}, []), ({"offset": 4.0, "folder": "a"}, ["offset", "folder"]),
])
def test_what_was_changed_and_does_nothing_is_named(values, idle):
    assert [line.split(" = ")[0] for line in idle_parameters(Dependent, values)] == idle


def test_odd_numbers_are_asked_for():
    class Sliced(Parameters):
        """One field."""

        slices: OddInt = parameter(3, "Slices.", ge=1)

    assert describe(Sliced)[0].kind is int
    assert describe(Sliced)[0].lower == 1
    with pytest.raises(ParameterError, match=r"slices.*odd"):
        parameters_from(Sliced, {"slices": 4})
