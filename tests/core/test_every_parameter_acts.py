"""Each parameter of each method changes what a method finds or learns on a small scene, or its model says when and why it does not."""
from __future__ import annotations

import pytest
from acting import Acting
from method_cases import CASES, LONG
from small_scene import Scene
from training_cases import TRAINING_CASES

from cryoetseg.core.methods import METHODS

ALL = {**CASES, **TRAINING_CASES}
# chains of other methods, projects of other programs, and recipes of minutes and more, whose trainings are those of the methods
WITHOUT_CASES = {"pipeline", "transfer-dual", "voxuda-ablation", "simulate-voxuda-source", "evaluate-generation", "import-copick",
                 "export-relion", "export-dual", "paste-particles", "train-general", "train-embedding", "train-backbone"}


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Scene:
    return Scene(tmp_path_factory.mktemp("scene"))


@pytest.mark.parametrize("method", [pytest.param(name, marks=[pytest.mark.thorough] * (name in LONG or name in TRAINING_CASES))
                                    for name in ALL])
def test_every_parameter_acts_or_says_why_not(method, scene, tmp_path):
    case = ALL[method](scene)
    acting = Acting(case, tmp_path)
    assert set(case.unseen) <= set(acting.fields)
    verdicts = [acting.verdict(name) for name in acting.fields if name not in case.unseen]
    wrong = "\n".join(text for text in verdicts if text)
    assert not wrong, wrong


def test_every_method_has_a_case():
    assert set(METHODS) - set(ALL) == WITHOUT_CASES
