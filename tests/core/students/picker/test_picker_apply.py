"""From particle lists to a model and to picks, on balls in noise whose places are known."""
import functools

import numpy as np
import pytest
import torch
from torch import nn

from cryoetseg.core.metrics.picking import precision_recall_f1
from cryoetseg.core.models.card import ModelCard, save_model
from cryoetseg.core.particles.formats import read_particles, write_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.runtime.errors import InputError, ParameterError, WeightsError
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.students.picker import apply as picking
from cryoetseg.core.students.picker.data import Crops, labelled_volume, particle_classes
from cryoetseg.core.students.picker.labels import template
from cryoetseg.core.students.picker.model import PickerModel, build_network, load_picker
from cryoetseg.core.students.picker.nms import Peaks
from cryoetseg.core.students.picker.params import PickDeepetParameters, TrainPickerParameters
from cryoetseg.core.students.picker.ranking import contrast_at, ranked
from cryoetseg.core.students.picker.start import Start
from cryoetseg.core.students.picker.train import PickerTask, _relabelled, run, train_picker
from cryoetseg.core.students.volumes import volume_from_array
from cryoetseg.core.training.task import Step
from cryoetseg.core.volumes.io import write_volume

CPU = torch.device("cpu")
SHORT = {"iterations": 40, "batch_size": 4, "patch_px": 16, "width": 8, "particle_diameter": 70.0, "validation_crops": 0, "ema_decay": 0.8}
TILES = {"tile_px": 32, "padding_px": 8}


def balls(seed, shape=(32, 48, 48), count=14):
    """Bright balls of 7 voxels, none nearer than 10, in noise; and their centres."""
    generator = np.random.default_rng(seed)
    centres: list[np.ndarray] = []
    while len(centres) < count:
        centre = generator.integers(4, np.array(shape) - 4)
        if all(np.linalg.norm(centre - other) >= 10 for other in centres):
            centres.append(centre)
    volume = generator.standard_normal(shape).astype(np.float32)
    for z, y, x in centres:
        volume[z - 3:z + 4, y - 3:y + 4, x - 3:x + 4] += 2.0 * template("sphere", 7)
    return volume, np.array(centres, float)


def student_volume(seed):
    volume, centres = balls(seed)
    return volume_from_array("sample", volume, 10.0, particles=ParticleTable.from_points(centres, voxel_size=10.0, tilt_series_id="sample"))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return train_picker([student_volume(0)], TrainPickerParameters(**SHORT), tmp_path_factory.mktemp("training"), 0, "cpu")[0]


def test_a_trained_picker_finds_particles_it_has_not_seen(model):
    volume, centres = balls(1)
    table = picking.pick_particles(volume, 10.0, model, PickDeepetParameters(**TILES, count=len(centres)), device="cpu")
    assert precision_recall_f1(table.zyx, centres, 3).f1 > 0.85
    assert (np.diff(table.score) <= 0).all()
    turned = picking.pick_particles(-volume, 10.0, model, PickDeepetParameters(**TILES, count=5), contrast="dark", device="cpu")
    np.testing.assert_array_equal(turned.zyx, table.zyx[:5])


def test_a_tomogram_of_another_voxel_size_is_brought_to_the_models(model):
    volume, centres = balls(1)
    finer = volume_from_array("finer", np.kron(volume, np.ones((2, 2, 2), np.float32)), 5.0)
    table, warnings = picking.pick_volume(finer, model, PickDeepetParameters(**TILES, count=len(centres)), CPU)
    assert precision_recall_f1(table.zyx, 2 * centres + 0.5, 6).f1 > 0.8
    assert "resampled" in warnings[0]


class Threshold(nn.Module):
    """Sure of the voxels above 50: what is planted is what a perfect network sees."""

    def forward(self, volumes):
        return 20 * (volumes > 5).float() - 10


