"""Whether a training made the membrane student better, or made it forget."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...metrics.segmentation import dice_from_counts
from .data import LabelledTomogram
from .network import MembraneModel
from .validation import found_membrane, membrane_counts, spread

LEAST_KEPT = 0.2  # share of the membranes of one round that the next must still have
LOOKED_AT = 16  # slices of each tomogram that tell how much of it is membrane


def lost_membranes(before: Sequence[LabelledTomogram], after: Sequence[LabelledTomogram]) -> str:
    """Why the targets of ``after`` must not be learned: they hold less than a fifth of the membranes of ``before``; else nothing."""
    return _verdict(_target_share(before), _target_share(after), "the labels of")


def forgotten(before: MembraneModel, after: MembraneModel, tomograms: Sequence[LabelledTomogram]) -> str:
    """Why ``after`` must not take the place of ``before``: it finds less than a fifth of the membranes; else nothing."""
    return _verdict(_found_share(before, tomograms), _found_share(after, tomograms), "what it finds in")


def not_worse_than(
    start: MembraneModel, model: MembraneModel, tomograms: Sequence[LabelledTomogram]
) -> tuple[MembraneModel, list[str]]:
    """The better of the two on the held-out slices, or on the learned ones where none with membrane is held out, and what to say of it."""
    start.network.to(next(model.network.parameters()).device)
    places, slices = "the held-out slices", [item.held_out for item in tomograms]
    true, _, missed = membrane_counts(start.network, start.slices, tomograms, slices)
    if true + missed == 0:
        places, slices = "the slices it learned from, no membrane being held out", [item.training for item in tomograms]
    before, after = (dice_from_counts(*membrane_counts(one.network, one.slices, tomograms, slices)) for one in (start, model))
    if after >= before:
        return model, []
    kept = MembraneModel(start.network, model.card.model_copy(update={
        "voxel_size": start.card.voxel_size, "training": {**model.card.training, "kept_start": True}}))
    return kept, [f"training made the model worse on {places} (Dice {after:.3f}, the start {before:.3f}): the start is kept"]


def _verdict(before: float, after: float, where: str) -> str:
    if before == 0 or (after > 0 and after >= LEAST_KEPT * before):
        return ""
    return f"membrane is {100 * after:.2g} % of {where} the training slices, {100 * before:.2g} % before; the earlier model is kept"


def _target_share(tomograms: Sequence[LabelledTomogram]) -> float:
    """Share of membrane in a few planes of the targets of the tomograms that hold something."""
    return _mean([tomogram.targets.plane(z, (0, 0), tomogram.volume.header.shape[1:]).labels for tomogram, z in _some(tomograms)])


def _found_share(model: MembraneModel, tomograms: Sequence[LabelledTomogram]) -> float:
    """Share of membrane that ``model`` finds in a few slices of the tomograms that hold something."""
    return _mean([found_membrane(model.network, model.slices, tomogram, z) for tomogram, z in _some(tomograms)])


def _mean(planes: Sequence[np.ndarray]) -> float:
    return float(np.mean([plane.mean() for plane in planes])) if planes else 0.0


def _some(tomograms: Sequence[LabelledTomogram]) -> list[tuple[LabelledTomogram, int]]:
    return [(tomogram, int(z)) for tomogram in tomograms if not tomogram.empty
            for z in spread(np.concatenate([tomogram.training, tomogram.held_out]), LOOKED_AT)]
