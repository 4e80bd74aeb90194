"""Training DUAL: forward equations (spec C2), turns of generators and discriminators, and what is watched meanwhile."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..models.card import ModelCard
from ..runtime.errors import InputError
from ..runtime.job import InputFile, Job, MethodOutcome
from ..runtime.params import parameters_from
from ..runtime.seeds import numpy_generator, torch_generator
from ..training.optimisers import adamw
from ..training.params import TrainingParameters
from ..training.task import Metrics, Networks, Selection, Step, Turn
from .building import build_judges, build_networks, noisy_from, random_noise
from .calibrated import CalibratedTask
from .data import Domain, Place, coarseness_warnings, contrast_warnings, held_apart, open_domain, voxel_size_of
from .finish import train_and_save
from .losses import accuracy, code_regulariser, correlation, discriminator_loss, generator_loss, reconstruction_loss
from .model import METHOD
from .networks import channels_last
from .params import TrainDualParameters
from .patches import Patches, PatchTask
from .pool import ReplayPool
from .start import Halves
from .watch import TrainingWatch, scored, spectrum_distance

GENERATORS = ("denoiser", "generator", "encoder", "decoder")
JUDGES = ("tomogram_judge", "density_judge")
BETAS, EPSILON = (0.9, 0.999), 1e-8  # spec C4


class DualTask(PatchTask):
    """The cycle of DUAL as the training loop sees it. ``noisy`` is the domain T, ``clean`` the domain V."""

    selection = Selection("score", "max")

    def __init__(self, noisy: Domain, clean: Domain, parameters: TrainDualParameters, seed: int, halves: Halves | None = None) -> None:
        self.parameters = parameters
        self.dual, warnings = build_networks(parameters, noisy, clean, seed, halves)
        (self.noisy, self.judged_noisy), (self.clean, self.judged_clean) = held_apart(noisy), held_apart(clean)
        self.patches = Patches(noisy=self.noisy, clean=self.clean)
        judges = build_judges(JUDGES, parameters.judge_channels, seed)
        self.networks = {**{name: getattr(self.dual, name) for name in GENERATORS}, **judges}
        self.networks = {name: channels_last(network) for name, network in self.networks.items()}
        self.pools = {name: ReplayPool(parameters.replay_pool) for name in JUDGES}
        self.watch = TrainingWatch(parameters.stuck_limit)
        self.warnings = list(warnings)  # of the start

    def items(self) -> int:
        return len(self.noisy)

    def drawn(self, index: int, generator: np.random.Generator) -> dict[str, Place]:
        if self.parameters.crops == "grid":
            return {"noisy": self.noisy.grid_place(index), "clean": self.clean.grid_place(int(generator.integers(len(self.clean))))}
        return {"noisy": self.noisy.random_place(generator), "clean": self.clean.random_place(generator)}

    def turns(self) -> Sequence[Turn]:
        """Generators first: the discriminators then judge the same fakes, which saves making them twice."""
        return [Turn("generators", GENERATORS), Turn("discriminators", JUDGES)]

    def averaged(self) -> Sequence[str]:
        return ("denoiser", "generator")

    def optimiser(self, turn: str, weights: list[nn.Parameter], parameters: TrainingParameters) -> torch.optim.Optimizer:
        """AdamW as published, with a learning rate for each kind of network."""
        if turn == "discriminators":
            return dual_optimiser(weights, parameters)
        p = self.parameters
        rates = {"denoiser": p.denoiser_learning_rate, "generator": p.generator_learning_rate, "decoder": p.generator_learning_rate,
                 "encoder": p.learning_rate}
        return dual_optimiser([{"params": [*self.networks[name].parameters()], "lr": rate} for name, rate in rates.items()], parameters)

    def loss(self, networks: Networks, batch: Mapping[str, Tensor], step: Step) -> tuple[Tensor, Metrics]:
        if step.turn == "discriminators":
            return self._judges_loss(networks, batch, step)
        return self._generators_loss(networks, batch, step)

    def _generators_loss(self, networks: Networks, batch: Mapping[str, Tensor], step: Step) -> tuple[Tensor, Metrics]:
        """L = L_rec + L_G + 0.1 L_KL with the weights of the parameters."""
        p, noisy, clean = self.parameters, batch["noisy"], batch["clean"]
        # what a restoring network sees; cut off from what made it unless the whole cycle is trained
        handed = (lambda volumes: volumes) if p.cycle_gradient == "all" else torch.Tensor.detach
        density = networks["denoiser"](noisy).float()  # v_f = D(t_r)
        tomogram = noisy_from(networks, clean, step)  # t_f = G_s(v_r + P[G_n(z)])
        codes = networks["encoder"](noisy).float()
        density_back = networks["denoiser"](handed(tomogram)).float()  # v_hat = D(t_f)
        carried = networks["generator"].transfer(handed(density))  # type: ignore[operator]
        noisy_back = networks["generator"](carried + networks["decoder"](codes).float()).float()  # t_hat = G_s(v_f + G_n(E(t_r)))
        step.shared.update(tomogram=tomogram.detach(), density=density.detach())
        # logarithms of means and the spread of codes are those of the whole batch
        clean_cycle, noisy_cycle = (reconstruction_loss(step.whole(real), step.whole(returned))
                                    for real, returned in ((clean, density_back), (noisy, noisy_back)))
        fooled_t, fooled_v = (generator_loss(judged(networks[name], fake)) for name, fake in zip(JUDGES, (tomogram, density)))
        code = code_regulariser(step.whole(codes), p.code_covariance)
        loss = (p.clean_cycle_weight * clean_cycle + p.noisy_cycle_weight * noisy_cycle + p.adversarial_weight * fooled_t
                + p.clean_adversarial_weight * fooled_v + p.code_weight * code)
        return loss, {"clean_cycle_loss": clean_cycle, "noisy_cycle_loss": noisy_cycle, "tomogram_fooling_loss": fooled_t,
                      "density_fooling_loss": fooled_v, "code_loss": code,
                      "clean_cycle_correlation": correlation(clean, density_back).mean(),
                      "noisy_cycle_correlation": correlation(noisy, noisy_back).mean(),
                      "contrast": correlation(noisy, density).mean()}

    def _judges_loss(self, networks: Networks, batch: Mapping[str, Tensor], step: Step) -> tuple[Tensor, Metrics]:
        metrics: dict[str, Tensor] = {}
        losses = []
        for name, real, fake in zip(JUDGES, ("noisy", "clean"), ("tomogram", "density")):
            shown = self.pools[name].exchange(step.shared[fake], step)
            answers = judged_together(networks[name], batch[real], shown)
            losses.append(discriminator_loss(*answers, real_label=self.parameters.real_label))
            metrics[f"{name}_accuracy"] = accuracy(*answers).detach()
        return torch.stack(losses).sum(), metrics

    @torch.no_grad()
    def validate(self, networks: Networks, generator: np.random.Generator) -> Mapping[str, float]:
        """Cycle correlation, distance of the spectra of synthetic and real tomograms, sign of the contrast, on patches that nothing is
        learned from; stops a lost training."""
        device = next(networks["denoiser"].parameters()).device
        rng = numpy_generator(0, "dual validation")  # the same patches at every validation
        count = self.parameters.validation_patches
        noisy, clean = (torch.from_numpy(np.stack([domain.cut(domain.random_place(rng)) for _ in range(count)])).to(device)
                        for domain in (self.judged_noisy, self.judged_clean))
        noise_source = torch_generator(int(generator.integers(2**31)), "validation noise", device=str(device))
        carried = networks["generator"].transfer(clean)  # type: ignore[operator]
        tomogram = networks["generator"](carried + random_noise(networks["decoder"], count, clean.shape[2], noise_source)).float()
        density = networks["denoiser"](noisy).float()
        metrics = {"clean_cycle_correlation": float(correlation(clean, networks["denoiser"](tomogram).float()).mean()),
                   "spectrum_distance": spectrum_distance(tomogram, noisy), "contrast": float(correlation(noisy, density).mean())}
        metrics = scored(metrics, metrics["clean_cycle_correlation"] - metrics["spectrum_distance"])
        self.watch.judge(metrics)
        return metrics

    def noted(self, metrics: Mapping[str, float]) -> None:
        self.watch.count(metrics)

    def state(self) -> Mapping[str, Tensor]:
        pools = {f"{name}_{key}": value for name, pool in self.pools.items() for key, value in pool.state().items()}
        return {**pools, **self.watch.state()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self.watch.restore(state)
        for name, pool in self.pools.items():
            pool.restore({key.removeprefix(f"{name}_"): value for key, value in state.items() if key.startswith(f"{name}_")})


def dual_optimiser(weights: list[Any], parameters: TrainingParameters) -> torch.optim.Optimizer:
    """AdamW as published (spec C4)."""
    return adamw(weights, lr=parameters.learning_rate, betas=BETAS, eps=EPSILON, weight_decay=parameters.weight_decay)


def judged(judge: nn.Module, volumes: Tensor) -> tuple[Tensor, Tensor]:
    """A discriminator's answer in float32: in half precision small differences of spectra vanish."""
    with torch.autocast(volumes.device.type, enabled=False):
        return judge(volumes.float())


