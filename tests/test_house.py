"""The house rules that can be checked by reading the source: floors, old Python where it matters, size, no network."""

import ast
import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "cryoetseg"
CORE = PACKAGE / "core"
FLOORS = {
    "volumes": 0, "particles": 0, "runtime": 0,
    "models": 1, "training": 1, "inference": 1, "metrics": 1, "interchange": 1,
    "simulation": 2, "foundation": 2, "students": 2, "dual": 2, "voxuda": 2, "generation": 2, "picking": 2,
    "surfaces": 2, "clusters": 2,
    "methods": 3, "recipes": 3, "report": 3,
    "batch": 4, "commands": 4, "cli": 4, "probe": 4, "__main__": 4, "__init__": 4,
}  # fmt: skip
METHOD_FLOOR = 2
SCIPION_PYTHON = (3, 8)
LONGEST_FILE = 300
SOURCES = sorted(CORE.rglob("*.py"))
SCIPION_SIDE = sorted(path for path in PACKAGE.rglob("*.py") if CORE not in path.parents)
DRAWN_BY_SCIPION = [CORE / "report" / name for name in ("figures.py", "generation.py", "restoration.py", "scatter.py", "slab_file.py")]
DRAWN_BY_SCIPION += [CORE / "foundation" / f"{name}.py" for name in ("backbone_folder", "weights")]
DRAWN_BY_SCIPION += [CORE / "students" / "membranes" / f"{name}.py" for name in ("components", "parts", "curate_params")]
DRAWN_BY_SCIPION += [CORE / "training" / name for name in ("curve.py", "log.py")]
RUNTIME_READ_BY_SCIPION = ("errors", "params", "job", "files", "temporary", "checksums", "names")
READ_BY_SCIPION = sorted(CORE.rglob("params.py")) + [CORE / "runtime" / f"{name}.py" for name in RUNTIME_READ_BY_SCIPION]
READ_BY_SCIPION += [CORE / "models" / "shelf.py"]
DRAWN_BY_SCIPION += [CORE / "volumes" / f"{name}.py" for name in ("streaming", "names")]
MODULES = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path for path in SOURCES}


@functools.lru_cache(maxsize=None)
def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path):
    return str(path.relative_to(PACKAGE))


def room_of(path):
    return path.relative_to(CORE).parts[0].removesuffix(".py")


