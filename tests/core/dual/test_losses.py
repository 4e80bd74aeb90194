"""Losses on values worked out by hand."""
import math

import pytest
import torch
from torch import nn

from cryoetseg.core.dual.losses import accuracy, code_regulariser, correlation, discriminator_loss, generator_loss, reconstruction_loss
from cryoetseg.core.runtime.errors import ParameterError


@pytest.fixture
def volumes():
    return torch.randn(3, 1, 8, 8, 8, generator=torch.Generator().manual_seed(0))


def test_correlation_is_pearsons(volumes):
    other = 0.5 * volumes + torch.randn(volumes.shape, generator=torch.Generator().manual_seed(1))
    expected = [torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1] for a, b in zip(volumes, other)]
    torch.testing.assert_close(correlation(volumes, other), torch.stack(expected))


def test_reconstruction_loss_is_log_error_plus_log_of_one_minus_correlation(volumes):
    noisy = volumes + torch.randn(volumes.shape, generator=torch.Generator().manual_seed(1))
    error = (volumes - noisy).square().mean()
    expected = torch.log(error) + torch.log(1 - correlation(volumes, noisy)).mean()
    torch.testing.assert_close(reconstruction_loss(volumes, noisy), expected, atol=1e-4, rtol=1e-4)
    assert reconstruction_loss(volumes, noisy) < reconstruction_loss(volumes, -noisy)  # an inverted cycle pays


def test_empty_patches_give_no_nan_and_no_gradient_of_correlation():
    returned = torch.full((2, 1, 4, 4, 4), 0.5, requires_grad=True)
    loss = reconstruction_loss(torch.zeros(2, 1, 4, 4, 4), returned)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(math.log(0.25), abs=1e-4)
    assert torch.isfinite(returned.grad).all()


def test_adversarial_losses_of_an_undecided_judge():
    undecided = (torch.zeros(2, 1, 2, 2, 2), torch.zeros(2, 1, 4, 4, 4))
    assert float(discriminator_loss(undecided, undecided)) == pytest.approx(2 * math.log(2))
    assert float(generator_loss(undecided)) == pytest.approx(math.log(2))
    sure = (torch.full((2, 1), 9.0), torch.full((2, 1), 9.0))
    wrong = (torch.full((2, 1), -9.0), torch.full((2, 1), -9.0))
    assert float(accuracy(sure, wrong)) == 1.0
    assert float(accuracy(wrong, sure)) == 0.0
    assert float(generator_loss(wrong)) == pytest.approx(9.0, abs=1e-3)  # non-saturating: the gradient stays when the judge is sure


def test_label_smoothing_is_one_sided():
    sure, wrong = (torch.full((1, 1), 30.0),), (torch.full((1, 1), -30.0),)
    assert float(discriminator_loss(sure, wrong, real_label=0.9)) == pytest.approx(3.0, rel=1e-3)
    assert float(discriminator_loss(wrong, wrong, real_label=0.9)) == pytest.approx(27.0, rel=1e-3)


@pytest.mark.parametrize("form", ["diagonal", "shrinkage", "full"])
def test_code_regulariser_is_the_divergence_from_the_codes_to_standard_normal(form):
    codes = 2.0 + 3.0 * torch.randn(20000, 3, generator=torch.Generator().manual_seed(0))
    mean, covariance = codes.mean(dim=0), torch.cov(codes.T)
    if form == "diagonal":
        covariance = torch.diag(covariance.diagonal())
    if form == "shrinkage":
        covariance = 0.9 * covariance + 0.1 * torch.eye(3)
    expected = torch.distributions.kl_divergence(torch.distributions.MultivariateNormal(torch.zeros(3), torch.eye(3)),
                                                 torch.distributions.MultivariateNormal(mean, covariance))
    assert float(code_regulariser(codes, form)) == pytest.approx(float(expected), rel=1e-4)


def test_spatial_codes_count_every_position():
    codes = torch.randn(2, 4, 3, 5, 6, generator=torch.Generator().manual_seed(0))
    flat = codes.movedim(1, -1).reshape(-1, 4)
    torch.testing.assert_close(code_regulariser(codes, "full"), code_regulariser(flat, "full"))