def judged_together(judge: nn.Module, real: Tensor, fake: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """A discriminator's answers to real and to fake volumes, in one pass: large convolutions, and one norm of each kernel for both."""
    answers = [logits.split([len(real), len(fake)]) for logits in judged(judge, torch.cat([real, fake]))]
    return [of_real for of_real, _ in answers], [of_fake for _, of_fake in answers]


def run(job: Job) -> MethodOutcome:
    """Train on the inputs with the roles ``noisy`` and ``clean``; writes the model folder ``model`` and the training's record.

    The halves of the noisy tomograms may come with the roles ``half1`` and ``half2``, as many of each, in one order.
    """
    p = parameters_from(TrainDualParameters, job.parameters)
    folder = Path(job.output_folder)
    files = {role: inputs_of(job, role) for role in ("noisy", "clean")}
    voxel_size = voxel_size_of(p.model_voxel_size, files["noisy"])
    domains = {role: open_domain(files[role], p.patch_px, voxel_size, folder / "resampled") for role in files}
    halves = _halves(job, p.patch_px, voxel_size, folder / "resampled")
    made = CalibratedTask if p.taught_by == "calibrated_simulation" else DualTask
    task = made(domains["noisy"], domains["clean"], p, job.seed, halves)
    names = {role: [Path(item.path).name for item in files[role]] for role in files}
    card = ModelCard(method=METHOD, network="dual", network_parameters=task.dual.shape.model_dump(), voxel_size=voxel_size,
                     normalisation="whole volume to mean 0 and deviation 1, particles bright",
                     training={**names, "taught_by": p.taught_by, "noise_from": "statistics" if halves is None else "half maps",
                               "seed": job.seed})
    outcome = train_and_save(task, task.dual, card, p, job)
    told = [line for role, domain in domains.items() for line in contrast_warnings(domain, names[role])]
    told += [line for role in files for line in coarseness_warnings(files[role], voxel_size)]
    outcome.warnings = [*told, *task.warnings, *outcome.warnings, *task.watch.warnings]
    return outcome


def _halves(job: Job, patch: int, voxel_size: float, folder: Path) -> Halves | None:
    """The half maps of a job, if any; raises :class:`InputError` where they do not come in pairs of one shape."""
    first, second = job.inputs_of("half1"), job.inputs_of("half2")
    if not first and not second:
        return None
    if len(first) != len(second):
        raise InputError(f"{len(first)} first and {len(second)} second half maps", "as many of each, in one order")
    domains = open_domain(first, patch, voxel_size, folder / "first"), open_domain(second, patch, voxel_size, folder / "second")
    for item, one, other in zip(first, *(domain.views for domain in domains)):
        if one.shape != other.shape:
            raise InputError(f"{item.path} has {one.shape} voxels (z, y, x), its other half {other.shape}", "halves of one shape")
    return domains


def inputs_of(job: Job, role: str) -> list[InputFile]:
    """The job's inputs of a role, at least one."""
    files = job.inputs_of(role)
    if not files:
        raise InputError(f"no input has the role '{role}'", "at least one noisy tomogram and one clean volume")
    return files
