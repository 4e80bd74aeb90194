"""What the translators of the missing wedge minimise, with networks of one number each, and where they start."""
import numpy as np
import pytest
import torch
from dual_stubs import Bent, Brightness, Gain

from cryoetseg.core.dual.data import StandardisedView
from cryoetseg.core.dual.losses import correlation, discriminator_loss, generator_loss, reconstruction_loss
from cryoetseg.core.dual.params import TrainWedgeParameters
from cryoetseg.core.dual.watch import wedge_distance
from cryoetseg.core.dual.wedge_train import JUDGES, TRANSLATORS, TurnedView, WedgeTask
from cryoetseg.core.runtime.seeds import numpy_generator
from cryoetseg.core.training.task import Selection, Step
from cryoetseg.core.volumes.wedge import missing_cube, missing_energy

SETTINGS = {"patch_px": 16, "fill_channels": "2,3", "cut_channels": "2,4", "judge_channels": "2,4", "filter_radius": 3, "replay_pool": 0,
            "real_label": 0.8, "cycle_weight": 1.4, "adversarial_weight": 0.6, "validation_patches": 3}


@pytest.fixture(scope="module")
def volume():
    return np.random.default_rng(0).normal(size=(16, 18, 20)).astype(np.float32)


@pytest.fixture
def task(volume):
    return lambda seed=0, **changed: WedgeTask([StandardisedView(volume, "bright")], ["a"],
                                               TrainWedgeParameters(**{**SETTINGS, **changed}), seed)


def stubs():
    return {"fill": Gain(0.6, 0.1), "cut": Gain(0.9, -0.2), "tomogram_judge": Brightness(0.7), "turned_judge": Brightness(-0.4)}


def step(turn="generators"):
    return Step(0, 0, turn, torch.Generator().manual_seed(0), {})


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(5)
    return {name: scale * torch.randn(2, 1, 16, 16, 16, generator=generator) for name, scale in (("measured", 1.0), ("turned", 1.3))}


def test_both_cycles_train_the_restorer_alone_and_each_judge_its_own_domain(task, batch):
    networks, here = stubs(), step()
    loss, metrics = task().loss(networks, batch, here)
    fill, cut = networks["fill"], networks["cut"]
    filled, without = fill(batch["measured"]), cut(batch["turned"])
    terms = {"turned_cycle_loss": (1.4, reconstruction_loss(batch["turned"], fill(without.detach()))),
             "measured_cycle_loss": (1.4, reconstruction_loss(batch["measured"], cut(filled.detach()))),
             "tomogram_fooling_loss": (0.6, generator_loss(networks["tomogram_judge"](without))),
             "turned_fooling_loss": (0.6, generator_loss(networks["turned_judge"](filled)))}
    expected = sum(weight * term for weight, term in terms.values())
    torch.testing.assert_close(loss, expected)
    for name, (_, term) in terms.items():
        torch.testing.assert_close(metrics[name], term)
    torch.testing.assert_close(metrics["contrast"], correlation(batch["measured"], filled).mean())
    weights = [fill.gain, fill.offset, cut.gain, cut.offset]
    for one, other in zip(torch.autograd.grad(loss, weights), torch.autograd.grad(expected, weights)):
        torch.testing.assert_close(one, other)
    torch.testing.assert_close(here.shared["measured"], without.detach())  # what looks like a measured tomogram
    torch.testing.assert_close(here.shared["turned"], filled.detach())
    assert not any(made.requires_grad for made in here.shared.values())


def test_judges_tell_real_volumes_of_their_domain_from_translated_ones(task, batch):
    networks, own, here = stubs(), task(), step("discriminators")
    here.shared.update(measured=2 * batch["turned"], turned=3 * batch["measured"])
    shown, counted = {}, []
    for name in JUDGES:
        own.pools[name] = type("Pool", (), {"exchange": staticmethod(
            lambda fakes, at, name=name: (shown.update({name: fakes}), fakes + 0.5)[1])})
    own.watch = type("Watch", (), {"count": staticmethod(counted.append)})
    loss, metrics = own.loss(networks, batch, here)
    expected = sum(discriminator_loss(networks[name](batch[real]), networks[name](here.shared[real] + 0.5), real_label=0.8)
                   for name, real in (("tomogram_judge", "measured"), ("turned_judge", "turned")))
    torch.testing.assert_close(loss, expected)
    assert shown["tomogram_judge"] is here.shared["measured"]
    own.noted(metrics)
    assert counted == [metrics]  # when they have been read, not in the step
    assert set(metrics) == {"tomogram_judge_accuracy", "turned_judge_accuracy"}
    assert not any(value.requires_grad for value in metrics.values())


