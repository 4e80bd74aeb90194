"""Training of Vox-UDA: student and teacher, noise module, discriminator, denoised pseudo-labels (spec B6)."""
from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.losses import DiceCELoss
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from ..models.card import ModelCard, save_model
from ..runtime.errors import ParameterError
from ..runtime.job import Job, MethodOutcome, Output
from ..runtime.params import parameters_from
from ..training.engine import TrainingOutcome, train
from ..training.optimisers import adam
from ..training.params import TrainingParameters
from ..training.task import Metrics, Networks, Step, TrainingTask
from . import noise
from .calibration import calibrate, null_test
from .data import FEW, Subtomograms, cut_warnings, read_domains
from .network import NETWORK, DomainDiscriminator, Taps, VoxResNet
from .params import TrainVoxUdaParameters
from .pools import Pools, denoised, filter_warning, same_wedge, source_warning
from .pseudo import pseudo_labels

logger = logging.getLogger(__name__)
MODEL = "model"
NORMALISATION = "each subtomogram or window to mean 0 and variance 1"
# steps without one sure foreground voxel after which a warning is due: a quarter of the training, within these bounds
BACKGROUND_ONLY_SHARE, BACKGROUND_ONLY_STEPS = 0.25, (10, 500)
LARGEST_RATE_STEEPNESS = 10.0  # of the rise of the reversal's strength (Ganin et al. 2016)
FOREGROUND = "kept_foreground"


