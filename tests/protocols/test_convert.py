"""Sets to files and back: positions, orientations, ids and origins survive."""
import numpy as np
import pytest
from pwem.objects import AtomStruct, SetOfVolumes, Transform, Volume
from pyworkflow.object import Pointer
from tomo.constants import BOTTOM_LEFT_CORNER, TR_RELION
from tomo.objects import SetOfCoordinates3D, SetOfTomograms, TomoAcquisition, Tomogram

from cryoetseg.convert import (
    Particle,
    anglesOf,
    byTsId,
    coordinatesOf,
    doubledTsIds,
    fileOf,
    groupName,
    inputFile,
    maskLike,
    matrixOf,
    newTomogram,
    particlesOf,
    readParticles,
    templateFiles,
    tomogramLike,
    tsIdsOf,
    writeParticles,
)
from cryoetseg.core.particles.formats import read_particles, write_particles
from cryoetseg.core.runtime.errors import InputError
from cryoetseg.core.volumes.io import write_volume
from cryoetseg.protocols.input_checks import checkIds

PARTICLES = [Particle(3.25, 4.5, 5.75, 10.0, 20.0, 30.0, 0.5, 2), Particle(11.0, 12.0, 13.5, 0.0, 0.0, 0.0, 0.25, 1)]


SIZED = [Particle(3.0, 4.0, 5.0, diameter=120.0), Particle(11.0, 12.0, 13.0, diameter=310.5)]


@pytest.fixture
def tomogram(tmp_path):
    path = tmp_path / "TS_1.mrc"
    write_volume(path, np.zeros((16, 24, 32), np.float32), 10.0)
    made = newTomogram(str(path), "TS_1", 10.0, TomoAcquisition(angleMin=-50, angleMax=50, step=2))
    made.setOrigin(Transform())
    made.setShiftsInOrigin(-100.0, -50.0, -25.0)
    return made


def test_molecules_come_from_maps_sets_of_maps_and_atomic_models(tmp_path):
    single, maps = Volume(location="ribosome.mrc:mrc"), SetOfVolumes.create(str(tmp_path))
    for number, name in enumerate(("a.mrc", "b.mrc"), start=1):
        volume = Volume(location=name)
        volume.setSamplingRate(number)
        maps.append(volume)
    single.setSamplingRate(4.0)
    found = templateFiles([Pointer(value=item) for item in (single, maps, AtomStruct("model.cif"))])
    assert [(item.path, item.voxel_size) for item in found] == [("ribosome.mrc", 4.0), ("a.mrc", 1.0), ("b.mrc", 2.0), ("model.cif", None)]
    assert {(item.role, item.contrast) for item in found} == {("template", "bright")}


def test_particle_lists_are_the_cores(tmp_path):
    path = str(tmp_path / "list.star")
    writeParticles(path, "TS 1", 10.0, PARTICLES)
    table = read_particles(path)
    np.testing.assert_allclose(table.zyx, [(item.z, item.y, item.x) for item in PARTICLES], atol=1e-4)
    np.testing.assert_allclose(table.angles, [item[3:6] for item in PARTICLES], atol=1e-4)
    assert (table.voxel_size, table.class_id.tolist(), table.score.tolist()) == (10.0, [2, 1], [0.5, 0.25])
    assert [item[:8] for item in readParticles(path)] == [item[:8] for item in PARTICLES]


def test_names_of_groups_survive_sets_and_copies_but_not_another_group(tmp_path, tomogram):
    named = [PARTICLES[0]._replace(className="ribosome 80S"), PARTICLES[1]]
    stored = SetOfCoordinates3D.create(str(tmp_path))
    stored.setSamplingRate(10.0)
    for coordinate in coordinatesOf(named, tomogram):
        stored.append(coordinate)
    stored.write()
    stored.close()
    again = SetOfCoordinates3D(filename=stored.getFileName())
    first, second = (item.clone() for item in again.iterItems())
    assert (groupName(first), groupName(second)) == ("ribosome 80S", "")
    first.setGroupId(7)
    assert groupName(first) == ""


