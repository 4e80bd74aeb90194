"""Small models of every kind, and damage to their cards: fields that are missing, of another type, or of impossible values."""
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from cryoetseg.core.clusters.model import load_embedding
from cryoetseg.core.dual.model import DualNetworks, load_dual
from cryoetseg.core.dual.params import DualArchitecture, WedgeArchitecture
from cryoetseg.core.dual.wedge_networks import WedgeNetworks
from cryoetseg.core.dual.wedge_train import load_wedge
from cryoetseg.core.generation.model import load_generator
from cryoetseg.core.generation.network import ConditionalUNet3d
from cryoetseg.core.models.card import CARD, ModelCard, save_model
from cryoetseg.core.models.centre_unet3d import CentreUNet3d
from cryoetseg.core.models.deepfinder import DeepFinderNet
from cryoetseg.core.models.embedding3d import EmbeddingNetwork
from cryoetseg.core.models.unet2d import UNet2d
from cryoetseg.core.students.centres.model import load_centres
from cryoetseg.core.students.centres.targets import OUTPUTS
from cryoetseg.core.students.membranes.network import load_membrane_model
from cryoetseg.core.students.picker.model import build_network as build_picker
from cryoetseg.core.students.picker.model import load_picker
from cryoetseg.core.students.segmenter.network import load_segmenter
from cryoetseg.core.voxuda.apply import VoxUdaModel
from cryoetseg.core.voxuda.network import VoxResNet

__all__ = ["CARD", "edited", "models"]
CPU = torch.device("cpu")
ODD = [None, True, 0, -1, 1, 7, 3.5, 2**31, 10**12, 10**400, 1e30, float("nan"), float("inf"), "", "x", "8", "1,2", "9" * 400, [], {}, [0],
       ["a"], [None], [1, 2, 3], [[1, 2]], {"0": "a"}, {"a": 1}, "\ud800"]  # fmt: skip
SHAPE = {"patch_px": 16, "denoiser_channels": "2,2", "generator_channels": "2,2", "noise_channels": "2,2,2", "filter_radius": 3,
         "code_length": 4}  # fmt: skip
WEDGE = {"patch_px": 16, "fill_channels": "2,2", "cut_channels": "2,2", "filter_radius": 3}
CALIBRATION = {"slope": 1.0, "offset": 0.0, "coarseness": 0.0}
DIFFUSION = {"steps": 10, "kind": "linear", "beta_start": 1e-4, "beta_end": 2e-2, "answer": "sample"}


def models(folder: Path) -> dict[str, Callable[[Path], object]]:
    """Write a model of each kind as ``folder/KIND``; returns what loads it, by kind."""
    kinds: dict[str, tuple[nn.Module, dict[str, Any], Callable[[Path], object]]] = {
        "dual": (DualNetworks(DualArchitecture(**SHAPE)), {"network": "dual", "network_parameters": DualArchitecture(**SHAPE).model_dump()},
                 lambda path: load_dual(path, CPU)),
        "dual-wedge": (WedgeNetworks(WedgeArchitecture(**WEDGE)),
                       {"network": "dual-wedge", "network_parameters": WedgeArchitecture(**WEDGE).model_dump()},
                       lambda path: load_wedge(path, CPU)),
        "generator": (ConditionalUNet3d(2, 8),
                      {"network": "conditional_unet3d", "network_parameters": {"classes": 2, "channels": 8}, "classes": {0: "a", 1: "b"},
                       "training": {"diffusion": DIFFUSION, "box_px": 16, "class_dropout": 0.1, "positions_zyx": [[0.1, 0.2, 0.3]]}},
                      load_generator),
        "vox-uda": (VoxResNet(2), {"network": "voxresnet", "network_parameters": {"width": 2, "size": 16}},
                    lambda path: VoxUdaModel(path, "cpu")),
        "embedding": (EmbeddingNetwork(32), {"network": "embedding3d", "network_parameters": {"size": 32}}, load_embedding),
        "picker": (CentreUNet3d(OUTPUTS, [2, 2, 2, 2]),
                   {"network": "centre-unet3d", "network_parameters": {"channels": [2, 2, 2, 2], "finest": 8.0, "coarsest": 16.0,
                                                                       "calibration": CALIBRATION}}, load_centres),
        "picker of a tomogram": (build_picker(1, 4), {
            "method": "picker", "network": "residual-unet3d", "network_parameters": {"outputs": 1, "width": 4}, "classes": {1: "a"},
            "training": {"label": "sphere", "diameters": [100.0], "labels_px": [5]}}, load_picker),
        "membranes": (UNet2d(3, 2), {"network": "UNet2d", "normalisation": "volume",
                                     "network_parameters": {"inputs": 3, "smoothing_px": 0.5, "working_sizes": [10.0, 14.0]}},
                      load_membrane_model),
        "segmenter": (DeepFinderNet(2), {"network": "DeepFinder", "network_parameters": {"classes": 2}, "classes": {0: "none", 1: "a"},
                                         "training": {"object_voxels": {"1": 30}}}, load_segmenter)}  # fmt: skip
    for kind, (network, card, _) in kinds.items():
        save_model(folder / kind, network, ModelCard(**{"method": kind, "voxel_size": 10.0, "normalisation": "standard", **card}))
    return {kind: load for kind, (_, _, load) in kinds.items()}


def edited(content: bytes, generator: np.random.Generator) -> bytes:
    """A card in which one field, at any depth, is gone or has an odd value."""
    card = json.loads(content)
    places = list(_fields(card))
    holder, name = places[int(generator.integers(len(places)))]
    number = int(generator.integers(len(ODD) + 1))
    if number == len(ODD):
        del holder[name]
    else:
        holder[name] = ODD[number]
    return json.dumps(card).encode()


def _fields(value: Any) -> Any:
    """Each field of a card as the object or list that holds it, and its name or number in it."""
    for name in list(value) if isinstance(value, dict) else range(len(value)):
        if name not in ("versions", "sha256"):
            yield value, name
            if isinstance(value[name], (dict, list)):
                yield from _fields(value[name])
