"""The changes themselves: each is single, keeps the rest of the text, and is undone."""
import ast

from tools.mutate import Mutation, mutations, survives

SOURCE = '''"""Ä module."""
LIMIT = 3


def above(value, low=1):
    """Text."""
    total = 0
    if value > LIMIT and not value == low:
        total += value - 1
    return -total
'''


def test_every_kind_of_change_is_made_once():
    found = list(mutations(SOURCE))
    assert {mutation.text for mutation in found} == {
        "3 -> 4", "0 -> 1", "1 -> 2", "value > LIMIT -> value <= LIMIT", "value == low -> value != low",
        "not value == low -> value == low", "value > LIMIT and (not value == low) -> value > LIMIT",
        "value > LIMIT and (not value == low) -> not value == low", "total += value - 1 left out", "value - 1 -> value", "value - 1 -> 1",
        "-total -> total"}
    for mutation in found:
        ast.parse(mutation.source)
        changed = [(old, new) for old, new in zip(SOURCE.splitlines(), mutation.source.splitlines()) if old != new]
        assert len(changed) == 1
        assert changed[0][0] == SOURCE.splitlines()[mutation.line - 1]


def test_only_what_is_named_is_changed():
    assert [mutation.text for mutation in mutations(SOURCE, frozenset({"LIMIT"}))] == ["3 -> 4"]


def test_the_module_is_put_back(tmp_path):
    module = tmp_path / "module.py"
    module.write_text(SOURCE, encoding="utf-8")
    test = tmp_path / "test_module.py"
    test.write_text("from module import LIMIT\n\n\ndef test_limit():\n    assert LIMIT == 3\n")
    noticed, harmless = (Mutation(SOURCE.replace(*change), 2, "") for change in (("LIMIT = 3", "LIMIT = 4"), ("total = 0", "total = 1")))
    options = [str(test), "--rootdir", str(tmp_path), "-c", "/dev/null"]
    assert not survives(module, noticed, options)
    assert survives(module, harmless, options)
    assert module.read_text(encoding="utf-8") == SOURCE
