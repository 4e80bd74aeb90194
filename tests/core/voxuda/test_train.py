"""The training on balls in noise: every loss counts, the teacher moves, statistics stay apart, pseudo-labels come from the teacher."""
import json

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from cryoetseg.core.models.card import load_model, read_card
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.training.task import Step
from cryoetseg.core.volumes.io import write_volume
from cryoetseg.core.volumes.normalisation import standardise
from cryoetseg.core.voxuda import evaluate
from cryoetseg.core.voxuda.network import VoxResNet
from cryoetseg.core.voxuda.params import TrainVoxUdaParameters, VoxUdaSourceParameters
from cryoetseg.core.voxuda.pools import denoised, filter_warning, gaussian, same_wedge
from cryoetseg.core.voxuda.train import VoxUdaTask, fit, run

SMALL = {"size": 16, "width": 4, "iterations": 2, "batch_size": 4, "precision": "float32", "noise_samples": 4,
         "adversarial": True, "pseudo_labels": True, "consistency_weight": 1.0, "segmentation_on": "both"}  # all parts of the method


def parameters(**changed):
    return TrainVoxUdaParameters(**{**SMALL, **changed})


def step(teacher, number=0):
    return Step(number, 0, "all", torch.Generator().manual_seed(3), {"student": teacher})


def batch_of(task):
    rng = np.random.default_rng(0)
    items = [task.item(index, rng) for index in range(4)]
    return {name: torch.from_numpy(np.stack([item[name] for item in items])) for name in items[0]}


def loss_of(task, teacher=None, number=0):
    return task.loss({name: network.train() for name, network in task.networks.items()}, batch_of(task),
                     step(teacher or VoxResNet(4).eval(), number))


def test_all_four_losses_are_summed(source, target):
    total, metrics = loss_of(VoxUdaTask(source, target, parameters(), 0))
    names = ("segmentation_loss", "noised_segmentation_loss", "consistency_loss", "adversarial_loss", "pseudo_loss")
    parts = [metrics[name] for name in names]
    assert all(torch.isfinite(part) for part in parts)
    torch.testing.assert_close(total, sum(parts))


@pytest.mark.parametrize(("part", "loss"), [("consistency", "consistency_loss"), ("adversarial", "adversarial_loss"),
                                            ("pseudo_labels", "pseudo_loss")])
def test_each_part_can_be_switched_off(source, target, part, loss):
    task = VoxUdaTask(source, target, parameters(**{part: False}), 0)
    assert loss not in loss_of(task)[1]
    assert ("discriminator" in task.networks) == (part != "adversarial")


class SureTeacher(torch.nn.Module):
    """Logit 10 where the volume is above 1, -10 where it is below -1, undecided between."""

    def forward(self, volumes):
        return torch.where(volumes.abs() > 1, 10 * volumes.sign(), 0.0)


def test_pseudo_labels_count_only_where_the_teacher_is_sure(source, target):
    task = VoxUdaTask(source, target, parameters(denoiser="none", pseudo_selection="sure"), 0)
    _, metrics = loss_of(task, SureTeacher())
    volumes = batch_of(task)["target"]
    assert float(metrics["kept"]) == pytest.approx(float((volumes.abs() > 1).float().mean()))
    assert float(metrics["kept_foreground"]) == pytest.approx(float((volumes > 1).float().mean()))


