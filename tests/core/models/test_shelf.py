"""Shipped models by name: one name may serve two methods, unknown names list what is there, every card tells how it was made."""
import json
import logging

import pytest

from cryoetseg.core.models import shelf
from cryoetseg.core.runtime.errors import WeightsError


def put(folder, name, method):
    folder.mkdir(parents=True)
    (folder / "card.json").write_text(json.dumps({"name": name, "method": method, "made_by": "cryoetseg train general"}))
    return folder


@pytest.fixture
def general(tmp_path, monkeypatch):
    """A shelf on which one name serves two methods."""
    monkeypatch.setattr(shelf, "SHELF", tmp_path / "shipped")
    return {method: put(tmp_path / "shipped" / f"general-{method}", "general", method) for method in ("membranes", "picker")}


def test_one_name_serves_two_methods(general):
    assert shelf.model_folder("general", "membranes") == general["membranes"]
    assert shelf.model_folder("general", "picker") == general["picker"]
    assert shelf.shipped_names("picker") == ["general"]
    assert shelf.shipped_folder("general-picker") == general["picker"]


def test_an_unknown_name_lists_the_shipped_ones(general):
    with pytest.raises(WeightsError, match=r"'genral' is neither a shipped one nor a folder.*general, a folder"):
        shelf.model_folder("genral", "membranes")
    with pytest.raises(WeightsError, match=r"no model 'general' for segmenter is shipped. Allowed: a folder"):
        shelf.shipped_folder("general", "segmenter")


def test_a_folder_is_taken_itself_or_that_of_its_training(tmp_path, general):
    model = put(tmp_path / "training" / "model", "", "membranes")
    assert shelf.model_folder(tmp_path / "training", "membranes") == model
    assert shelf.model_folder(model, "membranes") == model


def test_the_shipped_model_comes_before_a_folder_of_its_name(tmp_path, general, monkeypatch, caplog):
    own = put(tmp_path / "general", "", "membranes")
    monkeypatch.chdir(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert shelf.model_folder("general", "membranes") == general["membranes"]
    assert "./general" in caplog.text
    assert shelf.model_folder("./general", "membranes").resolve() == own


def test_what_is_shipped_is_small_and_says_how_it_was_made():
    cards = [json.loads(path.read_text()) for path in sorted(shelf.SHELF.glob("*/card.json"))]
    assert "cryoet-tiny" in shelf.shipped_names("train-backbone")
    assert all(card["name"] and card["made_by"].startswith("cryoetseg ") for card in cards)
    assert sum(path.stat().st_size for path in shelf.SHELF.rglob("*") if path.is_file()) <= 40 * 1000**2


def test_the_package_tells_where_each_shipped_model_came_from():
    told = (shelf.SHELF / "README.md").read_text(encoding="utf-8")
    cards = [json.loads(path.read_text()) for path in shelf.SHELF.glob("*/card.json")]
    assert all(f"| `{path.name}` |" in told for path in shelf.SHELF.iterdir() if path.is_dir())
    shapes = {word.removesuffix(".mrc") for card in cards for word in card["made_by"].split() if word.endswith(".mrc")}
    assert shapes
    assert all(f"`{name}`" in told for name in shapes)
