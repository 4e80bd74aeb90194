"""A checkpoint is one safetensors file: tensors, and everything else as JSON in its header. One file, so that it is whole or absent.

A digest over names, shapes, bytes and the JSON guards against damage: one flipped byte is a :class:`WeightsError`.
"""
from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ..runtime.errors import WeightsError
from ..runtime.files import atomic_path

logger = logging.getLogger(__name__)
FORMAT = "cryoetseg training checkpoint 1"


@dataclass(frozen=True)
class Checkpoint:
    """``tensors`` by names like ``networks/unet/conv.weight``; ``record`` is plain JSON."""

    tensors: dict[str, Tensor]
    record: dict[str, Any]

    def group(self, prefix: str) -> dict[str, Tensor]:
        """The tensors below ``prefix/``, by the rest of their names."""
        start = prefix + "/"
        return {name[len(start):]: tensor for name, tensor in self.tensors.items() if name.startswith(start)}


def grouped(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of ``tensors`` under ``prefix/``, on the processor, each with its own memory (safetensors refuses shared memory)."""
    return {f"{prefix}/{name}": _copied(tensor.detach()) for name, tensor in tensors.items()}


def _copied(tensor: Tensor) -> Tensor:
    """On the processor; from a GPU through memory that it writes to directly."""
    return torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=tensor.is_cuda).copy_(tensor)


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write atomically; the checkpoint that was there becomes ``<name>.previous``. Raises ``OutputError``."""
    record = json.dumps(checkpoint.record, sort_keys=True)
    # one entry: safetensors writes several in random order, and equal trainings shall give equal files
    header = {FORMAT: json.dumps([_digest(checkpoint.tensors, record), record])}
    with atomic_path(path) as part:
        # not save_file: it writes under a random name of its own, which a kill would leave behind
        part.write_bytes(save(checkpoint.tensors, metadata=header))
        if path.exists():
            os.replace(path, previous(path))


def previous(path: Path) -> Path:
    """Where the checkpoint before the one at ``path`` is kept."""
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def read_checkpoint(path: Path) -> Checkpoint:
    """Read and verify; raises :class:`WeightsError` when missing or damaged."""
    try:
        with safe_open(str(path), framework="pt") as stream:
            header = stream.metadata() or {}
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118 (not a dict)
        digest, record = json.loads(header[FORMAT])
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise WeightsError(f"cannot read checkpoint {path}: {error}", "a checkpoint written by the training", _advice(path)) from error
    if digest != _digest(tensors, record):
        raise WeightsError(f"checkpoint {path} is damaged: its digest does not match", "an unchanged file", _advice(path))
    return Checkpoint(tensors, json.loads(record))


def read_latest(path: Path) -> Checkpoint | None:
    """The checkpoint at ``path`` or, when that one is missing or damaged, the one before; none when there are neither."""
    candidates = [candidate for candidate in (path, previous(path)) if candidate.exists()]
    for candidate in candidates[:-1]:
        try:
            return read_checkpoint(candidate)
        except WeightsError as error:
            logger.warning("%s Taking the one before.", error)
    return read_checkpoint(candidates[-1]) if candidates else None


def load_weights(path: Path, networks: Mapping[str, nn.Module]) -> None:
    """Put the weights of the checkpoint at ``path`` into ``networks``: the running averages where it holds them."""
    checkpoint = read_checkpoint(Path(path))
    for name, network in networks.items():
        load_state(network, checkpoint.group(f"averages/{name}") or checkpoint.group(f"networks/{name}"), str(path))


def load_state(network: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """``load_state_dict`` that raises :class:`WeightsError` naming ``source`` when names or shapes do not fit."""
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(f"the weights in {source} do not fit the network: {' '.join(str(error).split())[:300]}",
                           "weights of the same network with the same parameters",
                           "use the parameters the weights were trained with") from error


def optimiser_state(prefix: str, optimiser: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """An optimiser's state as tensors and JSON."""
    state = optimiser.state_dict()
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, dict[str, Any]] = {}
    for index, values in state["state"].items():
        tensors.update({f"{index}/{key}": value for key, value in values.items() if isinstance(value, Tensor)})
        numbers[str(index)] = {key: value for key, value in values.items() if not isinstance(value, Tensor)}
    return grouped(prefix, tensors), {"numbers": numbers, "groups": state["param_groups"]}


def load_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
    """Take back what :func:`optimiser_state` gave, in the order of memory of the weights: a fused optimiser walks through both alike."""
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    state: dict[int, dict[str, Any]] = {int(index): dict(values) for index, values in record["numbers"].items()}
    for name, tensor in tensors.items():
        index, key = name.split("/", 1)
        weight = weights[int(index)]
        ordered = torch.empty_like(weight, device=tensor.device).copy_(tensor) if tensor.shape == weight.shape else tensor
        state.setdefault(int(index), {})[key] = ordered
    groups = [{**{key: tuple(value) if key == "betas" else value for key, value in group.items()}, "fused": own.get("fused")}
              for group, own in zip(record["groups"], optimiser.param_groups)]
    optimiser.load_state_dict({"state": state, "param_groups": groups})


def _digest(tensors: Mapping[str, Tensor], record: str) -> str:
    digest = hashlib.sha256(record.encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _advice(path: Path) -> str:
    if previous(path).exists():
        return f"rename {previous(path).name} to {path.name} to go on from the checkpoint before"
    return "train again in an empty folder"
