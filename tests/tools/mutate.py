"""Single changes of a module that its tests should notice: makes one at a time, runs the tests, prints those that survive.

    python tests/tools/mutate.py cryoetseg/core/students/picker/labels.py tests/core/students/picker/test_labels.py [--only paint template]

A change is a constant changed, a comparison flipped, a sign turned, a term of a sum or a condition dropped, or a statement left out. The
module is put back after each, also on an interruption. Not every survivor is a fault of the tests: some changes change nothing.
Run it in a checkout without uncommitted work.
"""
from __future__ import annotations

import argparse
import ast
import copy
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FLIPPED = {ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
SECONDS = 300.0  # a change that makes the tests hang counts as noticed


class Mutation(NamedTuple):
    """The whole source after one change, the line it lies on, and what it does."""

    source: str
    line: int
    text: str


def mutations(source: str, only: frozenset[str] = frozenset()) -> Iterator[Mutation]:
    """Every single change of ``source``, within the functions, methods and constants named in ``only`` where given."""
    tree = ast.parse(source)
    targets = [node for part in tree.body for node in _changeable(part, only)]
    for node in targets:
        for changed, text in _changes(node):
            yield Mutation(_replaced(source, node, ast.unparse(changed)), node.lineno, text)


def _changeable(part: ast.AST, only: frozenset[str]) -> Iterator[ast.expr | ast.stmt]:
    """Nodes of a top-level part that may be changed: no annotations, defaults of parameters, texts or imports."""
    if isinstance(part, ast.ClassDef):
        for inner in part.body:
            yield from _changeable(inner, only)
    elif isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)):
        if not only or part.name in only:
            for statement in part.body:
                yield from (node for node in ast.walk(statement) if isinstance(node, (ast.expr, ast.stmt)))
    elif isinstance(part, ast.Assign):
        names = {target.id for target in part.targets if isinstance(target, ast.Name)}
        if not only or names & only:
            yield from (node for node in ast.walk(part.value) if isinstance(node, ast.expr))


def _changes(node: ast.expr | ast.stmt) -> Iterator[tuple[ast.AST, str]]:
    shown = ast.unparse(node)
    if isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, float)):
        value = not node.value if isinstance(node.value, bool) else node.value + 1
        yield ast.Constant(value), f"{shown} -> {value}"
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in FLIPPED:
        changed = copy.deepcopy(node)
        changed.ops[0] = FLIPPED[type(node.ops[0])]()
        yield changed, f"{shown} -> {ast.unparse(changed)}"
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Invert, ast.Not)):
        yield node.operand, f"{shown} -> {ast.unparse(node.operand)}"
    elif isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub, ast.BitAnd, ast.BitOr, ast.Mult)):
        for side in (node.left, node.right):
            yield side, f"{shown} -> {ast.unparse(side)}"
    elif isinstance(node, ast.BoolOp):
        for side in node.values:
            yield side, f"{shown} -> {ast.unparse(side)}"
    elif isinstance(node, (ast.AugAssign, ast.Expr)) and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
        yield ast.Pass(), f"{shown} left out"


def _replaced(source: str, node: ast.expr | ast.stmt, text: str) -> str:
    """``source`` with the text of one node replaced; offsets count bytes."""
    lines = source.encode().splitlines(keepends=True)
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    start = sum(map(len, lines[:node.lineno - 1])) + node.col_offset
    end = sum(map(len, lines[:node.end_lineno - 1])) + node.end_col_offset
    whole = b"".join(lines)
    inner = text if isinstance(node, ast.stmt) else f"({text})"
    return (whole[:start] + inner.encode() + whole[end:]).decode()


def survives(module: Path, mutation: Mutation, tests: list[str]) -> bool:
    """Whether the tests still pass with the change; the module is put back."""
    original = module.read_bytes()
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}  # an old byte code of the same second would be taken for the change
    try:
        module.write_text(mutation.source, encoding="utf-8")
        done = subprocess.run(command, env=environment, timeout=SECONDS, capture_output=True, check=False)
        return done.returncode == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        module.write_bytes(original)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("module", type=Path, help="source that is changed")
    parser.add_argument("tests", nargs="+", help="test files, with pytest's options after --")
    parser.add_argument("--only", nargs="*", default=[], help="names of functions, methods or constants; default all")
    parser.add_argument("--list", action="store_true", help="print the changes and run nothing")
    arguments = parser.parse_args()
    found = list(mutations(arguments.module.read_text(encoding="utf-8"), frozenset(arguments.only)))
    start, survivors = time.monotonic(), 0
    for mutation in found:
        if arguments.list or survives(arguments.module, mutation, arguments.tests):
            survivors += 1
            print(f"{arguments.module}:{mutation.line}: {mutation.text}", flush=True)
    print(f"{survivors} of {len(found)} changes {'listed' if arguments.list else 'survive'}, {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
