"""What Vox-UDA minimises, term by term, with networks of a few numbers: the sum, whose label each domain has, and what the teacher sees."""
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from monai.losses import DiceCELoss
from scipy.ndimage import gaussian_filter
from torch.nn import functional as F
from voxuda_stubs import ALL, Teacher, networks, step, task_of

from cryoetseg.core.training.task import Selection, Step
from cryoetseg.core.voxuda import noise
from cryoetseg.core.voxuda.params import TrainVoxUdaParameters
from cryoetseg.core.voxuda.pools import gaussian, same_wedge
from cryoetseg.core.voxuda.train import VoxUdaTask


@pytest.fixture
def batch(source, target):
    volumes = [torch.from_numpy(part.volumes[:4])[:, None] for part in (source, target)]
    return {"source": volumes[0], "target": volumes[1], "mask": torch.from_numpy(source.masks[:4])[:, None].float(),
            "denoised": task_of(source, target).denoised(volumes[1])}


def test_the_five_terms_are_what_the_paper_says_and_so_are_their_gradients(source, target, batch):
    own, nets, teacher = task_of(source, target), networks(), Teacher()
    loss, metrics = own.loss(nets, batch, step(teacher))
    student, discriminator = nets["student"], nets["discriminator"]
    clean, adapted = student.features(batch["source"]), student.features(batch["target"])
    taps = student.features(own.noised(batch["source"], step()))
    label = (torch.sigmoid(Teacher()(own.denoised(batch["target"]))) > 0.5).float()
    sure = (Teacher()(own.denoised(batch["target"])).abs() > 5).float()
    entropy = F.binary_cross_entropy_with_logits(student.logits(adapted), label, reduction="none")
    logits = torch.cat([discriminator(clean.f_v6, 0.0), discriminator(adapted.f_v6, 0.0)])
    wanted = {
        "segmentation_loss": DiceCELoss(sigmoid=True)(student.logits(clean), batch["mask"]),
        "noised_segmentation_loss": DiceCELoss(sigmoid=True)(student.logits(taps), batch["mask"]),
        "consistency_loss": 0.7 * sum(weight * noise.cosine_distance(one, other)
                                      for weight, one, other in zip((0.1, 0.2, 0.3, 0.4), clean, taps)),
        "adversarial_loss": 0.6 * F.binary_cross_entropy_with_logits(logits, torch.tensor([0.0] * 4 + [1.0] * 4)),  # the target is 1
        "pseudo_loss": 0.9 * (sure * entropy).mean()}  # over all voxels, sure or not
    for name, value in wanted.items():
        assert float(value.detach()) > 1e-4
        torch.testing.assert_close(metrics[name], value)
    torch.testing.assert_close(loss, sum(wanted.values()))
    found = torch.autograd.grad(loss, student.gains, retain_graph=True)[0]
    torch.testing.assert_close(found, torch.autograd.grad(sum(wanted.values()), student.gains)[0])
    assert float(metrics["kept"]) == pytest.approx(float(sure.mean()))
    assert float(metrics["kept_foreground"]) == pytest.approx(float((sure * label).mean()))


def test_the_pseudo_loss_of_a_batch_is_the_mean_over_the_processes_that_share_it(source, target, batch):
    own, student = task_of(source, target), networks()["student"]
    logits, answers = student.logits(student.features(batch["target"])).detach(), Teacher()(batch["denoised"])
    whole, _ = own._pseudo(logits, batch["denoised"], step(Teacher()))
    assert float(whole) > 1e-4
    halves = []
    for process, rows in enumerate((slice(2), slice(2, 4))):
        shared = replace(step(Teacher()), process=process, processes=2, gathered=lambda rows: answers)
        halves.append(own._pseudo(logits[rows], batch["denoised"][rows], shared)[0])
    torch.testing.assert_close(torch.stack(halves).mean(), whole)


def test_the_teacher_sees_the_denoised_target_and_learns_nothing(source, target, batch):
    own, teacher = task_of(source, target), Teacher()
    own.loss(networks(), batch, step(teacher))
    (seen,) = teacher.seen
    filtered = gaussian(batch["target"], 0.8)
    torch.testing.assert_close(seen, noise.standardised(filtered))
    assert not torch.allclose(seen, batch["target"], atol=0.1)
    assert not seen.requires_grad
    plain = task_of(source, target, restandardise=False)
    torch.testing.assert_close(plain.denoised(batch["target"]), filtered)


