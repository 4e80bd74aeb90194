"""Metric learning: boxes of one molecule near each other, boxes of different ones apart."""
from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ...models.embedding3d import EmbeddingNetwork
from ...runtime.seeds import numpy_generator
from ...training.task import Metrics, Networks, Selection, Step, TrainingTask
from .boxes import OTHERS, draw_conditions, draw_views, recorded, render
from .params import EmbeddingTrainingParameters

VIEWS = 4  # boxes of a molecule in one step, two in each of two tomograms
OTHERS_SHARE = 0.08  # of the groups: nothing, membrane, gold
VALIDATION_VIEWS = 6
VALIDATION_CONTRASTS = (1.0, 2.0, 4.0)


class EmbeddingTask(TrainingTask):
    """Groups of boxes of molecules (n, 48, 48, 48) float16 whose ``radii`` (n,) are in Angstrom; ``held_out`` likewise only validate."""

    selection = Selection("retrieval", "max")

    def __init__(self, network: EmbeddingNetwork, taught: tuple[np.ndarray, np.ndarray], held_out: tuple[np.ndarray, np.ndarray],
                 parameters: EmbeddingTrainingParameters, seed: int) -> None:
        self.networks = {"embedding": network}
        self._molecules, self._radii = torch.from_numpy(taught[0]), taught[1]
        self._held_out, self._held_out_radii = torch.from_numpy(held_out[0]), held_out[1]
        self._parameters, self._seed = parameters, seed

    def items(self) -> int:
        return len(self._molecules)

    def item(self, index: int, generator: np.random.Generator) -> Mapping[str, np.ndarray]:
        kind = int(generator.choice(OTHERS)) if generator.random() < OTHERS_SHARE else index
        return draw_views(kind, VIEWS, self._radii, generator)

    def loss(self, networks: Networks, batch: Mapping[str, Tensor], step: Step) -> tuple[Tensor, Metrics]:
        views = {name: values.flatten(0, 1) for name, values in batch.items()}
        with torch.no_grad(), torch.autocast(views["ball"].device.type, enabled=False):
            density = render(views, self._molecules.to(views["ball"].device))
            boxes = self._seen(density, step)
        found = networks["embedding"](boxes[:, None])
        return contrastive_loss(found, views["kind"], self._parameters.temperature), {}

    def _seen(self, density: Tensor, step: Step) -> Tensor:
        """The boxes as two tomograms show them, every view in turn in one of both."""
        rng, boxes = numpy_generator(self._seed, "conditions", step.number), torch.empty_like(density)
        noise = step.normal(density)
        for number in range(2):
            rows = (torch.arange(len(density), device=density.device) % VIEWS) // 2 == number
            boxes[rows] = recorded(density[rows], draw_conditions(rng), noise[rows]) * float(np.exp(rng.normal(0, 0.15)))
        return boxes

    @torch.no_grad()
    def validate(self, networks: Networks, generator: np.random.Generator) -> Mapping[str, float]:
        """How well boxes of molecules that taught nothing find their like, in tomograms of three contrasts (mean average precision)."""
        device = next(networks["embedding"].parameters()).device
        scores = []
        for number, contrast in enumerate(VALIDATION_CONTRASTS):
            fixed = numpy_generator(self._seed, "validation", number)
            groups = [draw_views(kind, VALIDATION_VIEWS, self._held_out_radii, fixed) for kind in range(len(self._held_out))]
            views = {name: torch.from_numpy(np.concatenate([group[name] for group in groups])).to(device) for name in groups[0]}
            density = render(views, self._held_out.to(device))
            noise = torch.from_numpy(fixed.standard_normal(density.shape, dtype=np.float32)).to(device)
            boxes = recorded(density, draw_conditions(fixed, contrast), noise)
            scores.append(retrieval(networks["embedding"](boxes[:, None]).float().cpu().numpy(), views["kind"].cpu().numpy()))
        return {"retrieval": float(np.mean(scores)), **{f"retrieval {c:g}": s for c, s in zip(VALIDATION_CONTRASTS, scores)}}


def contrastive_loss(embeddings: Tensor, kinds: Tensor, temperature: float) -> Tensor:
    """Supervised contrastive loss (Khosla 2020, eq. 2) of unit vectors (n, d) of ``kinds`` (n,)."""
    itself = torch.eye(len(embeddings), dtype=torch.bool, device=embeddings.device)
    likeness = (embeddings @ embeddings.T / temperature).masked_fill(itself, -torch.inf)
    log_probability = functional.log_softmax(likeness, dim=1)
    same = (kinds[:, None] == kinds) & ~itself
    return -(log_probability.masked_fill(~same, 0).sum(1) / same.sum(1).clamp_min(1)).mean()


def retrieval(embeddings: np.ndarray, kinds: Sequence[int] | np.ndarray) -> float:
    """Mean average precision with which each unit vector (n, d) finds the others of its kind (n,) among all."""
    kinds = np.asarray(kinds)
    likeness = embeddings @ embeddings.T
    np.fill_diagonal(likeness, -np.inf)
    order = np.argsort(-likeness, axis=1)[:, :-1]
    hits = kinds[order] == kinds[:, None]
    precision = np.cumsum(hits, axis=1) / np.arange(1, len(kinds))
    return float(((precision * hits).sum(1) / np.maximum(hits.sum(1), 1)).mean())
