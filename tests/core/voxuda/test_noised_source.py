"""How the source is shown under the target's noise: how strong, of which spectrum, and which passes take part."""
from dataclasses import replace

import numpy as np
import pytest
import torch
from voxuda_stubs import networks, step, task_of

from cryoetseg.core.voxuda import noise

CPU = torch.device("cpu")


def test_the_source_gets_the_targets_noise_at_the_ratios_that_the_target_shows(source, target):
    own = task_of(source, target, noise_kind="target_snr")
    kept = own._on(CPU)
    seen = noise.seen_noise(noise.power_spectra(kept.target))
    torch.testing.assert_close(kept.power, noise.power_spectra(kept.target) * seen.share)
    torch.testing.assert_close(kept.snr, torch.stack([seen.snr.quantile(0.25), seen.snr.quantile(0.9)]))
    own._pools = kept._replace(snr=torch.tensor([0.5, 4.0]))
    white = torch.from_numpy(np.random.default_rng(0).normal(size=(400, 1, 16, 16, 16)).astype(np.float32))
    volumes = noise.standardised(white)
    signal = (own.noised(volumes, step()) * volumes).mean(dim=(1, 2, 3, 4)) ** 2  # share of the variance
    ratio = (signal / (1 - signal)).log() / np.log(2)
    assert float(ratio.min()) == pytest.approx(-1, abs=0.2)
    assert float(ratio.max()) == pytest.approx(2, abs=0.2)
    assert float(ratio.mean()) == pytest.approx(0.5, abs=0.1)  # even in the logarithm


@pytest.mark.parametrize(("kind", "known"), [("target_spectrum", True), ("target_snr", True), ("gaussian", False)])
def test_spectra_are_taken_where_noise_has_one(source, target, kind, known):
    kept = task_of(source, target, noise_kind=kind)._on(CPU)
    assert (len(kept.power) == len(target)) == known
    assert bool(kept.snr.any()) == (kind == "target_snr")
    assert len(task_of(source, target, noise_kind=kind, consistency=False)._on(CPU).power) == 0


@pytest.mark.parametrize(("settings", "passes", "terms"), [
    ({}, 1, {"noised_segmentation_loss"}),
    ({"consistency_weight": 0.5}, 2, {"noised_segmentation_loss", "consistency_loss"}),
    ({"adversarial": True}, 2, {"noised_segmentation_loss", "adversarial_loss"}),
    ({"consistency": False}, 1, {"segmentation_loss"}),
    ({"segmentation_on": "clean"}, 2, {"segmentation_loss"}),
    ({"segmentation_on": "both"}, 2, {"segmentation_loss", "noised_segmentation_loss"})])
def test_the_source_as_it_is_is_passed_only_where_a_loss_looks_at_it(source, target, settings, passes, terms):
    plain = {"adversarial": False, "pseudo_labels": False, "consistency_weight": 0.0, "segmentation_on": "noised", "statistics": "all"}
    own, nets, seen = task_of(source, target, **{**plain, **settings}), networks(), []
    inner = nets["student"].features
    nets["student"].features = lambda volumes: (seen.append(volumes), inner(volumes))[1]
    batch = own.gather({"subtomograms": torch.tensor([[0, 3], [1, 5]]), "turns": torch.tensor([[0, 1], [1, 3]])})
    loss, metrics = own.loss(nets, batch, step())
    assert set(metrics) == terms
    torch.testing.assert_close(loss, sum(metrics.values()))
    assert len(seen) == passes + bool(settings.get("adversarial"))  # the discriminator sees the target too
    wanted = own.noised(batch["source"], step()) if settings == {} else batch["source"]
    torch.testing.assert_close(seen[0], wanted)


def test_a_source_that_is_noisy_already_is_told(source, target):
    masks = source.masks.astype(np.float32)
    clean = replace(source, volumes=np.stack([(mask - mask.mean()) / mask.std() for mask in masks]))
    for part, settings, told in ((source, {"noise_kind": "target_snr"}, True), (clean, {"noise_kind": "target_snr"}, False),
                                 (source, {"noise_kind": "target_spectrum"}, False),
                                 (source, {"noise_kind": "target_snr", "consistency": False}, False)):
        own = task_of(part, target, **settings)
        own._on(CPU)
        assert any("noise of its own" in line for line in own.warnings) == told
