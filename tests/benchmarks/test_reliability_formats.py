"""A seeded part of the mutations of ``benchmarks/reliability_formats.py``: none may end untyped, and the damage must be real."""
import re
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))


@pytest.fixture(scope="module")
def harness():
    import reliability_formats

    yield reliability_formats
    sys.path.remove(str(Path(__file__).resolve().parents[2] / "benchmarks"))


@pytest.mark.filterwarnings("ignore")
def test_no_mutated_file_ends_untyped(harness, tmp_path):
    counts = harness.run(540, 7, tmp_path, [case.name for case in harness.cases(tmp_path) if not case.name.startswith("model of")])
    assert len(counts) == 27
    assert {name: dict(count.untyped) for name, count in counts.items() if count.untyped} == {}
    assert sum(count.refused for count in counts.values()) > 210
    assert all(count.tried == 20 for count in counts.values())


@pytest.mark.filterwarnings("ignore")
def test_no_mutated_model_of_any_kind_ends_untyped(harness, tmp_path):
    counts = harness.run(90, 3, tmp_path, [case.name for case in harness.cases(tmp_path) if case.name.startswith("model of")])
    assert len(counts) == 9
    assert {name: dict(count.untyped) for name, count in counts.items() if count.untyped} == {}
    assert all(count.refused > 5 for count in counts.values())


@pytest.mark.parametrize(("kind", "field", "value"), [
    ("generator", "box_px", 4096), ("generator", "steps", 2**31), ("vox-uda", "size", 4096)])
def test_sides_and_steps_of_a_card_are_those_that_training_allows(harness, tmp_path, kind, field, value):
    from cryoetseg.core.runtime.errors import WeightsError

    load, card = harness.reliability_models.models(tmp_path)[kind], tmp_path / kind / "card.json"
    load(tmp_path / kind)
    text = re.sub(rf'("{field}": )\d+', rf"\g<1>{value}", card.read_text())
    card.write_text(text)
    with pytest.raises(WeightsError, match=str(value)):
        load(tmp_path / kind)


def test_an_untyped_end_is_counted(harness, tmp_path):
    case = harness.Case("odd", tmp_path / "file", lambda path: int(path.read_bytes()))
    case.path.write_bytes(b"1")
    count = harness.Count()
    for _ in range(40):
        harness._try(case, count, np.random.default_rng(count.tried))
    assert count.untyped.total() > 0
    assert case.path.read_bytes() == b"1"
