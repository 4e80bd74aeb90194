"""Rendering and packing."""
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cryoetseg.core.simulation.library import Template, build_templates
from cryoetseg.core.simulation.packing import Body, dilated, numbers_for, pack, render
from cryoetseg.core.simulation.rotations import matrix_zyx


def blob(offset: tuple[float, float, float] = (0, 0, 0)) -> Template:
    """A smooth ball of radius about 40 A whose centre lies ``offset`` A from the template's middle."""
    axis = (np.arange(41) - 20) * 5.0
    z, y, x = np.meshgrid(*(axis - shift for shift in offset), indexing="ij")
    distance = np.sqrt(z**2 + y**2 + x**2)
    return Template("blob", (1 / (1 + np.exp((distance - 40) / 4))).astype(np.float32), 5.0, 200.0)


def centre_of_mass(body: Body) -> np.ndarray:
    index = np.argwhere(np.ones_like(body.density))
    return (index * body.density.ravel()[:, None]).sum(axis=0) / body.density.sum() + body.offset


def test_render_keeps_the_subvoxel_centre():
    fraction = np.array([0.3, -0.4, 0.1])
    body = render(blob(), Rotation.identity(), fraction, 10.0)
    assert np.allclose(centre_of_mass(body), fraction, atol=0.02)


def test_render_turns_as_the_rotation_says():
    rotation = Rotation.from_euler("ZYZ", [40, 70, -20], degrees=True)
    body = render(blob((15.0, -20.0, 25.0)), rotation, np.zeros(3), 10.0)
    expected = matrix_zyx(rotation) @ np.array([15.0, -20.0, 25.0]) / 10
    assert np.allclose(centre_of_mass(body), expected, atol=0.15)


def test_render_keeps_the_mass():
    template = build_templates("tric", 10.0)[0]
    body = render(template, Rotation.random(random_state=1), np.zeros(3), 10.0)
    assert body.density.sum() * 1000 == pytest.approx(float(template.density.sum()) * template.spacing**3, rel=0.02)
    assert body.mask.sum() * 1000 == pytest.approx(template.mask_volume, rel=0.08)


def test_dilation_grows_by_one_voxel():
    mask = np.zeros((5, 5, 5), bool)
    mask[2, 2, 2] = True
    assert dilated(mask).sum() == 7


def test_packing_leaves_a_gap_and_stays_in_range():
    occupied = np.zeros((24, 48, 48), bool)
    occupied[:, :, 20:24] = True
    before = occupied.copy()
    template = blob()
    instances = np.zeros(occupied.shape, np.int32)
    placed = list(pack([template], [12], occupied, 10.0, (2, 22), 20, np.random.default_rng(4)))
    assert len(placed) >= 4
    for number, item in enumerate(placed, start=1):
        box = item.body.box_at(item.voxel)
        assert not (instances[box].astype(bool) & dilated(item.body.mask)).any()
        instances[box][item.body.mask] = number
        assert box[0].start >= 2
        assert box[0].stop <= 22
    assert not (instances.astype(bool) & before).any()
    assert np.array_equal(occupied, before | (instances > 0))


def test_what_does_not_fit_is_given_up():
    occupied = np.zeros((4, 48, 48), bool)
    assert list(pack([blob()], [3], occupied, 10.0, (0, 4), 20, np.random.default_rng(4))) == []
    assert list(pack([blob()], [3], np.ones((24, 48, 48), bool), 10.0, (0, 24), 20, np.random.default_rng(4))) == []


def test_numbers_follow_abundance_and_occupancy():
    many, few = blob(), Template("few", blob().density, 5.0, 200.0, abundance=0.25)
    numbers = numbers_for([many, few], 1e9, 0.1)
    assert numbers[0] == pytest.approx(4 * numbers[1], abs=3)
    assert sum(numbers) * many.mask_volume == pytest.approx(1e8, rel=0.05)
    assert numbers_for([], 1e9, 0.1) == []
