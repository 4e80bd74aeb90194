"""Which of the teacher's answers become labels, and how much each counts."""
import pytest
import torch

from cryoetseg.core.voxuda.params import TrainVoxUdaParameters
from cryoetseg.core.voxuda.pseudo import pseudo_labels

BALANCED = TrainVoxUdaParameters(pseudo_selection="balanced")


def logits_of(*values):
    return torch.tensor(values, dtype=torch.float32).reshape(1, 1, -1, 1, 1)


def test_by_sureness_all_voxels_share_one_mean_and_the_unsure_count_nothing():
    found = pseudo_labels(logits_of(3, -3, 0.5, -0.5), TrainVoxUdaParameters(pseudo_selection="sure", pseudo_threshold=0.9), 0.5)
    assert found.label.flatten().tolist() == [1, 0, 1, 0]
    assert found.weight.flatten().tolist() == [0.25, 0.25, 0, 0]


def test_by_rank_the_surest_half_of_the_expected_foreground_and_the_lower_half_count_as_much_as_each_other():
    logits = torch.arange(40.0).flip(0).reshape(2, 1, 20, 1, 1) - 100  # sure of background everywhere
    found = pseudo_labels(logits, BALANCED, share=0.2)
    order = found.label.flatten().tolist()
    assert order == [1] * 4 + [0] * 36  # a fifth of 40 is expected, the surer half of it counts
    weights = found.weight.flatten()
    assert weights[:4].tolist() == pytest.approx([0.125] * 4)
    assert weights[4:20].tolist() == [0] * 16  # neither one nor the other
    assert weights[20:].tolist() == pytest.approx([0.025] * 20)


def test_a_teacher_that_cannot_tell_voxels_apart_names_no_foreground():
    found = pseudo_labels(torch.zeros(2, 1, 4, 4, 4), BALANCED, share=0.3)
    assert not found.label.any()
    assert float(found.weight.sum()) == pytest.approx(0.5)


def test_a_source_without_foreground_names_none():
    assert not pseudo_labels(torch.randn(1, 1, 8, 8, 8), BALANCED, share=0.0).label.any()
