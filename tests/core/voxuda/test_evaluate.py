"""Scores by hand, and features that do or do not tell the domains apart."""
import numpy as np
import pytest
import torch

from cryoetseg.core.voxuda.evaluate import domain_separation, feature_map, pooled_features, sample_scores, summarised
from cryoetseg.core.voxuda.network import VoxResNet


def test_scores_of_each_sample():
    truth, predicted = np.zeros((3, 2, 2, 2), bool), np.zeros((3, 2, 2, 2), bool)
    truth[0, 0], predicted[0, 0, 0] = True, True  # half of four voxels found
    truth[1, 0], predicted[1, 1] = True, True  # beside it
    iou, dice = sample_scores(predicted, truth)
    assert iou == pytest.approx([0.5, 0, 1])
    assert dice == pytest.approx([2 / 3, 0, 1])


def test_means_over_samples_and_over_classes_differ_where_classes_are_uneven():
    scores = summarised(np.array([0.2, 0.2, 0.8]), np.array([0.3, 0.3, 0.9]), ["a", "a", "b"])
    assert scores["dice"] == pytest.approx(0.5)
    assert scores["macro_dice"] == pytest.approx(0.6)
    assert scores["classes"]["b"] == {"samples": 1, "iou": pytest.approx(0.8), "dice": pytest.approx(0.9)}


def test_separation_and_map_see_a_shift_between_domains():
    generator = np.random.default_rng(0)
    source, target = generator.normal(size=(30, 5)), generator.normal(size=(20, 5))
    assert domain_separation(source, target) == pytest.approx(0.5, abs=0.2)
    assert domain_separation(source, target + 5) > 0.95
    left, right = feature_map(source, target + 20)
    assert (left.shape, right.shape) == ((30, 2), (20, 2))
    middles = left.mean(axis=0), right.mean(axis=0)
    assert np.linalg.norm(middles[0] - middles[1]) > left.std()


def test_features_are_normalised_by_their_own_domain(target):
    torch.manual_seed(0)
    network = VoxResNet(4).eval()
    with torch.no_grad():
        network.conv1a.bias.zero_()  # then three times the volumes are three times the first features, which normalisation takes away
    own, moved = (pooled_features(network, factor * target.volumes) for factor in (1, 3))
    np.testing.assert_allclose(own, moved, atol=1e-3 * own.std())
    assert int(network.conv1b[0].num_batches_tracked) == 0  # the network itself stays as it was
