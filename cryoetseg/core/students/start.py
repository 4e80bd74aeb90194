"""A training that goes on from a model, whose weights it takes instead of random ones."""
from __future__ import annotations

from typing import Any

from ..models.card import ModelCard

FAR = 0.25  # relative difference of voxel sizes


def start_record(card: ModelCard) -> dict[str, Any]:
    """What the card of the new model says of the one it started from."""
    return {"name": card.name, "sha256": card.sha256, "voxel_size": card.voxel_size, "made_by": card.made_by}


def note_on_voxel_size(of_start: float, own: float) -> list[str]:
    """A warning where tomograms (Angstrom a voxel) differ by more than a quarter from those the start was trained on."""
    if abs(own / of_start - 1) <= FAR:
        return []
    return [f"the model to start from was trained on voxels of {of_start:g} A, these tomograms have {own:g} A: all in them has another "
            "size than it knows"]
