"""What we make goes into other plugins' protocols, and what they make comes into ours."""
import os
import struct
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import starfile
from reliontomo.convert import createReaderTomo, createWriterTomo50
from scipion_environment import groups, launch, log_of, new_run, positions, run_here
from tomo.constants import TR_RELION
from tomo.objects import SetOfCoordinates3D, SetOfTiltSeries
from tomo.protocols import (
    ProtExportCoordinates3D,
    ProtImportCoordinates3D,
    ProtImportSubTomograms,
    ProtImportTomograms,
    ProtImportTomomasks,
    ProtMaskCoordinates,
    ProtTomoApplyTomoMask,
    ProtTomoExtractCoords,
)

from cryoetseg.convert import anglesOf
from cryoetseg.protocols import (
    ProtCryoEtSegCurateMembranes,
    ProtCryoEtSegEvaluatePicking,
    ProtCryoEtSegEvaluateSegmentation,
    ProtCryoEtSegExportCoordinates,
    ProtCryoEtSegPickDog,
    ProtCryoEtSegTrainVoxUda,
)
from cryoetseg.viewers import CryoEtSegFolderViewer

CLOSE = 0.01  # voxels


def test_masks_are_applied_by_tomo(project, simulated):
    pointers = {"inTomoSet": (simulated, "tomograms"), "inMaskSet": (simulated, "membraneMasks")}
    run = run_here(project, ProtTomoApplyTomoMask, sigmaGaussian=1, **pointers)
    assert run.isFinished(), log_of(run)
    masked = {item.getTsId(): item.clone() for item in run.maskedTomograms.iterItems()}
    assert sorted(masked) == ["sim_001", "sim_002"]
    membranes = {item.getTsId(): item.getFileName() for item in simulated.membraneMasks.iterItems()}
    inside = mrcfile.read(membranes["sim_001"]) > 0
    assert np.ptp(mrcfile.read(masked["sim_001"].getFileName())[inside]) > 0


def test_corrected_masks_are_applied_by_tomo(project, simulated):
    """What was taken out by hand is masked as the rest of the background is."""
    masks = {item.getTsId(): mrcfile.read(item.getFileName()) > 0 for item in simulated.membraneMasks.iterItems()}
    z, y, x = (int(value) for value in np.argwhere(masks["sim_001"])[0])
    curated = run_here(project, ProtCryoEtSegCurateMembranes, inMasks=(simulated, "membraneMasks"), removed=f'[["sim_001", {x}, {y}, {z}]]')
    assert curated.isFinished(), log_of(curated)
    run = run_here(project, ProtTomoApplyTomoMask, inTomoSet=(simulated, "tomograms"), inMaskSet=(curated, "curatedMasks"), sigmaGaussian=1)
    assert run.isFinished(), log_of(run)
    left = {item.getTsId(): mrcfile.read(item.getFileName()) > 0 for item in curated.curatedMasks.iterItems()}
    assert not left["sim_001"][z, y, x]
    np.testing.assert_array_equal(left["sim_002"], masks["sim_002"])
    ours = {item.getTsId(): item.getOrigin().getShifts() for item in simulated.tomograms.iterItems()}
    assert {item.getTsId(): item.getOrigin().getShifts() for item in run.maskedTomograms.iterItems()} == ours


def test_coordinates_are_filtered_by_tomo(project, simulated):
    run = run_here(project, ProtMaskCoordinates, inputCoordinates=(simulated, "coordinates"), inputSegmentations=(simulated, "classMasks"))
    assert run.isFinished(), log_of(run)
    assert 0 < run.Coordinates.getSize() <= simulated.coordinates.getSize()


def test_coordinates_are_exported_by_tomo(project, simulated):
    run = run_here(project, ProtExportCoordinates3D, inputCoordinates=(simulated, "coordinates"), outputFormat=0)
    assert run.isFinished(), log_of(run)
    lines = [line for path in Path(run._getExportPath()).iterdir() for line in path.read_text().splitlines()]
    assert len(lines) >= simulated.coordinates.getSize()


