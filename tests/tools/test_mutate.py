"""The changes themselves, each single and of the kind that is named, and the count of those that tests notice."""
import ast
import subprocess
import sys

from tools.mutate import ROOT
from tools.mutations import mutations, one_of

SOURCE = '''"""Ä module."""
import math

LIMIT = 3
BEST = Choice("score", "max")


def above(value, low=1):
    """Text."""
    total = 0
    if value > LIMIT and not value == low:
        total += value - 1
    return -total, math.floor(self.kept(total).detach())
'''
CHANGES = {
    "3 -> 4", "0 -> 1", "1 -> 2", "'max' -> 'min'", "value > LIMIT -> value <= LIMIT", "value == low -> value != low",
    "not value == low -> value == low", "value > LIMIT and (not value == low) -> value > LIMIT",
    "value > LIMIT and (not value == low) -> not value == low", "total += value - 1 left out", "value - 1 -> value", "value - 1 -> 1",
    "-total -> total", "(-total, math.floor(self.kept(total).detach())) -> (math.floor(self.kept(total).detach()), -total)",
    "math.floor(self.kept(total).detach()) -> math.ceil(self.kept(total).detach())",
    "math.floor(self.kept(total).detach()) -> self.kept(total).detach()", "self.kept(total).detach() -> self.kept(total)",
    "self.kept(total) -> total"}


def test_every_kind_of_change_is_made_once():
    found = list(mutations(SOURCE))
    assert {mutation.text for mutation in found} == CHANGES
    assert len(found) == len(CHANGES)
    for mutation in found:
        ast.parse(mutation.source)
        changed = [(old, new) for old, new in zip(SOURCE.splitlines(), mutation.source.splitlines()) if old != new]
        assert len(changed) == 1
        assert changed[0][0] == SOURCE.splitlines()[mutation.line - 1]


def test_only_what_is_named_is_changed():
    assert [mutation.text for mutation in mutations(SOURCE, frozenset({"LIMIT"}))] == ["3 -> 4"]


def test_an_estimate_takes_changes_from_the_whole_file():
    texts = [mutation.text for mutation in mutations(SOURCE)]
    assert [mutation.text for mutation in one_of(1, mutations(SOURCE))] == texts
    assert [mutation.text for mutation in one_of(4, mutations(SOURCE))] == texts[2::4]


COUNTED = '''LIMIT = 3


class Scale:
    factor = 2

    @staticmethod
    def twice(value):
        return Scale.factor * value


def clipped(value):
    if value > LIMIT:
        return LIMIT
    return value - 0


def unseen(value):
    return value + 1
'''
TESTS = '''from module import LIMIT, Scale, clipped


def test_scale():
    assert Scale.twice(3) == 6


def test_clipped():
    assert (clipped(9), clipped(1)) == (3, 1)
    assert LIMIT == 3
'''


def counted(folder):
    command = [sys.executable, str(ROOT / "tests" / "tools" / "mutate.py"), "--module", "module.py", "--tests", "test_module.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_what_tests_do_not_notice_is_listed_and_no_file_is_touched(tmp_path):
    module, test = tmp_path / "module.py", tmp_path / "test_module.py"
    module.write_text(COUNTED)
    test.write_text(TESTS)
    done = counted(tmp_path)
    lines = [line.strip() for line in done.stdout.splitlines() if line.startswith("  ")]
    assert lines == ["module.py:15: value - 0 -> value", "module.py:19: value + 1 -> value (no test comes here)",
                     "module.py:19: value + 1 -> 1 (no test comes here)", "module.py:19: 1 -> 2 (no test comes here)"]
    assert "module.py: 7 of 11 changes noticed" in done.stdout
    assert module.read_text() == COUNTED


def test_tests_that_fail_without_any_change_are_refused(tmp_path):
    (tmp_path / "module.py").write_text(COUNTED.replace("factor = 2", "factor = 3"))
    (tmp_path / "test_module.py").write_text(TESTS)
    done = counted(tmp_path)
    assert done.returncode != 0
    assert "do not pass without any change" in done.stderr
