"""Where a backbone lies and what network it holds, read without loading it. Also imported by Scipion's own interpreter."""
from __future__ import annotations

from pathlib import Path

from ..models.shelf import shipped_folder, shipped_names
from ..runtime.errors import InputError, WeightsError
from ..runtime.files import read_json
from . import weights

METHOD = "train-backbone"
STABLE_DIFFUSION, TINY = "UNet2DConditionModel", "UNet2DModel"  # diffusers' names of the networks that can stand behind the door
CONFIG = "config.json"


def find_folder(name_or_folder: str, weights_folder: str = "") -> Path:
    """The folder of a backbone: the shipped one, a fetched one, or the path itself; raises :class:`WeightsError` where there is none."""
    shipped = shipped_names(METHOD)
    if name_or_folder in shipped:
        return shipped_folder(name_or_folder, METHOD)
    if name_or_folder in weights.SOURCES:
        return weights.fetched_folder(name_or_folder, weights_folder)
    folder = Path(name_or_folder).expanduser()
    if not name_or_folder or not folder.is_dir():
        known = ", ".join([*shipped, *weights.BACKBONES])
        raise WeightsError(f"backbone '{name_or_folder}' is neither a known name nor a folder", f"{known}, or a folder in diffusers format",
                           "check the name or the path")
    return folder


def network_class(folder: Path) -> str:
    """Diffusers' name of the network in ``folder``; raises :class:`WeightsError` for a folder without one, or with an unknown one."""
    path = next((path for path in (folder / "unet" / CONFIG, folder / CONFIG) if path.is_file()), None)
    if path is None:
        raise WeightsError(f"no network in {folder}", f"unet/{CONFIG} or {CONFIG} in diffusers format",
                           "run 'cryoetseg weights fetch stable-diffusion-v1-4', or name the folder with the option backbone")
    try:
        network = str(read_json(path).get("_class_name", ""))
    except InputError as error:
        raise WeightsError(f"{path} is damaged: {error.got}", "the JSON file diffusers wrote", "fetch the folder again") from error
    if network not in (STABLE_DIFFUSION, TINY):
        raise WeightsError(f"{folder} holds a network of class '{network}'", f"{STABLE_DIFFUSION} (Stable Diffusion 1.x) or {TINY}",
                           "choose another backbone folder")
    return network