def test_masks_imported_by_another_plugin_can_be_scored(project, simulated, tmp_path):
    """Imported tomograms and masks carry ids and origins of the importer's; the join is by tilt-series id alone."""
    for item in simulated.tomograms.iterItems():
        os.symlink(os.path.abspath(item.getFileName()), tmp_path / f"{item.getTsId()}.mrc")
    for item in simulated.membraneMasks.iterItems():
        os.symlink(os.path.abspath(item.getFileName()), tmp_path / f"{item.getTsId()}_mask.mrc")
    tomograms = run_here(project, ProtImportTomograms, filesPath=str(tmp_path), filesPattern="sim_00[12].mrc", samplingRate=13.0)
    assert tomograms.isFinished(), log_of(tomograms)
    pattern = {"filesPath": str(tmp_path), "filesPattern": "{TS}_mask.mrc"}
    masks = run_here(project, ProtImportTomomasks, inputTomos=(tomograms, "Tomograms"), **pattern)
    assert masks.isFinished(), log_of(masks)
    run = run_here(project, ProtCryoEtSegEvaluateSegmentation, predicted=(masks, "tomomasks"), truth=(simulated, "membraneMasks"))
    assert run.isFinished(), log_of(run)
    assert run.scoreDice.get() == pytest.approx(1.0)


# --------------------------- coordinates to RELION and IMOD -----------------


def test_relion5_extracts_where_the_particles_are(project, simulated, tmp_path):
    """The list that RELION 5's extraction is given, for tilt series of a quarter of the voxel size."""
    tomograms = {item.getTsId(): item.clone() for item in simulated.tomograms.iterItems()}
    createWriterTomo50().coords2Star(simulated.coordinates, tomograms, str(tmp_path), coordsScale=4.0)
    (path,) = tmp_path.glob("*.star")
    table = starfile.read(path)
    for tsId, expected in positions(simulated.coordinates).items():
        rows = table[table.rlnTomoName == tsId]
        np.testing.assert_allclose(rows[["rlnCoordinateX", "rlnCoordinateY", "rlnCoordinateZ"]] / 4.0, expected, atol=CLOSE)
    written = table[["rlnTomoSubtomogramRot", "rlnTomoSubtomogramTilt", "rlnTomoSubtomogramPsi"]].to_numpy()
    for row, item in zip(written, simulated.coordinates.iterCoordinates()):
        np.testing.assert_allclose(row, anglesOf(item.getMatrix(convention=TR_RELION)), atol=1e-3)
    assert {(row.rlnTomoName, int(row.sciGroupId)) for row in table.itertuples()} == set(groups(simulated.coordinates))


def exported(project, run, name, **values):
    made = run_here(project, ProtCryoEtSegExportCoordinates, "export", inCoordinates=(run, "coordinates"), format=name, **values)
    assert made.isFinished(), log_of(made)
    return made


def test_export_for_relion5_is_read_by_another_reader(project, simulated):
    run = exported(project, simulated, 0)
    (path,) = run.getFiles()
    assert os.path.abspath(path) in run.summary()[0]
    table = starfile.read(path)["particles"]
    centre = np.array(simulated.tomograms.getDim()) / 2
    for tsId, expected in positions(simulated.coordinates).items():
        rows = table[table.rlnTomoName == tsId]
        centred = rows[[f"rlnCenteredCoordinate{axis}Angst" for axis in "XYZ"]].to_numpy()
        np.testing.assert_allclose(centred / 13.0 + centre, expected, atol=CLOSE)
    assert sorted(zip(table.rlnTomoName, table.rlnClassNumber)) == groups(simulated.coordinates)


