"""Training a particle generator (spec A5, A6)."""
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..models.card import save_model
from ..runtime.files import atomic_path
from ..runtime.job import Job, MethodOutcome, Output
from ..runtime.params import parameters_from
from ..runtime.seeds import numpy_generator, stream_seed, torch_generator
from ..training.engine import train
from ..training.task import Metrics, Networks, Selection, Step, TrainingTask
from .comparison import radial_power
from .cubes import Cubes
from .data import Particles, open_particles, split, turned_place
from .diffusion import NoiseSchedule, clean_from_answer
from .model import generator_card
from .network import ConditionalUNet3d
from .params import TrainGeneratorParameters

ANYWHERE = 0.5
EXAMPLES = "examples.npz"
SHOWN_EXAMPLES, SPECTRUM_EXAMPLES = 3, 64
VALIDATION_BATCH = 8


class GeneratorTask(TrainingTask):
    """Learning to take noise off particle cubes, as the training loop sees it."""

    selection = Selection("loss", "min")

    def __init__(self, training: Particles, held_out: Particles, parameters: TrainGeneratorParameters) -> None:
        self._training, self._held_out, self._parameters = training, held_out, parameters
        self._positions = training.positions()
        self._cubes = Cubes(training, parameters.box_px, parameters.padding)
        self.schedule = noise_schedule(parameters)
        self._scheduler = self.schedule.training()
        network: nn.Module = ConditionalUNet3d(len(training.classes), parameters.channels)
        network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]  # half the time of a step in bfloat16
        self.networks = {"unet": network}
        self._bound = self.schedule.bound()
        self.parts = parameters.batch_size // parameters.micro_batch if parameters.micro_batch else 1

    def items(self) -> int:
        return len(self._training)

    def item(self, index: int, generator: np.random.Generator) -> Mapping[str, np.ndarray]:
        turned, told = self._drawn(index, generator)
        return {"clean": self._cubes.cut(index, turned), **told}

    def place(self, index: int, generator: np.random.Generator) -> Mapping[str, np.ndarray]:
        turned, told = self._drawn(index, generator)
        return {**self._cubes.place(index, turned), **told}

    def gather(self, places: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return {**self._cubes.gather(places), "class": places["class"], "position": places["position"]}

    def _drawn(self, index: int, generator: np.random.Generator) -> tuple[bool, dict[str, np.ndarray]]:
        """Whether a particle is turned, and what the network is told of its class and place."""
        p = self._parameters
        turn, no_class, no_position = generator.random(3) < (0.5 * p.turn, p.class_dropout, p.position_dropout)
        position = turned_place(self._positions[index]) if turn else self._positions[index]
        kind = _one_hot(self._training.kinds[index], len(self._training.classes)) * np.float32(not no_class)
        return bool(turn), {"class": kind, "position": np.full_like(position, ANYWHERE) if no_position else position}

    def loss(self, networks: Networks, batch: Mapping[str, Tensor], step: Step) -> tuple[Tensor, Metrics]:
        clean = batch["clean"]
        steps = step.integers(self.schedule.steps, clean)
        noise = step.normal(clean)
        noisy = self._scheduler.add_noise(clean, noise, steps)
        answer = self._answer(networks, noisy, steps, batch)
        wanted = clean if self.schedule.answer == "sample" else self._scheduler.get_velocity(clean, noise, steps)
        with torch.no_grad():
            error = torch.nn.functional.mse_loss(clean_from_answer(self._scheduler, answer, noisy, steps), clean)
        return torch.nn.functional.mse_loss(answer, wanted), {"clean_error": error}

    @torch.no_grad()
    def validate(self, networks: Networks, generator: np.random.Generator) -> Mapping[str, float]:
        """Mean squared errors on held-out particles, always the same ones with the same noise, at noise steps spread evenly.

        ``loss`` is what training minimises; ``clean_error`` that of the clean volume, which the paper logs;
        ``schedule_bound`` what the latter would be for a guess that knows the schedule alone.
        """
        rows, steps, noises = self._validation_draws()
        losses, errors = [], []
        for start in range(0, len(rows), VALIDATION_BATCH):
            part = slice(start, start + VALIDATION_BATCH)
            loss, error = self._validation_errors(networks, rows[part], steps[part], noises[part])
            losses.append(loss)
            errors.append(error)
        return {"loss": float(np.concatenate(losses).mean()), "clean_error": float(np.concatenate(errors).mean()),
                "schedule_bound": self._bound}

    def _validation_draws(self) -> tuple[np.ndarray, Tensor, Tensor]:
        count, box = self._parameters.validation_items, self._parameters.box_px
        rng = numpy_generator(0, "generator validation")  # the same at every validation: fresh noise would hide small progress
        rows = rng.permutation(len(self._held_out))[np.arange(count) % len(self._held_out)]
        steps = (np.arange(count) * self.schedule.steps) // count
        noises = torch.randn((count, 1, box, box, box), generator=torch_generator(0, "generator validation noise"))
        return rows, torch.from_numpy(steps), noises

    def _validation_errors(self, networks: Networks, rows: np.ndarray, steps: Tensor, noise: Tensor) -> tuple[np.ndarray, np.ndarray]:
        p, held_out = self._parameters, self._held_out
        device = next(networks["unet"].parameters()).device
        clean = torch.from_numpy(np.stack([held_out.patch(row, p.box_px, p.padding) for row in rows])[:, None]).to(device)
        kinds = np.stack([_one_hot(held_out.kinds[row], len(held_out.classes)) for row in rows])
        batch = {"class": torch.from_numpy(kinds).to(device), "position": torch.from_numpy(held_out.positions()[rows]).to(device)}
        steps, noise = steps.to(device), noise.to(device)
        noisy = self._scheduler.add_noise(clean, noise, steps)
        answer = self._answer(networks, noisy, steps, batch).float()
        wanted = clean if self.schedule.answer == "sample" else self._scheduler.get_velocity(clean, noise, steps)
        cleaned = clean_from_answer(self._scheduler, answer, noisy, steps)
        return tuple((difference**2).mean(dim=(1, 2, 3, 4)).cpu().numpy() for difference in (answer - wanted, cleaned - clean))  # type: ignore[return-value]

    def _answer(self, networks: Networks, noisy: Tensor, steps: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        ordered = noisy.contiguous(memory_format=torch.channels_last_3d)
        return networks["unet"](ordered, steps, batch["class"], batch["position"])


def _one_hot(kind: int, classes: int) -> np.ndarray:
    return np.eye(classes, dtype=np.float32)[kind]


def noise_schedule(parameters: TrainGeneratorParameters) -> NoiseSchedule:
    """The diffusion that ``parameters`` describe."""
    p = parameters
    return NoiseSchedule(p.noise_steps, p.noise_schedule, p.beta_start, p.beta_end, p.answer)


def run(job: Job) -> MethodOutcome:
    """Train on the job's tomograms and particle lists and write the model folder ``model``."""
    parameters = parameters_from(TrainGeneratorParameters, job.parameters)
    particles = open_particles(job)
    training, held_out = split(particles, parameters.split, parameters.held_out, job.seed)
    with torch.random.fork_rng():
        torch.manual_seed(stream_seed(job.seed, "first weights"))
        task = GeneratorTask(training, held_out, parameters)
    folder = Path(job.output_folder)
    outcome = train(task, parameters, folder / "training", job.seed, job.device)
    outcome.load_best(task.networks)
    write_examples(folder / EXAMPLES, training, parameters)
    save_model(folder / "model", task.networks["unet"], generator_card(training, parameters, task.schedule, outcome.record()))
    return MethodOutcome(
        outputs=[Output(kind="model", path="model", voxel_size=particles.sources[0].voxel_size),
                 Output(kind="examples", path=EXAMPLES),
                 Output(kind="figure", path="training/training_curve.png"), Output(kind="table", path="training/metrics.csv")],
        metrics={**outcome.record(), "particles": training.counts(), "held_out": len(held_out)}, warnings=_warnings(particles, parameters))


def write_examples(path: Path, training: Particles, parameters: TrainGeneratorParameters) -> None:
    """A few real cubes (class, example, z, y, x) and the mean radial power of each class, to show generated ones beside them."""
    cubes, power = [], []
    for number in range(len(training.classes)):
        rows = np.flatnonzero(training.kinds == number)[:SPECTRUM_EXAMPLES]
        chosen = training.select(rows).patches(parameters.box_px, parameters.padding)
        cubes.append(chosen[np.arange(SHOWN_EXAMPLES) % len(chosen)])
        power.append(radial_power(chosen))
    with atomic_path(path) as part:
        np.savez_compressed(part, classes=np.array(training.classes), cubes=np.stack(cubes).astype(np.float16), power=np.stack(power))


def _warnings(particles: Particles, parameters: TrainGeneratorParameters) -> list[str]:
    outside = particles.reach_outside(parameters.box_px)
    return [f"{outside} of {len(particles)} boxes reach beyond their tomogram and are filled with its "
            f"{'mean' if parameters.padding == 'mean' else 'raw 0'} there"] if outside else []