def test_each_denoiser_is_the_one_that_it_is_called(source, target, batch):
    volumes = batch["target"]
    results = {name: task_of(source, target, denoiser=name, restandardise=False).denoised(volumes)
               for name in ("none", "noise_module", "gaussian", "bilateral", "improved_bilateral")}
    torch.testing.assert_close(results["none"], volumes)
    passed = noise.high_pass(16, 0.244, "corner_cube")
    torch.testing.assert_close(results["noise_module"], volumes - noise.high_frequencies(volumes, passed))
    from cryoetseg.core.voxuda.bilateral import bilateral

    torch.testing.assert_close(results["bilateral"], bilateral(volumes, 120.0, 1.2, "intensity").volumes)
    torch.testing.assert_close(results["improved_bilateral"], bilateral(volumes, 120.0, 1.2, "sobel32").volumes)


def test_the_reversal_grows_from_nothing_to_all(source, target, batch):
    for number, strength in ((0, 0.0), (50, 2 / (1 + math.exp(-5)) - 1), (100, 2 / (1 + math.exp(-10)) - 1)):  # Ganin et al. 2016
        nets = networks()
        task_of(source, target).loss(nets, batch, step(number=number))
        assert nets["discriminator"].strengths == pytest.approx([strength] * 2)


def test_noise_has_the_strength_of_the_target_drawn(source, target, batch):
    own = task_of(source, target, noise_samples=8)  # all of them: the order does not matter
    volumes = torch.from_numpy(target.volumes)[:, None]
    sigma = 1.5 * noise.noise_deviation(volumes, noise.high_pass(16, 0.244, "corner_cube"), "variance_of_mean")
    added = own.noised(batch["source"], step()) - batch["source"]
    assert float(added.std()) == pytest.approx(float(sigma), rel=0.02)
    few = {tuple(own_few.noised(batch["source"], Step(0, 0, "all", torch.Generator().manual_seed(seed), {}))[0, 0, 0, 0, :2].tolist())
           for own_few in [task_of(source, target, noise_samples=2)] for seed in range(3)}
    assert len(few) == 3


def test_spectral_noise_takes_an_even_share_up_to_the_largest(source, target):
    own = task_of(source, target, noise_kind="target_spectrum", noise_share_max=0.8)
    flat = torch.from_numpy(np.random.default_rng(0).normal(size=(400, 1, 16, 16, 16)).astype(np.float32))
    flat = noise.standardised(flat)
    kept = (own.noised(flat, step()) * flat).mean(dim=(1, 2, 3, 4)) ** 2  # the share that is still the source's
    share = 1 - kept
    assert float(share.min()) < 0.05
    assert float(share.max()) == pytest.approx(0.8, abs=0.05)
    assert float(share.mean()) == pytest.approx(0.4, abs=0.04)


def test_every_second_noised_source_passes_the_denoiser(source, target, batch):
    plain, filtered = (task_of(source, target, denoise_source=flag) for flag in (False, True))
    seen = []
    for own in (plain, filtered):
        nets = networks()
        nets["student"].features = lambda volumes, inner=nets["student"].features: (seen.append(volumes), inner(volumes))[1]
        own.loss(nets, batch, step())
    noised, mixed = seen[1], seen[4]
    torch.testing.assert_close(mixed[1::2], noised[1::2])
    torch.testing.assert_close(mixed[::2], plain.denoised(noised[::2]))


@pytest.mark.parametrize(("process", "filtered"), [(0, [True, False, True]), (1, [False, True, False]), (1, [True, False])])
def test_every_second_of_a_batch_passes_the_denoiser_whichever_process_has_it(source, target, batch, process, filtered):
    own, nets, seen = task_of(source, target, denoise_source=True), networks(), []
    own.noised = lambda volumes, step: volumes.clone()
    own.denoised = lambda volumes: volumes + 100
    inner = nets["student"].features
    nets["student"].features = lambda volumes: (seen.append(volumes), inner(volumes))[1]
    part = {name: volumes[:len(filtered)] for name, volumes in batch.items()}  # half of the batch
    own._noise_module(nets["student"], part, None, replace(step(), process=process, processes=2))
    assert (seen[0].mean(dim=(1, 2, 3, 4)) > 50).tolist() == filtered


def test_passes_of_the_domains_are_apart_and_only_the_targets_statistics_count(source, target, batch):
    for statistics, domains in (("target", {"target"}), ("all", {"source", "target"})):
        nets, means = networks(), []
        own = task_of(source, target, statistics=statistics, consistency=False)
        own.loss(nets, {**batch, "source": batch["source"] + 5}, step())
        means = nets["student"].norm.running_mean[0]
        assert (float(means) > 1) == ("source" in domains)
        assert nets["student"].norm.momentum == 0.5
        assert float(nets["student"].norm.running_mean[1]) > 0.3  # of the target's square, moved by its pass


