"""Scipion objects of this plugin."""
import os
from typing import Any, Dict, Optional

from pwem.objects import EMObject
from pyworkflow.object import Float, String

from .model_folder import readCard

NAMES_APART = "; "


class CryoEtSegModel(EMObject):
    """A trained model: a folder with ``model.safetensors`` and ``card.json``, made by a training or imported."""

    def __init__(self, path: Optional[str] = None, method: Optional[str] = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._path = String(path)
        self._method = String(method)
        self._network = String()
        self._samplingRate = Float()
        self._classes = String()

    @classmethod
    def fromFolder(cls, folder: str) -> "CryoEtSegModel":
        """The model in ``folder``, described as its card says; raises :class:`InputError` where there is none."""
        card = readCard(folder)
        model = cls(folder, card.method)
        model._network.set(card.network)
        model.setSamplingRate(card.voxelSize)
        model.setClasses(card.classes)
        return model

    def getPath(self) -> str:
        """Folder of the model; relative to the project where it lies inside."""
        return self._path.get()

    def setPath(self, path: str) -> None:
        """Set the folder of the model."""
        self._path.set(path)

    def getFiles(self) -> set:
        """The files of the model, which Scipion keeps when it cleans and copies when it exports a run."""
        folder = self.getPath() or ""
        return {os.path.join(folder, name) for name in os.listdir(folder)} if os.path.isdir(folder) else set()

    def getMethod(self) -> str:
        """Name of the method that the model serves, as in its card."""
        return self._method.get()

    def setMethod(self, method: str) -> None:
        """Set the name of the method that the model serves."""
        self._method.set(method)

    def getNetwork(self) -> Optional[str]:
        """Name of the network, as in its card."""
        return self._network.get()

    def getSamplingRate(self) -> Optional[float]:
        """Voxel size in Angstrom that the model was trained at, where its card says one."""
        return self._samplingRate.get()

    def setSamplingRate(self, samplingRate: Optional[float]) -> None:
        """Set the voxel size in Angstrom that the model was trained at."""
        self._samplingRate.set(samplingRate)

    def getClasses(self) -> Dict[int, str]:
        """Names of the classes that the model tells apart, by their number."""
        parts = [part.split(" ", 1) for part in (self._classes.get() or "").split(NAMES_APART) if part]
        return {int(number): name for number, name in parts}

    def setClasses(self, classes: Dict[int, str]) -> None:
        """Set the names of the classes by their number."""
        self._classes.set(NAMES_APART.join(f"{number} {name.replace(';', ',')}" for number, name in sorted(classes.items())))

    def describe(self) -> str:
        """One line for summaries: what it is for, its voxel size and its classes."""
        rate, names = self.getSamplingRate(), ", ".join(self.getClasses().values())
        details = [self.getNetwork() or "unknown network"]
        details += [f"voxels of {rate:.4g} Å"] if rate else []
        details += [f"classes {names}"] if names else []
        return f"{self.getMethod() or 'unknown method'} ({', '.join(details)})"

    def __str__(self) -> str:
        return f"{self.getClassName()}: {self.describe()}"
