"""A denoiser taught by calibrated simulation: density made a tomogram as the statistics of both sets say, and back.

Of DUAL's losses this is L_v alone (spec C3). Structural generator and noise stay at the start that :mod:`.start` finds; nothing is
adversarial, and no tomogram is translated. It is no method of the paper's: it is what of DUAL measures best as a denoiser.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ..runtime.seeds import numpy_generator
from ..training.optimisers import adamw
from ..training.params import TrainingParameters
from ..training.task import Metrics, Networks, Selection, Step, Turn
from .building import build_networks, noisy_from
from .data import Domain, Place, held_apart
from .losses import correlation, reconstruction_loss
from .networks import channels_last
from .params import TrainDualParameters
from .patches import Patches, PatchTask
from .start import Halves
from .watch import TrainingWatch, scored, spectrum_distance

AS_THEY_START = ("generator", "encoder", "decoder")  # networks that this training leaves as the statistics of both sets make them


class CalibratedTask(PatchTask):
    """Denoising of synthetic tomograms as the training loop sees it. ``noisy`` is looked at for its statistics alone."""

    selection = Selection("score", "max")

    def __init__(self, noisy: Domain, clean: Domain, parameters: TrainDualParameters, seed: int, halves: Halves | None = None) -> None:
        self.parameters = parameters
        self.dual, warnings = build_networks(parameters, noisy, clean, seed, halves)
        self.noisy = noisy
        self.clean, self.judged_clean = held_apart(clean)
        self.patches = Patches(clean=self.clean)
        # all four serve, so all are in the checkpoints, from which a model can be taken at any time
        self.networks = {name: channels_last(getattr(self.dual, name)) for name in ("denoiser", *AS_THEY_START)}
        for name in AS_THEY_START:
            self.networks[name].requires_grad_(False)
        self.watch = TrainingWatch(parameters.stuck_limit)
        self.warnings = list(warnings)  # of the start

    def items(self) -> int:
        return len(self.clean)

    def drawn(self, index: int, generator: np.random.Generator) -> dict[str, Place]:
        return {"clean": self.clean.grid_place(index) if self.parameters.crops == "grid" else self.clean.random_place(generator)}

    def turns(self) -> Sequence[Turn]:
        return [Turn("denoiser", ("denoiser",))]

    def averaged(self) -> Sequence[str]:
        return ("denoiser",)

    def optimiser(self, turn: str, weights: list[nn.Parameter], parameters: TrainingParameters) -> torch.optim.Optimizer:
        p = self.parameters
        return adamw(weights, lr=p.denoiser_learning_rate, weight_decay=p.weight_decay)

    def loss(self, networks: Networks, batch: Mapping[str, Tensor], step: Step) -> tuple[Tensor, Metrics]:
        """L_v = log ||v_r - D(t_f)||^2 + log(1 - corr) (DUAL, L_v)."""
        clean = batch["clean"]
        with torch.no_grad():
            tomogram = noisy_from(networks, clean, step)
        back = networks["denoiser"](tomogram).float()
        return reconstruction_loss(step.whole(clean), step.whole(back)), {"clean_cycle_correlation": correlation(clean, back).mean()}

    @torch.no_grad()
    def validate(self, networks: Networks, generator: np.random.Generator) -> Mapping[str, float]:
        """Correlation of held-out density with what comes back of its synthetic tomogram, always under the same noise; beside it the
        distance of the spectra of synthetic and real tomograms, and the sign of the contrast on real ones."""
        device = next(networks["denoiser"].parameters()).device
        rng, count = numpy_generator(0, "dual validation"), self.parameters.validation_patches
        noisy, clean = (torch.from_numpy(np.stack([domain.cut(domain.random_place(rng)) for _ in range(count)])).to(device)
                        for domain in (self.noisy, self.judged_clean))
        same = Step(0, 0, "validation", torch.Generator(device=device).manual_seed(0), {})
        tomogram = noisy_from(networks, clean, same)
        found = float(correlation(clean, networks["denoiser"](tomogram).float()).mean())
        contrast = float(correlation(noisy, networks["denoiser"](noisy).float()).mean())
        metrics = scored({"clean_cycle_correlation": found, "spectrum_distance": spectrum_distance(tomogram, noisy), "contrast": contrast},
                         found)
        self.watch.judge(metrics)
        return metrics

    def state(self) -> Mapping[str, Tensor]:
        return self.watch.state()

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self.watch.restore(state)
