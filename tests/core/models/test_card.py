from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import safetensors.numpy
import torch
from torch import nn

from cryoetseg.core.models import card as card_module
from cryoetseg.core.models.card import CARD, WEIGHTS, ModelCard, length, load_model, read_card, save_model, widths
from cryoetseg.core.runtime.errors import OutputError, WeightsError
from cryoetseg.core.students.centres.model import load_centres
from cryoetseg.core.students.membranes.network import load_membrane_model
from cryoetseg.core.students.picker.model import NETWORK, load_picker
from cryoetseg.core.students.picker.model import build_network as build_picker

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


def test_safetensors_alone_reads_and_writes_a_model(folder: Path) -> None:
    network, _ = load_model(folder, build)
    stored = safetensors.numpy.load_file(folder / WEIGHTS)
    assert {name: value.tolist() for name, value in stored.items()} == {
        name: value.tolist() for name, value in network.state_dict().items()}
    safetensors.numpy.save_file({name: 2 * value for name, value in stored.items()}, folder / WEIGHTS)
    card = json.loads((folder / CARD).read_text())
    card["sha256"] = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    (folder / CARD).write_text(json.dumps(card))
    assert load_model(folder, build)[0].bias.tolist() == (2 * stored["bias"]).tolist()


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


def test_a_network_that_no_machine_holds_is_told_as_that(folder: Path) -> None:
    with pytest.raises(WeightsError, match=r"do not fit.*bias is \(2,\), by the card \(1000000000,\); 2 differ"):
        load_model(folder, lambda card: nn.Linear(10**9, 10**9))


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


@pytest.mark.parametrize("parameters", [{}, {"inputs": None}, {"inputs": "three"}, {"inputs": [1]}, {"inputs": -1}])
def test_an_edited_card_is_one_clear_error(folder: Path, parameters: dict) -> None:
    card = json.loads((folder / CARD).read_text())
    (folder / CARD).write_text(json.dumps({**card, "network_parameters": parameters}))
    with pytest.raises(WeightsError, match="damaged or was edited"):
        load_model(folder, build)


@pytest.mark.parametrize("value", [0, -1, None, "5", True, float("nan"), float("inf"), 1e30, [1]])
def test_a_length_of_a_card_is_a_positive_number_of_angstrom(value: object) -> None:
    assert length(5, "the diameter") == 5.0
    with pytest.raises(ValueError, match="the diameter is"):
        length(value, "the diameter")


@pytest.mark.parametrize("voxel_size", [0, -1, 1e30, "NaN"])
def test_a_voxel_size_that_cannot_be_is_refused(folder: Path, voxel_size: object) -> None:
    card = json.loads((folder / CARD).read_text())
    (folder / CARD).write_text(json.dumps({**card, "voxel_size": voxel_size}))
    with pytest.raises(WeightsError, match="voxel_size"):
        read_card(folder)


def _edited(folder: Path, shipped: str, path: tuple[str, ...], value: object) -> Path:
    model = shutil.copytree(Path(card_module.__file__).parent / "shipped" / shipped, folder / "model")
    card = inner = json.loads((model / CARD).read_text())
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    (model / CARD).write_text(json.dumps(card))
    return model


@pytest.mark.parametrize(("path", "value"), [
    (("finest",), 0), (("finest",), "8"), (("coarsest",), 1), (("coarsest",), None), (("calibration",), None), (("calibration",), {"x": 1}),
    (("calibration", "slope"), 0), (("calibration", "slope"), "a"), (("calibration", "offset"), float("nan"))])
def test_an_edited_card_of_a_network_of_centres_is_refused(tmp_path: Path, path: tuple[str, ...], value: object) -> None:
    with pytest.raises(WeightsError, match="damaged or was edited"):
        load_centres(_edited(tmp_path, "general-particles", ("network_parameters", *path), value))


@pytest.mark.parametrize(("path", "value"), [
    (("working_sizes",), None), (("working_sizes",), []), (("working_sizes",), [0]), (("working_sizes",), ["a"]),
    (("working_sizes",), 10.0), (("working_sizes",), [10, float("nan")])])
def test_an_edited_card_of_a_membrane_model_is_refused(tmp_path: Path, path: tuple[str, ...], value: object) -> None:
    with pytest.raises(WeightsError, match="damaged or was edited"):
        load_membrane_model(_edited(tmp_path, "general-membranes", ("network_parameters", *path), value))


@pytest.mark.parametrize("change", [{"diameters": [0]}, {"diameters": [100, 100]}, {"diameters": None}, {"labels_px": [0]},
                                    {"labels_px": ["a"]}, {"label": "cube"}])
def test_an_edited_card_of_a_picker_is_refused(tmp_path: Path, change: dict) -> None:
    training = {"label": "sphere", "diameters": [100.0], "labels_px": [5]}
    card = ModelCard(method="picker", network=NETWORK, network_parameters={"outputs": 1, "width": 4}, voxel_size=10.0,
                     normalisation="standardise", classes={1: "particle"}, training=training)
    save_model(tmp_path / "sound", build_picker(1, 4), card)
    assert load_picker(tmp_path / "sound").diameters == (100.0,)
    save_model(tmp_path / "edited", build_picker(1, 4), card.model_copy(update={"training": {**training, **change}}))
    with pytest.raises(WeightsError, match="damaged or was edited"):
        load_picker(tmp_path / "edited")


@pytest.mark.parametrize("value", [None, 16, [16], ["16", "32"], [0, 16], [16, 10**9], [True, 2], [16] * 9])
def test_channels_of_a_card_are_a_few_whole_numbers(value: object) -> None:
    assert widths([16, 32]) == (16, 32)
    with pytest.raises(ValueError, match="channels"):
        widths(value)
