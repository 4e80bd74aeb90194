"""The folder of a trained model as the Scipion side sees it: its card, whether it is sound, copies of it. No torch, no Scipion."""
import glob
import math
import os
import shutil
from typing import Any, Dict, List, NamedTuple, Optional

from .core.runtime.checksums import sha256
from .core.runtime.errors import CryoetsegError, InputError, OutputError, WeightsError
from .core.runtime.files import atomic_folder, read_json
from .core.runtime.job import MODEL_CARD

WEIGHTS, CARD = "model.safetensors", MODEL_CARD  # the files of a model, as in cryoetseg.core.models.card
USUAL_DIAMETER = 250.0  # Angstrom, where a card tells none: a ribosome
ADVICE = "name the folder that a training or an export wrote"


class Card(NamedTuple):
    """What a card says that forms and summaries need."""

    method: str
    network: str
    voxelSize: Optional[float]
    classes: Dict[int, str]
    checksum: str
    diameter: float  # Angstrom: of the largest class, where the training knew one


def readCard(folder: str) -> Card:
    """Read the card of a model folder; raises :class:`InputError` when there is none or it is damaged."""
    try:
        content = read_json(os.path.join(folder, CARD))
    except InputError as error:
        raise InputError(f"{folder} is not a model folder: {error.got}", f"a folder with {WEIGHTS} and {CARD}", ADVICE) from error
    try:
        classes = {int(number): str(name) for number, name in dict(content.get("classes") or {}).items()}
        size = content.get("voxel_size")
        return Card(str(content["method"]), str(content["network"]), float(size) if size else None, classes,
                    str(content.get("sha256", "")), _diameter(content.get("training") or {}, float(size or 0)))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{os.path.join(folder, CARD)} is damaged: {error}", "a card written by this program", ADVICE) from error


def _diameter(training: Dict[str, Any], voxelSize: float) -> float:
    """Diameter of the largest objects of a training: as given, or that of a ball of as many voxels."""
    if training.get("diameters"):
        return float(max(training["diameters"]))
    voxels = max(map(float, (training.get("object_voxels") or {}).values()), default=0.0)
    return 2 * (0.75 * voxels / math.pi) ** (1 / 3) * voxelSize or USUAL_DIAMETER


def checkModel(folder: str) -> Card:
    """Read the card and compare the weights with its checksum; raises :class:`InputError` or :class:`WeightsError`."""
    card = readCard(folder)
    weights = os.path.join(folder, WEIGHTS)
    if not os.path.isfile(weights):
        raise WeightsError(f"{weights} is missing", f"a folder with {WEIGHTS} and {CARD}", "copy the whole folder again")
    if sha256(weights) != card.checksum:
        raise WeightsError(f"{weights} is damaged or was exchanged: its SHA-256 is not the one in {CARD}", "an unchanged file",
                           "copy the folder again, or train again")
    return card


def modelErrors(folder: str, method: str = "", training: str = "the training that belongs to this protocol") -> List[str]:
    """What speaks against a model: it is damaged, or not made by ``method`` (of any, unless given), which ``training`` calls."""
    try:
        card = checkModel(folder)
    except CryoetsegError as error:
        return [str(error)]
    if method and card.method != method:
        return [f"*Model* was trained for '{card.method}'. Allowed: a model for '{method}'. What to do: choose the output of {training}."]
    return []


def metricTables(folder: str) -> List[str]:
    """The tables of losses and validations in the folder of a training, one for each round."""
    return sorted(glob.glob(os.path.join(folder, "metrics.csv")) + glob.glob(os.path.join(folder, "*", "metrics.csv")))


def copyModel(source: str, target: str) -> None:
    """Copy a sound model folder; ``target`` appears whole or not at all. Raises also :class:`OutputError`."""
    checkModel(source)
    _checkTarget(target)
    with atomic_folder(target) as part:
        for name in (WEIGHTS, CARD):
            shutil.copy2(os.path.join(source, name), part / name)


def targetErrors(target: str) -> List[str]:
    """What speaks against writing a model to the folder ``target``: something else lies there."""
    try:
        _checkTarget(target)
    except OutputError as error:
        return [str(error)]
    return []


def _checkTarget(target: str) -> None:
    if os.path.exists(target) and not _isReplaceable(target):
        raise OutputError(f"{target} exists and is not a model", "a new folder, or that of an earlier model", "choose another folder")


def _isReplaceable(folder: str) -> bool:
    """Whether a folder holds nothing but a model."""
    return os.path.isdir(folder) and not set(os.listdir(folder)) - {WEIGHTS, CARD}
