"""The shelf of shipped models: ``shipped/<folder>/`` with card, weights and, in the card's ``made_by``, the command that made them.

A model goes by the ``name`` of its card among those of its method, so that ``general`` may be one model for membranes and another for
particles. Read by Scipion's own interpreter: valid Python 3.8, no torch.
"""
import logging
from pathlib import Path
from typing import Dict, List, Union

from ..runtime.errors import WeightsError
from ..runtime.files import read_json
from ..runtime.job import MODEL_CARD
from ..runtime.job import model_folder as folder_with_card

logger = logging.getLogger(__name__)
SHELF = Path(__file__).with_name("shipped")


def shipped_folder(name: str, method: str = "") -> Path:
    """Folder of the shipped model called ``name`` of ``method``, or of any method; raises :class:`WeightsError` for unknown names."""
    if method and name in _shipped(method):
        return _shipped(method)[name]
    folder = SHELF / name
    if not method and name and (folder / MODEL_CARD).is_file():
        return folder
    raise WeightsError(f"no model '{name}'{f' for {method}' if method else ''} is shipped", _choices(method), "check the name")


def shipped_names(method: str) -> List[str]:
    """Names of the shipped models of ``method`` (as in their cards: 'membranes', 'picker', 'train-backbone'), sorted."""
    return sorted(_shipped(method))


def model_folder(name_or_path: Union[str, Path], method: str) -> Path:
    """The folder of a model of ``method``: a shipped one by its name, else a folder that a training wrote, or that training's own.

    A bare word that names a shipped model is that model, also where a folder of the same name exists, which ``./name`` means.
    Raises :class:`WeightsError` that lists the shipped names for what is neither.
    """
    text = str(name_or_path)
    folder = Path(text).expanduser()
    if text in _shipped(method):
        if folder.exists():
            logger.warning("'%s' is the shipped model; the folder of that name here is './%s'", text, text)
        return shipped_folder(text, method)
    if not folder.is_dir():
        raise WeightsError(f"model '{text}' is neither a shipped one nor a folder", _choices(method), "check the name or the path")
    return folder_with_card(folder)


def _shipped(method: str) -> Dict[str, Path]:
    cards = {path.parent: read_json(path) for path in sorted(SHELF.glob(f"*/{MODEL_CARD}"))}
    return {str(card["name"]): folder for folder, card in cards.items() if card["method"] == method}


def _choices(method: str) -> str:
    known = shipped_names(method) if method else sorted(path.parent.name for path in SHELF.glob(f"*/{MODEL_CARD}"))
    return ", ".join([*known, "a folder that a training wrote"])
