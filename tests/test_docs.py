"""What the documentation shows exists: commands with their options, files, Python names."""

import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from cryoetseg.core import cli

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "benchmarks" / "README.md"]
BLOCK = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")


def blocks(page, *languages):
    return [text for language, text in BLOCK.findall(page.read_text(encoding="utf-8")) if language in languages]


def commands():
    for page in PAGES:
        for text in blocks(page, "bash", "console"):
            for line in text.splitlines():
                words = shlex.split(line.removeprefix("$ "), comments=True)
                if words[:1] == ["cryoetseg"]:
                    yield pytest.param(words[1:], id=f"{page.name}: {' '.join(words[1:4])}")


@pytest.mark.parametrize("words", commands())
def test_commands_in_the_documentation_are_understood(words, capsys):
    # help is shown only after all options were recognised
    with pytest.raises(SystemExit) as stop:
        cli.main([*words, "--help"])
    assert stop.value.code == 0, capsys.readouterr().err
    assert "Usage: cryoetseg" in capsys.readouterr().out


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_python_of_the_readme_names_what_exists():
    for text in blocks(ROOT / "README.md", "python"):
        for module, names in re.findall(r"^from (cryoetseg\S+) import (.+)$", text, re.MULTILINE):
            for name in names.split(","):
                assert hasattr(import_module(module), name.strip())
