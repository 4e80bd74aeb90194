"""The plugin in a real napari: its manifest, a viewer, saving through napari's own writers, and the dock widget."""
import os

import numpy as np
import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
pytest.importorskip("napari", reason="napari, the viewer that the plugin is for, is not installed")

from pathlib import Path

from cryoetseg.core.particles.formats import read_particles

MANIFEST = Path(__file__).resolve().parents[2] / "cryoetseg" / "napari_plugin" / "napari.yaml"


def test_the_manifest_is_one_that_npe2_accepts():
    from npe2 import PluginManifest

    manifest = PluginManifest.from_file(MANIFEST)
    manifest.validate_imports()
    assert {command.id for command in manifest.contributions.commands} == {
        "cryoetseg.read", "cryoetseg.write_points", "cryoetseg.write_labels", "cryoetseg.run"}


@pytest.fixture
def viewer():
    from napari.components import ViewerModel

    return ViewerModel()


def test_layers_of_a_run_are_shown_in_one_place(viewer, run_folder):
    from napari.layers import Layer

    from cryoetseg.napari_plugin.layers import open_paths

    for layer in open_paths(str(run_folder)):
        viewer.add_layer(Layer.create(*layer))
    assert [type(layer).__name__ for layer in viewer.layers] == ["Image", "Labels", "Image", "Points"]
    np.testing.assert_allclose(viewer.layers["TS_01"].extent.world, viewer.layers["TS_01_membranes"].extent.world)
    assert viewer.layers["TS_01_particles"].data_to_world((3, 20, 10)) == pytest.approx((60.0, 200.0, 90.0))


def test_points_edited_in_the_viewer_are_saved(viewer, run_folder, tmp_path):
    from napari.layers import Layer

    from cryoetseg.napari_plugin.layers import open_paths
    from cryoetseg.napari_plugin.saving import write_points

    (layer,) = [Layer.create(*item) for item in open_paths(str(run_folder)) if item[2] == "points"]
    viewer.add_layer(layer)
    layer.selected_data = {0}
    layer.remove_selected()
    layer.add([[1, 2, 3]])
    data, attributes, _ = layer.as_layer_data_tuple()
    path, _ = write_points(str(tmp_path / "curated.star"), data, attributes)
    table = read_particles(path)
    assert table.zyx.tolist() == [[8, 30, 30], [12, 9, 7], [1, 2, 3]]
    assert table.class_id.tolist()[:2] == [2, 2]


def test_the_widget_runs_a_method_and_opens_its_result(run_folder, tmp_path):
    pytest.importorskip("qtpy", reason="no Qt")
    from napari._qt.qt_event_loop import get_qapp
    from napari.components import ViewerModel
    from napari.layers import Layer
    from qtpy.QtCore import QEventLoop, QTimer

    from cryoetseg.napari_plugin.layers import open_paths
    from cryoetseg.napari_plugin.widget import make_run_widget

    application, viewer = get_qapp(), ViewerModel()
    image = Layer.create(*next(item for item in open_paths(str(run_folder)) if item[2] == "image"))
    viewer.add_layer(image)
    widget = make_run_widget(viewer)
    widget.tomogram.choices = [image]
    worker = widget(tomogram=image, parameters="particle_diameter=100,count=4", folder=tmp_path / "out")
    loop = QEventLoop()
    worker.finished.connect(loop.quit)
    QTimer.singleShot(120_000, loop.quit)
    loop.exec_()
    application.processEvents()
    assert len(viewer.layers["TS_01_particles"].data) == 4
