"""Scipion objects of this plugin."""
from typing import Any, Optional

from pwem.objects import EMObject
from pyworkflow.object import Float, String


class CryoEtSegModel(EMObject):
    """A trained model: a folder with ``model.safetensors`` and ``card.json``, made by a training or named by the user."""

    def __init__(self, path: Optional[str] = None, method: Optional[str] = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._path = String(path)
        self._method = String(method)
        self._samplingRate = Float()

    def getPath(self) -> str:
        """Folder of the model."""
        return self._path.get()

    def setPath(self, path: str) -> None:
        """Set the folder of the model."""
        self._path.set(path)

    def getMethod(self) -> str:
        """Name of the method that the model serves, as in its card."""
        return self._method.get()

    def setMethod(self, method: str) -> None:
        """Set the name of the method that the model serves."""
        self._method.set(method)

    def getSamplingRate(self) -> Optional[float]:
        """Voxel size in Angstrom that the model was trained at, where its card says one."""
        return self._samplingRate.get()

    def setSamplingRate(self, samplingRate: float) -> None:
        """Set the voxel size in Angstrom that the model was trained at."""
        self._samplingRate.set(samplingRate)

    def __str__(self) -> str:
        return f"{self.getClassName()} ({self.getMethod() or 'unknown method'}, {self.getPath()})"