def test_items_are_a_measured_and_a_turned_patch(task, volume):
    own = task()
    whole = (volume - volume.mean()) / volume.std()
    quarter = np.rot90(whole, axes=(0, 2))
    item = own.item(0, numpy_generator(3))
    for name, source in (("measured", whole), ("turned", quarter)):
        patch = item[name][0]
        places = [(z, y, x) for z, y, x in np.ndindex(*(side - 15 for side in source.shape))
                  for found in (patch, patch[::-1, :, ::-1]) if np.allclose(source[z:z + 16, y:y + 16, x:x + 16], found, atol=1e-4)]
        assert len(places) == 1
    assert own.items() == 1


def test_turns_names_and_selection(task):
    own = task(learning_rate=2e-4)
    assert [(turn.name, tuple(turn.networks)) for turn in own.turns()] == [("generators", TRANSLATORS), ("discriminators", JUDGES)]
    assert tuple(own.averaged()) == TRANSLATORS
    assert WedgeTask.selection == Selection("score", "max")
    optimiser = own.optimiser("generators", list(own.networks["fill"].parameters()), own.parameters)
    assert (type(optimiser), optimiser.param_groups[0]["lr"]) == (torch.optim.AdamW, 2e-4)
    assert own.networks["fill"] is own.pair.fill
    assert own.networks["cut"] is own.pair.cut


def test_filling_starts_as_the_identity_and_weights_come_from_the_seed(task):
    before = torch.random.get_rng_state()
    first, same, other = (task(seed).pair for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    volume = torch.randn(1, 1, 16, 16, 16)
    torch.testing.assert_close(first.fill(volume), volume, atol=1e-4, rtol=1e-4)
    weight = [pair.fill.unet.encoder[0][0][0].weight for pair in (first, same, other)]
    assert torch.equal(weight[0], weight[1])
    assert not torch.equal(weight[0], weight[2])
    assert first.fill.unet.head.in_channels == 2
    assert first.cut.unet.raise_[0][0].in_channels == 4


def test_validation_scores_cycle_and_both_sides_of_the_wedge(task):
    own, networks, judged = task(), stubs(), []
    networks["fill"], networks["cut"] = Bent(0.6), Bent(0.9)
    own.watch = type("Watch", (), {"judge": staticmethod(judged.append)})
    found = own.validate(networks, np.random.default_rng(0))
    assert found == own.validate(networks, np.random.default_rng(7))  # the same patches each time
    rng = numpy_generator(0, "wedge validation")
    measured, turned = (torch.from_numpy(np.stack([domain.cut(domain.random_place(rng)) for _ in range(3)]))
                        for domain in (own.measured, own.turned))
    with torch.no_grad():
        filled, back = networks["fill"](measured), networks["fill"](networks["cut"](turned))
    distance = wedge_distance(filled, measured, torch.from_numpy(missing_cube(16, -60, 60)))
    expected = {"turned_cycle_correlation": float(correlation(turned, back).mean()), "spectrum_distance": distance,
                "contrast": float(correlation(measured, filled).mean()),
                "filled_energy": np.mean([missing_energy(patch, -60, 60) for patch in filled[:, 0].numpy()])}
    expected["score"] = expected["turned_cycle_correlation"] - distance
    assert found == pytest.approx(expected, abs=1e-5)
    assert judged[0] == found


def test_pools_survive_a_checkpoint(task):
    own, again = task(replay_pool=2), task(replay_pool=2)
    for number, name in enumerate(JUDGES):
        own.pools[name].exchange(torch.full((2, 1, 2, 2, 2), float(number)), step())
    again.restore(own.state())
    for number, name in enumerate(JUDGES):
        torch.testing.assert_close(again.pools[name].state()["pool"], torch.full((2, 1, 2, 2, 2), float(number)))


@pytest.mark.parametrize("depth", [16, 24])
def test_a_turned_window_is_the_window_of_the_turned_volume(depth):
    volume = np.random.default_rng(1).normal(size=(depth, 6, 7)).astype(np.float32)
    turned = TurnedView(volume)
    assert turned.dtype == np.float32
    np.testing.assert_array_equal(turned[1:5, 2:6, 3:9], np.rot90(volume, axes=(0, 2))[1:5, 2:6, 3:9])