def test_without_losses_on_the_target_its_pass_keeps_no_gradient(source, target, batch):
    own, nets = task_of(source, target, adversarial=False, pseudo_labels=False, consistency=False), networks()
    modes = []
    inner = nets["student"].features
    nets["student"].features = lambda volumes: (modes.append(torch.is_grad_enabled()), inner(volumes))[1]
    loss, metrics = own.loss(nets, batch, step())
    assert modes == [True, False]
    assert set(metrics) == {"segmentation_loss"}
    torch.testing.assert_close(loss, metrics["segmentation_loss"])
    plain = task_of(source, target, adversarial=False, pseudo_labels=False, consistency=False, statistics="all")
    plain.loss(nets, batch, step())
    assert modes == [True, False, True]


def picture(volume, turn):
    return same_wedge(torch.from_numpy(volume)[None, None], torch.tensor([turn]))[0, 0].numpy()


@pytest.mark.parametrize("augment", [True, False])
def test_a_mask_turns_with_its_volume_and_a_target_by_itself(source, target, augment):
    marked = source.__class__(source.masks.astype(np.float32), source.masks, source.names, source.classes, 10.0)
    own = task_of(marked, target, augment=augment)
    rng = np.random.default_rng(0)
    turns, targets = set(), set()
    for index in [0, 3] * 12:
        item = own.item(index, rng)
        np.testing.assert_array_equal(item["mask"], item["source"])
        assert item["mask"].dtype == np.float32
        turns |= {turn for turn in range(4) if np.array_equal(item["source"][0], picture(marked.volumes[index], turn))}
        targets |= {(number, turn) for number, volume in enumerate(target.volumes) for turn in range(4)
                    if np.array_equal(item["target"][0], picture(volume, turn))}
    assert turns == ({0, 1, 2, 3} if augment else {0})
    assert len({number for number, _ in targets}) > 4
    assert {turn for _, turn in targets} == ({0, 1, 2, 3} if augment else {0})
    assert own.items() == len(source)


def test_the_teacher_is_the_average_and_the_optimiser_is_adam(source, target):
    own = task_of(source, target, weight_decay=0.01, learning_rate=0.02)
    assert own.averaged() == ("student",)
    assert own.selection == Selection()
    optimiser = own.optimiser("all", list(own.networks["student"].parameters()), own._p)
    assert type(optimiser) is torch.optim.Adam
    assert (optimiser.param_groups[0]["lr"], optimiser.param_groups[0]["weight_decay"]) == (0.02, 0.01)


def test_first_weights_come_from_the_seed_alone_and_channels_from_the_width(source, target):
    before = torch.random.get_rng_state()
    students = [VoxUdaTask(source, target, TrainVoxUdaParameters(**ALL), seed).networks["student"] for seed in (1, 1, 2)]
    first, same, other = (student.conv1a.weight for student in students)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    own = task_of(source, target)
    assert own.networks["discriminator"].convolution[0].in_channels == own.networks["student"].features(
        torch.zeros(2, 1, 16, 16, 16)).f_v6.shape[1]


@pytest.mark.parametrize(("settings", "patience"), [({"iterations": 100}, 25), ({"iterations": 20}, 10), ({"iterations": 4000}, 500),
                                                    ({"iterations": 0, "epochs": 37, "batch_size": 5}, 15)])
def test_the_warning_of_background_only_waits_a_quarter_of_the_training(source, target, settings, patience):
    own = task_of(source, target, **settings)
    for _ in range(patience - 1):
        own._watch(0.0)
    assert own.warnings == []
    own._watch(0.1)
    for _ in range(patience):
        own._watch(0.0)
    assert len(own.warnings) == 1


@pytest.mark.parametrize("part", ["adversarial", "pseudo_labels"])
def test_one_loss_on_the_target_is_enough_for_its_pass_to_teach(source, target, batch, part):
    other = {"adversarial": "pseudo_labels", "pseudo_labels": "adversarial"}[part]
    nets = networks()
    own = task_of(source, target, statistics="all", consistency=False, **{other: False})
    loss, metrics = own.loss(nets, batch, step())
    name = {"adversarial": "adversarial_loss", "pseudo_labels": "pseudo_loss"}[part]
    torch.testing.assert_close(loss, metrics["segmentation_loss"] + metrics[name])
    # through the target's pass: with the target of another brightness the student is pushed in another way
    pushes = []
    for shift in (0.0, 2.0):
        metrics = own.loss(nets, {**batch, "target": batch["target"] + shift}, step())[1]
        clean = nets["student"].features(batch["source"])
        of_source = {"adversarial": 0.6 * F.softplus(nets["discriminator"](clean.f_v6, 0.0)).mean() / 2, "pseudo_labels": 0.0}[part]
        pushes.append(torch.autograd.grad(metrics[name] - of_source, nets["student"].gains, retain_graph=True)[0])
    assert float(pushes[0].abs().max()) > 1e-4
    assert not torch.allclose(*pushes, rtol=1e-3)


