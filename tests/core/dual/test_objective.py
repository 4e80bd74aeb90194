"""What DUAL minimises, term by term, with networks of one number each: the sum, where each gradient goes, and which patches are judged."""
import numpy as np
import pytest
import torch
from dual_stubs import SIDE, Bent, step, stubs
from torch import nn

from cryoetseg.core.dual.building import noisy_from, random_noise
from cryoetseg.core.dual.losses import code_regulariser, correlation, discriminator_loss, generator_loss, reconstruction_loss
from cryoetseg.core.dual.params import TrainDualParameters
from cryoetseg.core.dual.train import GENERATORS, JUDGES, DualTask, judged
from cryoetseg.core.dual.watch import TrainingWatch, spectrum_distance
from cryoetseg.core.runtime.seeds import numpy_generator, torch_generator
from cryoetseg.core.training.task import Selection

WEIGHTS = {"clean_cycle_weight": 1.3, "noisy_cycle_weight": 0.7, "adversarial_weight": 2.1, "clean_adversarial_weight": 0.4,
           "code_weight": 0.3}


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(5)
    clean = torch.randn(3, 1, SIDE, SIDE, SIDE, generator=generator)
    return {"clean": clean, "noisy": 0.5 * clean.flip(0) + torch.randn(clean.shape, generator=generator)}


@pytest.fixture
def task(domains, small):
    """The task with a random start, whose own networks the tests do not use."""
    settings = {**small, "taught_by": "dual", "start": "random", "filter_radius": 0, "replay_pool": 0, "real_label": 0.8, **WEIGHTS}
    return lambda **changed: DualTask(*domains, TrainDualParameters(**{**settings, **changed}), seed=0)


@pytest.mark.parametrize("cycles", ["restorer", "all"])
def test_generators_minimise_the_five_terms_and_each_gradient_goes_where_it_should(task, batch, cycles):
    networks, weights = stubs()
    here = step()
    loss, metrics = task(cycle_gradient=cycles).loss(networks, batch, here)
    found = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)

    noisy, clean = batch["noisy"], batch["clean"]
    cut_off = torch.Tensor.detach if cycles == "restorer" else torch.Tensor.clone
    density = networks["denoiser"](noisy)
    tomogram = noisy_from(networks, clean, step())
    codes = networks["encoder"](noisy)
    terms = {
        "clean_cycle_loss": (1.3, reconstruction_loss(clean, networks["denoiser"](cut_off(tomogram)))),  # L_v: D(t_f) is v_r again
        "noisy_cycle_loss": (0.7, reconstruction_loss(noisy, networks["generator"](  # L_t: G_s(S v_f + G_n(E(t_r))) is t_r again
            networks["generator"].transfer(cut_off(density)) + networks["decoder"](codes)))),
        "tomogram_fooling_loss": (2.1, generator_loss(networks["tomogram_judge"](tomogram))),
        "density_fooling_loss": (0.4, generator_loss(networks["density_judge"](density))),
        "code_loss": (0.3, code_regulariser(codes, "diagonal"))}
    expected = sum(weight * term for weight, term in terms.values())
    torch.testing.assert_close(loss, expected)
    for name, (_, term) in terms.items():
        torch.testing.assert_close(metrics[name], term)
    torch.testing.assert_close(metrics["clean_cycle_correlation"], correlation(clean, networks["denoiser"](tomogram)).mean())
    torch.testing.assert_close(metrics["contrast"], correlation(noisy, density).mean())
    back = networks["generator"](networks["generator"].transfer(density) + networks["decoder"](codes))
    torch.testing.assert_close(metrics["noisy_cycle_correlation"], correlation(noisy, back).mean())
    wanted = torch.autograd.grad(expected, list(weights.values()), allow_unused=True)
    for place, (one, other) in enumerate(zip(found, wanted)):
        assert (one is None) == (other is None), place
        if one is not None:
            torch.testing.assert_close(one, other)
    torch.testing.assert_close(here.shared["tomogram"], tomogram.detach())
    torch.testing.assert_close(here.shared["density"], density.detach())
    assert not any(volume.requires_grad for volume in here.shared.values())