class VoxUdaTask(TrainingTask):
    """The adaptation as the training loop sees it. ``steps`` is the length of the training, for the rise of the reversal."""

    def __init__(self, source: Subtomograms, target: Subtomograms, parameters: TrainVoxUdaParameters, seed: int) -> None:
        self._p, self._source, self._target = parameters, source, target
        self._weights = feature_weights(parameters.feature_weights)
        self._pools: Pools | None = None
        self._foreground = 0.0 if source.masks is None else float(source.masks.mean())
        self._steps = parameters.iterations or math.ceil(parameters.epochs * len(source) / parameters.batch_size)
        self._without_foreground = 0
        self._patience = int(np.clip(BACKGROUND_ONLY_SHARE * self._steps, *BACKGROUND_ONLY_STEPS))
        self.warnings: list[str] = []
        self._segmentation = DiceCELoss(sigmoid=True)
        with torch.random.fork_rng(range(torch.cuda.device_count())):
            torch.manual_seed(seed)  # torch draws first weights from its global stream
            # channels last: a third less time per step on a processor
            self.networks: dict[str, nn.Module] = {"student": VoxResNet(parameters.width).to(memory_format=torch.channels_last_3d)}  # type: ignore[call-overload]
            if parameters.adversarial:
                self.networks["discriminator"] = DomainDiscriminator(2 * parameters.width)

    def items(self) -> int:
        return len(self._source)

    def item(self, index: int, generator: np.random.Generator) -> Mapping[str, np.ndarray]:
        place = {name: torch.from_numpy(drawn)[None] for name, drawn in self.place(index, generator).items()}
        return {name: volumes[0].numpy() for name, volumes in self.gather(place).items()}

    def place(self, index: int, generator: np.random.Generator) -> Mapping[str, np.ndarray]:
        """Which source and which target subtomogram, and how each is turned."""
        target = int(generator.integers(len(self._target)))
        turns = generator.integers(4, size=2) if self._p.augment else np.zeros(2, np.int64)
        return {"subtomograms": np.array([index, target]), "turns": turns}

    def gather(self, places: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        kept = self._on(places["turns"].device)
        (source, target), turns = places["subtomograms"].unbind(1), places["turns"].unbind(1)
        batch = {"source": same_wedge(kept.source[source], turns[0]), "mask": same_wedge(kept.masks[source], turns[0]).float(),
                 "target": same_wedge(kept.target[target], turns[1])}
        # the filters compare neighbours alone, so that a mirrored volume's result is the mirrored result
        return {**batch, "denoised": same_wedge(kept.denoised[target], turns[1])} if self._p.pseudo_labels else batch

    def _on(self, device: torch.device) -> Pools:
        """The subtomograms on the device of the training."""
        if self._pools is None or self._pools.source.device != device:
            self._pools = Pools.of(self._source, self._target, self._p, device)
            self._warn(filter_warning(self._pools.target, self._p), key="the bilateral filter")
            self._warn(source_warning(self._pools.source, self._pools.masks, self._p), key="the source has noise")
        return self._pools

    def averaged(self) -> tuple[str]:
        return ("student",)

    def optimiser(self, turn: str, weights: list[nn.Parameter], parameters: TrainingParameters) -> torch.optim.Optimizer:
        return adam(weights, lr=parameters.learning_rate, weight_decay=parameters.weight_decay)

    def state(self) -> Mapping[str, Tensor]:
        return {"without_foreground": torch.tensor(self._without_foreground)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self._without_foreground = int(state["without_foreground"])

    def loss(self, networks: Networks, batch: Mapping[str, Tensor], step: Step) -> tuple[Tensor, Metrics]:
        """L = L_seg + L_con + L_dis (Vox-UDA eq. 1) + the pseudo-label loss, which the paper describes in words."""
        student: VoxResNet = networks["student"]  # type: ignore[assignment]
        # three passes, so that the batch statistics of clean, noised and target subtomograms do not mix
        with self._statistics(student, "source"):
            clean, losses = self._clean(student, batch)
            if self._p.consistency:
                losses.update(self._noise_module(student, batch, clean, step))
        metrics: dict[str, Tensor | float] = {}
        if self._p.adversarial or self._p.pseudo_labels or self._p.statistics == "target":
            with self._statistics(student, "target"), torch.set_grad_enabled(self._p.adversarial or self._p.pseudo_labels):
                adapted = student.features(batch["target"])
            if self._p.adversarial and clean is not None:
                losses["adversarial_loss"] = self._adversarial(networks["discriminator"], clean, adapted, step)
            if self._p.pseudo_labels:
                losses["pseudo_loss"], metrics = self._pseudo(student.logits(adapted), batch["denoised"], step)
        return sum(losses.values(), torch.zeros((), device=batch["source"].device)), {**losses, **metrics}

    @contextmanager
    def _statistics(self, student: nn.Module, domain: str) -> Iterator[None]:
        """Keep the running statistics as they are where only those of the other domain count; the pass itself is normalised as ever."""
        frozen = [module for module in student.modules() if isinstance(module, _BatchNorm)]
        frozen = frozen if self._p.statistics == "target" and domain == "source" else []
        before = [module.momentum for module in frozen]
        for module in frozen:
            module.momentum = 0.0
        try:
            yield
        finally:
            for module, momentum in zip(frozen, before):
                module.momentum = momentum

    def _clean(self, student: VoxResNet, batch: Mapping[str, Tensor]) -> tuple[Taps | None, dict[str, Tensor]]:
        """Taps of x_s and L_seg on it, as far as any loss looks at them."""
        taught = not self._p.consistency or self._p.segmentation_on != "noised"
        if not (taught or self._p.consistency_weight or self._p.adversarial):
            return None, {}
        taps = student.features(batch["source"])
        return taps, {"segmentation_loss": self._segmentation(student.logits(taps).float(), batch["mask"])} if taught else {}

    def _noise_module(self, student: VoxResNet, batch: Mapping[str, Tensor], clean: Taps | None, step: Step) -> dict[str, Tensor]:
        """L_con between the taps of x_s and of x_s' = x_s + eps (Vox-UDA eq. 3 to 6)."""
        noised = self.noised(batch["source"], step)
        if self._p.denoise_source and self._p.pseudo_labels:
            second = slice(step.process * len(noised) % 2, None, 2)  # of the whole batch, whichever process has it
            noised[second] = self.denoised(noised[second])
        taps = student.features(noised)
        losses = {}
        if clean is not None and self._p.consistency_weight > 0:
            distances = [weight * noise.cosine_distance(*pair) for weight, pair in zip(self._weights, zip(clean, taps))]
            losses["consistency_loss"] = self._p.consistency_weight * torch.stack(distances).sum()
        if self._p.segmentation_on != "clean":
            losses["noised_segmentation_loss"] = self._segmentation(student.logits(taps).float(), batch["mask"])
        return losses

    def denoised(self, volumes: Tensor) -> Tensor:
        """Volumes (batch, 1, z, y, x) as the teacher sees them."""
        return denoised(volumes, self._p, self._on(volumes.device).passed)

    def noised(self, source: Tensor, step: Step) -> Tensor:
        """Source volumes (batch, 1, z, y, x) with noise like that of N_s target subtomograms drawn at random."""
        p, kept = self._p, self._on(source.device)
        order = torch.randperm(len(kept.target), generator=step.generator, device=step.generator.device)
        drawn = order[:p.noise_samples].to(source.device)
        normal = step.normal(source)
        if p.noise_kind in ("target_snr", "target_spectrum"):
            uniform = step.uniform(source[:, 0, 0, 0, 0])
            share = p.noise_share_max * uniform if p.noise_kind == "target_spectrum" else noise.share_at(kept.snr, uniform)
            return noise.mixed(source, noise.coloured(kept.power[drawn].mean(dim=0), normal), share)
        sigma = p.noise_scale * noise.noise_deviation(kept.target[drawn], kept.passed, p.noise_reading)
        return noise.perturbed(source, sigma, p.noise_kind, normal, step.uniform(source))

    def _adversarial(self, discriminator: nn.Module, clean: Taps, adapted: Taps, step: Step) -> Tensor:
        strength = 2 / (1 + math.exp(-LARGEST_RATE_STEEPNESS * step.number / max(1, self._steps))) - 1
        logits = [discriminator(taps.f_v6, strength).float() for taps in (clean, adapted)]
        wanted = [torch.zeros_like(logits[0]), torch.ones_like(logits[1])]
        return self._p.adversarial_weight * F.binary_cross_entropy_with_logits(torch.cat(logits), torch.cat(wanted))

    def _pseudo(self, logits: Tensor, denoised: Tensor, step: Step) -> tuple[Tensor, dict[str, Tensor | float]]:
        """The teacher's answer to the denoised target is the student's label on the target as it is, where it counts."""
        with torch.no_grad():
            labels = pseudo_labels(step.whole(step.averages["student"](denoised).float()), self._p, self._foreground)
            label, weight = (step.own(part) for part in labels)
        loss = step.processes * (weight * F.binary_cross_entropy_with_logits(logits.float(), label, reduction="none")).sum()
        kept = (weight > 0).float()
        started = step.number >= self._p.pseudo_start * self._steps
        return self._p.pseudo_weight * started * loss, {"kept": kept.mean(), FOREGROUND: (kept * label).mean()}

    def noted(self, metrics: Mapping[str, float]) -> None:
        if FOREGROUND in metrics:
            self._watch(metrics[FOREGROUND])

    def _watch(self, foreground: float) -> None:
        self._without_foreground = self._without_foreground + 1 if foreground == 0 else 0
        if self._without_foreground == self._patience:
            self._warn(f"for {self._patience} steps the teacher was sure of no foreground voxel in the target: lower the "
                       "pseudo-label threshold or start pseudo-labels later", key="for ")

    def _warn(self, message: str, key: str) -> None:
        """Tell a warning once."""
        if message and not any(told.startswith(key) for told in self.warnings):
            self.warnings.append(message)
            logger.warning(message)


def feature_weights(text: str) -> list[float]:
    """Four weights; raises :class:`ParameterError`."""
    try:
        weights = [float(part) for part in text.split(",")]
    except ValueError:
        weights = []
    if len(weights) != len(Taps._fields) or min(weights, default=-1) < 0:
        raise ParameterError(f"feature weights '{text}'", "four numbers of 0 or more with commas", "for example 0.2,0.2,0.3,0.3")
    return weights


def fit(source: Subtomograms, target: Subtomograms, parameters: TrainVoxUdaParameters, folder: Path, seed: int = 0,
        device: str = "auto") -> tuple[VoxResNet, TrainingOutcome, list[str]]:
    """Train, and return the teacher, not yet calibrated, with how the training went and what there is to warn of."""
    if parameters.pseudo_labels and not parameters.ema_decay:
        raise ParameterError("ema_decay = 0 with pseudo-labels", "above 0: the running average is the teacher", "switch pseudo-labels off")
    parameters = stepping_by_epochs(parameters, len(source))
    task = VoxUdaTask(source, target, parameters, seed)
    outcome = train(task, parameters, folder, seed, device)
    outcome.load_best(task.networks)
    warnings = [*task.warnings, *_few_warning("source", source), *_few_warning("target", target)]
    return task.networks["student"].eval(), outcome, warnings  # type: ignore[return-value]


def stepping_by_epochs(parameters: TrainVoxUdaParameters, items: int) -> TrainVoxUdaParameters:
    """``parameters`` whose steps of the rate, meant in epochs of ``items``, are in iterations where the training's length is."""
    if not parameters.iterations:
        return parameters
    epoch = math.ceil(items / parameters.batch_size)
    return parameters.model_copy(update={"step_every": parameters.step_every * epoch})


def _few_warning(role: str, subtomograms: Subtomograms) -> list[str]:
    return [f"the {role} has only {len(subtomograms)} subtomograms"] if len(subtomograms) < FEW else []


def save(network: VoxResNet, folder: Path, parameters: TrainVoxUdaParameters, voxel_size: float, record: dict[str, Any]) -> None:
    """Write the model folder."""
    save_model(folder, network, ModelCard(
        method="train-voxuda", network=NETWORK, network_parameters={"width": parameters.width, "size": parameters.size},
        voxel_size=voxel_size, normalisation=NORMALISATION, classes={1: "macromolecule"}, training=record))


def run(job: Job) -> MethodOutcome:
    """Adapt from the inputs ``source`` (with masks) to the inputs ``target``; writes a model folder, the curve and the table."""
    p = parameters_from(TrainVoxUdaParameters, job.parameters)
    source, target = read_domains(job, p.size, p.common_voxel_size, p.mask_threshold)
    folder = Path(job.output_folder)
    network, outcome, warnings = fit(source, target, p, folder / "training", job.seed, job.device)
    found, told = calibrate(network, target.volumes, p.calibration)
    shares, suspicion = null_test(network, target.volumes, job.seed)
    told += suspicion
    told += [line for role in ("source", "target") for line in cut_warnings(job, role, p.size, target.voxel_size)]
    metrics = {"source_subtomograms": len(source), "target_subtomograms": len(target), "voxel_size": target.voxel_size,
               "calibration": found._asdict(), "null_test": shares, **outcome.record()}
    save(network, folder / MODEL, p, target.voxel_size, {**metrics, "parameters": p.model_dump(), "seed": job.seed})
    return MethodOutcome(outputs=[
        Output(kind="model", path=MODEL, voxel_size=target.voxel_size), Output(kind="figure", path="training/training_curve.png"),
        Output(kind="table", path="training/metrics.csv")], metrics=metrics, warnings=warnings + told)
