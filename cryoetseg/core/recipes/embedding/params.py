"""Parameters of training the particle embedding.

Imported by Scipion's own interpreter: valid Python 3.8, no dependency but pydantic.
"""
from typing import Literal

from ...runtime.params import Parameters, parameter
from ...training.params import KEPT, TrainingParameters


class TrainEmbeddingParameters(Parameters):
    """Molecules that do not exist, seen as tomograms show them; boxes of one molecule shall lie together, those of others apart."""

    molecules: int = parameter(320, "Number of random molecules to tell apart, beside those of the library.", ge=8, le=100000)
    molecule_seed: int = parameter(23, "Seed of the random molecules.", ge=0)
    iterations: int = parameter(1300, "Optimiser steps.", ge=1)
    minutes: float = parameter(
        0.0, "Stop after this time, at a checkpoint from which the next run goes on; 0 sets no limit.", unit="min", ge=0)


class EmbeddingTrainingParameters(TrainingParameters):
    """How the embedding is trained."""

    iterations: int = parameter(1300, "Optimiser steps.", ge=0)
    batch_size: int = parameter(20, "Molecules in one optimiser step, each in four boxes.", ge=2)
    learning_rate: float = parameter(3e-3, "Largest learning rate.", gt=0)
    weight_decay: float = parameter(1e-3, "Weight decay of the optimiser.", expert=True, ge=0)
    schedule: Literal["constant", "one_cycle", "cosine", "step"] = parameter("cosine", "How the learning rate moves.", expert=True)
    warm_up: float = parameter(0.05, "Part of the training in which the learning rate rises.", expert=True, ge=0, le=1)
    precision: Literal["float32", "auto", "bfloat16", "float16", "tf32"] = parameter("auto", "Arithmetic of the network.", expert=True)
    ema_decay: float = parameter(0.99, "Decay of the running average of the weights.", expert=True, ge=0, lt=1)
    gradient_clip: float = parameter(1.0, "Largest norm of the gradient.", expert=True, ge=0)
    checkpoint_interval: int = parameter(100, "Steps between two checkpoints.", unit="steps", expert=True, ge=0, keeps_result=KEPT)
    validation_interval: int = parameter(100, "Steps between two validations.", unit="steps", expert=True, ge=0)
    log_interval: int = parameter(20, "Steps averaged in one line of the metrics table.", unit="steps", expert=True, ge=1)
    temperature: float = parameter(0.1, "Temperature of the contrastive loss.", expert=True, gt=0, le=1)