def test_each_judge_sees_the_real_and_the_fake_of_its_own_domain(task, batch):
    networks, _ = stubs()
    own, here = task(), step("discriminators")
    here.shared.update(tomogram=batch["noisy"] * 2, density=batch["clean"] * 3)
    shown = {}

    class Recorder:
        def __init__(self, name):
            self.name = name

        def exchange(self, fakes, at):
            assert at is here
            shown[self.name] = fakes
            return fakes + 0.5

    own.pools = {name: Recorder(name) for name in JUDGES}
    counted = []
    own.watch = type("Watch", (), {"count": staticmethod(counted.append)})
    loss, metrics = own.loss(networks, batch, here)
    expected = sum(discriminator_loss(networks[name](batch[real]), networks[name](fake + 0.5), real_label=0.8)
                   for name, real, fake in zip(JUDGES, ("noisy", "clean"), (batch["noisy"] * 2, batch["clean"] * 3)))
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(shown["tomogram_judge"], batch["noisy"] * 2)
    torch.testing.assert_close(shown["density_judge"], batch["clean"] * 3)
    own.noted(metrics)
    assert counted == [metrics]  # when they have been read, not in the step
    assert set(metrics) == {"tomogram_judge_accuracy", "density_judge_accuracy"}
    # the tomogram judge's first branch calls everything real, fakes too; the density judge's calls everything fake
    assert 0.4 < float(metrics["tomogram_judge_accuracy"]) < 0.9
    assert not any(value.requires_grad for value in metrics.values())
    gradient = torch.autograd.grad(loss, networks["tomogram_judge"].gain)[0]
    real, fake = (volumes.square().mean() for volumes in (batch["noisy"], batch["noisy"] * 2 + 0.5))
    assert float(gradient) > 0  # fakes are brighter than real ones and are called real too: the judge should lower its gain
    assert float(fake) > float(real)


def test_judges_answer_in_single_precision(batch):
    seen = []

    class Watching(nn.Module):
        def forward(self, volumes):
            seen.append((volumes.dtype, torch.is_autocast_enabled("cpu")))
            return volumes, volumes

    with torch.autocast("cpu", torch.bfloat16):
        judged(Watching(), batch["noisy"].bfloat16())
    assert seen == [(torch.float32, False)]


def test_generators_take_their_turn_before_the_judges(task):
    generators, judges = task().turns()
    assert (generators.name, tuple(generators.networks)) == ("generators", GENERATORS)
    assert (judges.name, tuple(judges.networks)) == ("discriminators", JUDGES)
    assert set(task().averaged()) == {"denoiser", "generator"}


def test_each_kind_of_network_has_its_learning_rate(task):
    own = task(learning_rate=3e-4, denoiser_learning_rate=2e-3, generator_learning_rate=1e-5, weight_decay=3e-5)
    weights = [weight for name in GENERATORS for weight in own.networks[name].parameters()]
    optimiser = own.optimiser("generators", weights, own.parameters)
    rates = {id(weight): group["lr"] for group in optimiser.param_groups for weight in group["params"]}
    found = {name: {rates[id(weight)] for weight in own.networks[name].parameters()} for name in GENERATORS}
    assert found == {"denoiser": {2e-3}, "generator": {1e-5}, "encoder": {3e-4}, "decoder": {1e-5}}
    assert len(rates) == len(weights)
    assert isinstance(optimiser, torch.optim.AdamW)


def test_judges_have_the_published_optimiser(task):
    own = task(learning_rate=2e-4, weight_decay=3e-5)
    optimiser = own.optimiser("discriminators", list(own.networks["tomogram_judge"].parameters()), own.parameters)
    (group,) = optimiser.param_groups
    assert isinstance(optimiser, torch.optim.AdamW)
    assert (group["lr"], group["betas"], group["eps"], group["weight_decay"]) == (2e-4, (0.9, 0.999), 1e-8, 3e-5)