@pytest.mark.parametrize("kind", ["target_spectrum", "gaussian"])
def test_noised_source_comes_from_the_step_alone(source, target, kind):
    task = VoxUdaTask(source, target, parameters(noise_kind=kind), 0)
    clean = batch_of(task)["source"]
    first, again = (task.noised(clean, step(None)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, clean)


@pytest.mark.parametrize("statistics", ["target", "all"])
def test_whose_statistics_the_normalisation_keeps(source, target, statistics):
    shifted = target.__class__(target.volumes + 100, target.masks, target.names, target.classes, target.voxel_size)
    task = VoxUdaTask(shifted, target, parameters(statistics=statistics), 0)
    loss_of(task)
    mean = task.networks["student"].conv1b[0].running_mean.abs().max()
    assert (mean < 1) == (statistics == "target")


def test_the_teacher_of_background_is_warned_of_once(source, target):
    short = parameters(denoiser="none", iterations=40)  # a quarter of it: ten steps
    task = VoxUdaTask(source, target, short, 0)
    for _ in range(8):
        task._watch(0.0)
    resumed = VoxUdaTask(source, target, short, 0)
    resumed.restore(task.state())
    resumed._watch(0.0)
    assert not resumed.warnings
    for _ in range(6):
        resumed._watch(0.0)
    task = resumed
    assert len(task.warnings) == 1
    assert "sure of no foreground" in task.warnings[0]


def test_augmentation_keeps_the_wedge_of_tilts_about_y():
    from numpy.fft import fftn

    rng = np.random.default_rng(0)
    kz, kx = np.fft.fftfreq(16)[:, None, None], np.fft.fftfreq(16)
    measured = (np.degrees(np.arctan2(kz, kx)) + 90) % 180 - 90 > -50  # lopsided, as -50 to +90
    volume = np.fft.ifftn(fftn(rng.normal(size=(16,) * 3)) * np.broadcast_to(measured, (16,) * 3)).real
    pictures = same_wedge(torch.from_numpy(volume)[None, None].expand(4, -1, -1, -1, -1), torch.arange(4))[:, 0].numpy()
    power = [np.abs(fftn(picture))[1:, :, 1:] > 1e-3 for picture in pictures]
    # rows of the highest frequency are their own mirror images and belong to both sides
    assert all((np.delete(np.delete(found, 7, 0), 7, 2) == np.delete(np.delete(power[0], 7, 0), 7, 2)).all() for found in power)
    assert len({picture.tobytes() for picture in pictures}) == 4


@pytest.mark.parametrize("denoiser", ["improved_bilateral", "gaussian", "noise_module"])
def test_the_target_is_denoised_once_and_turned_as_it_is_shown(source, target, denoiser):
    p = parameters(denoiser=denoiser)
    task = VoxUdaTask(source, target, p, 0)
    batch = task.gather({"subtomograms": torch.tensor([[0, 3], [1, 3], [2, 5]]), "turns": torch.tensor([[0, 2], [1, 3], [3, 0]])})
    expected = denoised(batch["target"], p, task._on(torch.device("cpu")).passed)
    # the corner cube of the noise module holds the frequency -8 but not 8, and a mirrored volume differs by that
    torch.testing.assert_close(batch["denoised"], expected, atol=0.3 if denoiser == "noise_module" else 1e-4, rtol=0)
    assert not torch.equal(batch["denoised"][0], batch["denoised"][1])


def test_the_gaussian_is_that_of_scipy(target):
    expected = gaussian_filter(target.volumes, (0, 1.5, 1.5, 1.5), mode="nearest")
    np.testing.assert_allclose(gaussian(torch.from_numpy(target.volumes)[:, None], 1.5)[:, 0].numpy(), expected, atol=1e-5)


def test_same_seed_same_model_and_the_teacher_moves(source, target, tmp_path):
    networks = [fit(source, target, parameters(), tmp_path / name, 5, "cpu")[0] for name in ("a", "b")]
    first, second = (network.state_dict() for network in networks)
    assert all(torch.equal(first[name], second[name]) for name in first)
    start = VoxUdaTask(source, target, parameters(), 5).networks["student"].state_dict()
    assert not torch.equal(start["conv1a.weight"], first["conv1a.weight"])


@pytest.mark.slow
def test_it_learns_to_segment_balls(source, target, tmp_path):
    network, _, _ = fit(source, target, parameters(iterations=40, learning_rate=3e-3, pseudo_start=0.5), tmp_path, 0, "cpu")
    assert evaluate.score(network, target.volumes, target.masks, target.classes)["dice"] > 0.6


def test_by_default_the_noised_source_is_segmented_and_nothing_else_added(source, target):
    plain = TrainVoxUdaParameters(**{name: SMALL[name] for name in ("size", "width", "iterations", "batch_size", "precision")})
    task = VoxUdaTask(source, target, plain, 0)
    total, metrics = loss_of(task)
    assert set(metrics) == {"noised_segmentation_loss"}
    torch.testing.assert_close(total, sum(metrics.values()))
    assert set(task.networks) == {"student"}


def test_the_published_values_are_at_hand():
    p = TrainVoxUdaParameters.published()
    assert (p.epochs, p.batch_size, p.learning_rate, p.step_every, p.step_factor) == (300, 16, 1e-3, 100, 0.1)
    assert (p.noise_samples, p.noise_share, p.pseudo_threshold, p.domain_sigma, p.range_sigma) == (10, 0.244, 0.85, 120, 1.2)
    assert (p.consistency, p.consistency_weight, p.adversarial, p.pseudo_labels, p.iterations) == (True, 1.0, True, True, 0)
    source = VoxUdaSourceParameters.published()
    assert (source.count, source.snrs, source.max_shift, source.neighbours) == (3000, "0.03,0.05", 8, 4)
    assert (p.feature_weights, p.calibration, p.pseudo_selection) == ("0.2,0.2,0.3,0.3", "none", "sure")
    assert (p.size, p.width, p.schedule, p.gradient_clip, p.weight_decay) == (32, 32, "step", 0.0, 0.0)
    assert (p.noise_kind, p.noise_geometry, p.noise_reading, p.noise_scale) == ("gaussian", "corner_cube", "variance_of_mean", 1.0)
    assert (p.segmentation_on, p.denoise_source, p.augment, p.statistics, p.precision) == ("clean", False, False, "all", "float32")
    assert (p.adversarial_weight, p.pseudo_weight, p.pseudo_start, p.ema_decay) == (1.0, 1.0, 0.0, 0.999)


def test_the_published_filter_filters(target):
    """The paper's range sigma and feature on standardised data would let every voxel as it is."""
    p = TrainVoxUdaParameters.published()
    volumes = torch.from_numpy(target.volumes)[:, None]
    assert filter_warning(volumes, p) == ""
    assert "changes nothing" in filter_warning(volumes, p.model_copy(update={"filter_scale": "z_score"}))


def test_a_job_writes_a_model_with_its_record(source, target, tmp_path):
    inputs = []
    for role, part in (("source", source), ("target", target)):
        for name, volume, mask in zip(part.names, part.volumes, part.masks):
            write_volume(tmp_path / role / f"{name}.mrc", volume, 10.0)
            if role == "source":
                write_volume(tmp_path / role / f"{name}_mask.mrc", mask.astype(np.int8), 10.0)
        inputs.append(InputFile(path=str(tmp_path / role), role=role, contrast="bright"))
    job = Job(method="train-voxuda", parameters=parameters().model_dump(), inputs=inputs, output_folder=str(tmp_path / "out"), device="cpu")
    outcome = run(job)
    card = read_card(tmp_path / "out" / "model")
    assert (card.voxel_size, card.network_parameters) == (10.0, {"width": 4, "size": 16})
    assert json.loads(json.dumps(outcome.metrics))["steps"] == 2
    # the saved network is the calibrated one: as much foreground as at the border found
    network = load_model(tmp_path / "out" / "model", lambda card: VoxResNet(4))[0]
    volumes = np.stack([standardise(volume) for volume in target.volumes])
    assert float((evaluate.predict(network, volumes) > 0.5).mean()) == pytest.approx(outcome.metrics["calibration"]["share"], abs=0.01)
    assert outcome.metrics["calibration"]["share"] != pytest.approx(outcome.metrics["calibration"]["share_above_zero"], abs=0.01)
    assert all((tmp_path / "out" / output.path).exists() for output in outcome.outputs)
