"""The dock widget: a method, the tomogram it works on, its parameters, and the bar of its progress.

magicgui evaluates the annotations of ``run`` where they stand, so they are no strings here.
"""

from pathlib import Path
from typing import Any

from ..core.runtime.errors import CryoetsegError
from .layers import OURS, open_paths
from .running import METHODS, job_of, run_job


def make_run_widget(napari_viewer: Any = None) -> Any:
    """A widget that runs a method on an image layer in the background and opens its results."""
    from magicgui import magicgui
    from magicgui.widgets import ProgressBar
    from napari.layers import Image
    from napari.qt.threading import create_worker
    from napari.utils.notifications import show_error

    bar = ProgressBar(label="progress", min=0, max=100, value=0)

    @magicgui(
        call_button="Run", method={"choices": METHODS}, contrast={"choices": ("dark", "bright")}, folder={"mode": "d"},
        parameters={"widget_type": "TextEdit", "tooltip": "name=value, separated by commas"})
    def run(
        tomogram: Image, method: str = METHODS[0], contrast: str = "dark", parameters: str = "", folder: Path = Path("napari_run"),
    ) -> Any:
        memory = tomogram.metadata.get(OURS)
        if not memory:
            show_error("this layer was not opened from a file by cryoetseg")
            return None
        try:
            job = job_of(method, memory["path"], memory["voxel_size"], contrast, parameters, str(folder))
        except CryoetsegError as error:
            show_error(str(error))
            return None
        worker = create_worker(run_job, job)
        worker.yielded.connect(lambda percent: setattr(bar, "value", percent))
        worker.errored.connect(lambda error: show_error(str(error)))
        worker.finished.connect(lambda: setattr(bar, "value", 100))
        worker.returned.connect(lambda _: _show(napari_viewer, job.output_folder))
        worker.start()
        return worker

    run.append(bar)
    return run


def _show(viewer: Any, folder: str) -> None:
    """Open what a run made; the tomogram is there already."""
    from napari.layers import Layer

    for layer in open_paths(folder):
        if viewer is not None and layer[2] != "image":
            viewer.add_layer(Layer.create(*layer))
