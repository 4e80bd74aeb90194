"""``info`` reads files alone, and ``--figure`` draws into a file of its own, never over a tomogram or anything else that is there."""

import os

import numpy as np
import pytest

from cryoetseg.core.cli import app, exit_code_of
from cryoetseg.core.volumes.io import write_volume


@pytest.fixture
def tomogram(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_volume(tmp_path / "a.mrc", np.random.default_rng(0).normal(size=(8, 16, 16)).astype(np.float32), 10.0)
    (tmp_path / "mine.png").write_text("mine")
    return tmp_path


@pytest.mark.parametrize(("picture", "code"), [("a.mrc", 3), ("list.star", 3), ("mine.png", 4), ("", 3)])
def test_nothing_is_drawn_over(tomogram, picture, code):
    before = {path.name: path.read_bytes() for path in tomogram.iterdir()}
    assert exit_code_of(app, ["info", "a.mrc", "--figure", picture], "cryoetseg") == code
    assert {path.name: path.read_bytes() for path in tomogram.iterdir()} == before


@pytest.mark.parametrize("words", [["new.png"], ["mine.png", "--overwrite"]])
def test_a_picture_is_drawn(tomogram, words):
    assert exit_code_of(app, ["info", "a.mrc", "--figure", *words], "cryoetseg") == 0
    assert (tomogram / words[0]).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["pipe.mrc", "pipe.star", "pipe"])
def test_a_pipe_is_not_waited_for(tmp_path, name, capsys):
    os.mkfifo(tmp_path / name)
    assert exit_code_of(app, ["info", str(tmp_path / name)], "cryoetseg") == 2
    assert "a device or a pipe" in capsys.readouterr().err