def test_the_printed_form_is_refused_where_it_does_not_exist():
    with pytest.raises(ParameterError, match="no invertible covariance"):
        code_regulariser(torch.randn(16, 16), "full")
    assert torch.isfinite(code_regulariser(torch.randn(2, 16), "diagonal"))
    with pytest.raises(ParameterError, match="no invertible covariance"):
        code_regulariser(torch.randn(1, 16), "diagonal")


@pytest.mark.parametrize("form", ["diagonal", "shrinkage", "full"])
def test_half_precision_does_not_reach_the_regulariser(form):
    codes = torch.randn(16, 3, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        assert float(code_regulariser(codes, form)) == float(code_regulariser(codes.double().float(), form))
        assert code_regulariser(codes, form).dtype == torch.float32


def test_gradients_reach_codes():
    codes = nn.Parameter(torch.randn(8, 4, generator=torch.Generator().manual_seed(0)))
    code_regulariser(codes).backward()
    assert codes.grad.abs().sum() > 0


def test_flat_volumes_correlate_by_nothing_and_faint_ones_as_they_are(volumes):
    flat = torch.full_like(volumes, 3.0).requires_grad_(True)
    found = correlation(flat, volumes)
    torch.testing.assert_close(found, torch.zeros(3), atol=1e-3, rtol=0)
    found.sum().backward()
    assert torch.isfinite(flat.grad).all()
    torch.testing.assert_close(correlation(1e-2 * volumes, volumes), torch.ones(3), atol=1e-4, rtol=0)


def test_a_perfect_cycle_has_a_finite_loss_and_only_filled_patches_correlate(volumes):
    assert float(reconstruction_loss(volumes, volumes.clone())) == pytest.approx(2 * math.log(1e-6), abs=0.5)
    half = torch.cat([volumes[:1], torch.zeros_like(volumes[:1])])
    returned = half + torch.randn(half.shape, generator=torch.Generator().manual_seed(1))
    expected = torch.log((half - returned).square().mean()) + torch.log(1 - correlation(half[:1], returned[:1])).mean()
    torch.testing.assert_close(reconstruction_loss(half, returned), expected, atol=1e-4, rtol=1e-4)
    faint = 0.01 * volumes  # faint is not empty
    # four times the square and a correlation of -1 in place of 0
    assert float(reconstruction_loss(faint, -faint) - reconstruction_loss(faint, 0 * faint)) == pytest.approx(math.log(8), abs=0.1)
    nearly_empty = 1e-4 * volumes
    assert float(reconstruction_loss(nearly_empty, 1e3 * nearly_empty)) == pytest.approx(math.log(0.0999**2), abs=0.1)


def test_adversarial_losses_are_means_over_both_branches():
    real, fake = (torch.tensor([0.3, -1.2]), torch.tensor([2.0])), (torch.tensor([-0.7, 0.4]), torch.tensor([-0.5]))
    bce = [-(0.9 * torch.sigmoid(a).log() + 0.1 * torch.sigmoid(-a).log()).mean() - torch.sigmoid(-b).log().mean()
           for a, b in zip(real, fake)]
    torch.testing.assert_close(discriminator_loss(real, fake, 0.9), sum(bce) / 2)
    torch.testing.assert_close(generator_loss(fake), sum(-torch.sigmoid(b).log().mean() for b in fake) / 2)
    assert float(accuracy(real, fake)) == pytest.approx((0.5 + 0.5 + 1 + 1) / 4)


def test_two_codes_are_enough_and_one_is_not():
    pair = torch.tensor([[1.0, 2.0], [3.0, -2.0]])
    mean, variance = pair.mean(dim=0), pair.var(dim=0)
    expected = 0.5 * (1 / variance + mean**2 / variance - 1 + variance.log()).sum()
    torch.testing.assert_close(code_regulariser(pair), expected)
    with pytest.raises(ParameterError, match="1 noise codes"):
        code_regulariser(pair[:1])
    with pytest.raises(ParameterError, match="3 noise codes"):
        code_regulariser(torch.randn(3, 3), "full")
    assert torch.isfinite(code_regulariser(torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), "full"))
    assert torch.isfinite(code_regulariser(torch.ones(4, 3)))  # codes that have collapsed
