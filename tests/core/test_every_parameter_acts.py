"""Each parameter of each method changes what a method finds on a small scene, or its model says when and why it does not."""
from __future__ import annotations

import pytest
from acting import Acting
from method_cases import CASES, Scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Scene:
    return Scene(tmp_path_factory.mktemp("scene"))


@pytest.mark.parametrize("method", CASES)
def test_every_parameter_changes_what_is_found_or_says_why_not(method, scene, tmp_path):
    case = CASES[method](scene)
    acting = Acting(case, tmp_path)
    assert set(case.unseen) <= set(acting.fields)
    wrong = [acting.verdict(name) for name in acting.fields if name not in case.unseen]
    assert [text for text in wrong if text] == []
