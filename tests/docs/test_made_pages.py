"""Pages made from the code are as new as the code, every protocol has one, and quoted messages exist."""
import ast
import re
import sys
from pathlib import Path

import pytest
import scipion_environment  # noqa: F401  prepares Scipion before anything imports it

from cryoetseg.core.runtime import errors

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
QUOTE = re.compile(r"^\| `(.+?)` \|", re.MULTILINE)


@pytest.fixture(scope="module", autouse=True)
def tools():
    """The programs of docs/tools can be imported while these tests run."""
    sys.path.insert(0, str(DOCS / "tools"))
    yield
    sys.path.remove(str(DOCS / "tools"))


@pytest.fixture(scope="module")
def wanted(tools):
    import make_pages

    return make_pages.texts()


def test_pages_are_as_new_as_the_code(wanted):
    import make_pages

    old = [path.name for path in {**make_pages.stale(wanted), **make_pages.leftovers(wanted)}]
    assert not old, f"{', '.join(old)}: run .venv/bin/python docs/tools/make_pages.py"


def test_every_protocol_has_its_page_in_the_site(wanted):
    import protocol_facts

    names = {protocol_facts.pageName(item) for item in protocol_facts.classes()}
    assert names == {path.stem for path in wanted if path.parent.name == "protocols"} - {"index", "forms"}
    listed = re.findall(r"^ +- protocols/(?!forms)(\w+)\.md$", (DOCS / "tools" / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(names)


def test_a_page_tells_what_a_form_has(wanted):
    page = wanted[DOCS / "protocols" / "segment_slabs.md"]
    normal, expert = page.split("## Expert parameters")
    assert "| Particle diameter | `--particle-diameter` | `250` |" in normal
    assert "`--z`" in normal
    assert "`--tile-px`" in expert
    assert "SetOfTomograms" in page
    assert "`Uddin2026`" in page
    assert "*Tomograms > Segmentation > segment slabs*" in page


def test_every_field_of_every_form_is_told_with_when_it_is_shown(wanted):
    """The table is made from the conditions that Scipion evaluates, so a field that comes, goes or acts otherwise makes the page old."""
    import protocol_facts

    page = wanted[DOCS / "protocols" / "forms.md"]
    for item in protocol_facts.classes():
        part = page.split(f"## {item._label}\n", 1)[1].split("\n## ")[0]
        rows = [line for line in part.splitlines() if line.startswith("| ")][2:]
        assert len(rows) == len(list(protocol_facts._ownParams(item()))), item
        told = ("| always |", "with *", "without *", "unless", "never")
        assert all(any(word in row for word in told) for row in rows)
    slabs = page.split("## segment slabs\n", 1)[1].split("\n## ")[0]
    assert "| Slabs in a row |  | with *Separation* slices and with *Rules for particles* scale aware |" in slabs.replace(" (slabs)", "")
    picks = page.split("## pick particles\n", 1)[1].split("\n## ")[0]
    assert "| Peaks |  | with *Model* and with a *Model* whose network is not that of the general picker |" in picks


def test_a_published_value_stands_in_its_column(wanted):
    row = next(line for line in wanted[DOCS / "protocols" / "train_picker.md"].splitlines() if line.startswith("| Learning rate"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:4] == ["Learning rate", "`--learning-rate`", "`0.002`", "`0.001`"]
    assert "Published" not in row


def test_bad_parts_are_refused(tmp_path, monkeypatch):
    import protocol_pages

    monkeypatch.setattr(protocol_pages, "PARTS", tmp_path)
    with pytest.raises(ValueError, match="is missing"):
        protocol_pages.readPart("some", "some")
    (tmp_path / "some.md").write_text("# some\n\n## On the command line\n\nNo command\n")
    with pytest.raises(ValueError, match="lacks the section Take"):
        protocol_pages.readPart("some", "some")
    with pytest.raises(ValueError, match="the protocol's label"):
        protocol_pages.readPart("some", "other")
    with pytest.raises(ValueError, match="no field of the form"):
        protocol_pages.withLabels("[[sise]]", {"size": "Size"})


def test_commands_of_parts_are_those_whose_options_are_listed():
    import protocol_pages

    assert protocol_pages.commandWords("```bash\ncryoetseg segment slabs tomogram.mrc --z 1:3\n```") == ["segment", "slabs"]
    assert protocol_pages.commandWords("```bash\ncryoetseg simulate OUT\n```") == ["simulate"]
    assert protocol_pages.commandWords("```bash\ncryoetseg dual denoise model t.mrc\n```") == ["dual", "denoise"]
    assert protocol_pages.commandWords("No command does it:\ncryoetseg pick dog t.mrc") == []


def test_all_messages_holds_every_kind_that_is_raised():
    import messages

    found = messages.messages()
    raised = {message.kind for message in found}
    assert raised == {name for name, item in messages.kinds().items() if item is not errors.CryoetsegError}
    page = messages.page()
    assert "`<name> is neither" not in page
    assert "backbone '<name or folder>' is neither a known name nor a folder" in page
    assert "no room for a temporary volume of <length> bytes in <folder>" in page


def texts_of_the_package():
    """Every string of the source and of the Makefile, with a mark for what is filled in."""
    import messages

    yield (ROOT / "Makefile").read_text(encoding="utf-8")
    for path in sorted(messages.PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.JoinedStr, ast.Constant)) and not (isinstance(node, ast.Constant) and not isinstance(node.value, str)):
                yield messages._text(node, {"CRYOETSEG_PYTHON": ast.Constant("CRYOETSEG_PYTHON")})


def test_quoted_messages_exist():
    quotes = QUOTE.findall((DOCS / "troubleshooting.md").read_text(encoding="utf-8"))
    assert len(quotes) > 50
    texts = list(texts_of_the_package())
    missing = []
    for quote in quotes:
        pattern = re.compile(".*".join(re.escape(piece.strip()) for piece in quote.split("...")), re.DOTALL)
        if not any(pattern.search(text) for text in texts):
            missing.append(quote)
    assert missing == []


def test_troubleshooting_names_every_kind_with_its_exit_code():
    rows = re.findall(r"^\| (\w+Error) \| (\d+) \|", (DOCS / "troubleshooting.md").read_text(encoding="utf-8"), re.MULTILINE)
    kinds = {name: item.exit_code for name, item in vars(errors).items() if isinstance(item, type) and issubclass(item, Exception)}
    assert {name: int(code) for name, code in rows} == kinds


def test_every_picture_is_shown():
    shown = {name for path in [ROOT / "README.md", *DOCS.rglob("*.md")]
             for name in re.findall(r"\((?:\.\./)*(?:docs/)?images/([\w.]+)\)", path.read_text(encoding="utf-8"))}
    assert {path.name for path in (DOCS / "images").iterdir()} <= shown
