"""Vox-UDA in Scipion: subtomograms of any origin in, a model that chains, masks with the subtomograms' coordinates out."""
import mrcfile
import numpy as np
import pytest
from pwem.protocols import ProtImportVolumes
from scipion_environment import finished, inside, new_run
from tomo.objects import CTFTomo, CTFTomoSeries, SetOfCTFTomoSeries, SetOfSubTomograms, SetOfTiltSeries, SubTomogram, TiltSeries

from cryoetseg.core.models.card import read_card
from cryoetseg.core.volumes.io import write_volume
from cryoetseg.protocols import (
    ProtCryoEtSegCompareVoxUda,
    ProtCryoEtSegSegmentSubtomograms,
    ProtCryoEtSegTrainVoxUda,
)
from cryoetseg.protocols.form_builder import parametersOf
from cryoetseg.viewers import CryoEtSegComparisonViewer, CryoEtSegMontageViewer

SHORT = {"iterations": 2, "batchSize": 2, "width": 4, "size": 16, "precision": 0, "noiseSamples": 2, "useGpu": False}
COUNT, VOXEL_SIZE = 4, 16.0


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Bright balls in noise and their masks, as another program may have extracted them."""
    folder = tmp_path_factory.mktemp("subtomograms")
    grid = np.stack(np.meshgrid(*[np.arange(16) - 8] * 3, indexing="ij"))
    ball = (grid**2).sum(axis=0) < 20
    for number in range(COUNT):
        noise = np.random.default_rng(number).normal(size=ball.shape)
        write_volume(folder / "volumes" / f"p{number}.mrc", (noise - 3 * ball).astype(np.float32), VOXEL_SIZE)
        write_volume(folder / "masks" / f"p{number}_m.mrc", ball.astype(np.int8), VOXEL_SIZE)
    return folder


@pytest.fixture(scope="module")
def volumes(project, files):
    return finished(project, ProtImportVolumes, filesPath=str(files / "volumes"), filesPattern="*.mrc", samplingRate=VOXEL_SIZE)


@pytest.fixture(scope="module")
def masks(project, files):
    return finished(project, ProtImportVolumes, filesPath=str(files / "masks"), filesPattern="*.mrc", samplingRate=VOXEL_SIZE)


@pytest.fixture(scope="module")
def two_masks(project, files):
    return finished(project, ProtImportVolumes, filesPath=str(files / "masks"), filesPattern="p[01]_m.mrc", samplingRate=VOXEL_SIZE)


@pytest.fixture(scope="module")
def trained(project, volumes):
    """Adapted from a simulated source."""
    return finished(project, ProtCryoEtSegTrainVoxUda, inTarget=(volumes, "outputVolumes"), sourceCount=4, **SHORT)


@pytest.fixture(scope="module")
def subtomograms(project, volumes):
    """The imported volumes as a set of subtomograms, which Scipion's own import makes only from a tomography plugin's files."""
    with inside(project):
        made = SetOfSubTomograms.create(volumes._getPath(), suffix="made")
        made.setSamplingRate(VOXEL_SIZE)
        for volume in [item.clone() for item in volumes.outputVolumes.iterItems()]:
            item = SubTomogram()
            item.setLocation(volume.getFileName())
            item.setSamplingRate(VOXEL_SIZE)
            item.setVolName("TS_1")
            made.append(item)
        made.write()
        volumes._defineOutputs(madeSubtomograms=made)
    return volumes


@pytest.fixture(scope="module")
def segmented(project, trained, subtomograms):
    return finished(project, ProtCryoEtSegSegmentSubtomograms, inSubtomos=(subtomograms, "madeSubtomograms"), inModel=(trained, "model"),
                    useGpu=False)


def test_the_model_is_of_the_target_and_the_source_was_simulated_at_its_voxel_size(project, trained):
    with inside(project):
        card = read_card(trained.model.getPath())
        assert (card.method, card.voxel_size, card.training["target_subtomograms"]) == ("train-voxuda", VOXEL_SIZE, COUNT)
        assert card.training["source_subtomograms"] == 4
    assert "4* labelled and *4* unlabelled" in "\n".join(trained.summary())


def test_sentences_for_papers_say_which_parts_of_the_method_acted(project, trained, segmented):
    with inside(project):
        told, values = trained._methods(), parametersOf(trained, trained._model)
        found = segmented._methods()
    assert f"on 4 simulated labelled subtomograms and adapted to {COUNT} unlabelled ones" in told[0]
    assert ("domain discriminator" in told[0]) == values["adversarial"]
    assert ("pseudo-labels" in told[0]) == values["pseudo_labels"]
    assert told[1].startswith("Settings other than the published ones")
    assert f"{COUNT} subtomograms were segmented by a network" in found[0]
    assert "above 0.5" in found[0]


def test_masks_keep_the_subtomograms_place_and_voxel_size(project, segmented):
    for name in ("masks", "probabilityMaps"):
        items = [item.clone() for item in getattr(segmented, name).iterItems()]
        assert [item.getVolName() for item in items] == ["TS_1"] * COUNT
        assert getattr(segmented, name).getSamplingRate() == VOXEL_SIZE
    with inside(project):
        files = [item.getFileName() for item in [mask.clone() for mask in segmented.masks.iterItems()]]
        assert all(mrcfile.read(path).shape == (16, 16, 16) for path in files)
        assert len(set(files)) == COUNT


@pytest.fixture(scope="module")
def compared(project, volumes, masks):
    """With the target as its own labelled source: no simulation, and the masks of a source are used too."""
    own = {"inSource": (volumes, "outputVolumes"), "inSourceMasks": (masks, "outputVolumes")}
    return finished(project, ProtCryoEtSegCompareVoxUda, inTarget=(volumes, "outputVolumes"), inTargetMasks=(masks, "outputVolumes"), **own,
                    rows="source_only,vox_uda,supervised", seeds=1, **{**SHORT, "iterations": 1})


def test_the_comparison_gives_scores_and_their_viewer_draws_them(project, compared):
    assert 0 <= float(compared.scoreVoxUda) <= 1
    assert "vox_uda: Dice" in "\n".join(compared.summary())
    viewer = CryoEtSegComparisonViewer(project=project)
    viewer.setProtocol(compared)
    with inside(project):
        (rows,), (features,) = viewer._rows(), viewer._features()
    assert [label.get_text() for label in rows.figure.axes[0].get_yticklabels()] == ["source only", "Vox-UDA", "fully supervised"]
    assert len(features.figure.axes) == 2


def test_the_montage_shows_every_subtomogram(project, segmented):
    viewer = CryoEtSegMontageViewer(project=project)
    viewer.setProtocol(segmented)
    with inside(project):
        (view,) = viewer._montage()
    assert [axes.get_title() for axes in view.figure.axes if axes.images] == ["1", "2", "3", "4"]


@pytest.fixture
def ctfs(tmp_path):
    """A set of two tilt images, 3.0 and 3.4 um below focus, astigmatic."""
    tilts, tiltSeries = SetOfTiltSeries(filename=str(tmp_path / "tilts.sqlite")), TiltSeries(tsId="TS_01")
    tilts.append(tiltSeries)
    tilts.write()
    found, series = SetOfCTFTomoSeries(filename=str(tmp_path / "ctfs.sqlite")), CTFTomoSeries(tsId="TS_01")
    found.setSetOfTiltSeries(tilts)
    found.append(series)
    for number, defocus in enumerate((30000.0, 34000.0), 1):
        ctf = CTFTomo(index=number)
        ctf.setStandardDefocus(defocus + 1000, defocus - 1000, 20.0)
        series.append(ctf)
    found.update(series)
    found.write()
    return found


def test_the_simulated_source_has_the_underfocus_of_the_ctf_unless_one_is_given(project, volumes, ctfs):
    run = new_run(project, ProtCryoEtSegTrainVoxUda, inTarget=(volumes, "outputVolumes"), **SHORT)
    assert run._imaging()["defocus"] == 5.0
    run.inCtf.set(ctfs)
    assert run._imaging()["defocus"] == pytest.approx(3.2)
    run.sourceDefocus.set(4.5)
    assert run._imaging()["defocus"] == 4.5


def test_bad_input_is_told_before_anything_runs(project, volumes, masks, two_masks):
    alone = new_run(project, ProtCryoEtSegTrainVoxUda, inTarget=(volumes, "outputVolumes"), inSource=(masks, "outputVolumes"),
                    inSourceMasks=(two_masks, "outputVolumes"), **SHORT)
    with inside(project):
        assert any("2 masks for 4 subtomograms" in line for line in alone.validate())
