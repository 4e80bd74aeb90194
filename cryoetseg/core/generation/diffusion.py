"""Noise schedule and samplers, on diffusers' schedulers (spec A5).

The tables of the schedule are kept in double precision: 1 - abar of the first steps has few digits left in single precision, and one
reverse step then misses the closed-form posterior by 1e-3 instead of 1e-7.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Union

import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

from ..runtime.errors import ParameterError
from .network import ConditionalUNet3d

Sampler = Literal["ddpm", "ddim", "dpm_solver"]
Scheduler = Union[DDPMScheduler, DDIMScheduler, DPMSolverMultistepScheduler]
COSINE_OFFSET = 0.008
COSINE_RANGE = (1e-4, 0.999)


@dataclass(frozen=True)
class NoiseSchedule:
    """What a trained network must know of its diffusion: kept in the model's card."""

    steps: int = 1000
    kind: Literal["linear", "cosine"] = "linear"
    beta_start: float = 1e-4
    beta_end: float = 2e-2
    answer: Literal["sample", "velocity"] = "sample"

    def betas(self) -> np.ndarray:
        """Variance added at each step, float64 (steps,)."""
        if self.kind == "linear":
            return np.linspace(self.beta_start, self.beta_end, self.steps)
        times = (np.arange(self.steps + 1) / self.steps + COSINE_OFFSET) / (1 + COSINE_OFFSET)
        kept = np.cos(times * math.pi / 2) ** 2
        return np.clip(1 - kept[1:] / kept[:-1], *COSINE_RANGE)

    def kept(self) -> Tensor:
        """abar (steps,): the share of a clean volume's variance that is left at each step, float64."""
        return torch.from_numpy(np.cumprod(1 - self.betas()))

    def bound(self) -> float:
        """Mean squared error of the best guess that knows the schedule alone: 1 - abar for white data of variance 1, over all steps."""
        return float((1 - self.kept()).mean())

    def record(self) -> dict[str, Any]:
        """Plain values for the card."""
        return asdict(self)

    def _settings(self) -> dict[str, Any]:
        # clipping, the library's default, would cut z-scored volumes (-13 to +5) at 1
        return {"num_train_timesteps": self.steps, "trained_betas": self.betas(), "timestep_spacing": "trailing",
                "prediction_type": {"sample": "sample", "velocity": "v_prediction"}[self.answer]}

    def training(self) -> DDPMScheduler:
        """The scheduler that adds noise in training and takes single reverse steps."""
        return _exact(DDPMScheduler(clip_sample=False, variance_type="fixed_small", **self._settings()), self)

    def sampling(self, sampler: Sampler, steps: int) -> Scheduler:
        """A scheduler with ``steps`` time steps set, from pure noise on. Raises ``ParameterError`` for more steps than were trained."""
        if not 1 <= steps <= self.steps:
            raise ParameterError(f"{steps} sampling steps", f"1 to {self.steps}, the noise steps of the model")
        if sampler == "dpm_solver":
            # steps even in log(signal / noise): steps even in time are too long at small noise and lose a third of the fine detail's power
            scheduler: Scheduler = DPMSolverMultistepScheduler(algorithm_type="dpmsolver++", use_lu_lambdas=True, **self._settings())
        elif sampler == "ddim":
            scheduler = _exact(DDIMScheduler(clip_sample=False, set_alpha_to_one=True, **self._settings()), self)
        else:
            scheduler = self.training()
        scheduler.set_timesteps(steps)
        return scheduler


def _exact(scheduler: Any, schedule: NoiseSchedule) -> Any:
    scheduler.alphas_cumprod = schedule.kept()
    return scheduler


def clean_from_answer(scheduler: DDPMScheduler, answer: Tensor, noisy: Tensor, steps: Tensor) -> Tensor:
    """The network's estimate of the clean volumes from its answer at ``steps`` (b,)."""
    if scheduler.config.prediction_type == "sample":
        return answer
    kept = scheduler.alphas_cumprod.to(noisy.device, torch.float32)[steps][:, None, None, None, None]
    return kept.sqrt() * noisy - (1 - kept).sqrt() * answer


@torch.no_grad()
def sample(network: ConditionalUNet3d, schedule: NoiseSchedule, classes: Tensor, positions: Tensor, box: int, *, sampler: Sampler = "ddpm",
           steps: int = 50, guidance: float = 1.0, generators: Sequence[torch.Generator], dtype: torch.dtype = torch.float32) -> Tensor:
    """Volumes (b, 1, box, box, box), float32, for one-hot ``classes`` (b, n) and ``positions`` (b, 3).

    Each volume draws from its own generator alone, so a volume does not depend on what it is made together with. ``guidance`` other
    than 1 moves the answer from that without class by that factor; x0 is never clipped.
    """
    scheduler = schedule.sampling(sampler, steps)
    device = positions.device
    volumes = randn_tensor((len(positions), 1, box, box, box), generator=list(generators), device=device)
    for step in scheduler.timesteps:
        answer = _guided(network, volumes, step.to(device), classes, positions, guidance, dtype)
        extra = {} if sampler != "ddpm" else {"generator": list(generators)}
        volumes = scheduler.step(answer, step, volumes, **extra).prev_sample
    return volumes


def _guided(network: ConditionalUNet3d, volumes: Tensor, step: Tensor, classes: Tensor, positions: Tensor, guidance: float,
            dtype: torch.dtype) -> Tensor:
    steps = step.expand(len(volumes))
    with torch.autocast(volumes.device.type, dtype=dtype, enabled=dtype != torch.float32):
        if guidance == 1:
            return network(volumes, steps, classes, positions).float()
        kinds = torch.cat([classes, torch.zeros_like(classes)])
        both = network(volumes.repeat(2, 1, 1, 1, 1), steps.repeat(2), kinds, positions.repeat(2, 1))
    with_class, without = both.float().chunk(2)
    return without + guidance * (with_class - without)