def test_names_of_groups_reach_the_core(tmp_path):
    path = str(tmp_path / "list.star")
    writeParticles(path, "TS_1", 10.0, [PARTICLES[0]._replace(className="ribosome 80S"), PARTICLES[1]])
    assert dict(read_particles(path).class_names) == {1: "class1", 2: "ribosome 80S"}
    assert [item.className for item in readParticles(path)] == ["ribosome 80S", "class1"]


def test_an_empty_list_is_read_by_both_sides(tmp_path):
    path = str(tmp_path / "empty.star")
    writeParticles(path, "TS_1", 10.0, [])
    assert readParticles(path) == []
    assert len(read_particles(path)) == 0


def test_whole_numbers_in_the_first_row_do_not_cut_the_others(tmp_path):
    path = tmp_path / "list.star"
    path.write_text("data_particles\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnCoordinateZ\n1 2 3\n1.5 2.5 3.5\n")
    assert [item[:3] for item in readParticles(str(path))] == [(1.0, 2.0, 3.0), (1.5, 2.5, 3.5)]


@pytest.mark.parametrize(("text", "message"), [
    (None, "cannot read"),
    ("nothing here\n", "block data_particles"),
    ("data_particles\nloop_\n_rlnAngleRot\n1\n", "lacks one of the columns"),
])
def test_bad_lists_give_typed_errors(tmp_path, text, message):
    path = tmp_path / "list.star"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=message):
        readParticles(str(path))


@pytest.mark.parametrize("angles", [(10, 20, 30), (0, 0, 0), (-170, 175, 60), (30, 0, 20), (30, 180, 20)])
def test_angles_and_matrices_are_inverse(angles):
    np.testing.assert_allclose(matrixOf(*anglesOf(matrixOf(*angles))), matrixOf(*angles), atol=1e-9)


def test_positions_are_voxels_from_the_corner_whatever_the_origin(tomogram):
    positions = [coordinate.getPosition(BOTTOM_LEFT_CORNER) for coordinate in coordinatesOf(PARTICLES, tomogram)]
    np.testing.assert_allclose(positions, [item[:3] for item in PARTICLES], atol=1e-6)
    oriented, plain = (item.getMatrix(convention=TR_RELION) for item in coordinatesOf(PARTICLES, tomogram))
    np.testing.assert_allclose(anglesOf(oriented), (10, 20, 30), atol=1e-9)
    np.testing.assert_allclose(plain, np.eye(4))


def test_coordinates_of_another_sampling_rate_are_scaled(simulated):
    tomogram = simulated.tomograms.getFirstItem().clone()
    same, half = (particlesOf(simulated.coordinates, tomogram, rate) for rate in (13.0, 26.0))
    np.testing.assert_allclose(np.array([item[:3] for item in same]) / 2, [item[:3] for item in half])
    assert [item.classId for item in same] == [item.classId for item in half]


def test_what_is_made_from_a_tomogram_keeps_id_origin_and_acquisition_but_not_its_halves(tomogram):
    tomogram.setHalfMaps(["odd.mrc", "even.mrc"])
    for made in (tomogramLike(tomogram, "new.mrc"), maskLike(tomogram, "new.mrc")):
        assert (made.getTsId(), made.getSamplingRate(), made.getFileName()) == ("TS_1", 10.0, "new.mrc")
        assert made.getOrigin().getShifts() == (-100.0, -50.0, -25.0)
        assert made.getAcquisition().getAngleMin() == -50
        assert not made.hasHalfMaps()
    assert maskLike(tomogram, "new.mrc").getVolName() == fileOf(tomogram)


def test_a_tomogram_without_acquisition_can_be_copied():
    bare = Tomogram()
    bare.setSamplingRate(10.0)
    bare.setTsId("TS_2")
    bare.setAcquisition(None)
    assert tomogramLike(bare, "new.mrc").getTsId() == "TS_2"


