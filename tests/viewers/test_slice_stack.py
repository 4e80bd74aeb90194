"""What the slice window shows: planes, masks and the particles that cross them."""
import numpy as np
import pytest
import pyworkflow
from pyworkflow.viewer import DESKTOP_TKINTER

from cryoetseg.core.runtime.errors import InputError
from cryoetseg.viewers import CryoEtSegOverlayViewer
from cryoetseg.viewers.slice_browser import MASK, PARTICLES, SliceBrowser
from cryoetseg.viewers.slice_stack import SliceStack, entriesOf, entriesOfCoordinates, entriesOfMasks, openArray

VOLUME = np.arange(4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6)
POINTS = np.array([[1.0, 2.0, 3.0], [3.0, 4.0, 5.0]])


@pytest.fixture
def stack():
    mask = np.zeros(VOLUME.shape, np.int8)
    mask[2] = 1
    return SliceStack("TS_1", VOLUME, 10.0, mask, POINTS, diameterPx=2.0)


@pytest.mark.parametrize(("axis", "index", "expected", "point"), [
    ("z", 1, VOLUME[1], (2.0, 3.0)), ("y", 2, VOLUME[:, 2], (1.0, 3.0)), ("x", 3, VOLUME[:, :, 3], (1.0, 2.0)),
])
def test_planes_along_every_axis(stack, axis, index, expected, point):
    plane = stack.plane(axis, index)
    np.testing.assert_array_equal(plane.image, expected)
    assert plane.mask.shape == expected.shape
    np.testing.assert_array_equal(plane.points, [point])
    assert plane.title.startswith(f"TS_1   {axis} = {index}")


def test_it_starts_where_the_mask_is(stack):
    assert stack.start("z") == 2


def test_without_a_mask_it_starts_at_the_particles_and_without_those_in_the_middle():
    assert SliceStack("TS_1", VOLUME, 10.0, points=POINTS[:1]).start("z") == 1
    assert SliceStack("TS_1", VOLUME, 10.0).start("y") == 2


def test_a_slice_outside_is_the_nearest_inside(stack):
    np.testing.assert_array_equal(stack.plane("z", 99).image, VOLUME[3])


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(InputError, match="TS_1 has"):
        SliceStack("TS_1", VOLUME, 10.0, np.zeros((2, 2, 2)))


@pytest.mark.parametrize("content", [b"", b"too short"])
def test_a_broken_file_is_refused(tmp_path, content):
    path = tmp_path / "broken.mrc"
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot read"):
        openArray(str(path))


def test_sets_become_entries(sets):
    for entries, has_mask, particles in [
        (entriesOfMasks(sets.masks), True, 0),
        (entriesOfCoordinates(sets.coordinates), False, 2),
        (entriesOf([item.clone() for item in sets.tomograms.iterItems()], sets.masks, sets.coordinates), True, 2),
    ]:
        assert [name for name, _ in entries] == ["TS_1", "TS_2"]
        stack = entries[1][1]()
        assert (stack.mask is not None) == has_mask
        assert len(stack.points) == particles
    np.testing.assert_allclose(stack.points[0], (5.0, 8.0, 14.0))
    assert stack.diameterPx == pytest.approx(8.0)


@pytest.fixture
def browser(sets):
    window = SliceBrowser(entriesOf([item.clone() for item in sets.tomograms.iterItems()], sets.masks, sets.coordinates))
    yield window
    window.close()


def test_the_window_walks_through_slices_axes_and_tomograms(browser):
    assert browser.stack.name == "TS_1"
    assert int(browser.slider.val) == 6  # the slice with the mask
    browser.slider.set_val(3)
    assert "z = 3" in browser.axes.get_title()
    browser.turn("x")
    assert "x = " in browser.axes.get_title()
    assert browser.slider.valmax == 27
    browser.open(1)
    assert browser.stack.name == "TS_2"
    browser.open(2)
    assert browser.stack.name == "TS_1"


def test_contrast_narrows_the_grey_values(browser):
    low, high = browser.axes.images[0].get_clim()
    browser.contrast.set_val(20.0)
    narrow = browser.axes.images[0].get_clim()
    assert low < narrow[0] < narrow[1] < high
    browser.turn("x")
    assert np.isclose(browser.contrast.val, 20.0)  # stays from slice to slice


def test_mask_and_particles_can_be_hidden(browser):
    pictures, lines = len(browser.axes.images), len(browser.axes.lines)
    browser.toggle(MASK)
    assert len(browser.axes.images) == pictures - 1
    browser.toggle(PARTICLES)
    assert len(browser.axes.lines) < lines
    browser.toggle(MASK)
    assert len(browser.axes.images) == pictures


@pytest.mark.parametrize("name", ["masks", "coordinates"])
def test_the_overlay_is_offered_for_every_such_set(sets, project, name):
    found = pyworkflow.Config.getDomain().findViewers(getattr(sets, name), DESKTOP_TKINTER)
    assert CryoEtSegOverlayViewer in found
    (view,) = CryoEtSegOverlayViewer(project=project)._visualize(getattr(sets, name))
    assert [entry for entry, _ in view.entries] == ["TS_1", "TS_2"]
    view.close()


def test_classes_stay_with_the_particles_that_a_slice_shows():
    """Numbers of groups may be any; the first of them has the first colour."""
    points = np.array([[2.0, 4.0, 4.0], [9.0, 4.0, 4.0], [2.0, 8.0, 8.0]])
    stack = SliceStack("TS_1", np.zeros((12, 16, 16), np.float32), 10.0, points=points, diameterPx=4.0, classes=np.array([7, 2, 2]))
    assert stack.plane("z", 2).classes.tolist() == [1, 0]
    assert stack.plane("z", 9).classes.tolist() == [0]


def test_each_particle_is_as_large_as_its_diameter():
    """A large one is in slices that a small one at the same height is not in, and is drawn as large as it is."""
    points = np.array([[6.0, 4.0, 4.0], [6.0, 8.0, 8.0], [6.0, 12.0, 12.0]])
    stack = SliceStack("TS_1", np.zeros((12, 16, 16), np.float32), 10.0, points=points, diameterPx=4.0, diameters=np.array([2.0, 10, 0]))
    assert [stack.plane("z", z).diameters.tolist() for z in (6, 8, 10)] == [[2.0, 10.0, 4.0], [10.0, 4.0], [10.0]]
    window = SliceBrowser([("TS_1", lambda: stack)])
    window.slider.set_val(6)
    (line,) = window.axes.lines
    widths = [np.ptp(line.get_xdata()[first:first + 25]) for first in (0, 26, 52)]
    np.testing.assert_allclose(widths, [2.0, 10.0, 4.0], rtol=0.01)
    window.close()


def test_what_is_not_there_leaves_no_cross(sets):
    """Boxes and their crosses go together."""
    window = SliceBrowser(entriesOfMasks(sets.masks))
    assert [window.checks[name].ax.get_visible() for name in (MASK, PARTICLES)] == [True, False]
    assert len(np.unique(_pixels(window, PARTICLES))) == 1
    assert len(np.unique(_pixels(window, MASK))) > 1
    window.close()


def _pixels(window, name):
    """What the window draws where a box is."""
    canvas = window.figure.canvas
    canvas.draw()
    left, bottom, right, top = (int(value) for value in window.checks[name].ax.bbox.extents)
    image = np.asarray(canvas.buffer_rgba())
    return image[image.shape[0] - top:image.shape[0] - bottom, left:right]
