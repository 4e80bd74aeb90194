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
    "models": 1, "training": 1, "inference": 1, "metrics": 1,
    "simulation": 2, "foundation": 2, "students": 2, "dual": 2, "voxuda": 2, "generation": 2, "picking": 2,
    "report": 3, "backbone_recipe": 3, "voxuda_recipe": 3, "dual_chain": 3,
    "commands": 3, "cli": 3, "methods": 3, "pipeline": 3, "__main__": 3, "__init__": 3,
}  # fmt: skip
METHOD_FLOOR, ROOF = 2, 3
SCIPION_PYTHON = (3, 8)
LONGEST_FILE = 300
SOURCES = sorted(CORE.rglob("*.py"))
SCIPION_SIDE = sorted(path for path in PACKAGE.rglob("*.py") if CORE not in path.parents)
DRAWN_BY_SCIPION = [CORE / "report" / name for name in ("figures.py", "generation.py", "restoration.py", "scatter.py", "slab_file.py")]
DRAWN_BY_SCIPION += [CORE / "training" / name for name in ("curve.py", "log.py")]
READ_BY_SCIPION = sorted(CORE.rglob("params.py")) + [CORE / "runtime" / f"{name}.py" for name in ("errors", "params", "job", "files")]


@functools.lru_cache(maxsize=None)
def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path):
    return str(path.relative_to(PACKAGE))


def room_of(path):
    return path.relative_to(CORE).parts[0].removesuffix(".py")


def imported_rooms(path):
    """Rooms of the core that a source file imports anywhere, also inside functions."""
    package = ["cryoetseg", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            modules = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = base + (node.module.split(".") if node.module else [])
            modules = [stem] if len(stem) > 2 else [[*stem, alias.name] for alias in node.names]
        else:
            continue
        yield from (module[2] for module in modules if module[:2] == ["cryoetseg", "core"] and len(module) > 2)


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
    for other in set(imported_rooms(path)) - {room, "__init__"}:
        below, own = FLOORS[other], FLOORS[room]
        assert below <= own, f"{name_of(path)} on floor {own} imports {other} on floor {below}"
        assert not (below == own == METHOD_FLOOR), f"{name_of(path)}: method {room} imports method {other}"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_the_core_knows_nothing_of_scipion(path):
    assert not {"pyworkflow", "pwem", "tomo", "reliontomo", "imod"} & set(top_level_imports(path))


@pytest.mark.parametrize("path", SCIPION_SIDE + READ_BY_SCIPION + DRAWN_BY_SCIPION, ids=name_of)
def test_what_scipion_imports_is_valid_python_3_8(path):
    ast.parse(path.read_text(encoding="utf-8"), feature_version=SCIPION_PYTHON)
    assert not {"torch", "diffusers", "skimage"} & set(top_level_imports(path))


@pytest.mark.parametrize("path", READ_BY_SCIPION, ids=name_of)
def test_parameter_and_job_files_need_nothing_but_pydantic(path):
    allowed = set(sys.stdlib_module_names) | {"pydantic"}
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
