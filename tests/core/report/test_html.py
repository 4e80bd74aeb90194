"""The report is one file, safe against what names may hold, and says how everything was made."""

import re
import shlex
from html import unescape

import numpy as np
import pytest

from cryoetseg.core.report.figures import new_figure, save_figure
from cryoetseg.core.report.html import Picture, Section, Table, readable, write_report
from cryoetseg.core.runtime.errors import InputError
from cryoetseg.core.runtime.job import Job, Result


@pytest.fixture
def result(tmp_path):
    job = Job(method="segment-slabs", parameters={"solver": "eigen"}, output_folder=str(tmp_path), seed=17)
    return Result(
        method=job.method, job=job.model_dump(), outputs=[], metrics={}, warnings=["thin ice"], seconds=12.34,
        peak_memory_bytes=2**30, device="cpu", versions={"torch": "2.13.0"}, sha256={"a.mrc": "c0ffee"}, command=["cryoetseg", "run"],
    )  # fmt: skip


@pytest.fixture
def picture(tmp_path):
    figure = new_figure(1, 1)
    figure.subplots().imshow(np.eye(3))
    return Picture(save_figure(tmp_path / "eye.png", figure), "An eye.")


def test_the_report_needs_nothing_beside_it(tmp_path, picture):
    text = write_report(tmp_path / "report.html", "Title", [Section("Pictures", pictures=[picture])]).read_text()
    sources = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert sources
    assert all(source.startswith("data:image/png;base64,iVBOR") for source in sources)
    assert "An eye." in text


def test_names_cannot_become_markup(tmp_path):
    section = Section("<script>alert(1)</script>", text="a & b", tables=[Table(["<b>"], [["<img src=x>"]])])
    text = write_report(tmp_path / "report.html", "<i>", [section]).read_text()
    assert "<script>" not in text
    assert "<img" not in text
    assert "a &amp; b" in text


def test_everything_about_the_making_is_told(tmp_path, result):
    text = write_report(tmp_path / "report.html", "Title", [], [result]).read_text()
    for told in (
        "segment-slabs",
        "cryoetseg run",
        "17, cpu",
        "12.3 s, 1.00 GiB",
        "solver = eigen",
        "a.mrc: c0ffee",
        "torch 2.13.0",
        "thin ice",
    ):
        assert told in text


def test_commands_can_be_typed_as_they_stand(tmp_path, result):
    command = ["python", "-m", "cryoetseg.core", "my cell/job.json"]
    made = result.model_copy(update={"command": command, "working_folder": "/data/it's here"})
    text = unescape(write_report(tmp_path / "report.html", "Title", [], [made]).read_text())
    told = re.search("<code>(cd .*?)</code>", text).group(1)
    assert shlex.split(told) == ["cd", "/data/it's here", "&&", *command]


def test_parameters_are_folded_away_and_warnings_are_not(tmp_path, result):
    text = write_report(tmp_path / "report.html", "Title", [], [result]).read_text()
    shown = re.sub("<details>.*?</details>", "", text, flags=re.DOTALL)
    assert "thin ice" in shown
    assert "solver = eigen" not in shown


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (0.12345, "0.123"), (0.0, "0.000"), (1e-9, "1e-09"), (123456.0, "1.23e+05"), (7, "7"), ("ours", "ours")]
)
def test_cells_are_readable(value, text):
    assert readable(value) == text


def test_a_missing_picture_is_an_input_error_and_keeps_the_earlier_report(tmp_path):
    (tmp_path / "report.html").write_text("earlier")
    with pytest.raises(InputError, match=r"none\.png"):
        write_report(tmp_path / "report.html", "Title", [Section("Pictures", pictures=[Picture(tmp_path / "none.png")])])
    assert (tmp_path / "report.html").read_text() == "earlier"
