"""Going on from the general picker: a handful of clicked particles is enough."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...models.card import ModelCard, save_model
from ...runtime.job import Job, MethodOutcome, Output
from ..centres.model import centre_card, load_centres
from ..centres.tune import tune_centres
from ..start import start_record
from ..volumes import StudentVolume
from .params import TrainPickerParameters


def run_from_centres(job: Job, volumes: Sequence[StudentVolume], parameters: TrainPickerParameters, card: ModelCard) -> MethodOutcome:
    """Teach the network of centres under the role ``start``, whose card is ``card``, the particles of ``volumes``; writes ``model``.

    Places that nobody clicked are unknown, except where the start is sure of background. A model that is no better on the clicks held
    out is given up for the start, and a warning says so.
    """
    folder, start = Path(job.output_folder), load_centres(job.input_of("start").path)
    tuned = tune_centres(volumes, start, parameters, folder / "training", job.seed, job.device, card.sha256)
    outcome = tuned.outcome
    record = {**outcome.record(), "tomograms": [volume.name for volume in volumes], "seed": job.seed, "parameters": job.parameters,
              "start": start_record(card), "kept_start": tuned.better is False}
    save_model(folder / "model", tuned.model.network, centre_card(tuned.model, record))
    last = Path(outcome.folder).relative_to(folder)
    clicks = sum(len(volume.particles or ()) for volume in volumes)
    return MethodOutcome(
        outputs=[Output(kind="model", path="model", voxel_size=volumes[0].header.voxel_size),
                 Output(kind="figure", path=str(last / "training_curve.png")), Output(kind="table", path=str(last / "metrics.csv"))],
        metrics={**outcome.record(), "particles": clicks},
        warnings=[*(text for volume in volumes for text in volume.warnings), *untaught(volumes), *_notes(tuned.better, clicks)])


def untaught(volumes: Sequence[StudentVolume]) -> list[str]:
    """Tomograms without a particle: what the start knows of background is kept as it is."""
    names = [volume.name for volume in volumes if not len(volume.particles or ())]
    return [f"{', '.join(names)}: without a particle nothing is taught where the training starts from the general picker"] if names else []


def _notes(better: bool | None, clicks: int) -> list[str]:
    if better is None:
        return [f"{clicks} particles are too few to hold some out: whether the model became better was not measured"]
    return [] if better else ["training made the model no better on particles it did not learn: the start is kept"]
