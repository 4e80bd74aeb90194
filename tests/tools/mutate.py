"""Do the tests notice when a method is changed? Makes single changes one at a time, runs the tests that reach them, prints what survives.

    python tests/tools/mutate.py                      the count for the training and the losses of every method
    python tests/tools/mutate.py dual voxuda          of these
    python tests/tools/mutate.py --every 8            an estimate: every eighth change
    python tests/tools/mutate.py --module cryoetseg/core/students/picker/labels.py --tests tests/core/students/picker [--only paint]

The tests are collected once. Each change is made in a fork of that process, in the code of the functions that are there already: no file is
touched, and a change costs no more than its tests. Not every survivor is a fault of the tests: some changes change nothing, such as a first
value that is trained away. Tests marked slow are left out.
"""
from __future__ import annotations

import argparse
import ast
import os
import pickle
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]  # this checkout's package, whichever is installed

from tools.mutations import Mutation, mutations, one_of  # noqa: E402

CORE, TESTS = "cryoetseg/core", "tests/core"
SECONDS = 120.0  # a change that makes the tests hang counts as noticed
SETUP = ""  # what is reached while a fixture is made belongs to every test


class Target(NamedTuple):
    """A module and the tests that should notice changes of it."""

    module: str
    tests: tuple[str, ...]


METHODS: dict[str, tuple[Target, ...]] = {
    "dual": (Target("dual/losses.py", ("dual/test_losses.py",)),
             Target("dual/train.py", ("dual/test_objective.py", "dual/test_building.py", "dual/test_train.py")),
             Target("dual/building.py", ("dual/test_building.py",)),
             Target("dual/calibrated.py", ("dual/test_calibrated.py",)),
             Target("dual/rotate_cut.py", ("dual/test_rotate_cut.py",)),
             Target("dual/wedge_train.py", ("dual/test_wedge_objective.py", "dual/test_wedge.py"))),
    "voxuda": (Target("voxuda/train.py", ("voxuda/test_objective.py", "voxuda/test_noised_source.py", "voxuda/test_fit.py",
                                          "voxuda/test_train.py")),
               Target("voxuda/pseudo.py", ("voxuda/test_pseudo.py",)),
             Target("voxuda/noise.py", ("voxuda/test_noise.py",))),
    "generation": (Target("generation/train.py", ("generation/test_objective.py",)),
                   Target("generation/diffusion.py", ("generation/test_diffusion.py",))),
    "foundation": (Target("foundation/train.py", ("foundation/test_objective.py", "foundation/test_train.py")),),
    "membranes": (Target("students/membranes/losses.py", ("students/membranes/test_losses.py",)),
                  Target("students/membranes/task.py", ("students/membranes/test_train.py",)),
                  Target("students/membranes/train.py", ("students/membranes/test_train.py",))),
    "picker": (Target("students/picker/train.py", ("students/picker/test_objective.py", "students/picker/test_picker_apply.py")),),
    "segmenter": (Target("students/segmenter/losses.py", ("students/segmenter/test_losses.py",)),
                  Target("students/segmenter/train.py", ("students/segmenter/test_segmenter_objective.py",
                                                            "students/segmenter/test_segmenter_train.py"))),
    "centres": (Target("students/centres/losses.py", ("students/centres/test_losses.py",)),),
    "embedding": (Target("recipes/embedding/task.py", ("recipes/embedding/test_embedding.py",)),),
}


class Suite(NamedTuple):
    """The tests of a module: seconds that each takes and lines of the module that it reaches."""

    seconds: dict[str, float]
    reached: dict[str, set[int]]

    def reaching(self, statement: tuple[int, int]) -> list[str]:
        """The tests, fastest first, that run any line of a statement; all for one that is run on import."""
        lines = set(range(statement[0], statement[1] + 1))
        everywhere = bool(self.reached[SETUP] & lines)
        return self.fastest_first(test for test in self.seconds if everywhere or self.reached[test] & lines)

    def fastest_first(self, tests: Iterable[str]) -> list[str]:
        """These tests by the time that they take."""
        return sorted(tests, key=self.seconds.__getitem__)


