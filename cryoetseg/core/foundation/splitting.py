"""Cutting a mask into regions: watershed of its distance transform, or Cellpose-SAM where it is installed (Uddin26 1.8)."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.segmentation import watershed

from ..runtime.errors import WeightsError
from . import weights
from .params import SplittingParameters

Splitter = Callable[[np.ndarray], np.ndarray]

CELLPOSE_DIAMETER_PX = 10.0
CELLPOSE_FLOW_THRESHOLD = 0.4
CELLPOSE_PROBABILITY_THRESHOLD = 0.0
THICKNESS = 0.4  # of the diameter: what is thinner is no particle; a membrane is 5 to 8 nm, a ribosome 25
EIGHT_CONNECTED = np.ones((3, 3), int)
SEED_SMOOTHING = 0.05  # of the diameter: flat ridges of the distance transform would give many seeds
SEED_DISTANCE = 0.35  # of the diameter, between two seeds


def make_splitter(parameters: SplittingParameters, pixel_size: float, weights_folder: str = "", use_gpu: bool = False) -> Splitter:
    """A function from a bool mask (y, x) to int32 labels (y, x), 0 outside; ``pixel_size`` is the mask's in Angstrom.

    Raises :class:`WeightsError` when Cellpose-SAM or its weights are asked for and missing.
    """
    if parameters.splitter == "cellpose":
        return _cellpose_splitter(parameters, weights_folder, use_gpu)
    diameter_px = parameters.particle_diameter / pixel_size
    return lambda mask: watershed_regions(mask, diameter_px)


def watershed_regions(mask: np.ndarray, diameter_px: float) -> np.ndarray:
    """Label ``mask`` (y, x): bodies of about ``diameter_px``, cut apart at their necks, and the connected thin rest.

    Thin parts come off first, by an opening: cut along its length, a membrane would fall into pieces as round as particles.
    """
    radius_px = THICKNESS * diameter_px / 2
    thick = opened(mask, radius_px)
    thin, _ = ndimage.label(mask & ~thick, structure=EIGHT_CONNECTED)
    is_crumb = np.bincount(thin.ravel()) <= np.pi * radius_px**2  # what the opening rounds off a body's outline stays with the body
    touching = np.isin(thin, np.unique(thin[ndimage.binary_dilation(thick, EIGHT_CONNECTED)]))
    crumbs = (thin > 0) & is_crumb[thin] & touching
    bodies = _cut_at_necks(thick, thick | crumbs, diameter_px)
    rest, _ = ndimage.label(mask & (bodies == 0), structure=EIGHT_CONNECTED)
    return np.where(rest > 0, rest + bodies.max(initial=0), bodies).astype(np.int32)


def opened(mask: np.ndarray, radius_px: float) -> np.ndarray:
    """Morphological opening of ``mask`` (y, x) by a disc of any radius, by two distance transforms."""
    core = _depth(mask) > radius_px
    return mask & (ndimage.distance_transform_edt(~core) <= radius_px) if core.any() else np.zeros_like(mask)


def _cut_at_necks(thick: np.ndarray, mask: np.ndarray, diameter_px: float) -> np.ndarray:
    """Watershed of ``mask`` from one seed a body of its ``thick`` part."""
    smooth = ndimage.gaussian_filter(_depth(mask), SEED_SMOOTHING * diameter_px) * mask
    pieces = ndimage.label(thick, structure=EIGHT_CONNECTED)[0]
    seeds = peak_local_max(smooth, min_distance=max(1, round(SEED_DISTANCE * diameter_px)), labels=pieces, exclude_border=False)
    markers = np.zeros(mask.shape, np.int32)
    markers[tuple(seeds.T)] = np.arange(1, len(seeds) + 1)
    return watershed(-smooth, markers, EIGHT_CONNECTED, mask=mask)


def _depth(mask: np.ndarray) -> np.ndarray:
    """Distance of each pixel to the nearest one outside, the border of the picture counting as outside."""
    return ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]


def _cellpose_splitter(parameters: SplittingParameters, weights_folder: str, use_gpu: bool) -> Splitter:
    try:
        from cellpose.models import CellposeModel
    except ImportError as error:
        raise WeightsError("Cellpose is not installed", "splitter watershed, or the package cellpose 4 or later",
                           "pip install 'cellpose>=4', or choose splitter = watershed") from error
    model = CellposeModel(gpu=use_gpu, pretrained_model=str(_cellpose_weights(parameters.cellpose_model, weights_folder)))

    def split(mask: np.ndarray) -> np.ndarray:
        labels = model.eval(
            mask.astype(np.uint8) * 255,
            diameter=CELLPOSE_DIAMETER_PX,
            flow_threshold=CELLPOSE_FLOW_THRESHOLD,
            cellprob_threshold=CELLPOSE_PROBABILITY_THRESHOLD,
        )[0]
        return np.asarray(labels, np.int32)

    return split


def _cellpose_weights(named: str, weights_folder: str) -> Path:
    """The file with the weights; Cellpose itself would download what it does not find, so it is looked for before."""
    path = Path(named).expanduser() if named else weights.fetched_folder("cellpose-sam", weights_folder) / "cpsam"
    if not path.is_file():
        raise WeightsError(f"no Cellpose-SAM weights at {path}", "the file cpsam", "run 'cryoetseg weights fetch cellpose-sam'")
    return path
