"""How the networks of DUAL begin: weights by the seed, the start from spectra, contrast kept, and tomograms made of density and noise."""
import numpy as np
import pytest
import torch
from dual_stubs import SIDE, Ramp, step, stubs
from torch import nn

from cryoetseg.core.dual import building
from cryoetseg.core.dual.building import build_judges, build_networks, keep_contrast, noisy_from, random_noise
from cryoetseg.core.dual.data import Domain, StandardisedView
from cryoetseg.core.dual.params import TrainDualParameters
from cryoetseg.core.dual.start import Start
from cryoetseg.core.dual.train import JUDGES, DualTask
from cryoetseg.core.runtime.seeds import numpy_generator, torch_generator


def test_synthetic_tomograms_hold_the_carried_density_and_noise_of_one_code_a_patch():
    networks, _ = stubs()
    clean = torch.randn(3, 1, SIDE, SIDE, SIDE, generator=torch.Generator().manual_seed(5))
    networks["decoder"] = Ramp(block=8)
    empty = torch.zeros(4, 1, SIDE, SIDE, SIDE)
    made = noisy_from(networks, empty, step()).detach()
    codes = step().normal(torch.zeros(4, 1))
    for volume, code in zip(made, codes):  # eight copies of the block's values, mixed, behind the structural generator
        values = torch.sort(0.8 * 1.1 * float(code) * networks["decoder"].ramp.flatten().repeat(8) - 0.2).values
        torch.testing.assert_close(volume.flatten().sort().values, values, atol=1e-5, rtol=1e-5)
        centred = volume[0] - volume.mean()
        assert abs(float((centred[:, :, 1:] * centred[:, :, :-1]).mean() / centred.square().mean())) < 0.1
    difference = noisy_from(networks, clean, step()) - noisy_from(networks, torch.zeros_like(clean), step())
    torch.testing.assert_close(difference, 0.8 * 0.9 * clean, atol=1e-5, rtol=1e-4)


def test_noise_without_density_is_drawn_as_in_training():
    decoder = Ramp(block=8)
    masks = random_noise(decoder, 3, SIDE, torch_generator(4))
    codes = torch.randn((3, 1), generator=torch_generator(4))
    for mask, code in zip(masks, codes):
        torch.testing.assert_close(mask.flatten().sort().values, (1.1 * code * decoder.ramp.flatten().repeat(8)).sort().values)
    assert not torch.equal(masks[0, 0, :8], masks[0, 0, 8:])


KNOWN = Start(np.full((7, 7, 7), 2.0, np.float32), np.full((7, 7, 7), 3.0, np.float32), np.full((7, 7, 7), 4.0, np.float32), 5.0, ("told",))


def test_the_start_from_spectra_goes_into_the_networks(domains, small, monkeypatch):
    monkeypatch.setattr(building, "spectral_start", lambda noisy, clean, radius, generator, halves:
                        KNOWN if (noisy, clean, radius, halves) == (*domains, 3, None) else None)
    dual, warnings = build_networks(TrainDualParameters(**small), *domains, seed=0)
    for part, value in ((dual.generator.transfer, 2.0), (dual.generator.filter, 3.0), (dual.denoiser.filter, 4.0)):
        assert float(part.kernel.mean()) == value
    masks = dual.decoder(torch.randn(dual.decoder.code_shape(32), generator=torch_generator(9))).detach()
    assert float(masks.std()) == pytest.approx(5.0, rel=0.2)
    assert warnings == ("told",)
    task = DualTask(*domains, TrainDualParameters(**small), seed=0)
    assert task.warnings == ["told"]
    assert task.networks["denoiser"] is task.dual.denoiser


@pytest.mark.parametrize("start", ["random", "spectrum"])
def test_first_weights_depend_on_the_seed_alone(domains, small, monkeypatch, start):
    monkeypatch.setattr(building, "spectral_start", lambda *_: KNOWN)
    settings = TrainDualParameters(**{**small, "taught_by": "dual", "start": start})
    before = torch.random.get_rng_state()
    first, same, other = (torch.cat([weight.detach().flatten() for weight in build_networks(settings, *domains, seed)[0].parameters()])
                          for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    judges = [build_judges(JUDGES, "2,4", seed)["density_judge"].spatial[0].weight for seed in (1, 1, 2)]
    assert torch.equal(judges[0], judges[1])
    assert not torch.equal(judges[0], judges[2])


class Headed(nn.Module):
    """A network of one head, as a U-Net ends."""

    def __init__(self, gain):
        super().__init__()
        self.unet = nn.Module()
        self.unet.head = nn.Conv3d(1, 1, 1)
        with torch.no_grad():
            self.unet.head.weight.fill_(gain)
            self.unet.head.bias.fill_(0.25)

    def forward(self, volumes):
        return self.unet.head(volumes)


@pytest.mark.parametrize(("gain", "sign"), [(0.5, 1), (-0.5, -1)])
def test_a_head_that_starts_upside_down_is_turned(gain, sign):
    view = StandardisedView(np.random.default_rng(0).normal(size=(16, 16, 16)).astype(np.float32), "bright")
    network = Headed(gain)
    keep_contrast(network, Domain([view], 16), numpy_generator(0))
    assert float(network.unet.head.weight.detach()) == 0.5
    assert float(network.unet.head.bias.detach()) == 0.25 * sign


def test_a_random_start_keeps_contrast_of_both_translators(domains, small, monkeypatch):
    turned = []
    monkeypatch.setattr(building, "keep_contrast", lambda network, domain, generator: turned.append((network, domain)))
    settings = TrainDualParameters(**{**small, "taught_by": "dual", "start": "random", "filter_radius": 0})
    dual, warnings = build_networks(settings, *domains, seed=0)
    assert turned == [(dual.denoiser, domains[0]), (dual.generator, domains[1])]
    assert warnings == ()
