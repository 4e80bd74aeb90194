from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from cryoetseg.core.models.card import CARD, WEIGHTS, ModelCard, load_model, read_card, save_model
from cryoetseg.core.runtime.errors import OutputError, WeightsError

CARD_OF_TEST = ModelCard(method="test", network="linear", network_parameters={"inputs": 3}, voxel_size=10.0, normalisation="standardise")


def build(card: ModelCard) -> nn.Linear:
    return nn.Linear(card.network_parameters["inputs"], 2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_model(tmp_path / "model", build(CARD_OF_TEST), CARD_OF_TEST)
    return tmp_path / "model"


def test_round_trip_gives_equal_weights_and_card(tmp_path: Path) -> None:
    network = build(CARD_OF_TEST)
    written = save_model(tmp_path / "model", network, CARD_OF_TEST)
    loaded, card = load_model(tmp_path / "model", build)
    assert card == written
    assert card.versions["torch"]
    assert torch.equal(loaded.weight, network.weight)
    assert not loaded.training
    assert sorted(path.name for path in tmp_path.rglob("*")) == [CARD, "model", WEIGHTS]


def test_values_that_float16_cannot_hold_are_refused(tmp_path: Path) -> None:
    network = torch.nn.BatchNorm1d(2)
    network.running_var.fill_(7e4)
    with pytest.raises(OutputError, match="running_var"):
        save_model(tmp_path / "model", network, CARD_OF_TEST, dtype=torch.float16)
    save_model(tmp_path / "model", network, CARD_OF_TEST)


def test_float16_storage_loads_as_float32(tmp_path: Path) -> None:
    network = build(CARD_OF_TEST)
    save_model(tmp_path / "model", network, CARD_OF_TEST, dtype=torch.float16)
    loaded, _ = load_model(tmp_path / "model", build)
    assert loaded.weight.dtype == torch.float32
    assert torch.equal(loaded.weight, network.weight.half().float())


def test_weights_that_share_memory_are_stored(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    network[1].weight = network[0].weight
    save_model(tmp_path / "model", network, CARD_OF_TEST)
    loaded, _ = load_model(tmp_path / "model", lambda card: nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)))
    assert torch.equal(loaded[0].weight, network[0].weight)
    assert torch.equal(loaded[1].weight, network[0].weight)


@pytest.mark.parametrize("position", [0, 20, -1])
def test_one_flipped_byte_is_noticed(folder: Path, position: int) -> None:
    content = bytearray((folder / WEIGHTS).read_bytes())
    content[position] ^= 1
    (folder / WEIGHTS).write_bytes(content)
    with pytest.raises(WeightsError, match="SHA-256"):
        load_model(folder, build)


@pytest.mark.parametrize("name", [WEIGHTS, CARD])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(WeightsError, match=name):
        load_model(folder, build)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2}'])
def test_a_damaged_card_is_a_typed_error(folder: Path, text: str) -> None:
    (folder / CARD).write_text(text)
    with pytest.raises(WeightsError, match="card"):
        read_card(folder)


def test_weights_of_another_network_do_not_load(folder: Path) -> None:
    with pytest.raises(WeightsError, match="do not fit"):
        load_model(folder, lambda card: nn.Linear(4, 2))


def test_saving_replaces_an_earlier_model_but_no_other_folder(folder: Path) -> None:
    network = build(CARD_OF_TEST)
    save_model(folder, network, CARD_OF_TEST)
    assert torch.equal(load_model(folder, build)[0].weight, network.weight)
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"thesis\.txt"):
        save_model(folder, network, CARD_OF_TEST)
    assert (folder / "thesis.txt").read_text() == "mine"


def test_a_failed_write_leaves_the_earlier_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (folder / WEIGHTS).read_bytes()

    def full_disk(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cryoetseg.core.models.card.write_text", full_disk)
    with pytest.raises(OutputError, match="No space left"):
        save_model(folder, build(CARD_OF_TEST), CARD_OF_TEST)
    assert (folder / WEIGHTS).read_bytes() == before
    assert list(folder.parent.iterdir()) == [folder]
