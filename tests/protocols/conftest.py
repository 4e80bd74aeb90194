"""Tests of the protocols run in a Scipion of their own, in one project whose simulated tomograms they share."""
import shutil

import pytest
import scipion_environment
from scipion_environment import working_folder as working_folder
from scipion_environment import working_folder_of_fixtures as working_folder_of_fixtures

OTHER = 2  # of the form's choices of a backbone: a folder


@pytest.fixture(scope="session")
def project():
    return scipion_environment.new_project("protocols")


@pytest.fixture(scope="session")
def simulated(project):
    """A finished simulation of two small tomograms."""
    from cryoetseg.protocols import ProtCryoEtSegSimulateTomograms

    run = scipion_environment.launch(project, ProtCryoEtSegSimulateTomograms, count=2, seed=5, **scipion_environment.SMALL_SAMPLE)
    assert run.isFinished(), scipion_environment.log_of(run)
    return run


@pytest.fixture(scope="session")
def copied(project, simulated):
    """The true coordinates once more, as another set."""
    from cryoetseg.protocols import ProtCryoEtSegSelectByScore

    return scipion_environment.finished(project, ProtCryoEtSegSelectByScore, inCoordinates=(simulated, "coordinates"), threshold=-9.0)


@pytest.fixture(scope="session")
def foreignFiles(project, simulated, tmp_path_factory):
    """The first simulated tomogram and its membranes as files that somebody else may have made."""
    folder = tmp_path_factory.mktemp("files")
    with scipion_environment.inside(project):
        for name, items in (("sim_001.mrc", simulated.tomograms), ("sim_001_mask.mrc", simulated.membraneMasks)):
            shutil.copy(items.getFirstItem().getFileName(), folder / name)
    return folder


@pytest.fixture(scope="session")
def imported(project, foreignFiles):
    from tomo.protocols import ProtImportTomograms

    return scipion_environment.finished(project, ProtImportTomograms, filesPath=str(foreignFiles), filesPattern="sim_001.mrc",
                                        samplingRate=13.0)


@pytest.fixture(scope="session")
def backbone(tmp_path_factory):
    """A very small backbone with random weights: the form of the shipped one, without its knowledge."""
    import torch

    from cryoetseg.core.foundation.tiny import build_network

    folder = tmp_path_factory.mktemp("backbone")
    torch.manual_seed(0)
    build_network((16, 32), slices=3, tile_px=32).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def segmented(project, simulated, backbone):
    """A finished segmentation of the simulated tomograms with the small backbone."""
    from cryoetseg.protocols import ProtCryoEtSegSegmentSlabs

    chosen = {"backbone": OTHER, "backboneFolder": backbone}
    small = {**chosen, "zStart": 12, "zLast": 17, "tilePx": 32, "overlapPx": 8, "borderTokens": 2, "draws": 1}
    small["particleThreshold"] = -5.0  # candidates in both tomograms, whatever random weights see
    pointers = {"inTomos": (simulated, "tomograms")}
    return scipion_environment.finished(project, ProtCryoEtSegSegmentSlabs, particleDiameter=250.0, **pointers, **small)
