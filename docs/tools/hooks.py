"""What MkDocs does beside its configuration: one page lies outside ``docs``, and links that lead there are turned to it."""
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = "benchmarks.md"  # the page's name in the site; in the checkout it is benchmarks/README.md


def on_files(files: Files, config: Any) -> Files:
    """Add the page of the benchmarks."""
    text = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8").replace("(../docs/", "(")
    files.append(File.generated(config, BENCHMARKS, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **others: Any) -> str:
    """Links to the page of the benchmarks, as they are written for the checkout, lead to the page of the site."""
    depth = page.file.src_uri.count("/")
    return markdown.replace(f"({'../' * (depth + 1)}benchmarks/README.md", f"({'../' * depth}{BENCHMARKS}")
