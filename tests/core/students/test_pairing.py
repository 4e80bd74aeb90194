"""Lists and labels find their tomograms by the usual rules of names, else in order, and never the wrong one."""

import numpy as np
import pytest

from cryoetseg.core.particles.formats import write_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.runtime.errors import InputError
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.students.volumes import open_student_volumes
from cryoetseg.core.volumes.io import write_volume


@pytest.fixture
def opened(tmp_path):
    """Tomograms of these names, each with a particle list of that many rows and that name inside; the counts found by tomogram."""

    def opened(tomograms, lists):
        inputs = []
        for number, name in enumerate(tomograms):
            write_volume(tmp_path / f"{name}.mrc", np.random.default_rng(number).normal(size=(8, 8, 8)).astype(np.float32), 10.0)
            inputs.append(InputFile(path=str(tmp_path / f"{name}.mrc"), tilt_series_id=name))
        for file, inside, count in lists:
            table = ParticleTable.from_points(np.full((count, 3), 4.0), voxel_size=10.0, tilt_series_id=inside)
            write_particles(table, tmp_path / f"{file}.star")
            inputs.append(InputFile(path=str(tmp_path / f"{file}.star"), role="particles", tilt_series_id=file))
        volumes = open_student_volumes(Job(method="x", inputs=inputs, output_folder=str(tmp_path)), needs="particles")
        return {volume.name: len(volume.particles) for volume in volumes}

    return opened


@pytest.mark.parametrize("inside", ["{}", "{}.tomostar", "{}_rec"])
def test_what_programs_add_to_names_does_not_matter(opened, inside):
    lists = [("b", inside.format("TS_02"), 2), ("a", inside.format("TS_01"), 1)]
    assert opened(["TS_01_10.00Apx", "TS_02_10.00Apx"], lists) == {"TS_01_10.00Apx": 1, "TS_02_10.00Apx": 2}


def test_names_that_tell_nothing_go_in_order(opened):
    assert opened(["one", "two"], [("first", "x", 1), ("second", "y", 2)]) == {"one": 1, "two": 2}


def test_a_list_that_was_given_for_another_tomogram_is_refused(opened):
    with pytest.raises(InputError, match="names TS_02"):
        opened(["TS_01", "TS_02"], [("TS_01", "TS_02", 1), ("TS_02", "TS_02", 2)])


def test_an_exact_name_is_not_taken_for_a_similar_one(opened):
    assert opened(["TS_01", "TS_01_rec"], [("a", "TS_01", 1), ("b", "TS_01_rec", 2)]) == {"TS_01": 1, "TS_01_rec": 2}


@pytest.mark.parametrize(("tomograms", "lists"), [
    (["TS_01_10.00Apx"], [("picks", "TS_02.tomostar", 1)]), (["TS_01"], [("TS_02", "", 1)]),
    (["TS_01", "TS_02"], [("a", "TS_03", 1), ("b", "TS_04", 1)]), (["TS_01", "TS_02"], [("TS_03", "", 1), ("TS_04", "", 1)])])
def test_lists_that_speak_of_another_tilt_series_are_refused(opened, tomograms, lists):
    with pytest.raises(InputError, match=r"TS_0[234]\S* for the tomogram TS_01"):
        opened(tomograms, lists)


def test_one_list_of_another_name_belongs_to_the_only_tomogram(opened):
    assert opened(["TS_01"], [("mine", "whatever", 3)]) == {"TS_01": 3}