def test_without_pseudo_labels_no_noised_source_is_filtered(source, target, batch):
    own, nets, seen = task_of(source, target, denoise_source=True, pseudo_labels=False), networks(), []
    inner = nets["student"].features
    nets["student"].features = lambda volumes: (seen.append(volumes), inner(volumes))[1]
    own.loss(nets, batch, step())
    torch.testing.assert_close(seen[1], own.noised(batch["source"], step()))


def test_as_many_target_subtomograms_as_asked_for_tell_the_noise(source, target, batch):
    louder = target.volumes * 3.0 ** np.arange(len(target))[:, None, None, None].astype(np.float32)
    loud = target.__class__(louder, target.masks, target.names, target.classes, 10.0)
    own = task_of(source, loud, noise_samples=2, noise_reading="mean_of_variances", noise_scale=1.0)
    sigma = float((own.noised(batch["source"], step()) - batch["source"]).std())
    passed = noise.high_pass(16, 0.244, "corner_cube")
    each = [float(noise.noise_deviation(torch.from_numpy(volume)[None], passed, "mean_of_variances")) for volume in louder]
    pairs = [math.sqrt((one**2 + other**2) / 2) for place, one in enumerate(each) for other in each[:place]]
    assert min(abs(sigma / pair - 1) for pair in pairs) < 0.03


def test_poisson_noise_has_its_mean_and_speckle_follows_the_source(source, target, batch):
    for kind, found in (("poisson", lambda added: added.mean()), ("speckle", lambda added: (added / batch["source"]).median() + 0.0)):
        own = task_of(source, target, noise_kind=kind, noise_samples=8, noise_scale=2.0)
        volumes, passed = torch.from_numpy(target.volumes)[:, None], noise.high_pass(16, 0.244, "corner_cube")
        sigma = float(2 * noise.noise_deviation(volumes, passed, "variance_of_mean"))
        added = own.noised(batch["source"], step()) - batch["source"]
        assert float(found(added)) == pytest.approx(sigma if kind == "poisson" else 0.0, abs=0.05 * sigma)


def test_steps_without_sure_foreground_are_counted(source, target, batch):
    class Unsure(Teacher):
        def forward(self, volumes):
            return torch.full_like(volumes, -9.0)

    own = task_of(source, target)
    for teacher, count in ((Unsure(), 1), (Unsure(), 2), (Unsure(), 3), (Teacher(), 0)):
        metrics = own.loss(networks(), batch, step(teacher))[1]
        own.noted({name: float(value.detach()) for name, value in metrics.items()})
        assert own._without_foreground == count


def test_each_warning_is_told_once(source, target):
    own = task_of(source, target)
    for message, key in (("the filter does little", "the filter"), ("the filter does less", "the filter"), ("", "x"), ("other", "other")):
        own._warn(message, key)
    assert own.warnings == ["the filter does little", "other"]


def test_the_gaussian_filter_is_within_each_volume(batch):
    found = gaussian(batch["target"], 0.8)
    for volume, given in zip(found, batch["target"]):
        np.testing.assert_allclose(volume[0].numpy(), gaussian_filter(given[0].numpy(), 0.8, mode="nearest"), atol=1e-5)


def test_labels_and_the_target_are_turned_alike_for_the_teacher(source, target):
    own = task_of(source, target, denoiser="none", restandardise=False)
    batch = own.gather({"subtomograms": torch.tensor([[0, 3], [1, 5]]), "turns": torch.tensor([[0, 1], [1, 3]])})
    torch.testing.assert_close(batch["denoised"], batch["target"])


def test_a_filter_that_does_nothing_is_told_when_the_data_are_there(source, target):
    own = task_of(source, target, denoiser="improved_bilateral", range_feature="sobel")
    own.gather({"subtomograms": torch.tensor([[0, 3]]), "turns": torch.tensor([[0, 1]])})
    assert "changes nothing" in own.warnings[0]


def test_pseudo_labels_start_at_their_share_of_the_steps(source, target, batch):
    own = task_of(source, target, pseudo_start=0.5)
    losses = [float(own.loss(networks(), batch, step(number=number))[1]["pseudo_loss"].detach()) for number in (1, 49, 50)]
    assert losses[:2] == [0.0, 0.0]
    assert losses[2] > 0
