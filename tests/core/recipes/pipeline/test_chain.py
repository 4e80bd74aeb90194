"""Before anything runs: names, slice ranges and parameters of late steps are checked."""

import numpy as np
import pytest
from scipy import ndimage

from cryoetseg.core.foundation.params import SegmentSlabsParameters
from cryoetseg.core.particles.formats import read_particles, write_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.recipes.pipeline.bounds import ORACLE, RATIO, STUDENT, Truth, true_labels, truths_of, with_ratio
from cryoetseg.core.recipes.pipeline.chain import STEPS, Chain, attempt
from cryoetseg.core.recipes.pipeline.params import PipelineParameters
from cryoetseg.core.runtime.errors import InputError, ParameterError
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.runtime.params import parameters_from
from cryoetseg.core.students.membranes.params import TrainMembranesParameters
from cryoetseg.core.students.picker.params import PickDeepetParameters, TrainPickerParameters
from cryoetseg.core.volumes.io import write_volume


@pytest.fixture
def tomogram(tmp_path):
    """Make a tomogram of ``depth`` slices."""

    def make(name, depth):
        path = tmp_path / f"{name}.mrc"
        write_volume(path, np.random.default_rng(0).normal(size=(depth, 8, 8)).astype(np.float32), 10.0)
        return InputFile(path=str(path), tilt_series_id=name)

    return make


def job_of(folder, *inputs):
    return Job(method="pipeline", inputs=list(inputs), output_folder=str(folder))


@pytest.mark.parametrize(
    ("depth", "values", "expected"),
    [(64, {}, (16, 48)), (65, {}, (16, 48)), (10, {}, (0, 10)), (64, {"z_start": 3, "z_end": 9}, (3, 9)),
     (64, {"labelled_slices": 2}, (31, 33))],
)
def test_pseudo_labels_come_from_the_middle_unless_a_range_is_given(tmp_path, tomogram, depth, values, expected):
    assert Chain(job_of(tmp_path, tomogram("a", depth)), PipelineParameters(**values)).z_range == expected


def test_pseudo_labels_come_from_the_middle_of_the_sample_where_it_is_sought(tmp_path):
    generator, points = np.random.default_rng(0), np.zeros((48, 96, 96))
    points[tuple(generator.integers((4, 0, 0), (20, 96, 96), (180, 3)).T)] = 1
    grey = generator.normal(0, 1, points.shape) - 60 * ndimage.gaussian_filter(points, 2)
    write_volume(tmp_path / "a.mrc", grey.astype(np.float32), 10.0)
    job = job_of(tmp_path, InputFile(path=str(tmp_path / "a.mrc"), tilt_series_id="a"))
    for start, expected in (("pseudo-labels", 12), ("general", 24)):  # the general models need no labels, and no middle
        first, last = Chain(job, PipelineParameters(z_auto=True, labelled_slices=8, start=start)).z_range
        assert last - first == 8
        assert (first + last) / 2 == pytest.approx(expected, abs=3)


@pytest.mark.parametrize("values", [{"z_start": 5, "z_end": 5}, {"z_start": 0, "z_end": 65}])
def test_a_range_outside_is_refused(tmp_path, tomogram, values):
    with pytest.raises(ParameterError, match="0:64"):
        Chain(job_of(tmp_path, tomogram("a", 64)), PipelineParameters(**values))


def test_training_tomograms_of_different_depth_need_a_range(tmp_path, tomogram):
    job = job_of(tmp_path, tomogram("a", 64), tomogram("b", 40))
    assert Chain(job, PipelineParameters()).z_range == (16, 48)  # only the first one gives labels
    with pytest.raises(ParameterError, match="--z"):
        Chain(job, PipelineParameters(training_tomograms=2))
    assert Chain(job, PipelineParameters(training_tomograms=2, z_start=4, z_end=36)).z_range == (4, 36)


def test_results_are_named_after_tomograms_so_names_differ(tmp_path, tomogram):
    with pytest.raises(InputError, match="called a that cannot be told apart"):
        Chain(job_of(tmp_path, tomogram("a", 8), tomogram("a", 8)), PipelineParameters())
    with pytest.raises(InputError, match="at least one"):
        Chain(job_of(tmp_path), PipelineParameters())


@pytest.mark.parametrize("steps", [{"train-picker": {"epoch": 3}}, {"pick-dog": {}}, {"segment-slabs": {"particle_diameter": -1}}])
def test_bad_parameters_of_a_late_step_are_told_at_the_start(tmp_path, tomogram, steps):
    with pytest.raises(ParameterError):
        Chain(job_of(tmp_path, tomogram("a", 8)), PipelineParameters(steps=steps))


def test_the_published_chain_has_the_published_settings_of_every_step():
    published = PipelineParameters.published()
    assert (published.start, published.labelled_slices) == ("nothing", 100)
    assert set(published.steps) == set(STEPS)
    for name, whole in (("segment-slabs", SegmentSlabsParameters.published()), ("train-membranes", TrainMembranesParameters.published()),
                        ("train-picker", TrainPickerParameters.published())):
        assert parameters_from(type(whole), published.steps[name]) == whole
    picking = parameters_from(PickDeepetParameters, published.steps["pick-deepet"])
    wanted = {name: field.json_schema_extra["published"] for name, field in PickDeepetParameters.model_fields.items()}
    assert all(getattr(picking, name) == value for name, value in wanted.items() if value is not None)


def test_truth_belongs_to_a_tomogram(tmp_path, tomogram):
    mask = InputFile(path="mask.mrc", role="truth_mask", tilt_series_id="a")
    assert truths_of(job_of(tmp_path, tomogram("a", 8), tomogram("b", 8), mask)).keys() == {"a"}
    with pytest.raises(InputError, match="truth for b"):
        truths_of(job_of(tmp_path, tomogram("a", 8), mask.model_copy(update={"tilt_series_id": "b"})))


def test_the_oracle_sees_the_same_slices_as_the_student(tmp_path):
    table = ParticleTable.from_points([[3.4, 1, 1], [3.5, 2, 2], [7.4, 3, 3], [7.5, 4, 4]], voxel_size=10.0, tilt_series_id="a",
                                     class_id=[1, 2, 3, 4])
    write_particles(table, tmp_path / "truth.star")
    labels = true_labels("truth", Truth(None, tmp_path / "truth.star"), (4, 8), tmp_path)
    np.testing.assert_allclose(read_particles(labels.particles).zyx[:, 1], [2, 3], atol=1e-3)
    assert set(read_particles(labels.particles).class_id) == {1}  # as pseudo-labels, which know no classes
    assert true_labels("truth", Truth(None, tmp_path / "truth.star"), (20, 30), tmp_path).particles is None


def test_the_ratio_is_that_of_student_and_oracle():
    scores = {STUDENT: {"F1": 0.4, "Dice": 0.3}, ORACLE: {"F1": 0.5, "Dice": 0.0}}
    assert with_ratio(scores)[RATIO] == {"F1": 0.8}
    assert RATIO not in with_ratio({STUDENT: {"F1": 0.4}})


def test_one_failure_is_noted_and_the_others_go_on():
    failures = {}

    def work(value):
        if value < 0:
            raise InputError("a negative value")
        return value

    assert [attempt(failures, f"tomogram {value}", work, value) for value in (1, -1, 2)] == [1, None, 2]
    assert list(failures) == ["tomogram -1"]
