"""The list of all error messages, read from the source: what was got, what is allowed, what to do.

A message is the arguments of an error class of ``cryoetseg.core.runtime.errors`` where it is raised.
"""
import ast
import inspect
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Tuple

import cryoetseg
from cryoetseg.core.runtime import errors

PACKAGE = Path(cryoetseg.__file__).parent
DOCS = Path(__file__).resolve().parents[1]
PAGE = DOCS / "messages.md"
# Topic of each room, in the order of the page
TOPICS = {
    "volumes": "Tomograms and other volumes", "particles": "Particle lists", "convert": "Particle lists", "runtime": "Jobs, files, devices",
    "methods": "Jobs, files, devices", "cli": "Jobs, files, devices", "commands": "The command line", "batch": "Batches",
    "models": "Models and weights", "probe": "Jobs, files, devices",
    "model_folder": "Models and weights", "training": "Training", "inference": "Memory and tiles", "metrics": "Evaluation",
    "simulation": "Simulation", "foundation": "Segment slabs", "students": "Train and apply: membranes, picker, segmenter",
    "dual": "DUAL", "dual_chain": "DUAL", "voxuda": "Vox-UDA", "voxuda_source": "Vox-UDA", "generation": "Generated particles",
    "surfaces": "Membranes as objects", "clusters": "Clusters of particles", "embedding": "Clusters of particles",
    "picking": "Difference of Gaussians", "pipeline": "The whole chain", "report": "Reports", "protocols": "Scipion side",
    "interchange": "Projects and scenes of other programs", "viewers": "Scipion side", "wizards": "Scipion side",
    "demo": "The demo", "napari_plugin": "napari", "star_rows": "Scipion side",
}
NAMES = {"strerror": "reason"}  # attributes that tell more under another word
INTRO = """<!-- Made by docs/tools/make_pages.py from the code; change that, not this page. -->

# All error messages

Every error of the program is one line: what was got, what is allowed, what to do. This page lists all of them, as they stand in the code;
words in angle brackets stand for what is filled in. For the common ones with their causes see [troubleshooting](troubleshooting.md). The
exit code is that of the command line."""


class Message(NamedTuple):
    """One place in the source that raises an error."""

    kind: str
    topic: str
    got: str
    allowed: str
    advice: str


def kinds() -> Dict[str, type]:
    """The error classes by name."""
    return {name: item for name, item in vars(errors).items() if inspect.isclass(item) and issubclass(item, errors.CryoetsegError)}


def messages() -> List[Message]:
    """All messages of the package, sorted by kind, topic and text."""
    found = {message for path in sorted(PACKAGE.rglob("*.py")) for message in _messagesOf(path)}
    return sorted(found)


def page() -> str:
    """The Markdown page."""
    found = messages()
    blocks = [INTRO]
    for kind in sorted(kinds().values(), key=lambda item: item.exit_code):
        of_kind = [message for message in found if message.kind == kind.__name__]
        if not of_kind:
            continue
        meaning = (kind.__doc__ or "").strip().split("\n")[0]
        blocks.append(f"## {kind.__name__}: exit code {kind.exit_code}\n\n{meaning}")
        for topic in dict.fromkeys(TOPICS.values()):
            rows = [message for message in of_kind if message.topic == topic]
            if rows:
                lines = [f"| `{_flat(row.got)}` | {_plain(row.allowed)} | {_plain(row.advice)} |" for row in rows]
                blocks.append("\n".join([f"### {topic}\n", "| Got | Allowed | What to do |", "| --- | --- | --- |", *lines]))
    return "\n\n".join(blocks) + "\n"


def _messagesOf(path: Path) -> Iterator[Message]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = {target.id: node.value for node in tree.body if isinstance(node, ast.Assign)
                 for target in node.targets if isinstance(target, ast.Name)}
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    room = next(part for part in parts if part not in ("core", "recipes"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in kinds():
            got, allowed, advice = _arguments(node, constants)
            if _words(got) > 1:  # what is made elsewhere and handed on stands where it is made
                yield Message(node.func.id, TOPICS[room], got, allowed, advice)


def _words(text: str) -> int:
    return len([word for word in text.split() if not word.startswith("<")])


def _arguments(call: ast.Call, constants: Dict[str, ast.expr]) -> Tuple[str, str, str]:
    given = {name: _text(item, constants) for name, item in zip(("got", "allowed", "advice"), call.args)}
    given.update({str(item.arg): _text(item.value, constants) for item in call.keywords})
    return given.get("got", ""), given.get("allowed", ""), given.get("advice", "")


def _text(node: ast.expr, constants: Dict[str, ast.expr]) -> str:
    """A string expression as the reader sees it, with <names> for what is filled in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(value, constants) for value in node.values)
    if isinstance(node, ast.FormattedValue):
        return _text(node.value, constants)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left, constants) + _text(node.right, constants)
    if isinstance(node, ast.IfExp):
        return f"{_text(node.body, constants)} / {_text(node.orelse, constants)}"
    if isinstance(node, ast.Name) and isinstance(constants.get(node.id), ast.Constant):
        return _text(constants[node.id], constants)
    return f"<{_name(node)}>"


def _name(node: ast.expr) -> str:
    """A short word for an expression: its last name."""
    if isinstance(node, ast.Name):
        return node.id.strip("_").lower().replace("_", " ")
    if isinstance(node, ast.Attribute):
        return NAMES.get(node.attr, node.attr.strip("_").replace("_", " "))
    if isinstance(node, ast.Call):
        called = _name(node.func)
        if called == "len":
            return "number"
        return _name(node.args[0]) if called in ("join", "str", "list", "tuple", "sorted", "map") and node.args else called
    if isinstance(node, ast.BoolOp):
        return _name(node.values[0])
    if isinstance(node, ast.Subscript):
        return _name(node.value)
    if isinstance(node, (ast.GeneratorExp, ast.ListComp)):
        return _name(node.elt)
    if isinstance(node, ast.JoinedStr):
        return "items"
    return "value"


def _flat(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _plain(text: str) -> str:
    """Text of a table's cell; what Markdown would take for HTML or emphasis is escaped."""
    return _flat(text).replace("<", "&lt;").replace("*", "\\*")
