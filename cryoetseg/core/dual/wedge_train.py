"""Training the filling of the missing wedge: translation between tomograms and their own quarter turn (spec C10).

Domain A holds the tomograms; domain B the same ones turned by 90 degrees about the tilt axis y, whose wedge lies where A was measured.
It is a turn, because an exchange of x and z would mirror the molecules. ``fill`` translates A to B, ``cut`` B to A. Both domains are
noisy, so the noise modules are off and the cycle is a plain one; the paper does not say. ``taught_by`` rotate_and_cut teaches ``fill``
in another way (:mod:`.rotate_cut`).
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..models.card import ModelCard, load_model
from ..runtime.errors import WeightsError
from ..runtime.job import Job, MethodOutcome
from ..runtime.params import parameters_from
from ..runtime.seeds import numpy_generator
from ..training.task import Metrics, Networks, Selection, Step, Turn
from ..volumes.checks import expanded
from ..volumes.wedge import missing_cube, missing_energy
from .building import build_judges
from .data import Domain, Place, StandardisedView, coarseness_warnings, open_domain, voxel_size_of
from .finish import train_and_save
from .losses import accuracy, correlation, discriminator_loss, generator_loss, reconstruction_loss
from .networks import channels_last
from .params import TrainWedgeParameters, WedgeArchitecture
from .patches import Patches, PatchTask
from .pool import ReplayPool
from .rotate_cut import RotateCutTask
from .start import kernel_of, power_spectrum
from .train import dual_optimiser, inputs_of, judged, judged_together
from .watch import TrainingWatch, scored, wedge_distance
from .wedge_networks import WedgeNetworks, first_pair

METHOD = NETWORK = "dual-wedge"
TRANSLATORS, JUDGES = ("fill", "cut"), ("tomogram_judge", "turned_judge")


class TurnedView:
    """A volume view turned by 90 degrees about y: as ``numpy.rot90(volume, axes=(0, 2))``, where it is sliced."""

    def __init__(self, view: Any) -> None:
        depth, height, width = view.shape
        self.shape, self.dtype, self._view = (width, height, depth), np.dtype(np.float32), view
        self._mmap, self.mode = getattr(view, "_mmap", None), getattr(view, "mode", "c")  # lets release_pages reach the map

    def __getitem__(self, window: Any) -> np.ndarray:
        rows, middle, columns = (slice(*part.indices(side)[:2]) for part, side in zip(expanded(window, 3), self.shape))
        last = self.shape[0]
        return np.rot90(self._view[columns, middle, last - rows.stop:last - rows.start], axes=(0, 2))


class WedgeTask(PatchTask):
    """The plain cycle between tomograms and turned tomograms as the training loop sees it."""

    selection = Selection("score", "max")

    def __init__(self, views: Sequence[StandardisedView], names: Sequence[str], parameters: TrainWedgeParameters, seed: int) -> None:
        self.parameters = parameters
        self.measured = Domain(views, parameters.patch_px, names)
        self.turned = Domain([TurnedView(view) for view in views], parameters.patch_px, names)  # type: ignore[misc]
        self.patches = Patches(measured=self.measured, turned=self.turned)
        self.pair = self._start(seed)
        judges = build_judges(JUDGES, parameters.judge_channels, seed)
        networks: dict[str, nn.Module] = {"fill": self.pair.fill, "cut": self.pair.cut, **judges}
        self.networks = {name: channels_last(network) for name, network in networks.items()}
        self.pools = {name: ReplayPool(parameters.replay_pool) for name in JUDGES}
        self.watch = TrainingWatch(parameters.stuck_limit)

    def _start(self, seed: int) -> WedgeNetworks:
        """``fill`` starts as the identity, ``cut`` as the filter that takes away what the other wedge lacks (known from the spectra)."""
        pair = first_pair(self.parameters, seed)
        shape = pair.shape
        spectra = [power_spectrum(domain, shape.patch_px, numpy_generator(seed, "wedge start")) for domain in (self.measured, self.turned)]
        amplitude = np.sqrt(np.clip(spectra[0] / np.maximum(spectra[1], 1e-12), 0, 1))
        pair.cut.start_from(kernel_of(amplitude, shape.filter_radius))
        return pair

    @property
    def warnings(self) -> list[str]:
        """What there is to tell of the training."""
        return self.watch.warnings

    def items(self) -> int:
        return len(self.measured)

    def drawn(self, index: int, generator: np.random.Generator) -> dict[str, Place]:
        return {"measured": self.measured.random_place(generator), "turned": self.turned.random_place(generator)}

    def turns(self) -> Sequence[Turn]:
        return [Turn("generators", TRANSLATORS), Turn("discriminators", JUDGES)]

    def averaged(self) -> Sequence[str]:
        return TRANSLATORS

    def optimiser(self, turn: str, weights: list[nn.Parameter], parameters: Any) -> torch.optim.Optimizer:
        return dual_optimiser(weights, parameters)

    def loss(self, networks: Networks, batch: Mapping[str, Tensor], step: Step) -> tuple[Tensor, Metrics]:
        if step.turn == "generators":
            return self._translators_loss(networks, batch, step)
        losses, metrics = [], {}
        for name, real in zip(JUDGES, ("measured", "turned")):
            answers = judged_together(networks[name], batch[real], self.pools[name].exchange(step.shared[real], step))
            losses.append(discriminator_loss(*answers, real_label=self.parameters.real_label))
            metrics[f"{name}_accuracy"] = accuracy(*answers).detach()
        return torch.stack(losses).sum(), metrics

    def _translators_loss(self, networks: Networks, batch: Mapping[str, Tensor], step: Step) -> tuple[Tensor, Metrics]:
        p, measured, turned = self.parameters, batch["measured"], batch["turned"]
        filled, cut = networks["fill"](measured).float(), networks["cut"](turned).float()
        step.shared.update(measured=cut.detach(), turned=filled.detach())
        # the restorer alone learns from a cycle, or the first network hides the answer in what it hands on
        turned_cycle = reconstruction_loss(step.whole(turned), step.whole(networks["fill"](cut.detach()).float()))
        measured_cycle = reconstruction_loss(step.whole(measured), step.whole(networks["cut"](filled.detach()).float()))
        fooled = [generator_loss(judged(networks[name], fake)) for name, fake in zip(JUDGES, (cut, filled))]
        loss = p.cycle_weight * (turned_cycle + measured_cycle) + p.adversarial_weight * (fooled[0] + fooled[1])
        return loss, {"turned_cycle_loss": turned_cycle, "measured_cycle_loss": measured_cycle, "tomogram_fooling_loss": fooled[0],
                      "turned_fooling_loss": fooled[1], "contrast": correlation(measured, filled).mean()}

    @torch.no_grad()
    def validate(self, networks: Networks, generator: np.random.Generator) -> Mapping[str, float]:
        """Cycle correlation of the turned tomograms, how much of the wedge is filled, distance of spectra inside the wedge and outside."""
        device = next(networks["fill"].parameters()).device
        rng = numpy_generator(0, "wedge validation")
        measured, turned = (torch.from_numpy(np.stack([domain.cut(domain.random_place(rng))
                                                       for _ in range(self.parameters.validation_patches)])).to(device)
                            for domain in (self.measured, self.turned))
        filled = networks["fill"](measured).float()
        back = networks["fill"](networks["cut"](turned).float()).float()
        p = self.parameters
        energy = float(np.mean([missing_energy(patch, p.tilt_min, p.tilt_max) for patch in filled[:, 0].cpu().numpy()]))
        missing = torch.from_numpy(missing_cube(measured.shape[2], p.tilt_min, p.tilt_max)).to(device)
        metrics = {"turned_cycle_correlation": float(correlation(turned, back).mean()), "filled_energy": energy,
                   "spectrum_distance": wedge_distance(filled, measured, missing), "contrast": float(correlation(measured, filled).mean())}
        metrics = scored(metrics, metrics["turned_cycle_correlation"] - metrics["spectrum_distance"])
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


def run(job: Job) -> MethodOutcome:
    """Train on the inputs with the role ``noisy``; writes the model folder ``model`` and the training's record."""
    p = parameters_from(TrainWedgeParameters, job.parameters)
    folder = Path(job.output_folder)
    files = inputs_of(job, "noisy")
    voxel_size = voxel_size_of(p.model_voxel_size, files)
    domain = open_domain(files, p.patch_px, voxel_size, folder / "resampled")
    names = [Path(item.path).name for item in files]
    task = (RotateCutTask(domain, first_pair(p, job.seed), p) if p.taught_by == "rotate_and_cut"
            else WedgeTask(domain.views, names, p, job.seed))
    card = ModelCard(method=METHOD, network=NETWORK, network_parameters=task.pair.shape.model_dump(), voxel_size=voxel_size,
                     normalisation="whole volume to mean 0 and deviation 1, particles bright",
                     training={"noisy": names, "taught_by": p.taught_by, "tilt_min": p.tilt_min, "tilt_max": p.tilt_max, "seed": job.seed})
    outcome = train_and_save(task, task.pair, card, p, job)
    outcome.warnings = [*coarseness_warnings(files, voxel_size), *outcome.warnings, *task.warnings]
    return outcome


def load_wedge(folder: str | Path, device: torch.device) -> tuple[WedgeNetworks, ModelCard]:
    """Read a model folder; raises :class:`WeightsError` when it does not fill wedges."""

    def build(card: ModelCard) -> WedgeNetworks:
        if card.network != NETWORK:
            raise WeightsError(f"{folder} holds a model of '{card.method}' (network '{card.network}')",
                               "a model of 'cryoetseg dual train-wedge'", "train one on the tomograms whose wedge is to be filled")
        return WedgeNetworks(WedgeArchitecture(**card.network_parameters))

    pair, card = load_model(folder, build)
    return pair.to(device), card