class Count:
    """A pytest plugin that takes the place of the run of the tests: it counts the changes of a module that they notice."""

    def __init__(self, module: Path, only: frozenset[str], every: int) -> None:
        self._path, self._only, self._every = module, only, every
        self.noticed = self.made = 0
        self.problem = "no test was found"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        module, suite = loaded(self._path), _suite(session, self._path)
        if module is None or suite is None:
            self.problem = f"{'the tests do not pass' if module else 'no test imports it'} without any change"
            return True
        if not suite.reached[SETUP]:  # fixtures of the session that the module takes no part in are made once, for all changes
            run_items(session, session.items, keep=True)
            print()
        for mutation in one_of(self._every, mutations(self._path.read_text(encoding="utf-8"), self._only)):
            tests = suite.reaching(mutation.statement) if _is_in_function(module, mutation) else suite.fastest_first(suite.seconds)
            self.made += 1
            if tests and in_child(lambda changed=mutation, chosen=tests: _passes(session, module, changed, chosen))[0] != 0:
                self.noticed += 1
                continue
            print(f"  {self._path}:{mutation.line}: {mutation.text}{'' if tests else ' (no test comes here)'}", flush=True)
        return True


def loaded(path: Path) -> ModuleType | None:
    """The module of a file, where the tests have imported it."""
    for module in [*sys.modules.values()]:
        if getattr(module, "__file__", None) == str(path.resolve()):
            return module
    return None


def _is_in_function(module: ModuleType, mutation: Mutation) -> bool:
    return any(code.co_firstlineno <= mutation.line <= max(line or 0 for _, _, line in code.co_lines())
               for code in (function.__code__ for function in functions_of(module)))


def _suite(session: pytest.Session, path: Path) -> Suite | None:
    """What each test reaches and how long it takes, by a run without any change; None where that fails."""
    def run() -> tuple[int, Suite]:
        tracer = Tracer(path)
        session.config.pluginmanager.register(tracer)
        sys.settrace(tracer.trace)
        run_items(session, session.items)
        sys.settrace(None)
        return session.testsfailed, Suite(tracer.seconds, tracer.reached)

    code, suite = in_child(run, seconds=0)
    return suite if code == 0 else None


class Tracer:
    """A pytest plugin that notes which lines of a module each test reaches, and how long it takes."""

    def __init__(self, path: Path) -> None:
        self._path, self._test = str(path.resolve()), SETUP
        self.seconds: dict[str, float] = {}
        self.reached: dict[str, set[int]] = {SETUP: set()}

    def trace(self, frame: FrameType, event: str, value: Any) -> Any:
        if frame.f_code.co_filename != self._path:
            return None
        self.reached[self._test].add(frame.f_lineno)
        return self.trace

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        start, self._test = time.monotonic(), item.nodeid
        self.reached[item.nodeid] = set()
        yield
        self._test, self.seconds[item.nodeid] = SETUP, time.monotonic() - start


def run_items(session: pytest.Session, items: Sequence[pytest.Item], keep: bool = False) -> None:
    """Run tests one after another until one fails; ``keep`` leaves fixtures that the first one needs too as they are in the end."""
    for item, following in zip(items, [*items[1:], items[0] if keep else None]):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return


def _passes(session: pytest.Session, module: ModuleType, mutation: Mutation, tests: Sequence[str]) -> tuple[int, None]:
    change(module, mutation)
    by_name = {item.nodeid: item for item in session.items}
    run_items(session, [by_name[test] for test in tests])
    return session.testsfailed, None


def change(module: ModuleType, mutation: Mutation) -> None:
    """Give the functions, constants and class attributes of a loaded module what the changed source says."""
    tree = ast.parse(mutation.source)
    codes = {code.co_qualname: code for code in _codes(compile(tree, str(module.__file__), "exec"))}
    for function in functions_of(module):
        code = codes.get(function.__code__.co_qualname)
        if code is not None and code.co_freevars == function.__code__.co_freevars:
            function.__code__ = code
    for value in vars(module).values():
        if hasattr(value, "cache_clear"):
            value.cache_clear()
    for owner, statement in _assignments(module, tree):
        if statement.lineno == mutation.statement[0]:
            _assign(module, owner, statement)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield from _codes(part)


