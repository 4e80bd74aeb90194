"""Training the shipped embedding: molecules, then contrastive steps from the features of the general picker."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...clusters.model import build_network, embedding_card
from ...models.card import save_model
from ...models.embedding3d import EmbeddingNetwork
from ...models.shelf import model_folder
from ...runtime.files import atomic_path
from ...runtime.job import Job, MethodOutcome, Output
from ...runtime.params import parameters_from
from ...simulation.molecules import Molecule, built_in_molecules
from ...simulation.random_molecules import random_molecule
from ...students.centres.model import load_centres
from ...training.engine import train
from ..general.draw import HELD_OUT_MOLECULES, TRAINING_MOLECULES
from .boxes import SPACING, densities
from .params import EmbeddingTrainingParameters, TrainEmbeddingParameters
from .task import EmbeddingTask

HELD_OUT_RANDOM = 12
HELD_OUT_SEED = 7919  # of random molecules that only validate
SOLID = 0.37  # density from which a voxel belongs to a molecule


def run(job: Job) -> MethodOutcome:
    """Write ``model``, the folder of the embedding; the molecules stay in ``molecules_*.npy``."""
    p = parameters_from(TrainEmbeddingParameters, job.parameters)
    folder = Path(job.output_folder)
    library = {molecule.name: molecule for molecule in built_in_molecules()}
    taught = [*(library[name] for name in TRAINING_MOLECULES), *(random_molecule(n, p.molecule_seed) for n in range(p.molecules))]
    held_out = [*(library[name] for name in HELD_OUT_MOLECULES), *(random_molecule(n, HELD_OUT_SEED) for n in range(HELD_OUT_RANDOM))]
    chosen = EmbeddingTrainingParameters(iterations=p.iterations, minutes=p.minutes)
    network = started(job.seed)
    task = EmbeddingTask(network, _stored(folder / "molecules_taught.npy", taught),
                         _stored(folder / "molecules_held_out.npy", held_out), chosen, job.seed)
    trained = train(task, chosen, folder / "training", job.seed, job.device)
    trained.load_best(task.networks)
    record: dict[str, Any] = {**trained.record(), "molecules": len(taught), "seed": job.seed, "parameters": chosen.model_dump(mode="json")}
    save_model(folder / "model", network, embedding_card(network, record, _command(job)), torch.float16)
    outcome = MethodOutcome(outputs=[
        Output(kind="model", path="model"), Output(kind="figure", path="training/training_curve.png"),
        Output(kind="table", path="training/metrics.csv")], metrics={"retrieval": trained.best_value, "steps": trained.steps})
    if trained.ended_by == "time limit":
        outcome.warnings.append("the time limit ended the training; run it again to go on")
    return outcome


def started(seed: int) -> EmbeddingNetwork:
    """The network with the encoder of the general picker, as wide as that is."""
    taught = load_centres(model_folder("general", "picker")).network
    network = build_network(seed, channels=taught.channels)
    picker, own = taught.state_dict(), network.state_dict()
    network.load_state_dict({name: picker[name] if name in picker and not name.startswith("head") else own[name] for name in own})
    return network


def _stored(path: Path, molecules: Sequence[Molecule]) -> tuple[np.ndarray, np.ndarray]:
    """Densities and radii (Angstrom) of the molecules, kept in a file."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = densities(molecules)
        with atomic_path(path) as part, Path(part).open("wb") as stream:
            np.save(stream, made)
    found = np.load(path, allow_pickle=False)
    axis = np.arange(found.shape[1]) - found.shape[1] // 2
    distance = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    radii = [float(np.percentile(distance[body > SOLID], 90)) * SPACING if (body > SOLID).any() else 40.0 for body in found]
    return found, np.array(radii)


def _command(job: Job) -> str:
    given = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in sorted(job.parameters.items()))
    return f"cryoetseg train embedding --out FOLDER {given} --seed {job.seed}"