def test_particles_at_faces_edges_and_corners_of_tiles_are_found_once_and_exactly():
    inner = 16  # of tiles of 32 with 8 voxels around; faces of tiles lie at its multiples
    places = [(inner * a + da, inner * a + db, inner * 2 + dc) for a in (1, 2) for da in (0, -1) for db in (0, 8) for dc in (0, 8)]
    volume = np.zeros((50, 52, 54), np.float32)
    kept = [place for place in places if max(place) < 46]
    for z, y, x in kept:
        volume[z - 2:z + 3, y - 2:y + 3, x - 2:x + 3] = np.maximum(volume[z - 2:z + 3, y - 2:y + 3, x - 2:x + 3], template("sphere", 5))
    apart = _far_apart(kept)
    volume[...] = 0
    for z, y, x in apart:
        volume[z - 2:z + 3, y - 2:y + 3, x - 2:x + 3] = template("sphere", 5)
    picker = PickerModel(Threshold(), 24, 10.0, "sphere", (1,), ("ball",), (70.0,), (5,))
    for peaks in ("soft", "published"):
        settings = PickDeepetParameters(**TILES, peaks=peaks, height_threshold=0.05, ranking="height")
        found = picking.pick_particles(volume, 10.0, picker, settings, device="cpu").zyx
        assert sorted(map(tuple, found.tolist())) == sorted(map(tuple, np.array(apart, float).tolist()))
    assert len(apart) >= 6
    small = volume[:20, 10:30, 26:44]  # smaller than one tile
    assert len(picking.pick_particles(small, 10.0, picker, PickDeepetParameters(**TILES, height_threshold=0.05), device="cpu")) >= 1


@pytest.mark.parametrize(("strength", "found"), [(0.45, 0), (0.55, 1), (1.0, 1)])
def test_without_a_threshold_a_peak_must_reach_half_of_a_lonely_label(strength, found):
    class Half(nn.Module):
        def forward(self, volumes):
            return torch.logit((volumes > 5) * strength, eps=1e-6)

    volume = np.zeros((32, 32, 32), np.float32)
    volume[14:19, 14:19, 14:19] = template("sphere", 5)
    picker = PickerModel(Half(), 24, 10.0, "sphere", (1,), ("ball",), (70.0,), (5,))
    assert len(picking.pick_particles(volume, 10.0, picker, PickDeepetParameters(**TILES), device="cpu")) == found


def _far_apart(places):
    kept: list[tuple[int, int, int]] = []
    for place in places:
        if all(np.linalg.norm(np.subtract(place, other)) >= 8 for other in kept):
            kept.append(place)
    return kept


def test_unknown_voxels_do_not_move_the_loss():
    class One:
        volumes = ()

        def __len__(self):
            return 1

    labels = torch.zeros(1, 1, 16, 16, 16, dtype=torch.int64)
    labels[..., 4:8, 4:8, 4:8] = 1
    labels[..., 12:] = -1
    for outputs in (1, 3):
        task = PickerTask(One(), outputs, TrainPickerParameters(**SHORT), 0)
        logits = torch.randn(1, outputs, 16, 16, 16, generator=torch.Generator().manual_seed(0), requires_grad=True)
        task._loss(logits, labels).backward()
        assert logits.grad[..., 12:].abs().max() < 1e-8
        assert logits.grad[..., :12].abs().max() > 1e-6


def test_what_is_not_clicked_gives_no_gradient():
    class Answers(nn.Module):
        def __init__(self):
            super().__init__()
            self.logits = nn.Parameter(torch.randn(1, 1, 16, 16, 16, generator=torch.Generator().manual_seed(0)))

        def forward(self, volume):
            return self.logits.expand(len(volume), -1, -1, -1, -1)

    volume = student_volume(0)
    p = TrainPickerParameters(**{**SHORT, "unclicked": "unknown"})
    classes = particle_classes([volume.particles], 10.0, p)
    task = PickerTask(Crops([labelled_volume(volume, classes, p)], classes, p), 1, p, 0)
    item = task.item(3, np.random.default_rng(0))
    network, batch = Answers(), {name: torch.from_numpy(np.ascontiguousarray(part))[None] for name, part in item.items()}
    task.loss({"picker": network}, batch, Step(0, 0, "all", torch.Generator(), {}))[0].backward()
    unknown, moved = item["labels"][0] < 0, network.logits.grad[0, 0].abs().numpy()
    assert 0.2 < unknown.mean() < 0.98
    assert moved[unknown].max() < 1e-8
    assert moved[~unknown].min() > 0


