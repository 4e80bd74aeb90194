"""Every single small change of a module's source: what a test of it should notice."""
from __future__ import annotations

import ast
import copy
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple, Union

FLIPPED = {ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
OPPOSITES = {name: other for pair in (("min", "max"), ("minimum", "maximum"), ("argmin", "argmax"), ("clamp_min", "clamp_max"),
                                      ("zeros_like", "ones_like"), ("zeros", "ones"), ("floor", "ceil"), ("any", "all"), ("sum", "mean"))
             for name, other in (pair, pair[::-1])}
# what turns a value into itself where it already has the type, lies on the device or has the order in memory
SAME_VALUE = {"float", "int", "str", "bool", "list", "tuple", "dict", "set", "sorted", "iter", "Path", "range", "cpu", "to", "contiguous",
              "item", "tolist", "items", "asarray", "ascontiguousarray", "as_tensor", "super", "isinstance", "len", "cast", "channels_last"}
UNSEEN = {"logger", "warnings", "track"}  # messages and progress
Node = Union[ast.expr, ast.stmt]


class Mutation(NamedTuple):
    """The whole source after one change, the first and last line of the statement it lies in, its own line, and what it does."""

    source: str
    statement: tuple[int, int]
    line: int
    text: str


def one_of(every: int, changes: Iterable[Mutation]) -> Iterator[Mutation]:
    """One change of every so many, from the middle of each run of them."""
    return islice(changes, every // 2, None, every)


def mutations(source: str, only: frozenset[str] = frozenset()) -> Iterator[Mutation]:
    """Every single change of ``source``, within the functions, methods and constants named in ``only`` where given.

    A constant, comparison or sign is changed, a term of a sum or a condition dropped, a call that takes a value replaced by that value, a
    word by its opposite, two neighbours of a tuple exchanged, or a statement left out.
    """
    tree = ast.parse(source)
    imports = [part for part in ast.walk(tree) if isinstance(part, (ast.Import, ast.ImportFrom))]
    places = {alias.asname or alias.name for part in imports for alias in part.names}
    targets = [found for part in tree.body for found in _changeable(part, only)]
    for node, statement in targets:
        for changed, text in _changes(node, frozenset(places)):
            yield Mutation(_replaced(source, node, ast.unparse(changed)), (statement.lineno, statement.end_lineno or statement.lineno),
                           node.lineno, text)


def _changeable(part: ast.AST, only: frozenset[str]) -> Iterator[tuple[Node, ast.stmt]]:
    """Nodes of a top-level part that may be changed, each with its statement: no annotations, defaults of parameters, texts or imports."""
    if isinstance(part, ast.ClassDef):
        for inner in part.body:
            yield from _changeable(inner, only)
    elif isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)):
        if not only or part.name in only:
            for statement in part.body:
                yield from _within(statement, statement)
    elif isinstance(part, ast.Assign):
        names = {target.id for target in part.targets if isinstance(target, ast.Name)}
        if not only or names & only:
            yield from _within(part.value, part)


def _within(node: ast.AST, statement: ast.stmt) -> Iterator[tuple[Node, ast.stmt]]:
    statement = node if isinstance(node, ast.stmt) else statement
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _root(node.value.func) in UNSEEN:
        return
    if isinstance(node, (ast.expr, ast.stmt)):
        yield node, statement
    parts = [node.value] if isinstance(node, ast.AnnAssign) and node.value else ast.iter_child_nodes(node)
    for child in parts:
        if not isinstance(node, ast.JoinedStr):
            yield from _within(child, statement)


def _root(node: ast.expr) -> str:
    while isinstance(node, (ast.Attribute, ast.Call)):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return node.id if isinstance(node, ast.Name) else ""


def _changes(node: Node, places: frozenset[str]) -> Iterator[tuple[ast.AST, str]]:
    for changed in _changed(node, places):
        shown = "left out" if isinstance(changed, ast.Pass) else f"-> {ast.unparse(changed)}"
        yield changed, f"{ast.unparse(node)} {shown}"


def _changed(node: Node, places: frozenset[str]) -> Iterator[ast.AST]:
    if isinstance(node, ast.Constant):
        yield from _other_constant(node.value)
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in FLIPPED:
        changed = copy.deepcopy(node)
        changed.ops[0] = FLIPPED[type(node.ops[0])]()
        yield changed
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Invert, ast.Not)):
        yield node.operand
    elif isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub, ast.BitAnd, ast.BitOr, ast.Mult)):
        yield from (node.left, node.right)
    elif isinstance(node, ast.BoolOp):
        yield from node.values
    elif isinstance(node, (ast.AugAssign, ast.Expr)) and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
        yield ast.Pass()
    elif isinstance(node, ast.Call):
        yield from _other_call(node, places)
    elif isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load) and len(node.elts) > 1:
        yield ast.Tuple([node.elts[1], node.elts[0], *node.elts[2:]], node.ctx)


def _other_constant(value: object) -> Iterator[ast.AST]:
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, (int, float)):
        yield ast.Constant(value + 1)
    elif isinstance(value, str) and value in OPPOSITES:
        yield ast.Constant(OPPOSITES[value])


def _other_call(node: ast.Call, places: frozenset[str]) -> Iterator[ast.AST]:
    """A call of the opposite, and in place of the call the value it takes: the object of a method, or the first argument of a function,
    which may belong to an imported module (``places``)."""
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    if name in OPPOSITES and isinstance(function, ast.Attribute):
        yield ast.Call(ast.Attribute(function.value, OPPOSITES[name], ast.Load()), node.args, node.keywords)
    elif name in OPPOSITES:
        yield ast.Call(ast.Name(OPPOSITES[name]), node.args, node.keywords)
    if name in SAME_VALUE or name[:1].isupper() or _root(function) in UNSEEN:
        return
    if isinstance(function, ast.Attribute) and _root(function) not in places and not _is_self(function.value):
        yield function.value
    elif node.args and not isinstance(node.args[0], ast.Starred):
        yield node.args[0]


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _replaced(source: str, node: Node, text: str) -> str:
    """``source`` with the text of one node replaced; offsets count bytes."""
    lines = source.encode().splitlines(keepends=True)
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    start = sum(map(len, lines[:node.lineno - 1])) + node.col_offset
    end = sum(map(len, lines[:node.end_lineno - 1])) + node.end_col_offset
    whole = b"".join(lines)
    inner = text if isinstance(node, ast.stmt) else f"({text})"
    return (whole[:start] + inner.encode() + whole[end:]).decode()
