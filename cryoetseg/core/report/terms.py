"""What the words of a report mean, each in a sentence: scores, methods that results are compared with, and how points are matched."""

from __future__ import annotations

from collections.abc import Iterable

from .comparison import AS_MANY, BEST_COUNT, OTSU, OURS, SHEETS

MEANINGS = {
    OURS: "What this program found; it saw the tomogram, and nothing of the truth.",
    OTSU: "A baseline that anyone could take: the tomogram is smoothed, and all that is denser than a threshold (Otsu's, which parts a "
          "histogram in two) counts as membrane.",
    SHEETS: "A baseline for membranes: a filter that answers where the density curves in one direction only, as in a thin sheet (by the "
            "eigenvalues of the Hessian), thresholded by Otsu's method.",
    AS_MANY: "A baseline for particles: the difference of two Gaussians, which answers to blobs of the particle's size; as many of its "
             "best picks as this program made.",
    BEST_COUNT: "The same with the number of picks for which its F1 is highest. Only who knows the truth can choose so: a bound.",
    "membrane Dice": "Overlap of two masks: twice the voxels in both, over the sum of the voxels of each. One voxel too thick costs much, "
                     "as membranes are thin.",
    "surface Dice": "The share of both surfaces that lies within one voxel of the other: whether the membrane is in the right place, "
                    "however thick it was drawn.",
    "precision": "Of the picks, the share that are particles. A pick counts when its centre lies within a radius of a true one that no "
                 "other pick has taken.",
    "recall": "Of the particles, the share that was picked.",
    "particle F1": "Precision and recall in one number, their harmonic mean.",
}


def meanings_of(words: Iterable[str]) -> list[tuple[str, str]]:
    """The ``words`` that have a meaning here, each once, with it."""
    return [(word, MEANINGS[word]) for word in dict.fromkeys(words) if word in MEANINGS]