def started(folder, tmp_path, **settings):
    p = TrainPickerParameters(**{**SHORT, "validation_crops": 8, **settings})
    return train_picker([student_volume(5)], p, tmp_path, 0, "cpu", Start.load(folder))


@pytest.fixture(scope="module")
def start_folder(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("start") / "model"
    card = ModelCard(method="picker", network="residual-unet3d", network_parameters={"outputs": 1, "width": 8}, voxel_size=10.0,
                     normalisation="none", classes={1: "class 1"}, training=model.record())
    save_model(folder, model.network, card)
    return folder


def test_a_picker_goes_on_from_a_start(start_folder, tmp_path):
    made = started(start_folder, tmp_path, iterations=2, learning_rate=1e-5, width=16)
    assert made.model.width == 8  # that of the start
    first = dict(load_picker(start_folder).network.named_parameters())
    with torch.no_grad():
        assert max(float((weight - first[name]).abs().max()) for name, weight in made.model.network.named_parameters()) < 1e-3


def test_a_picker_that_training_makes_worse_is_not_kept(start_folder, tmp_path):
    made = started(start_folder, tmp_path, iterations=3, learning_rate=1.0, ema_decay=0)
    assert "the start is kept" in made.notes[-1]
    first = load_picker(start_folder).network.state_dict()
    assert all(torch.equal(value, first[name]) for name, value in made.model.network.state_dict().items())


def test_a_start_of_other_classes_is_refused(start_folder, tmp_path):
    volume, centres = balls(0)
    table = ParticleTable.from_points(centres, voxel_size=10.0, tilt_series_id="sample", class_id=1 + np.arange(len(centres)) % 2)
    two = volume_from_array("sample", volume, 10.0, particles=table)
    with pytest.raises(ParameterError, match="1 classes, for lists of 2"):
        train_picker([two], TrainPickerParameters(**SHORT), tmp_path, 0, "cpu", Start.load(start_folder))


def test_combined_ranking_asks_both_height_and_contrast():
    volume = student_volume(0)
    points = np.rint(volume.particles.zyx)
    on, off = contrast_at(volume, points[:3], np.full(3, 7.0)), contrast_at(volume, points[:3] * 0 + 1, np.full(3, 7.0))
    assert on.min() > off.max()
    peaks = Peaks(points[:4], np.array([1, 1, 1, 2]), np.array([0.4, 0.39, 0.2, 0.1]))
    best = ranked(peaks, np.array([1.0, 2.0, 0.0, 5.0]))
    assert best.zyx[0].tolist() == points[1].tolist()  # second in height, first of its class in contrast
    assert best.score[0] == pytest.approx((3 / 4 + 1) / 2)


def test_contrast_is_that_of_gaussian_filters():
    from scipy.ndimage import gaussian_filter

    volume = student_volume(2)
    sigma = 7 / (2 * np.sqrt(3))
    grey = volume.crop((0, 0, 0), volume.data.shape)
    wanted = gaussian_filter(grey, sigma, mode="constant") - gaussian_filter(grey, 1.1 * sigma, mode="constant")
    np.testing.assert_allclose(contrast_at(volume, np.array([[16.0, 24, 24]]), np.array([7.0])), wanted[16, 24, 24], atol=2e-3)


@functools.lru_cache
def job_folder(folder):
    volume, centres = balls(0)
    write_volume(folder / "one.mrc", -volume, 10.0)
    table = ParticleTable.from_points(centres, voxel_size=10.0, tilt_series_id="one", class_id=np.arange(len(centres)) % 2 + 1)
    write_particles(table, folder / "one.coords")
    inputs = [InputFile(path=str(folder / "one.mrc"), tilt_series_id="one"),
              InputFile(path=str(folder / "one.coords"), role="particles", tilt_series_id="one")]
    return Job(method="train-picker", parameters={**SHORT, "iterations": 2}, inputs=inputs, output_folder=str(folder / "out"), device="cpu")


def test_jobs_train_two_classes_from_coords_and_pick_into_star_and_coords(tmp_path):
    job = job_folder(tmp_path)
    outcome = run(job)
    assert outcome.outputs[0].kind == "model"
    trained = load_picker(tmp_path / "out")  # OUT and OUT/model are both accepted
    assert (trained.numbers, trained.outputs, trained.labels_px) == ((1, 2), 3, (5, 5))
    parameters = {**TILES, "coords": True, "height_threshold": 1e-6, "count": 7}
    inputs = [InputFile(path=str(tmp_path / "out"), role="model"), job.inputs[0]]
    folder = str(tmp_path / "picks")
    picked = picking.run(Job(method="pick-deepet", parameters=parameters, inputs=inputs, output_folder=folder, device="cpu"))
    star, coords = (read_particles(tmp_path / "picks" / output.path, tilt_series_id="one") for output in picked.outputs)
    assert len(star) == 7
    np.testing.assert_allclose(star.zyx, coords.zyx, atol=1e-3)
    np.testing.assert_array_equal(star.class_id, coords.class_id)
    assert picked.metrics["particles"] == 7


def test_bad_inputs_are_told(tmp_path):
    job = job_folder(tmp_path)
    with pytest.raises(InputError, match="one"):
        run(job.model_copy(update={"inputs": job.inputs[:1]}))
    card = ModelCard(method="membranes", network="unet2d", voxel_size=10.0, normalisation="none")
    save_model(tmp_path / "foreign", build_network(1, 4), card)
    with pytest.raises(WeightsError, match="train picker"):
        load_picker(tmp_path / "foreign")


def test_self_training_learns_from_the_pickers_own_picks(tmp_path):
    p = TrainPickerParameters(**{**SHORT, "iterations": 4, "rounds": 2})
    _, outcome, _ = train_picker([student_volume(0)], p, tmp_path, 0, "cpu")
    assert outcome.folder.name == "round_2"


class Faint(nn.Module):
    """Gives a fifth to the voxels above 5: never half of what a lonely label reaches."""

    def forward(self, volumes):
        return torch.logit((volumes > 5) * 0.2, eps=1e-6)


def planted(places, shape=(40, 32, 32)):
    volume = np.zeros(shape, np.float32)
    for z, y, x in places:
        volume[z - 2:z + 3, y - 2:y + 3, x - 2:x + 3] = template("sphere", 5)
    return volume


@pytest.mark.parametrize(("distance", "count"), [(70.0, 2), (90.0, 1)])
def test_of_picks_nearer_than_the_smallest_distance_one_stays(distance, count):
    volume = planted([(16, 16, 8), (16, 16, 16)])
    picker = PickerModel(Threshold(), 24, 10.0, "sphere", (1,), ("ball",), (70.0,), (5,))
    settings = PickDeepetParameters(**TILES, height_threshold=0.05, distance=distance)
    assert len(picking.pick_particles(volume, 10.0, picker, settings, device="cpu")) == count


def test_self_training_keeps_as_many_picks_as_there_were_labels_at_their_places():
    places = [(22, 8, 8), (24, 20, 20), (26, 8, 24)]
    table = ParticleTable.from_points(np.array(places, float), voxel_size=10.0, tilt_series_id="sample")
    volume = volume_from_array("sample", planted(places), 10.0, particles=table)
    parameters = TrainPickerParameters(**SHORT, z_start=14, z_end=36)
    classes = particle_classes([table], 10.0, parameters)
    picker = PickerModel(Faint(), 24, 10.0, "sphere", (1,), ("ball",), (70.0,), (5,))
    taught = _relabelled(labelled_volume(volume, classes, parameters), picker, classes, "cpu")
    assert sorted(map(tuple, taught.zyx.tolist())) == sorted(places)
    assert taught.value.tolist() == [1, 1, 1]


@pytest.mark.parametrize(("diameters", "usual"), [([], 0), ([260.0, 140.0, 140.0], 260), ([*np.linspace(100, 200, 101), 900.0], 150.5)])
def test_picks_are_drawn_at_the_largest_class_or_the_middle_of_estimates(diameters, usual):
    assert picking.usual_diameter(diameters) == pytest.approx(usual, abs=0.01)
