"""The folder that an export has written to."""
from typing import Any, List

from pyworkflow.viewer import DESKTOP_TKINTER, View, Viewer

from cryoetseg.protocols import ProtCryoEtSegExportCoordinates, ProtCryoEtSegExportCopick, ProtCryoEtSegExportModel


class FolderView(View):
    """Scipion's window of files, at a folder."""

    def __init__(self, folder: str, parent: Any) -> None:
        super().__init__()
        self.folder, self._parent = folder, parent

    def show(self) -> None:
        """Open the window."""
        from pyworkflow.gui.browser import FileBrowserWindow

        FileBrowserWindow(f"Browsing: {self.folder}", master=self._parent, path=self.folder).show()


class CryoEtSegFolderViewer(Viewer):
    """Opens the folder with the written files."""

    _name = "CryoETSeg files"
    _label = "CryoETSeg files"
    _targets = [ProtCryoEtSegExportCoordinates, ProtCryoEtSegExportCopick, ProtCryoEtSegExportModel]
    _environments = [DESKTOP_TKINTER]

    def _visualize(self, obj: Any, **kwargs: Any) -> List[View]:
        if not obj.isFinished():
            return [self.infoMessage("Nothing is written yet.", "Nothing to show")]
        return [FolderView(obj.getFolder(), self.formWindow)]
