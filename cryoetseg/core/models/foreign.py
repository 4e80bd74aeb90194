"""Weights that other programs wrote. The only module of the package that reads torch's own file format.

That format is a pickle, which can run code. It is read here alone, only when a user asks for an import by name, and with
torch's restricted unpickler, which knows tensors and plain containers and refuses everything else.
"""
from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ..runtime.errors import WeightsError

STATE_KEYS = ("state_dict", "model_state_dict", "model_state", "model", "net", "network")
WRAPPER_PREFIXES = ("module.", "_orig_mod.", "model.")


def import_checkpoint(path: str | Path) -> dict[str, Tensor]:
    """Named tensors of a foreign checkpoint (``.safetensors``, ``.pt``, ``.pth``, ``.ckpt``); all else in it is ignored.

    The weights are looked for under the usual keys; a prefix that wraps every name (``module.``, ``model.``) is removed.
    Raises ``WeightsError`` when the file is missing, damaged, holds more than data, or holds no weights.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path} does not exist", "an existing checkpoint file", "check the path")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_restricted(path)
    weights = _weights_in(content)
    if not weights:
        raise WeightsError(f"{path} holds no named tensors", "weights, alone or under " + ", ".join(STATE_KEYS))
    return _without_wrapper(weights)


def _read_safetensors(path: Path) -> Any:
    try:
        return load_file(str(path))
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"cannot read {path}: {error}", "a safetensors file") from error


def _read_restricted(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)  # weights_only: tensors only, no code is run
    except (pickle.UnpicklingError, zipfile.BadZipFile, RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError,
            AttributeError, IndexError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"{path} is damaged or holds more than tensors and plain values, which is not read for safety: {reason}",
                           "a file of weights alone, best as safetensors",
                           "export the weights alone with the program that wrote the file") from error


def _weights_in(content: Any) -> dict[str, Tensor]:
    if not isinstance(content, Mapping):
        return {}
    nested = next((content[key] for key in STATE_KEYS if isinstance(content.get(key), Mapping)), content)
    return {str(name): value for name, value in nested.items() if isinstance(value, Tensor)}


def _without_wrapper(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in WRAPPER_PREFIXES:
        if all(name.startswith(prefix) for name in weights):
            weights = {name[len(prefix):]: tensor for name, tensor in weights.items()}
    return weights
