"""Denoisers without learning that a trained one must beat (spec C7): Gaussian, anisotropic diffusion, non-local means."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.restoration import denoise_nl_means

from ..metrics.restoration import pearson

GAUSSIAN_SIGMAS = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0)
DIFFUSION_STEPS, DIFFUSION_GAMMA = (5, 10, 20, 40), 1 / 7  # stable below 1/6 with six neighbours
DIFFUSION_KAPPAS = (1.0, 3.0)
NLM_STRENGTHS = (0.6, 1.0)


def anisotropic_diffusion(volume: np.ndarray, steps: int, kappa: float, gamma: float = DIFFUSION_GAMMA) -> np.ndarray:
    """Perona-Malik diffusion (1990) of a (z, y, x) volume with conductance exp(-(gradient / kappa)^2), mirrored faces.

    ``kappa`` in grey values; the mean is kept.
    """
    result = np.array(volume, dtype=np.float32)
    for _ in range(steps):
        change = np.zeros_like(result)
        for axis in range(3):
            gradient = np.diff(result, axis=axis)
            flux = gradient * np.exp(-((gradient / kappa) ** 2))
            ahead, behind = [slice(None)] * 3, [slice(None)] * 3
            ahead[axis], behind[axis] = slice(None, -1), slice(1, None)
            change[tuple(ahead)] += flux
            change[tuple(behind)] -= flux
        result += gamma * change
    return result


def non_local_means(volume: np.ndarray, strength: float) -> np.ndarray:
    """scikit-image's fast non-local means; ``strength`` in standard deviations of the volume."""
    deviation = float(np.std(volume))
    return denoise_nl_means(np.asarray(volume, dtype=np.float32), patch_size=3, patch_distance=4, h=strength * deviation, sigma=deviation,
                            fast_mode=True)


def _gaussians(volume: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    for sigma in GAUSSIAN_SIGMAS:
        yield f"sigma {sigma:g} voxels", gaussian_filter(volume, sigma)


def _diffusions(volume: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    deviation = float(np.std(volume))
    for steps in DIFFUSION_STEPS:
        for kappa in DIFFUSION_KAPPAS:
            yield f"{steps} steps, kappa {kappa:g} deviations", anisotropic_diffusion(volume, steps, kappa * deviation)


def _non_local_means(volume: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    for strength in NLM_STRENGTHS:
        yield f"h {strength:g} deviations", non_local_means(volume, strength)


# By name: every setting that is tried, with its result
BASELINES: dict[str, Callable[[np.ndarray], Iterable[tuple[str, np.ndarray]]]] = {
    "none": lambda volume: [("", volume)], "gaussian": _gaussians, "anisotropic diffusion": _diffusions,
    "non-local means": _non_local_means}


def best_baselines(volume: np.ndarray, truth: np.ndarray, names: Iterable[str] = tuple(BASELINES)) -> dict[str, tuple[str, np.ndarray]]:
    """Each baseline at the setting that correlates best with ``truth``: its name, the setting and the result. A head start for them."""
    return {name: max(BASELINES[name](volume), key=lambda tried: pearson(tried[1], truth)) for name in names}