def imported_modules(path):
    """Dotted names that a source file imports anywhere, also inside functions and for type checking alone; relative ones made absolute."""
    package = ["cryoetseg", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = [*base, *([node.module] if node.module else [])]
            yield from (".".join([*stem, alias.name]) for alias in node.names)


def imported_rooms(path):
    """Rooms of the core that a source file imports anywhere."""
    names = (name.split(".") for name in imported_modules(path))
    return {name[2] for name in names if name[:2] == ["cryoetseg", "core"] and len(name) > 2}


def cycle_among(imports):
    """Modules that import each other in a circle, the first one repeated at the end, or nothing; ``imports`` by module."""
    done = set()

    def visit(module, trail):
        if module in trail:
            return [*trail[trail.index(module):], module]
        if module in done:
            return []
        circle = next(filter(None, (visit(other, [*trail, module]) for other in sorted(imports[module]))), [])
        done.add(module)
        return circle

    return next(filter(None, (visit(module, []) for module in imports)), [])


def top_level_imports(path):
    """First names of all modules imported absolutely, anywhere in the file."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").split(".")[0]


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_room_imports_only_what_lies_below_it(path):
    room = room_of(path)
    assert room in FLOORS, f"{room} has no floor"
    for other in imported_rooms(path) - {room, "__init__"}:
        below, own = FLOORS[other], FLOORS[room]
        assert below <= own, f"{name_of(path)} on floor {own} imports {other} on floor {below}"
        assert not (below == own == METHOD_FLOOR), f"{name_of(path)}: method {room} imports method {other}"


def test_modules_of_the_core_do_not_import_each_other_in_circles():
    def module_of(name):
        """The module that ``name`` is, or in which it is defined."""
        return name if name in MODULES else name.rpartition(".")[0]

    imports = {module: {module_of(name) for name in imported_modules(path)} & set(MODULES) for module, path in MODULES.items()}
    circle = cycle_among(imports)
    assert not circle, " -> ".join(circle)
    assert "cryoetseg.core.runtime.errors" in imports["cryoetseg.core.models.shelf"]


def test_a_circle_would_be_noticed():
    assert cycle_among({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert cycle_among({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_the_core_knows_nothing_of_scipion(path):
    assert not {"pyworkflow", "pwem", "tomo", "reliontomo", "imod"} & set(top_level_imports(path))


@pytest.mark.parametrize("path", SCIPION_SIDE + READ_BY_SCIPION + DRAWN_BY_SCIPION, ids=name_of)
def test_what_scipion_imports_is_valid_python_3_8(path):
    ast.parse(path.read_text(encoding="utf-8"), feature_version=SCIPION_PYTHON)
    assert not {"torch", "diffusers", "skimage"} & set(top_level_imports(path))


@pytest.mark.parametrize("path", READ_BY_SCIPION, ids=name_of)
def test_parameter_and_job_files_need_nothing_but_pydantic(path):
    allowed = set(sys.stdlib_module_names) | {"pydantic", "typing_extensions"}  # the latter comes with pydantic
    assert set(top_level_imports(path)) <= allowed


@pytest.mark.parametrize("path", SOURCES + SCIPION_SIDE, ids=name_of)
def test_files_can_be_read_in_one_sitting(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < LONGEST_FILE


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_nothing_in_the_core_unpickles_or_prints(path):
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"bare except at line {node.lineno}"
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        assert called not in {"print", "pickle.load", "pickle.loads", "pickle.Unpickler", "torch.save"}, f"{called} at line {node.lineno}"
        if called == "torch.load":
            options = {option.arg: ast.unparse(option.value) for option in node.keywords}
            assert options.get("weights_only") == "True", f"unsafe torch.load at line {node.lineno}"


# Commands, each a JSON list of words, run one after the other where whatever opens a connection fails.
WITHOUT_NETWORK = """
import json, socket, sys
def refuse(*arguments, **options):
    raise AssertionError(f"a job opened a connection: {arguments}")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.create_connection = refuse
from cryoetseg.core.cli import main
for words in sys.argv[1:]:
    try:
        main(json.loads(words))
    except SystemExit as stop:
        if stop.code:
            raise
"""


@pytest.fixture
def run_without_network(tmp_path):
    """Run commands in a process that cannot connect to anything, in a folder of its own."""

    def run(*commands):
        words = [json.dumps(command.split()) for command in commands]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "HOME": str(tmp_path)}
        return subprocess.run([sys.executable, "-c", WITHOUT_NETWORK, *words], cwd=tmp_path, env=environment, capture_output=True,
                              text=True, check=False)  # fmt: skip

    return run


@pytest.mark.slow
def test_jobs_open_no_connection(run_without_network):
    done = run_without_network(
        "simulate sample --size-z 16 --size-y 48 --size-x 48 --tilt-step 10 --particles apoferritin --vesicle-count 1 "
        "--vesicle-radius-min 80 --vesicle-radius-max 100 --ellipsoid-count 0 --tube-count 0 --sheet-count 0 --device cpu",
        "segment slabs sample/sim.mrc --z 6:9 --out slabs --device cpu",
        "pick dog sample/sim.mrc --out picks --count 5",
        "evaluate segmentation slabs/sim_membranes.mrc sample/sim_membranes.mrc --out scores",
    )
    assert done.returncode == 0, done.stderr


def test_a_connection_would_be_noticed(run_without_network):
    assert "error" in run_without_network("weights fetch stable-diffusion-v1-4").stderr
