"""Each parameter of each training shapes what is learned on a small scene, or its model says when and why it does not."""
from __future__ import annotations

import pytest
from acting import Acting
from small_scene import Scene
from training_cases import TRAINING_CASES

from cryoetseg.core.methods import METHODS

# whole recipes of minutes and more; their trainings' parameters are those of the methods
WITHOUT_CASES = {"train-general", "train-embedding", "train-backbone"}


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Scene:
    return Scene(tmp_path_factory.mktemp("scene"))


@pytest.mark.thorough
@pytest.mark.parametrize("method", TRAINING_CASES)
def test_every_parameter_shapes_what_is_learned_or_says_why_not(method, scene, tmp_path):
    case = TRAINING_CASES[method](scene)
    acting = Acting(case, tmp_path)
    assert set(case.unseen) <= set(acting.fields)
    wrong = [acting.verdict(name) for name in acting.fields if name not in case.unseen]
    assert [text for text in wrong if text] == []


def test_every_training_has_a_case():
    assert {name for name in METHODS if name.startswith("train-")} - set(TRAINING_CASES) == WITHOUT_CASES
