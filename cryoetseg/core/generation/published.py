"""The published checkpoint's layout: names of its tensors to ours and back. Weights themselves are not part of the package."""
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from ..models.foreign import import_checkpoint
from ..runtime.errors import WeightsError
from ..runtime.files import atomic_path
from .network import ConditionalUNet3d

BLOCKS = {"enc1": "encoder.0", "enc2": "encoder.1", "enc3": "encoder.2", "bot": "bottleneck",
          "dec1": "decoder.0", "dec2": "decoder.1", "dec3": "decoder.2"}
LAYERS_OF_BLOCK = {"norm1": "before.0", "conv1": "before.2", "cond_proj": "condition", "norm2": "after.0", "conv2": "after.2",
                   "skip": "skip"}
OTHERS = {
    "cond_emb.time_mlp.1": "condition.step.0", "cond_emb.time_mlp.3": "condition.step.2", "cond_emb.class_mlp": "condition.class_",
    "cond_emb.coord_mlp.0": "condition.position.0", "cond_emb.coord_mlp.2": "condition.position.2",
    **{f"down{level}.conv": f"lower.{level - 1}" for level in (1, 2, 3)},
    **{f"up{level}.deconv": f"raise_.{level - 1}" for level in (1, 2, 3)}, "out_conv": "head",
}
IN_BLOCKS = {f"{block}.{layer}": f"{ours}.{part}" for block, ours in BLOCKS.items() for layer, part in LAYERS_OF_BLOCK.items()}
OUR_LAYERS = {**IN_BLOCKS, **OTHERS}
PUBLISHED_LAYERS = {ours: published for published, ours in OUR_LAYERS.items()}
POSITION_WEIGHT = "condition.position.0.weight"


def import_published(path: str | Path) -> ConditionalUNet3d:
    """The network of a published checkpoint (``.pth`` or ``.safetensors``), in evaluation mode; sizes are read from the tensors.

    Raises ``WeightsError`` when the file cannot be read or is of another network.
    """
    state = from_published(import_checkpoint(path))
    try:
        network = ConditionalUNet3d(state["condition.class_.weight"].shape[1], state["head.weight"].shape[1])
        network.load_state_dict(state)
    except (KeyError, RuntimeError) as error:
        raise WeightsError(f"the weights in {path} are not those of the published network: {' '.join(str(error).split())[:300]}",
                           "a checkpoint of Cryo-ET-Diff") from error
    return network.eval()


def export_published(path: str | Path, network: ConditionalUNet3d) -> None:
    """Write weights under the published names, in the published layout, as safetensors: data only, which any program may read."""
    with atomic_path(path) as part:
        # not save_file: it writes under a random name of its own, which a kill would leave behind
        part.write_bytes(save({name: tensor.cpu().contiguous() for name, tensor in to_published(network.state_dict()).items()}))


def from_published(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Published names to ours; positions (x, y, z) become (z, y, x). Raises ``WeightsError`` naming what is unknown."""
    return _renamed(weights, OUR_LAYERS)


def to_published(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of :func:`from_published`."""
    return _renamed(weights, PUBLISHED_LAYERS)


def _renamed(weights: Mapping[str, Tensor], layers: Mapping[str, str]) -> dict[str, Tensor]:
    renamed = {}
    for name, tensor in weights.items():
        layer, _, kind = name.rpartition(".")
        if layer not in layers:
            raise WeightsError(f"unknown tensor '{name}'", "the layers of the Cryo-ET-Diff network", "check which program wrote the file")
        new = f"{layers[layer]}.{kind}"
        renamed[new] = tensor.flip(1) if POSITION_WEIGHT in (name, new) else tensor
    return renamed