class Listed:
    """A domain that notes which places it was asked for."""

    def __init__(self, number):
        self.number, self.asked = number, []

    def __len__(self):
        return 7

    def grid_place(self, place):
        self.asked.append(place)
        return self.number, place

    def random_place(self, generator):
        return self.number, int(generator.integers(100))

    def cut(self, place):
        assert place[0] == self.number  # a place belongs to its set
        return np.array(place)


@pytest.mark.parametrize("crops", ["grid", "random"])
def test_an_item_is_a_patch_of_each_set(task, domains, crops):
    own = task(crops=crops)
    for part, whole in zip((own.noisy, own.clean), domains):
        np.testing.assert_array_equal(part.views[0][:], whole.views[0][:, :32])  # 48 rows, of which a patch judges
    own.noisy, own.clean = Listed(1), Listed(2)
    own.patches._domains = {"noisy": own.noisy, "clean": own.clean}
    item = own.item(4, numpy_generator(0))
    assert [item[name][0] for name in ("noisy", "clean")] == [1, 2]
    if crops == "grid":
        assert own.noisy.asked == [4]
        assert 0 <= item["clean"][1] < 7
        assert len({int(own.item(4, numpy_generator(seed))["clean"][1]) for seed in range(20)}) > 3  # unrelated to the noisy patch
    else:
        assert own.noisy.asked == []
    assert own.items() == 7


def test_validation_looks_at_the_same_patches_and_scores_cycle_and_spectrum(task, domains):
    own = task(validation_patches=3)
    judged = []
    own.watch = type("Watch", (), {"judge": staticmethod(judged.append)})
    networks, _ = stubs()
    networks["denoiser"] = Bent(0.5)
    found = own.validate(networks, np.random.default_rng(3))
    rng = numpy_generator(0, "dual validation")
    noisy, clean = (torch.from_numpy(np.stack([domain.cut(domain.random_place(rng)) for _ in range(3)]))
                    for domain in (own.judged_noisy, own.judged_clean))
    draws = torch_generator(int(np.random.default_rng(3).integers(2**31)), "validation noise")
    with torch.no_grad():
        tomogram = networks["generator"](networks["generator"].transfer(clean) + random_noise(networks["decoder"], 3, SIDE, draws))
        cycle = float(correlation(clean, networks["denoiser"](tomogram)).mean())
        contrast = float(correlation(noisy, networks["denoiser"](noisy)).mean())
    assert found["clean_cycle_correlation"] == pytest.approx(cycle, abs=1e-5)
    assert found["contrast"] == pytest.approx(contrast, abs=1e-5)
    assert found["spectrum_distance"] == pytest.approx(spectrum_distance(tomogram, noisy), abs=1e-5)
    assert found["score"] == pytest.approx(cycle - found["spectrum_distance"], abs=1e-5)
    assert judged == [found]
    for part, whole in zip((own.judged_noisy, own.judged_clean), domains):  # what nothing is learned from
        np.testing.assert_array_equal(part.views[0][:], whole.views[0][:, 32:])
    networks["denoiser"].gain.data.neg_()
    assert own.validate(networks, np.random.default_rng(3))["score"] < found["score"] - 50  # contrast upside down


def test_the_best_model_is_the_one_of_the_highest_score():
    assert DualTask.selection == Selection("score", "max")


def test_pools_of_both_judges_survive_a_checkpoint(task):
    own, again = task(replay_pool=2), task(replay_pool=2)
    for number, name in enumerate(JUDGES):
        own.pools[name].exchange(torch.full((2, 1, 2, 2, 2), float(number)), step())
    again.restore(own.state())
    for number, name in enumerate(JUDGES):
        torch.testing.assert_close(again.pools[name].state()["pool"], torch.full((2, 1, 2, 2, 2), float(number)))


def test_the_watch_ends_a_stuck_training_after_the_limit_asked_for(task):
    own = task(stuck_limit=3)
    assert isinstance(own.watch, TrainingWatch)
    assert own.watch._limit == 3
