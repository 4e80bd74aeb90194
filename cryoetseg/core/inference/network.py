"""A torch network as a function of numpy tiles, for :func:`..tiled.apply_tiled`."""
from __future__ import annotations

import numpy as np
import torch

from ..runtime.device import autocast_dtype
from .tiled import TileFunction


def network_function(network: torch.nn.Module, device: torch.device) -> TileFunction:
    """A function that runs a 3D network (n, 1, z, y, x -> n, channels, z, y, x) on tiles, in the device's fast precision.

    The network is put into evaluation mode and must already be on ``device``.
    """
    network.eval()

    def function(tiles: np.ndarray) -> np.ndarray:
        return _forward(network, torch.from_numpy(tiles)[:, None], device)

    return function


def slice_network_function(network: torch.nn.Module, device: torch.device) -> TileFunction:
    """As :func:`network_function` for a 2D network (n, 1, y, x -> n, channels, y, x) and tiles of one plane (1, y, x)."""
    network.eval()

    def function(tiles: np.ndarray) -> np.ndarray:
        return _forward(network, torch.from_numpy(tiles), device)[:, :, None]

    return function


def _forward(network: torch.nn.Module, batch: torch.Tensor, device: torch.device) -> np.ndarray:
    precision = autocast_dtype(device)
    with torch.inference_mode(), torch.autocast(device.type, precision, enabled=precision != torch.float32):
        return network(batch.to(device)).float().cpu().numpy()