def test_inputs_of_jobs_name_the_file_without_scipions_mark(tomogram):
    tomogram.setLocation("TS_1.map:mrc")
    made = inputFile(tomogram, contrast="bright")
    assert (made.path, made.voxel_size, made.tilt_series_id, made.contrast) == ("TS_1.map", 10.0, "TS_1", "bright")


def test_ids_of_nothing_and_of_an_empty_set(tmp_path):
    from tomo.objects import SetOfTomograms

    assert tsIdsOf(None) == []
    assert tsIdsOf(SetOfTomograms.create(str(tmp_path))) == []


NAMES = ["data_7", "_t", "#1", "a#b", "O'Neil", 'say "aye"', "TS 1", "001", "1e5", "loop_", "NA", "_x #2", "$a", ";", "'"]


@pytest.mark.parametrize("name", NAMES)
def test_lists_of_any_tilt_series_keep_all_their_rows(tmp_path, name):
    path = str(tmp_path / "list.star")
    writeParticles(path, name, 10.0, PARTICLES)
    assert [item[:8] for item in readParticles(path)] == [item[:8] for item in PARTICLES]
    assert read_particles(path).tilt_series_ids() == [name]
    write_particles(read_particles(path), path)
    assert [item[:3] for item in readParticles(path)] == [pytest.approx(item[:3]) for item in PARTICLES]


def test_a_row_that_lost_a_value_is_told(tmp_path):
    path = tmp_path / "list.star"
    path.write_text("data_particles\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnCoordinateZ\n1 2 3\n1.5 2.5\n")
    with pytest.raises(InputError, match="2 values in a block of 3 columns"):
        readParticles(str(path))


def setOf(folder, ids, disabled=()):
    tomograms = SetOfTomograms.create(str(folder), suffix=f"{len(ids)}{len(disabled)}")
    tomograms.setSamplingRate(10.0)
    for name in ids:
        path = folder / f"{name}.mrc"
        write_volume(path, np.zeros((4, 6, 8), np.float32), 10.0)  # its origin comes from its size
        tomogram = newTomogram(str(path), name, 10.0)
        tomogram.setEnabled(name not in disabled)
        tomograms.append(tomogram)
    tomograms.write()
    return tomograms


def test_disabled_items_are_left_out_and_items_of_one_id_are_told(tmp_path):
    assert tsIdsOf(setOf(tmp_path, ["a", "b"], disabled=["b"])) == list(byTsId(setOf(tmp_path, ["a", "b"], disabled=["b"]))) == ["a"]
    joined = setOf(tmp_path, ["a", "b", "a"])
    assert doubledTsIds(joined) == ["a"]
    (message,) = checkIds(Pointer(value=joined), "Tomograms")
    assert "several items have the tilt-series id a" in message
    assert checkIds(Pointer(value=setOf(tmp_path, ["c", "b", "d", "e"])), "Tomograms") == []


def test_diameters_go_into_coordinates_and_back(tmp_path, tomogram):
    path = str(tmp_path / "sized.star")
    writeParticles(path, "TS_1", 10.0, SIZED)
    assert read_particles(path).diameters.tolist() == [120.0, 310.5]
    tomograms = SetOfTomograms.create(str(tmp_path))
    tomograms.setSamplingRate(10.0)
    tomograms.append(tomogram)
    coordinates = SetOfCoordinates3D.create(str(tmp_path))
    coordinates.setSamplingRate(10.0)
    coordinates.setPrecedents(tomograms)
    for item in coordinatesOf([*readParticles(path), Particle(1.0, 1.0, 1.0)], tomogram):
        coordinates.append(item)
    coordinates.write()
    assert [item.diameter for item in particlesOf(coordinates, tomogram, 10.0)] == [120.0, 310.5, 0.0]


@pytest.mark.parametrize("text", ["nan", "inf", "0"])
def test_an_unknown_diameter_is_none(tmp_path, text):
    path = tmp_path / "list.star"
    writeParticles(str(path), "TS_1", 10.0, SIZED)
    path.write_text(path.read_text().replace("310.5", text))
    assert [item.diameter for item in readParticles(str(path))] == [120.0, 0.0]
