"""The previews of particle diameter, tilt range and voxel size: what they show, and what they write into the form."""
import numpy as np
import pytest
from pyworkflow.object import Pointer

from cryoetseg.core.report.figures import new_figure
from cryoetseg.core.volumes.wedge import measured_plane
from cryoetseg.protocols import ProtCryoEtSegFillWedge, ProtCryoEtSegPickDog, ProtCryoEtSegTrainWedge
from cryoetseg.wizards import CryoEtSegDiameterWizard, CryoEtSegTiltRangeWizard, CryoEtSegVoxelSizeWizard, preview_window
from cryoetseg.wizards.preview_wizard import previewOf
from cryoetseg.wizards.slab_preview import SlabPreview
from cryoetseg.wizards.tomogram_preview import (
    blobsOf,
    drawDiameter,
    drawTiltRange,
    drawVoxelSize,
    edgesOf,
    resampled,
    spectrumOf,
    wedgeShare,
)

CENTRES = np.array([(14, 20), (40, 44), (48, 12)])
RADIUS = 5


@pytest.fixture(scope="module")
def balls():
    """Weak noise with three dark balls of diameter 10 voxels in slice 16, and voxels of 10 Angstrom."""
    volume = np.random.default_rng(0).normal(size=(32, 64, 64), scale=0.1).astype(np.float32)
    z, y, x = np.ogrid[:32, :64, :64]
    for row, column in CENTRES:
        volume[(z - 16) ** 2 + (y - row) ** 2 + (x - column) ** 2 <= RADIUS ** 2] -= 1
    return SlabPreview("TS_1", volume, 10.0, "dark")


@pytest.fixture(scope="module")
def tilted():
    """White noise as a tilt series from -50 to 50 degrees measures it."""
    noise = np.random.default_rng(1).normal(size=(64, 32, 64))
    measured = measured_plane(64, 64, -50.0, 50.0)
    volume = np.fft.irfft2(np.fft.rfft2(noise, axes=(0, 2)) * measured[:, None], s=(64, 64), axes=(0, 2))
    return SlabPreview("TS_1", volume.astype(np.float32), 10.0)


def test_circles_lie_on_what_has_the_diameter(balls):
    _, points = blobsOf(balls, 16, 2 * RADIUS)
    assert sorted(map(tuple, points)) == sorted(map(tuple, CENTRES))
    _, elsewhere = blobsOf(balls, 2, 2 * RADIUS)
    assert not any(np.abs(CENTRES - point).max(axis=1).min() <= 1 for point in elsewhere)


def test_bright_particles_are_found_as_well(balls):
    _, points = blobsOf(SlabPreview("TS_1", -balls.volume, 10.0, "bright"), 16, 2 * RADIUS)
    assert sorted(map(tuple, points)) == sorted(map(tuple, CENTRES))


def test_the_wedge_is_dark_only_up_to_the_true_tilt_range(tilted):
    power = spectrumOf(tilted)
    true, narrow, wide = (wedgeShare(power, -angle, angle) for angle in (50.0, 30.0, 70.0))
    assert max(true, wide) < 0.1
    assert narrow > 0.25


def test_edges_are_those_of_the_wedge():
    """Just inside the lines is measured, just outside is not."""
    first, last = edgesOf(-50.0, 30.0)
    assert first[1][1] / first[0][1] == pytest.approx(np.tan(np.radians(-50.0)))
    measured = measured_plane(200, 200, -50.0, 30.0)
    (_, x), (_, z) = last
    column = round(0.4 * x * 200)
    row = 0.4 * z * 200
    assert measured[int(row) - 2, column] == 1
    assert measured[int(row) + 3, column] == 0


def test_a_coarser_slice_is_smaller_and_keeps_its_mean(balls):
    image = balls.volume[16] + 3
    coarse = resampled(image, 10.0, 20.0)
    assert coarse.shape == (32, 32)
    assert coarse.mean() == pytest.approx(image.mean(), rel=0.02)
    assert resampled(image, 10.0, 10.0) == pytest.approx(image)


def test_figures_say_what_they_show(balls, tilted):
    figure = new_figure(9, 5)
    drawDiameter(figure, balls, 16, 100.0)
    assert [axes.get_title() for axes in figure.axes] == ["TS_1, z = 16", "100 Å are 10.0 voxels"]
    drawTiltRange(figure, "TS_1", spectrumOf(tilted), -50, 50)
    assert figure.axes[0].get_title().startswith("TS_1: -50 to 50 °, power in the wedge ")
    drawVoxelSize(figure, balls, 16, 20.0)
    assert figure.axes[1].get_title() == "20 Å: 32 x 32 voxels, 250 Å are 12"
    drawVoxelSize(figure, balls, 16, 0)
    assert figure.axes[1].get_title().startswith("10 Å")


@pytest.mark.parametrize(("sliders", "expected"), [([-55, 48], (-55, 48)), ([40, -30], (-30, 40)), ([89, 89], (88, 89)), ([0, 0], (0, 1))])
def test_a_tilt_range_is_never_empty(sliders, expected):
    chosen = CryoEtSegTiltRangeWizard.accepted(sliders)
    assert (chosen["tiltMin"], chosen["tiltMax"]) == expected


CASES = [(CryoEtSegDiameterWizard, ProtCryoEtSegPickDog, 1, 90.0, {"particleDiameter": 90.0}),
         (CryoEtSegTiltRangeWizard, ProtCryoEtSegFillWedge, 0, -45.0, {"tiltMin": -45.0, "tiltMax": 60.0}),
         (CryoEtSegVoxelSizeWizard, ProtCryoEtSegTrainWedge, 1, 14.5, {"modelVoxelSize": 14.5})]


@pytest.mark.parametrize(("wizard", "form", "slider", "value", "expected"), CASES)
@pytest.mark.parametrize("accepted", [True, False])
def test_the_window_gives_back_what_was_chosen(window_root, sets, monkeypatch, wizard, form, slider, value, expected, accepted):
    class Driven(preview_window.PreviewWindow):
        """Moves a slider and presses a key, as a user does."""

        def body(self, master):
            super().body(master)
            self.after(200, lambda: self.variables[slider].set(value))
            self.after(400, lambda: self._redraw())
            self.after(600, lambda: (self.focus_force(), self.event_generate("<Return>" if accepted else "<Escape>")))

    monkeypatch.setattr(preview_window, "PreviewWindow", Driven)
    protocol = form()
    protocol.inTomos = Pointer(sets.tomograms)
    assert wizard().choose(window_root, protocol, previewOf(protocol)) == (expected if accepted else None)
