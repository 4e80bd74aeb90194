"""The surface of a mask as a mesh in GLB, with the optional package trimesh."""
from __future__ import annotations

from pathlib import Path

import numpy as np

from ..runtime.errors import InputError
from ..runtime.files import atomic_path
from ..runtime.job import InputFile
from ..volumes.io import read_labels


def write_mesh(mask: InputFile, path: Path) -> None:
    """Write the surface of what is not 0, vertices (x, y, z) in Angstrom from the centre of the first voxel.

    Raises :class:`InputError` for an empty mask and without trimesh.
    """
    try:
        import trimesh
    except ImportError as error:
        raise InputError("meshes need the package trimesh, which is not installed", "pip install trimesh", "or leave meshes out") from error
    from skimage.measure import marching_cubes

    labels, header = read_labels(mask.path, mask.voxel_size)
    if not labels.any():
        raise InputError(f"{mask.path} is empty", "a mask with a surface", "leave it out")
    # a border of background closes surfaces at the volume's faces
    vertices, faces, _, _ = marching_cubes(np.pad(labels > 0, 1).astype(np.float32), 0.5)
    mesh = trimesh.Trimesh((vertices[:, ::-1] - 1) * header.voxel_size, faces, process=False)
    with atomic_path(path) as part:
        mesh.export(part, file_type="glb")
