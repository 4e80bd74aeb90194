"""The border of foreground in the target, found without its masks, on a network whose logit is known."""
import numpy as np
import pytest
import torch
from skimage.filters import threshold_otsu

from cryoetseg.core.voxuda.calibration import border, calibrate, null_test, phase_randomised
from cryoetseg.core.voxuda.evaluate import logits, predict, score
from cryoetseg.core.voxuda.network import VoxResNet

OFFSET, GAIN = 4.0, 2.0


@pytest.fixture
def shy():
    """Logit GAIN x - 12 for voxels x > -OFFSET: it ranks by brightness and is sure of foreground from 6 on, which is rarely reached."""
    network = VoxResNet(4).eval()
    with torch.no_grad():
        for weights in network.parameters():
            weights.zero_()
        network.conv1a.weight[0, 0, 1, 1, 1] = 1
        network.conv1a.bias[0] = OFFSET
        normalised, convolution = network.conv1b[0], network.conv1b[2]
        normalised.weight.fill_(np.sqrt(1 + normalised.eps))
        convolution.weight[0, 0, 1, 1, 1] = GAIN
        raised, classifier = network.heads[0]
        raised.weight[0, 0, 1, 1, 1] = 1
        classifier.weight[0, 0] = 1
        classifier.bias.fill_(-12 - GAIN * OFFSET)
    return network


@pytest.fixture
def bright(target):
    """The target's balls as a network would see them: far above the noise."""
    return (target.masks * 3.0 + np.random.default_rng(0).normal(size=target.masks.shape) * 0.4).astype(np.float32)


def test_masks_are_right_after_calibration_that_no_mask_took_part_in(shy, bright, target):
    before = score(shy, bright, target.masks, target.classes)["dice"]
    ranks = logits(shy, bright)
    found, warnings = calibrate(shy, bright, "otsu")
    assert before < 0.1
    assert score(shy, bright, target.masks, target.classes)["dice"] > 0.95
    assert not warnings
    # the same network but for one constant: border and shares are those of the logits before
    assert logits(shy, bright) == pytest.approx(ranks - found.logit, abs=1e-3)
    assert found.share == pytest.approx(float((predict(shy, bright) > 0.5).mean()), abs=1e-3)
    assert found.share_above_zero < 0.01 < found.share


def test_the_published_half_moves_nothing(shy, bright):
    ranks = logits(shy, bright)
    found, warnings = calibrate(shy, bright, "none")
    assert (logits(shy, bright) == ranks).all()
    assert (found.logit, found.share, warnings) == (0.0, found.share_above_zero, [])


def test_noise_parted_from_noise_is_told(shy):
    noise = np.random.default_rng(0).normal(size=(4, 16, 16, 16)).astype(np.float32)
    found, (warning,) = calibrate(shy, noise, "otsu")
    assert found.share == pytest.approx(0.245, abs=0.01)
    assert "may not part particles" in warning


def test_the_border_is_that_of_all_subtomograms_together(shy, bright, target):
    """One subtomogram without a particle is left empty, as the border comes from the others."""
    empty = np.random.default_rng(1).normal(size=bright[:1].shape).astype(np.float32) * 0.4
    found = border(shy, np.concatenate([bright, empty]), "otsu")
    assert (logits(shy, empty) > found.logit).mean() < 1e-3


def test_how_surely_background_is_background_does_not_matter(shy, bright):
    """Half of the background lies far below: the border stays, where Otsu's threshold of all voxels would fall below the noise."""
    deep = bright.copy()
    deep[:, :, :, :8] = np.where(deep[:, :, :, :8] < 1.5, deep[:, :, :, :8] * 0.01 - 3.5, deep[:, :, :, :8])
    assert border(shy, deep, "otsu").logit == pytest.approx(border(shy, bright, "otsu").logit, abs=0.5)
    assert threshold_otsu(logits(shy, deep)) < border(shy, deep, "otsu").logit - 1.5


def test_a_network_that_calls_noise_is_told_of(shy, bright):
    calibrate(shy, bright, "otsu")
    shares, told = null_test(shy, bright, 0)
    assert shares["called_share"] > 0
    assert shares["null_share"] < 0.5 * shares["called_share"]
    assert told == []
    noise = np.random.default_rng(1).normal(size=bright.shape).astype(np.float32)
    with torch.no_grad():
        shy.heads[0][1].bias.add_(9)
    shares, told = null_test(shy, noise, 0)
    assert shares["null_share"] == pytest.approx(shares["called_share"], rel=0.2)
    assert "hold no structure" in told[0]


def test_random_phases_keep_the_spectrum_and_no_structure(bright):
    mixed = phase_randomised(bright, 0)
    before, after = (np.abs(np.fft.rfftn(volume - volume.mean(), axes=(1, 2, 3)))[:, 1:8, 1:8, 1:8] for volume in (bright, mixed))
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.999
    assert abs(np.corrcoef(mixed.ravel(), bright.ravel())[0, 1]) < 0.1
    np.testing.assert_array_equal(phase_randomised(bright, 0), mixed)
