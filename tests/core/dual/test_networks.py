"""The networks: counts of the proposed sizes, what they do to shapes, how far they see, and the forward equation's permutation."""
import pytest
import torch
from torch.nn import functional as F

from cryoetseg.core.dual.model import DualNetworks
from cryoetseg.core.dual.networks import (
    Discriminator,
    FilteredUNet,
    LinearFilter,
    NoiseDecoder,
    NoiseEncoder,
    RaisingConvolution,
    UNet3d,
    log_spectrum,
    orthogonal_start,
    permute_voxels,
)
from cryoetseg.core.dual.params import DualArchitecture, TrainDualParameters


def count(network):
    return sum(weight.numel() for weight in network.parameters())


def test_parameter_counts_of_the_published_preset():
    p = TrainDualParameters.published()
    dual = DualNetworks(DualArchitecture(**p.model_dump(include=set(DualArchitecture.model_fields))))
    assert [count(part) for part in (dual.denoiser, dual.generator, dual.encoder, dual.decoder)] == [4113729, 4113729, 278600, 364576]
    assert count(Discriminator((32, 64, 128))) == 1322178


@pytest.mark.parametrize("channels", [(2, 2), (2, 2, 2), (2, 2, 2, 2)])
def test_output_voxels_see_no_further_than_the_reach(channels):
    network = UNet3d(channels)
    orthogonal_start([network])
    side = 2 * network.reach + 4 * network.stride
    for voxel in range(side // 2, side // 2 + network.stride):
        volume = torch.randn(1, 1, side, network.stride, network.stride, requires_grad=True)
        network(volume)[0, 0, voxel, 0, 0].backward()
        seen = volume.grad[0, 0].abs().sum(dim=(1, 2)).nonzero()
        assert voxel - network.reach <= int(seen.min())
        assert int(seen.max()) <= voxel + network.reach


def test_linear_filter_is_a_convolution():
    generator = torch.Generator().manual_seed(0)
    linear = LinearFilter(2)
    linear.kernel.copy_(torch.randn(5, 5, 5, generator=generator))
    volume = torch.randn(1, 1, 8, 9, 10, generator=generator)
    padded = torch.nn.functional.pad(volume, (2,) * 6, mode="reflect")
    expected = torch.nn.functional.conv3d(padded, linear.kernel.flip(0, 1, 2)[None, None])
    torch.testing.assert_close(linear(volume), expected, atol=1e-4, rtol=1e-4)


def test_the_gradient_of_the_linear_filter_is_that_of_a_convolution():
    generator = torch.Generator().manual_seed(0)
    linear = LinearFilter(2)
    linear.kernel.copy_(torch.randn(5, 5, 5, generator=generator))
    volume, weights = (torch.randn(2, 1, 7, 8, 9, generator=generator) for _ in range(2))
    gradients = []
    for function in (linear, lambda padded: torch.nn.functional.conv3d(
            torch.nn.functional.pad(padded, (2,) * 6, mode="reflect"), linear.kernel.flip(0, 1, 2)[None, None])):
        leaf = volume.clone().requires_grad_()
        (function(leaf) * weights).sum().backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(*gradients, atol=1e-4, rtol=1e-4)


def test_a_changed_kernel_is_seen_and_other_sides_too():
    linear = LinearFilter(1)
    volume = torch.randn(1, 1, 6, 6, 6, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(linear(volume), volume, atol=1e-5, rtol=1e-5)
    linear.kernel.mul_(3)
    torch.testing.assert_close(linear(volume), 3 * volume, atol=1e-5, rtol=1e-5)
    linear.load_state_dict({"kernel": linear.kernel / 2})
    torch.testing.assert_close(linear(volume[..., :4]), 1.5 * volume[..., :4], atol=1e-5, rtol=1e-5)


def test_the_filter_speaks_alone_before_training():
    volume = torch.randn(1, 1, 16, 16, 16)
    torch.testing.assert_close(FilteredUNet((2, 2), 3)(volume), volume, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("spatial", "shape"), [(True, (2, 5, 4, 4, 4)), (False, (2, 5))])
def test_codes_and_masks_fit_together(spatial, shape):
    encoder, decoder = NoiseEncoder((2, 3, 4), 5, spatial), NoiseDecoder((4, 3, 2, 1), 5, spatial, 32)
    codes = encoder(torch.randn(2, 1, 32, 32, 32))
    assert tuple(codes.shape) == shape == decoder.code_shape(2)
    assert decoder(codes).shape == (2, 1, 32, 32, 32)


def test_calibrated_masks_have_the_deviation_asked_for():
    torch.manual_seed(0)
    decoder = NoiseDecoder((8, 4, 4, 4), 4, True, 32)
    decoder.calibrate(5.0, torch.Generator().manual_seed(1))
    masks = decoder(torch.randn(decoder.code_shape(8), generator=torch.Generator().manual_seed(2))).detach()
    assert float(masks.std()) == pytest.approx(5.0, rel=0.1)
    torch.testing.assert_close(masks.mean(dim=(1, 2, 3, 4)), torch.zeros(8), atol=1e-4, rtol=0)  # no block is lighter than another


def test_permutation_keeps_the_histogram_and_whitens():
    masks = torch.linspace(0, 1, 16**3).reshape(1, 1, 16, 16, 16).repeat(2, 1, 1, 1, 1)
    mixed = permute_voxels(masks, torch.rand(masks.shape, generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(mixed.flatten(1).sort().values, masks.flatten(1))
    assert not torch.equal(mixed[0], mixed[1])
    centred = mixed[0, 0] - mixed.mean()
    neighbours = (centred[1:] * centred[:-1]).mean() / centred.square().mean()
    assert abs(float(neighbours)) < 0.06


def test_fourier_branch_sees_the_missing_wedge_and_not_the_scale():
    noise = torch.randn(1, 1, 16, 16, 16, generator=torch.Generator().manual_seed(0))
    spectrum = torch.fft.fftn(noise)
    spectrum[:, :, 6:11, :, 0:2] = 0
    cut = torch.fft.ifftn(spectrum).real
    assert float((log_spectrum(cut) - log_spectrum(noise)).abs().mean()) > 0.05
    assert torch.isfinite(log_spectrum(torch.zeros(1, 1, 16, 16, 16))).all()
    answers = Discriminator((2, 4))(noise)
    assert [tuple(part.shape) for part in answers] == [(1, 1, 4, 4, 4)] * 2


def test_a_raising_convolution_is_the_convolution_of_repeated_voxels():
    torch.manual_seed(0)
    raise_ = RaisingConvolution(3, 2).double()
    features = torch.randn(2, 3, 3, 4, 2, dtype=torch.float64, requires_grad=True)
    found, expected = raise_(features), raise_[1](raise_[0](F.interpolate(features, scale_factor=2, mode="nearest")))
    torch.testing.assert_close(found, expected)
    wanted = torch.randn_like(found)
    inputs = (features, *raise_.parameters())
    gradients = [torch.autograd.grad(made, inputs, wanted, retain_graph=True) for made in (found, expected)]
    torch.testing.assert_close(*gradients)