def test_export_for_relion5_names_the_pixel_of_the_tilt_series(project, simulated, tmp_path):
    """From the tilt series where they are given, else from the form; who gives neither is warned."""
    series = SetOfTiltSeries.create(str(tmp_path))
    series.setSamplingRate(2.17)
    series.write()

    def pixel(run):
        return float(starfile.read(run.getFiles()[0])["optics"].rlnTomoTiltSeriesPixelSize.iloc[0])

    source = new_run(project, ProtCryoEtSegExportCoordinates, format=0, tiltSeriesPixel=3.25, inCoordinates=(simulated, "coordinates"))
    source.inTiltSeries.set(series)
    assert source._getParameters("")["tilt_series_pixel"] == pytest.approx(2.17)
    assert source._warnings() == []
    source.format.set(1)
    assert source._getParameters("")["tilt_series_pixel"] == 3.25  # where it does nothing
    assert pixel(exported(project, simulated, 0, tiltSeriesPixel=3.25)) == 3.25
    run = exported(project, simulated, 0)
    assert pixel(run) == 13.0
    assert "will name 13 Å, the voxel size of the tomograms" in run._warnings()[-1]
    assert any("right only where the tomograms are not binned" in line for line in run.summary())


def test_exported_files_are_copied_to_their_destination(project, simulated, tmp_path):
    run = exported(project, simulated, 2, folder=str(tmp_path / "models"))
    written = {os.path.basename(path): Path(path).read_bytes() for path in run.getFiles()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "models").iterdir()} == written
    assert run.summary()[0].endswith(str(tmp_path / "models"))
    (view,) = CryoEtSegFolderViewer(project=project)._visualize(run)
    assert view.folder == str(tmp_path / "models")
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert "is no folder" in new_run(project, ProtCryoEtSegExportCoordinates, folder=str(blocked / "x"),
                                     inCoordinates=(simulated, "coordinates")).validate()[0]


def points_of(path):
    """Points (n, 3) of an IMOD model and its pixel size in nanometre, by the places that IMOD's manual names."""
    data = Path(path).read_bytes()
    assert data[:8] == b"IMODV1.2"
    (pixel,) = struct.unpack_from(">f", data, 8 + 128 + 36 + 24 + 20)
    points, start = [], data.find(b"CONT")
    while start >= 0:
        (count,) = struct.unpack_from(">i", data, start + 4)
        points.append(np.frombuffer(data, ">f4", 3 * count, start + 20).reshape(-1, 3))
        start = data.find(b"CONT", start + 20 + 12 * count)
    return np.concatenate(points), pixel


def test_export_for_imod_is_read_by_another_reader(project, simulated):
    run = exported(project, simulated, 2)
    expected = positions(simulated.coordinates)
    assert sorted(Path(path).stem for path in run.getFiles()) == sorted(expected)
    for path in run.getFiles():
        points, pixel = points_of(path)
        assert pixel == pytest.approx(1.3)
        # in IMOD the middle of the first pixel lies at 0.5, that of the first section at 0
        voxels = points - [0.5, 0.5, 0.0]
        found, known = (rows[np.lexsort(rows.T)] for rows in (voxels, expected[Path(path).stem]))
        np.testing.assert_allclose(found, known, atol=CLOSE)


def test_export_comes_back_through_relions_reader(project, simulated, tmp_path):
    """Their import protocol itself starts only where RELION is installed; this is what it reads with."""
    (path,) = exported(project, simulated, 1).getFiles()
    reader, version = createReaderTomo(path, isRelion5=True, isCoordsStar=True)
    assert version == 5
    coordinates = SetOfCoordinates3D.create(str(tmp_path))
    coordinates.setSamplingRate(13.0)
    coordinates.setPrecedents(simulated.tomograms)
    reader.starFile2Coords3D(coordinates, simulated.tomograms, 1.0)
    coordinates.write()
    found, expected = positions(coordinates), positions(simulated.coordinates)
    assert sorted(found) == sorted(expected)
    for tsId in expected:
        np.testing.assert_allclose(found[tsId], expected[tsId], atol=CLOSE)


# --------------------------- other binning, other origin --------------------


def write(path, volume, voxel_size):
    with mrcfile.new(path, np.asarray(volume, np.float32)) as file:
        file.voxel_size = voxel_size


