"""The denoiser taught by calibrated simulation: pairs of density and its synthetic tomogram, and a simulation that stays as it is."""
import numpy as np
import pytest
import torch
from dual_stubs import SIDE, Bent, Gain, Ramp

from cryoetseg.core.dual.building import noisy_from
from cryoetseg.core.dual.calibrated import CalibratedTask
from cryoetseg.core.dual.losses import correlation, reconstruction_loss
from cryoetseg.core.dual.params import TrainDualParameters
from cryoetseg.core.dual.watch import spectrum_distance
from cryoetseg.core.runtime.seeds import numpy_generator
from cryoetseg.core.training.engine import train
from cryoetseg.core.training.task import Selection, Step

from .test_objective import Listed

QUICK = {"iterations": 12, "batch_size": 4, "denoiser_learning_rate": 2e-3, "validation_interval": 12, "precision": "float32",
         "schedule": "constant", "ema_decay": 0.0, "validation_patches": 3}


@pytest.fixture
def task(domains, small):
    return lambda **changed: CalibratedTask(*domains, TrainDualParameters(**{**small, **QUICK, **changed}), seed=0)


def step():
    return Step(0, 0, "denoiser", torch.Generator().manual_seed(2), {})


def stubs():
    return {"denoiser": Bent(0.5), "generator": Gain(0.8, -0.2, 0.9), "decoder": Ramp()}


def test_the_loss_is_that_of_the_clean_cycle_and_trains_the_denoiser_alone(task):
    networks, clean = stubs(), torch.randn(3, 1, SIDE, SIDE, SIDE, generator=torch.Generator().manual_seed(5))
    loss, metrics = task().loss(networks, {"clean": clean}, step())
    back = networks["denoiser"](noisy_from(networks, clean, step()).detach())
    torch.testing.assert_close(loss, reconstruction_loss(clean, back))
    torch.testing.assert_close(metrics["clean_cycle_correlation"], correlation(clean, back).mean())
    loss.backward()
    assert networks["denoiser"].gain.grad.abs() > 0
    assert networks["generator"].gain.grad is None
    assert networks["decoder"].gain.grad is None


def test_only_the_denoiser_moves_and_learns(task, tmp_path):
    own = task(iterations=24, denoiser_learning_rate=5e-3, log_interval=4)
    own.dual.denoiser.filter.kernel.zero_()  # the filter that it starts with leaves little to learn
    before = {name: value.clone() for name, value in own.dual.state_dict().items()}
    outcome = train(own, own.parameters, tmp_path, 0, "cpu")
    moved = {name.split(".")[0] for name, value in own.dual.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"denoiser"}
    rows = [row["loss"] for row in outcome.rows if "loss" in row]
    assert rows[-1] < rows[0] - 0.05
    assert [(turn.name, turn.networks) for turn in own.turns()] == [("denoiser", ("denoiser",))]
    assert own.averaged() == ("denoiser",)


def test_the_optimiser_has_the_denoisers_rate(task):
    own = task(denoiser_learning_rate=2e-3, learning_rate=5e-5, weight_decay=3e-5)
    optimiser = own.optimiser("denoiser", list(own.networks["denoiser"].parameters()), own.parameters)
    (group,) = optimiser.param_groups
    assert (type(optimiser), group["lr"], group["weight_decay"]) == (torch.optim.AdamW, 2e-3, 3e-5)


@pytest.mark.parametrize("crops", ["grid", "random"])
def test_an_item_is_a_patch_of_density(task, domains, crops):
    own = task(crops=crops)
    np.testing.assert_array_equal(own.clean.views[0][:], domains[1].views[0][:, :32])
    assert own.noisy is domains[0]
    own.clean = Listed(2)
    own.patches._domains = {"clean": own.clean}
    item = own.item(4, numpy_generator(0))
    assert list(item) == ["clean"]
    assert (item["clean"][1] == 4) == (crops == "grid")
    assert own.items() == 7


def test_it_is_judged_by_density_that_nothing_is_learned_from(task, domains):
    own, networks, judged = task(), stubs(), []
    own.watch = type("Watch", (), {"judge": staticmethod(judged.append)})
    found = own.validate(networks, np.random.default_rng(0))
    assert found == own.validate(networks, np.random.default_rng(5))
    np.testing.assert_array_equal(own.judged_clean.views[0][:], domains[1].views[0][:, 32:])
    rng = numpy_generator(0, "dual validation")
    noisy, clean = (torch.from_numpy(np.stack([domain.cut(domain.random_place(rng)) for _ in range(3)]))
                    for domain in (own.noisy, own.judged_clean))
    with torch.no_grad():
        tomogram = noisy_from(networks, clean, Step(0, 0, "validation", torch.Generator().manual_seed(0), {}))
        cycle = float(correlation(clean, networks["denoiser"](tomogram)).mean())
        contrast = float(correlation(noisy, networks["denoiser"](noisy)).mean())
    assert found["clean_cycle_correlation"] == pytest.approx(cycle, abs=1e-5)
    assert found["contrast"] == pytest.approx(contrast, abs=1e-5)
    assert found["spectrum_distance"] == pytest.approx(spectrum_distance(tomogram, noisy), abs=1e-5)
    assert found["score"] == pytest.approx(cycle, abs=1e-5)
    assert judged[0] == found
    assert CalibratedTask.selection == Selection("score", "max")
