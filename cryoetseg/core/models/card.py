"""A model on disk: a folder with ``model.safetensors`` (the weights) and ``card.json`` (what they are and how to use them).

Data only: nothing in the folder is ever run. The network is built by this program from the name and the parameters in the card.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from ..runtime.checksums import sha256
from ..runtime.errors import InputError, OutputError, WeightsError, is_out_of_memory
from ..runtime.files import atomic_folder, read_json, write_text
from ..runtime.job import MODEL_CARD, model_folder
from ..runtime.record import versions

WEIGHTS, CARD = "model.safetensors", MODEL_CARD
LARGEST_LENGTH = 10_000.0  # Angstrom
Network = TypeVar("Network", bound=nn.Module)
Tensor = torch.Tensor

WIDEST = 1024  # channels of a layer


class ModelCard(BaseModel):
    """What a model is. ``voxel_size`` in Angstrom; ``contrast`` is how particles looked to the network in training.

    Shipped models have the ``name`` by which they are asked for and in ``made_by`` the command that made them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    format: Literal[1] = 1
    name: str = ""
    method: str
    network: str
    network_parameters: dict[str, Any] = Field(default_factory=dict)
    voxel_size: float = Field(gt=0, le=LARGEST_LENGTH, allow_inf_nan=False)
    contrast: Literal["dark", "bright"] = "bright"
    normalisation: str
    classes: dict[int, str] = Field(default_factory=dict)
    training: dict[str, Any] = Field(default_factory=dict)
    made_by: str = ""
    versions: dict[str, str] = Field(default_factory=dict)
    sha256: str = ""


def save_model(folder: str | Path, network: nn.Module, card: ModelCard, dtype: torch.dtype | None = None) -> ModelCard:
    """Write the model folder as a whole and return the card with checksum and software versions filled in.

    ``dtype`` stores floating-point weights in another precision (float16 halves the size). A model already in ``folder`` is
    replaced; a folder with anything else in it is refused. Raises ``OutputError``.
    """
    folder = Path(folder)
    _refuse_foreign_content(folder)
    with atomic_folder(folder) as part:
        try:
            save_file(_storable(network, dtype), str(part / WEIGHTS))
        except SafetensorError as error:  # how safetensors reports a full disk
            raise OutputError(f"cannot write {folder}: {error}", "a folder with free space", "free space, then save again") from error
        complete = card.model_copy(update={"sha256": sha256(part / WEIGHTS), "versions": {**versions(), **card.versions}})
        write_text(part / CARD, complete.model_dump_json(indent=2) + "\n")
    return complete


def load_model(folder: str | Path, build: Callable[[ModelCard], Network]) -> tuple[Network, ModelCard]:
    """Read a model, from its folder or from that of its training; ``build`` makes the network its card names.

    The network comes back in evaluation mode.

    Raises ``WeightsError`` when anything is missing, damaged or does not fit.
    """
    folder = model_folder(folder)
    card = read_card(folder)
    state = _verified_weights(folder, card)
    with reading_card(folder):
        with torch.device("meta"):  # shapes without memory: a card may name a network that no machine holds
            _check_fit(build(card).state_dict(), state, f"the weights in {folder} do not fit the network '{card.network}'")
        network = build(card)
    network.load_state_dict(state)
    return network.eval(), card


def _check_fit(network: dict[str, Tensor], stored: dict[str, Tensor], told: str) -> None:
    """Raise :class:`WeightsError` that begins as ``told`` where names or shapes differ."""
    wanted, found = ({name: tuple(tensor.shape) for name, tensor in tensors.items()} for tensors in (network, stored))
    different = [name for name in sorted({*wanted, *found}) if wanted.get(name) != found.get(name)]
    if different:
        name = different[0]
        raise WeightsError(f"{told}: {name} is {found.get(name, 'missing')}, by the card {wanted.get(name, 'not there')}; "
                           f"{len(different)} differ", "a folder written by this program", "train or export the model again")


def read_card(folder: str | Path) -> ModelCard:
    """Read and check ``card.json``; raises ``WeightsError``."""
    folder = Path(folder)
    try:
        return ModelCard(**read_json(folder / CARD))
    except InputError as error:
        raise WeightsError(f"{folder} is not a model folder: {error.got}", f"a folder with {WEIGHTS} and {CARD}",
                           "name the folder a training wrote") from error
    except ValidationError as error:
        fields = "; ".join(".".join(map(str, item["loc"])) + f": {item['msg']}" for item in error.errors())
        raise WeightsError(f"{folder / CARD} is damaged or of another version: {fields}", "a card written by this program") from error


@contextmanager
def reading_card(folder: str | Path) -> Iterator[None]:
    """Within the block a card that lacks something, or says what cannot be, raises ``WeightsError``."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        told = f"it does not tell {error}" if isinstance(error, KeyError) else " ".join(str(error).split())[:300]
        raise WeightsError(f"the card in {folder} is damaged or was edited: {told}", "a card written by this program",
                           "copy the folder again or train again") from error


def length(value: Any, what: str, lowest: float = 0.0, highest: float = LARGEST_LENGTH) -> float:
    """``value`` of a card as Angstrom or voxels above ``lowest``, at most ``highest``; raises ``ValueError``."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or not lowest < value <= highest:
        raise ValueError(f"{what} is {value!r}")
    return float(value)


def widths(value: Any) -> tuple[int, ...]:
    """``value`` of a card as channels of a network, finest first; raises ``ValueError``."""
    fits = isinstance(value, list) and 2 <= len(value) <= 8 and all(type(width) is int and 1 <= width <= WIDEST for width in value)
    if not fits:
        raise ValueError(f"the channels are {str(value)[:60]}")
    return tuple(value)


def _verified_weights(folder: Path, card: ModelCard) -> dict[str, Tensor]:
    path = folder / WEIGHTS
    if not path.is_file():
        raise WeightsError(f"{path} is missing", f"a folder with {WEIGHTS} and {CARD}", "copy the whole folder again")
    if sha256(path) != card.sha256:
        raise WeightsError(f"{path} is damaged or was exchanged: its SHA-256 is not the one in {CARD}", "an unchanged file",
                           "copy the folder again or train again")
    try:
        return load_file(str(path))
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"cannot read {path}: {error}", "a safetensors file", "copy the folder again or train again") from error


def _storable(network: nn.Module, dtype: torch.dtype | None) -> dict[str, Tensor]:
    # each tensor with memory of its own: safetensors refuses weights that share memory
    state = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in network.state_dict().items()}
    stored = {name: tensor.to(dtype) if dtype and tensor.is_floating_point() else tensor for name, tensor in state.items()}
    lost = [name for name, tensor in stored.items() if tensor.isfinite().all() < state[name].isfinite().all()]
    if lost:  # float16 ends at 65504, which a running variance may exceed: the network would go on and answer wrongly
        raise OutputError(f"{lost[0]} does not fit into {dtype}", "weights that the precision can hold", "store them in float32")
    return stored


def _refuse_foreign_content(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file", "a new folder or an earlier model", "choose another name")
    strange = sorted(item.name for item in folder.iterdir() if item.name not in (WEIGHTS, CARD)) if folder.exists() else []
    if strange:
        raise OutputError(f"{folder} holds other files ({', '.join(strange[:3])})", "a new folder or an earlier model",
                          "choose another folder: saving replaces the folder as a whole")
