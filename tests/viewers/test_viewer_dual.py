"""What the windows of DUAL show, from runs whose files are made here."""
import pytest

from cryoetseg.protocols import ProtCryoEtSegDenoiseDual
from cryoetseg.viewers import CryoEtSegDualViewer


class FinishedDenoising(ProtCryoEtSegDenoiseDual):
    """A run whose files are given."""

    files = {}

    def getBeforeAndAfter(self):
        return self.files


@pytest.fixture
def viewer(project, sets):
    run = FinishedDenoising()
    run.inTomos.set(sets.tomograms)
    files = {item.getTsId(): item.getFileName() for item in sets.tomograms.iterItems()}
    run.files = {"TS_1": [files["TS_1"], files["TS_2"]]}
    made = CryoEtSegDualViewer(project=project)
    made.setProtocol(run)
    return made


def test_windows_show_before_and_after(viewer):
    assert list(viewer.volumes()) == ["tomogram", "denoised"]
    for name, panels in (("showSlices", 4), ("showSections", 2), ("showRadial", 1)):
        (view,) = viewer._getVisualizeDict()[name](name)
        assert len(view.figure.axes) == panels
        view.close()


def test_without_results_a_message_says_so(viewer):
    viewer.protocol.files = {}
    (view,) = viewer._slices()
    assert "No tomogram is finished" in view.getMessage()
