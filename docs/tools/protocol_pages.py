"""One Markdown page a protocol: what the code says of it, around what was written by hand in ``docs/parts``."""
import re
from pathlib import Path
from typing import Dict, List

import protocol_facts as facts

DOCS = Path(__file__).resolve().parents[1]
PARTS, PAGES = DOCS / "parts", DOCS / "protocols"
ELSE, OUTPUTS, COMMAND, FIGURE = "Take something else when", "Outputs", "On the command line", "Figure"
NEEDED = (ELSE, COMMAND)
FORMS = "forms.md"
MADE_BY = "<!-- Made by docs/tools/make_pages.py from the code and docs/parts/{name}.md; change these, not this page. -->"


def pages() -> Dict[Path, str]:
    """The text of every protocol's page, by its path; raises ValueError where a hand-written part does not fit."""
    return {PAGES / f"{facts.pageName(item)}.md": page(item) for item in facts.classes()} | {
        PAGES / "index.md": overview(), PAGES / FORMS: forms()}


def page(protocolClass: type) -> str:
    """The page of one protocol."""
    name = facts.pageName(protocolClass)
    sections = readPart(name, protocolClass._label)
    parameters = facts.parameters(protocolClass, commandWords(sections[COMMAND]))
    places = " and ".join(f"*{place} > {protocolClass._label}*" for place in facts.menuPlaces(protocolClass))
    blocks = [MADE_BY.format(name=name), f"# {protocolClass._label}", f"In the menu: {places}.", facts.description(protocolClass),
              f"## {ELSE}", sections.pop(ELSE)]
    blocks += _inputBlocks(protocolClass) + _outputBlocks(protocolClass, sections.pop(OUTPUTS, ""))
    command = sections.pop(COMMAND)
    if FIGURE in sections:
        blocks += [sections.pop(FIGURE)]
    labels = facts.labels(protocolClass)
    for title, text in sections.items():
        blocks += [f"## {title}", withLabels(text, labels)]
    blocks += [*_parameterBlocks(parameters), f"## {COMMAND}", command, *_paperBlocks(protocolClass)]
    return "\n\n".join(blocks) + "\n"


def forms() -> str:
    """The page that tells of every field of every form when it is shown."""
    blocks = [MADE_BY.format(name="*"), "# The forms, field by field",
              "A field that is shown has an effect; one that would have none is hidden. With *Preset*: published, the published value "
              "counts where the form shows the default. *Advanced* fields are shown with the expert level *Advanced*."]
    for item in sorted(facts.classes(), key=lambda item: facts.menuOrder().index(item.__name__)):
        blocks += [f"## {item._label}", table(("Field", "Level", "Shown"), facts.formFields(item))]
    return "\n\n".join(blocks) + "\n"


def overview() -> str:
    """The page that lists the protocols in the order of the plugin's section of the menu."""
    rows = [(facts.menuPlaces(item)[0], f"[{item._label}]({facts.pageName(item)}.md)", facts.description(item).splitlines()[0])
            for item in sorted(facts.classes(), key=lambda item: facts.menuOrder().index(item.__name__))]
    blocks = [MADE_BY.format(name="*"), "# The protocols", "What each form does, when another program is the better choice, and every "
              "parameter with the value of its paper. The texts are those of the forms' help.", table(("Menu", "Protocol", "Does"), rows)]
    return "\n\n".join(blocks) + "\n"


def readPart(name: str, label: str) -> Dict[str, str]:
    """The sections of a hand-written part by their titles."""
    path = PARTS / f"{name}.md"
    if not path.is_file():
        raise ValueError(f"{path} is missing. What to do: write it, with the sections {', '.join(NEEDED)}")
    title, *rest = re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    if title.strip() != f"# {label}":
        raise ValueError(f"{path} starts with '{title.strip()}'. Allowed: '# {label}', the protocol's label")
    sections = {block.split("\n", 1)[0].strip(): block.split("\n", 1)[1].strip() for block in rest}
    missing = [heading for heading in NEEDED if not sections.get(heading)]
    if missing:
        raise ValueError(f"{path} lacks the section {missing[0]}")
    return sections


def withLabels(text: str, labels: Dict[str, str]) -> str:
    """The text with every ``[[name]]`` of a parameter or an input replaced by its label in the form."""
    unknown = [name for name in re.findall(r"\[\[(\w+)\]\]", text) if name not in labels]
    if unknown:
        raise ValueError(f"[[{unknown[0]}]] is no field of the form. Allowed: {', '.join(labels)}")
    return re.sub(r"\[\[(\w+)\]\]", lambda found: f"*{labels[found[1]]}*", text)


def commandWords(text: str) -> List[str]:
    """The command of the first line that starts with ``cryoetseg``; none where the section begins with "No command"."""
    if text.startswith("No command"):
        return []
    found = re.search(r"^cryoetseg ((?:[a-z][a-z-]*(?: |$))+)", text, re.MULTILINE)
    words = found[1].split() if found else []
    while words:  # the command's own words end where an argument in small letters follows
        try:
            facts.commandOptions(words)
            return words
        except ValueError:
            words.pop()
    return []


def table(heads, rows) -> str:
    """A Markdown table; columns that are empty in all rows are left out."""
    kept = [column for column in range(len(heads)) if any(row[column] for row in rows)]
    lines = [[heads[column] for column in kept], ["---"] * len(kept)]
    lines += [[row[column].replace("|", "\\|").replace("\n", " ") for column in kept] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _inputBlocks(protocolClass: type) -> List[str]:
    rows, others = facts.inputs(protocolClass), facts.ownFields(protocolClass)
    blocks = ["## Inputs", table(("Input", "Type", "Needed", "What it is"), rows) if rows else "None."]
    if others:
        rows = [(label, f"`{default}`", text) for label, default, text in others]
        blocks += ["Beside them the form asks for:", table(("Field", "Default", "What it is"), rows)]
    return blocks


def _outputBlocks(protocolClass: type, text: str) -> List[str]:
    made = facts.outputs(protocolClass)
    meanings = dict(re.findall(r"^- `(\w+)`: (.+?)(?=\n- |\Z)", text, re.MULTILINE | re.DOTALL))
    if set(made) != set(meanings):
        raise ValueError(f"{protocolClass._label}: the section {OUTPUTS} of its part tells {sorted(meanings)}. Allowed: {sorted(made)}")
    rows = [(f"`{name}`", kind, " ".join(meanings[name].split())) for name, kind in made.items()]
    return ["## Outputs", table(("Output", "Type", "What it is"), rows) if rows else "No Scipion object: files outside the project."]


def _parameterBlocks(parameters: List[facts.Parameter]) -> List[str]:
    blocks = []
    for title, expert in (("Parameters", False), ("Expert parameters", True)):
        rows = [(p.label, p.option and f"`{p.option}`", f"`{p.default}`", p.published and f"`{p.published}`", p.unit, p.help)
                for p in parameters if p.expert == expert]
        if rows:
            blocks += [f"## {title}", table(("Label in the form", "Option", "Default", "Published", "Unit", "Meaning"), rows)]
    if blocks:
        blocks.insert(1, "*Published* is the value of the paper, where it gives one.")
    return blocks


def _paperBlocks(protocolClass: type) -> List[str]:
    rows = [f"- `{key}`: {text} [{address.split('org/')[1]}]({address})" for key, text, address in facts.papers(protocolClass)]
    return ["## Papers", "\n".join(rows)] if rows else []
