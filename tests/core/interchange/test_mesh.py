"""Meshes of masks, read by trimesh."""
import numpy as np
import pytest

from cryoetseg.core.interchange.mesh import write_mesh
from cryoetseg.core.runtime.errors import InputError
from cryoetseg.core.runtime.job import InputFile
from cryoetseg.core.volumes.io import write_volume


def test_the_mesh_of_a_box_has_its_place_and_volume(tmp_path):
    trimesh = pytest.importorskip("trimesh", reason="trimesh, which writes meshes, is not installed")
    mask = np.zeros((20, 24, 28), dtype=np.int8)
    mask[5:15, 4:10, 0:8] = 1  # touches a face of the volume
    write_volume(tmp_path / "m.mrc", mask, 10.0)
    write_mesh(InputFile(path=str(tmp_path / "m.mrc")), tmp_path / "m.glb")
    mesh = trimesh.load(tmp_path / "m.glb", force="mesh")
    assert mesh.is_watertight
    np.testing.assert_allclose(mesh.bounds, [[-5, 35, 45], [75, 95, 145]])  # x, y, z: faces half a voxel around the voxels
    assert mesh.volume == pytest.approx(80 * 60 * 100, rel=0.05)


def test_empty_masks_have_no_mesh(tmp_path):
    pytest.importorskip("trimesh", reason="trimesh, which writes meshes, is not installed")
    write_volume(tmp_path / "m.mrc", np.zeros((3, 4, 5), dtype=np.int8), 10.0)
    with pytest.raises(InputError, match="empty"):
        write_mesh(InputFile(path=str(tmp_path / "m.mrc")), tmp_path / "m.glb")


def test_without_trimesh_the_error_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "trimesh", None)
    with pytest.raises(InputError, match="pip install trimesh"):
        write_mesh(InputFile(path=str(tmp_path / "m.mrc")), tmp_path / "m.glb")
