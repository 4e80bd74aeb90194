"""The sample and its labels (sanity tests of spec D2.12)."""
import numpy as np
import pytest

from cryoetseg.core.simulation.library import build_templates
from cryoetseg.core.simulation.params import SimulationParameters
from cryoetseg.core.simulation.sample import build_scene
from cryoetseg.core.simulation.scene import Scene
from cryoetseg.core.simulation.tomogram import SimulatedTomogram


def test_label_volume_is_the_sum_of_the_particles_volumes(tomogram: SimulatedTomogram):
    templates = build_templates(tomogram.parameters.particles, 10.0)
    expected = sum(templates[number - 1].mask_volume for number in tomogram.particles.class_id) / 10.0**3
    labelled = np.isin(tomogram.class_mask, list(tomogram.particles.class_names))
    assert np.count_nonzero(labelled) == pytest.approx(expected, rel=0.05)


def test_no_instances_overlap(tomogram: SimulatedTomogram):
    templates = build_templates(tomogram.parameters.particles, 10.0)
    voxels = np.bincount(tomogram.instance_mask.ravel())
    for row, number in enumerate(tomogram.particles.class_id):
        # an instance that another one overwrote would have lost voxels
        assert voxels[row + 1] * 1000 == pytest.approx(templates[number - 1].mask_volume, rel=0.1)


def test_instances_and_classes_agree(tomogram: SimulatedTomogram):
    table = tomogram.particles
    for row in range(len(table)):
        inside = tomogram.instance_mask == row + 1
        assert set(np.unique(tomogram.class_mask[inside])) == {table.class_id[row]}
        centre = np.argwhere(inside).mean(axis=0)
        assert np.abs(centre - table.zyx[row]).max() < 1.0


def test_every_structure_is_there_with_its_number(tomogram: SimulatedTomogram):
    names = tomogram.class_names
    found = {names[number] for number in np.unique(tomogram.class_mask) if number}
    assert found == {"tric", "apoferritin", "membrane", "actin", "gold"}
    numbers = np.unique(tomogram.instance_mask)
    assert numbers.tolist() == list(range(len(tomogram.particles) + 3))  # background, particles, one filament, one bead
    gold = tomogram.grand_model[tomogram.class_mask == {name: number for number, name in names.items()}["gold"]]
    assert gold.max() == pytest.approx(12, abs=0.5)


def only(**values) -> SimulationParameters:
    """Parameters with nothing in the sample but what ``values`` asks for."""
    nothing = {"vesicle_count": 0, "ellipsoid_count": 0, "tube_count": 0, "sheet_count": 0, "actin_count": 0, "particles": "none",
               "size_z": 40, "size_y": 48, "size_x": 48, "vesicle_radius_max": 200.0}
    return SimulationParameters(**{**nothing, **values})


def scene_of(p: SimulationParameters, seed: int) -> Scene:
    return build_scene(p, build_templates(p.particles, p.voxel_size), seed)


def test_membrane_label_is_within_25_angstrom_of_the_surface():
    scene = scene_of(only(vesicle_count=1, unresolved_density=0.0), 3)
    surface, _ = scene.surfaces[0]
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in scene.density.shape), indexing="ij"), -1).reshape(-1, 3)
    expected = np.abs(surface.distance(grid * 10.0)).reshape(scene.density.shape) <= 25
    expected[: scene.z_range[0]], expected[scene.z_range[1] :] = False, False
    assert np.array_equal(scene.membranes, expected)
    assert scene.density[expected].mean() > 0.3
    assert not scene.density[scene.membranes == 0].max() > scene.density[expected].max()


def test_sample_keeps_to_its_thickness():
    scene = scene_of(only(particles="apoferritin", sample_thickness=200.0, vesicle_count=1, unresolved_density=0.1), 3)
    assert scene.z_range == (10, 30)
    assert not scene.density[:10].any()
    assert not scene.density[30:].any()
    assert scene.density[10:30].any()


def test_membrane_proteins_sit_in_the_membrane_along_its_normal():
    scene = scene_of(only(size_z=64, size_y=64, size_x=64, particles="translocon", vesicle_count=1, vesicle_radius_min=180.0,
                          membrane_roughness=0.0, membrane_proteins=3000.0), 4)
    assert len(scene.particles) >= 3
    surface, _ = scene.surfaces[0]
    for _, centre, rotation in scene.particles:
        assert abs(surface.distance(centre[None] * 10.0)[0]) < 2.0
        normal = surface.normals(centre[None] * 10.0)[0]
        assert normal @ rotation.apply([0, 0, 1])[::-1] == pytest.approx(1, abs=1e-3)


def test_particles_too_small_for_the_voxel_size_have_no_label():
    scene = scene_of(only(voxel_size=32.0, size_z=24, size_y=32, size_x=32, particles="phosphoglycerate_kinase, ribosome_80s:4"), 5)
    table = scene.table()
    assert set(table.class_id.tolist()) == {2}
    assert set(np.unique(scene.classes)) == {0, 2}
