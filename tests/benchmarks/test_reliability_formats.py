"""A seeded part of the mutations of ``benchmarks/reliability_formats.py``: none may end untyped, and the damage must be real."""
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
    counts = harness.run(440, 7, tmp_path)
    assert len(counts) == 22
    assert {name: dict(count.untyped) for name, count in counts.items() if count.untyped} == {}
    assert sum(count.refused for count in counts.values()) > 220
    assert all(count.tried == 20 for count in counts.values())


def test_an_untyped_end_is_counted(harness, tmp_path):
    case = harness.Case("odd", tmp_path / "file", lambda path: int(path.read_bytes()))
    case.path.write_bytes(b"1")
    count = harness.Count()
    for _ in range(40):
        harness._try(case, count, np.random.default_rng(count.tried))
    assert count.untyped.total() > 0
    assert case.path.read_bytes() == b"1"
