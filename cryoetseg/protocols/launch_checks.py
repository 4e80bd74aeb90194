"""What this machine lacks for the chosen parameters: told by the form, before anything is launched."""
import os
import subprocess
from typing import Any, Dict, List

from cryoetseg._plugin import Plugin
from cryoetseg.constants import CRYOETSEG_WEIGHTS
from cryoetseg.core.foundation.backbone_folder import STABLE_DIFFUSION, find_folder, network_class
from cryoetseg.core.foundation.weights import BACKBONES, fetched_folder, known_source
from cryoetseg.core.runtime.errors import WeightsError

CELLPOSE, CELLPOSE_WEIGHTS = "cellpose", "cellpose-sam"
# Where diffusers keeps the weights of a network, beside its configuration
NETWORK_FILES = ("unet/diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.safetensors")


def gpuErrors(protocol: Any) -> List[str]:
    """Messages about GPUs that are asked for and not here; runs that go to a queue find theirs on another machine."""
    if not protocol.usesGpu() or protocol.useQueue():
        return []
    count = Plugin.getGpuCount()
    if not count:
        return ["*Use GPU?* is yes, but this machine shows no NVIDIA GPU. What to do: set it to no, or launch through a queue "
                "whose nodes have one."]
    absent = [number for number in protocol.getGpuList() if number >= count]
    return [f"*GPU IDs* holds {absent[0]}. Allowed: 0 to {count - 1} on this machine."] if absent else []


def precisionErrors(protocol: Any, values: Dict[str, Any]) -> List[str]:
    """Messages about arithmetic that the chosen processor lacks."""
    if values.get("precision") != "float16" or protocol.usesGpu():
        return []
    return ["*Arithmetic* = float16 needs a GPU. Allowed without one: float32, auto, bfloat16. What to do: choose auto."]


def backboneChoices(names: List[str]) -> List[str]:
    """The ``names`` of backbones, those whose weights are not here marked so."""
    return [f"{name} (not installed)" if name in BACKBONES and not _isFetched(name) else name for name in names]


def backboneErrors(values: Dict[str, Any]) -> List[str]:
    """Messages about a backbone that is not there or cannot be one."""
    name, folder = values["backbone"], values["weights_folder"] or Plugin.getWeightsFolder()
    if name in BACKBONES and not _isFetched(name, folder):
        return [f"*Backbone* = {name}: its weights ({known_source(name).size}) are not in {folder}. What to do: run 'cryoetseg weights "
                f"fetch {name}' once on a machine with internet and set {CRYOETSEG_WEIGHTS} to where they are, or choose cryoet-tiny."]
    try:
        found = find_folder(name, folder)
        isDiffusion = network_class(found) == STABLE_DIFFUSION
    except WeightsError as error:
        return [f"*Backbone*: {error.got}. Allowed: {error.allowed}. What to do: choose cryoet-tiny, or the folder that "
                "'cryoetseg train backbone' wrote."]
    if not any((found / file).is_file() for file in NETWORK_FILES[: 1 if isDiffusion else 2]):
        return [f"*Backbone*: {found} lacks the weights of its network, {os.path.basename(NETWORK_FILES[0])}. What to do: copy the whole "
                "folder again."]
    return []


def splitterErrors(values: Dict[str, Any]) -> List[str]:
    """Messages about Cellpose that is asked for and not installed, or has no weights."""
    if values["separation"] != "slices" or values["splitter"] != CELLPOSE:
        return []
    try:
        isMissing = bool(Plugin.modulesMissing([CELLPOSE]))
    except (OSError, subprocess.SubprocessError):
        return []  # Scipion itself tells that the core's Python does not run
    if isMissing:
        return [f"*Splitter* = cellpose: {Plugin.getCorePython()} has no Cellpose. What to do: install it there with "
                f"{Plugin.getCorePython()} -m pip install 'cellpose>=4', or choose watershed."]
    named, folder = values["cellpose_model"], values["weights_folder"] or Plugin.getWeightsFolder()
    if named and not os.path.isfile(os.path.expanduser(named)):
        return [f"*Weights of Cellpose* = {named} does not exist. Allowed: a file with the weights of Cellpose-SAM, or nothing."]
    if not named and not _isFetched(CELLPOSE_WEIGHTS, folder):
        return [f"*Splitter* = cellpose: its weights are not in {folder}. What to do: run 'cryoetseg weights fetch {CELLPOSE_WEIGHTS}' "
                "once on a machine with internet, or choose watershed."]
    return []


def _isFetched(name: str, folder: str = "") -> bool:
    try:
        return fetched_folder(name, folder or Plugin.getWeightsFolder()).is_dir()
    except WeightsError:
        return False