@pytest.fixture(scope="module")
def binned(simulated, tmp_path_factory):
    """A folder with the simulated tomograms at twice the voxel size."""
    folder = tmp_path_factory.mktemp("binned")
    for item in simulated.tomograms.iterItems():
        volume = mrcfile.read(item.getFileName())
        z, y, x = (length // 2 for length in volume.shape)
        write(folder / f"{item.getTsId()}.mrc", volume.reshape(z, 2, y, 2, x, 2).mean(axis=(1, 3, 5)), 26.0)
    return folder


def imported(project, folder, **values):
    run = run_here(project, ProtImportTomograms, "binned", filesPath=str(folder), filesPattern="{TS}.mrc", samplingRate=26.0, **values)
    assert run.isFinished(), log_of(run)
    return run


def test_coordinates_follow_to_another_binning(project, simulated, binned):
    tomograms = imported(project, binned)
    run = launch(project, ProtTomoExtractCoords, inputSubTomos=(simulated, "coordinates"), inputTomos=(tomograms, "Tomograms"))
    assert run.isFinished(), log_of(run)
    ((_, made),) = run.iterOutputAttributes()
    assert made.getBoxSize() == simulated.coordinates.getBoxSize() / 2
    assert groups(made) == groups(simulated.coordinates)
    for tsId, expected in positions(simulated.coordinates).items():
        np.testing.assert_allclose(positions(made)[tsId], expected / 2, atol=CLOSE)


def test_ids_voxel_size_and_origin_of_imported_tomograms_survive(project, binned):
    tomograms = imported(project, binned, setOrigCoord=True, x=100.0, y=200.0, z=300.0)
    run = run_here(project, ProtCryoEtSegPickDog, inTomos=(tomograms, "Tomograms"), particleDiameter=250.0, count=20)
    assert run.isFinished(), log_of(run)
    assert (run.coordinates.getSamplingRate(), run.coordinates.getBoxSize()) == (26.0, 16)
    origins = {item.getTsId(): item.getOrigin().getShifts() for item in run.coordinates.getPrecedents().iterItems()}
    assert origins == dict.fromkeys(("sim_001", "sim_002"), (-100.0, -200.0, -300.0))
    # what Scipion gives back is what the core found, whatever the origin
    for tsId, found in positions(run.coordinates).items():
        table = starfile.read(run._getOutputFile(tsId, run._readResult(tsId), "particles"))
        np.testing.assert_allclose(found, table[["rlnCoordinateX", "rlnCoordinateY", "rlnCoordinateZ"]], atol=CLOSE)


# --------------------------- theirs into ours -------------------------------


def test_coordinates_imported_by_another_plugin_can_be_scored(project, simulated, tmp_path):
    names = {item.getTsId(): Path(item.getFileName()).stem for item in simulated.tomograms.iterItems()}
    for tsId, rows in positions(simulated.coordinates).items():
        np.savetxt(tmp_path / f"{names[tsId]}.txt", rows, fmt="%.3f")
    run = run_here(project, ProtImportCoordinates3D, filesPath=str(tmp_path), filesPattern="*.txt", importFrom=0, boxSize=30,
                   importTomograms=(simulated, "tomograms"))
    assert run.isFinished(), log_of(run)
    ((name, imported),) = run.iterOutputAttributes()
    assert imported.getSize() == simulated.coordinates.getSize()
    scores = run_here(project, ProtCryoEtSegEvaluatePicking, predicted=(run, name), truth=(simulated, "coordinates"), radiusPx=1.0)
    assert scores.isFinished(), log_of(scores)
    assert scores.scoreF1.get() == pytest.approx(1.0)


def test_subtomograms_imported_by_another_plugin_are_taken(project, tmp_path):
    for number in range(3):
        write(tmp_path / f"sub_{number}.mrc", np.random.default_rng(number).normal(size=(16, 16, 16)), 10.0)
    run = launch(project, ProtImportSubTomograms, filesPath=str(tmp_path), filesPattern="sub_*.mrc", samplingRate=10.0)
    assert run.isFinished(), log_of(run)
    ((name, _),) = run.iterOutputAttributes()
    training = new_run(project, ProtCryoEtSegTrainVoxUda, inTarget=(run, name))
    assert training.validate() == []
    files = training._getInputs("training")
    assert {(item.role, item.voxel_size) for item in files} == {("target", 10.0)}
    assert len(files) == 3
    assert all(os.path.isfile(item.path) for item in files)
