"""Scores of masks subtomogram by subtomogram, and a map of the features of both domains (spec B7)."""
from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch.nn.modules.batchnorm import _BatchNorm

from .network import VoxResNet

Array = NDArray[np.float64]
LARGEST_MAP = 1000  # subtomograms of a domain to map; t-SNE of more is slow
PERPLEXITY = 30.0


def predict(network: VoxResNet, volumes: np.ndarray, batch_size: int = 8) -> np.ndarray:
    """Foreground probabilities (n, z, y, x) of standardised subtomograms (n, z, y, x)."""
    return expit(logits(network, volumes, batch_size))


def logits(network: VoxResNet, volumes: np.ndarray, batch_size: int = 8) -> np.ndarray:
    """Logits (n, z, y, x) of standardised subtomograms (n, z, y, x)."""
    return np.concatenate([network(batch).float()[:, 0].cpu().numpy() for batch in _batches(network, volumes, batch_size)])


def pooled_features(network: VoxResNet, volumes: np.ndarray, batch_size: int = 8) -> np.ndarray:
    """The deepest feature f_v6 of each subtomogram, averaged over its voxels: (n, channels).

    Normalised by the statistics of these subtomograms, as in training: under those of the other domain features differ by construction.
    """
    network = with_statistics_of(network, volumes, batch_size)
    return np.concatenate([network.features(batch).f_v6.float().mean(dim=(2, 3, 4)).cpu().numpy()
                           for batch in _batches(network, volumes, batch_size)])


def with_statistics_of(network: VoxResNet, volumes: np.ndarray, batch_size: int = 8) -> VoxResNet:
    """A copy of the network whose normalisation has the mean statistics of these subtomograms (n, z, y, x)."""
    own = copy.deepcopy(network)
    layers = [module for module in own.modules() if isinstance(module, _BatchNorm)]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the plain mean over all batches
    device = next(own.parameters()).device
    own.train()
    with torch.no_grad():
        for first in range(0, len(volumes), batch_size):
            own.features(torch.from_numpy(volumes[first:first + batch_size])[:, None].to(device))
    return own.eval()


def _batches(network: VoxResNet, volumes: np.ndarray, batch_size: int) -> Any:
    network.eval()
    device = next(network.parameters()).device
    with torch.inference_mode():
        for first in range(0, len(volumes), batch_size):
            yield torch.from_numpy(volumes[first:first + batch_size])[:, None].to(device)


def sample_scores(predicted: np.ndarray, truth: np.ndarray) -> tuple[Array, Array]:
    """Foreground IoU and Dice of each pair of masks (n, z, y, x) bool; two empty masks agree fully."""
    both = (predicted & truth).sum(axis=(1, 2, 3))
    sizes = predicted.sum(axis=(1, 2, 3)) + truth.sum(axis=(1, 2, 3))
    empty = sizes == 0
    return (np.where(empty, 1.0, both / np.maximum(sizes - both, 1)), np.where(empty, 1.0, 2 * both / np.maximum(sizes, 1)))


def summarised(iou: Array, dice: Array, classes: list[str]) -> dict[str, Any]:
    """Means over the samples, the macro mean over the classes, and the means of each class, in [0, 1]."""
    scores: dict[str, Any] = {"samples": len(dice), "iou": float(iou.mean()), "dice": float(dice.mean())}
    names = sorted(set(classes))
    if names == [""]:
        return scores
    own = {name: np.array([one == name for one in classes]) for name in names}
    scores["classes"] = {name: {"samples": int(where.sum()), "iou": float(iou[where].mean()), "dice": float(dice[where].mean())}
                         for name, where in own.items()}
    for score in ("iou", "dice"):
        scores[f"macro_{score}"] = float(np.mean([entry[score] for entry in scores["classes"].values()]))
    return scores


def score(network: VoxResNet, volumes: np.ndarray, masks: np.ndarray, classes: list[str], border: float = 0.0) -> dict[str, Any]:
    """Scores of a network on labelled subtomograms, whose foreground begins at the logit ``border``."""
    return summarised(*sample_scores(logits(network, volumes) > border, masks), classes)


def feature_map(source: np.ndarray, target: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """t-SNE of features (n, channels) and (m, channels), each channel standardised, as positions (n, 2) and (m, 2).

    Slow for more than a thousand of each.
    """
    from sklearn.manifold import TSNE  # slow to import, and only maps need it

    joint = np.concatenate([source, target])
    joint = (joint - joint.mean(axis=0)) / np.maximum(joint.std(axis=0), 1e-12)
    perplexity = min(PERPLEXITY, (len(joint) - 1) / 3)
    positions = TSNE(perplexity=perplexity, init="pca", learning_rate="auto", random_state=seed).fit_transform(joint)
    return positions[:len(source)], positions[len(source):]


def domain_separation(source: np.ndarray, target: np.ndarray, seed: int = 0) -> float:
    """How well a line tells the domains apart by their features: cross-validated accuracy, 0.5 is not at all, 1 is fully."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    joint = np.concatenate([source, target])
    domain = np.repeat([0, 1], [len(source), len(target)])
    folds = StratifiedKFold(min(5, len(source), len(target)), shuffle=True, random_state=seed)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    return float(cross_val_score(classifier, joint, domain, cv=folds, scoring="balanced_accuracy").mean())
