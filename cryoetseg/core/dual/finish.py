"""From a training to a model: at its end, and where it is lost.

Whatever ends a training, the weights of its best validation are on disk; a draft of the card beside them says what they belong to.
"""
from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from ..models.card import ModelCard, save_model
from ..runtime.errors import TrainingError
from ..runtime.files import atomic_folder, write_text
from ..runtime.job import MODEL_CARD, Job, MethodOutcome, Output
from ..training.checkpoint import load_weights
from ..training.engine import BEST, train
from ..training.params import TrainingParameters
from ..training.task import TrainingTask

DRAFT = "draft"  # folder beside the checkpoints with the card of the model to be


def train_and_save(task: TrainingTask, served: nn.Module, card: ModelCard, parameters: TrainingParameters, job: Job) -> MethodOutcome:
    """Train in ``training`` and write the model folder ``model`` with ``served``, the networks of the task that serve.

    A training that is lost after a validation still gives its best model, with a warning; one that was lost before raises
    :class:`TrainingError`.
    """
    folder = Path(job.output_folder)
    training = folder / "training"
    _write_draft(training, card)
    warnings: list[str] = []
    try:
        outcome = train(task, parameters, training, job.seed, job.device)
        outcome.load_best(task.networks)
        record = outcome.record()
    except TrainingError as error:
        if not (training / BEST).exists():
            raise
        load_weights(training / BEST, task.networks)
        record = {"ended_by": "lost", "reason": str(error)}
        warnings.append(f"training ended early, and the model is the best one before: {error}")
    return saved_model(folder, served, card, record, warnings)


def saved_model(folder: Path, served: nn.Module, card: ModelCard, record: dict[str, Any], warnings: list[str]) -> MethodOutcome:
    """Write ``model`` into ``folder`` and list it with what shows the training."""
    save_model(folder / "model", served, card.model_copy(update={"training": {**record, **card.training}}))
    outputs = [Output(kind="model", path="model", voxel_size=card.voxel_size)]
    pictures = (("figure", "training/training_curve.png"), ("table", "training/metrics.csv"))
    outputs += [Output(kind=kind, path=path) for kind, path in pictures if (folder / path).exists()]
    return MethodOutcome(outputs=outputs, metrics=record, warnings=warnings)


def _write_draft(training: Path, card: ModelCard) -> None:
    if not (training / DRAFT / MODEL_CARD).exists():
        training.mkdir(parents=True, exist_ok=True)
        with atomic_folder(training / DRAFT) as part:
            write_text(part / MODEL_CARD, card.model_dump_json(indent=2) + "\n")
