"""Each parameter of each method changes what a method finds on a small scene, or its model says when and why it does not."""
from __future__ import annotations

import pytest
from acting import Acting
from method_cases import CASES, LONG
from small_scene import Scene

from cryoetseg.core.methods import METHODS

# chains of other methods, projects of other programs, and what trains: its parameters are tested where its losses and selections are
WITHOUT_CASES = {"pipeline", "transfer-dual", "voxuda-ablation", "simulate-voxuda-source", "evaluate-generation", "import-copick",
                 "export-relion", "export-dual", "paste-particles"}


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Scene:
    return Scene(tmp_path_factory.mktemp("scene"))


@pytest.mark.parametrize("method", [pytest.param(name, marks=[pytest.mark.thorough] * (name in LONG)) for name in CASES])
def test_every_parameter_changes_what_is_found_or_says_why_not(method, scene, tmp_path):
    case = CASES[method](scene)
    acting = Acting(case, tmp_path)
    assert set(case.unseen) <= set(acting.fields)
    wrong = [acting.verdict(name) for name in acting.fields if name not in case.unseen]
    assert [text for text in wrong if text] == []


def test_every_method_that_applies_something_has_a_case():
    assert {name for name in METHODS if not name.startswith("train-")} - set(CASES) == WITHOUT_CASES