def functions_of(module: ModuleType) -> Iterator[FunctionType]:
    """Every function and method that a module defines, without what decorates it."""
    own = [value for value in vars(module).values() if getattr(value, "__module__", None) == module.__name__]
    members = [member for value in own if isinstance(value, type) for member in vars(value).values()]
    for value in [*own, *members]:
        value = getattr(value, "fget", None) or getattr(value, "__func__", value)
        while hasattr(value, "__wrapped__"):
            value = value.__wrapped__
        if isinstance(value, FunctionType) and value.__code__.co_filename == module.__file__:
            yield value


def _assignments(module: ModuleType, tree: ast.Module) -> Iterator[tuple[Any, ast.Assign]]:
    for part in tree.body:
        if isinstance(part, ast.Assign):
            yield module, part
        elif isinstance(part, ast.ClassDef):
            yield from ((getattr(module, part.name), inner) for inner in part.body if isinstance(inner, ast.Assign))


def _assign(module: ModuleType, owner: Any, statement: ast.Assign) -> None:
    """Set what a statement assigns, also where other modules have imported it by name."""
    space: dict[str, Any] = dict(vars(module))
    exec(compile(ast.Module([statement], []), str(module.__file__), "exec"), space)
    names = [part.id for target in statement.targets for part in ast.walk(target) if isinstance(part, ast.Name)]
    for name in names:
        before = getattr(owner, name)
        setattr(owner, name, space[name])
        for other in [*sys.modules.values()] if owner is module else []:
            if getattr(other, name, None) is before:
                setattr(other, name, space[name])


def in_child(work: Callable[[], tuple[int, Any]], seconds: float = SECONDS) -> tuple[int, Any]:
    """What ``work`` returns, from a silent process of its own that is ended after some ``seconds``, with 0 never; its number is 1 where it
    dies."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        try:
            with os.fdopen(write, "wb") as pipe:
                pickle.dump(work(), pipe)
        finally:
            os._exit(1)
    os.close(write)
    return _answer(child, read, seconds)


def _answer(child: int, read: int, seconds: float) -> tuple[int, Any]:
    """The child writes little or reads on: its answer is read as it comes, and a silent one is ended by an alarm."""
    before = signal.signal(signal.SIGALRM, lambda *_: os.killpg(child, signal.SIGKILL))
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        with os.fdopen(read, "rb") as pipe:
            written = pipe.read()
        os.waitpid(child, 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return pickle.loads(written) if written else (1, None)


def count(module: Path, tests: Sequence[str], only: frozenset[str] = frozenset(), every: int = 1) -> tuple[int, int]:
    """Print the changes of a module that survive; how many were noticed, and how many made, which is one of ``every`` so many."""
    plugin = Count(module, only, every)
    pytest.main(["-q", "-s", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=no", "-m", "not slow", *tests], plugins=[plugin])
    if not plugin.made:
        raise SystemExit(f"{module}: nothing was counted, {plugin.problem}")
    return plugin.noticed, plugin.made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("methods", nargs="*", help=f"of {', '.join(METHODS)}; default all")
    parser.add_argument("--module", type=Path, help="another module")
    parser.add_argument("--tests", nargs="+", default=[], help="its tests")
    parser.add_argument("--only", nargs="*", default=[], help="names of functions, methods or constants of --module; default all")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="make one of every N changes, spread evenly over the file")
    arguments = parser.parse_args()
    targets = [("given", arguments.module, arguments.tests)] if arguments.module else [
        (name, Path(CORE) / target.module, [f"{TESTS}/{test}" for test in target.tests])
        for name in arguments.methods or METHODS for target in METHODS[name]]
    totals: dict[str, tuple[int, int]] = {}
    for name, module, tests in targets:
        start, (noticed, made) = time.monotonic(), count(module, tests, frozenset(arguments.only), arguments.every)
        print(f"{module}: {noticed} of {made} changes noticed, {time.monotonic() - start:.0f} s", flush=True)
        before = totals.get(name, (0, 0))
        totals[name] = before[0] + noticed, before[1] + made
    for name, (noticed, made) in totals.items():
        print(f"{name}: {noticed} of {made}, {noticed / made:.0%}")


if __name__ == "__main__":
    main()
