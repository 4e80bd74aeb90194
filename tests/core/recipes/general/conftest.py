"""Small scenes that several tests share."""

import pytest

from cryoetseg.core.recipes.general.scenes import read_scene, write_scenes

NUMBERS = 10  # the first ten scenes hold every kind but one


@pytest.fixture(scope="session")
def scene_paths(tmp_path_factory):
    """Scenes 48 voxels wide (57 where voxels are fine), written once."""
    return write_scenes(tmp_path_factory.mktemp("scenes"), NUMBERS, 3, side=48)


@pytest.fixture(scope="session")
def scenes(scene_paths):
    """The same, read."""
    return [read_scene(path) for path in scene_paths]
