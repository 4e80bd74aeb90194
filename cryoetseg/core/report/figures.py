"""Figures of results on matplotlib's objects: no display, no global state, no torch. Viewers and reports draw with the same functions.

Also imported by Scipion's own interpreter: valid Python 3.8. Colours are those of Okabe and Ito, told apart by colour-blind
readers and in grey print.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple, Union

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..runtime.files import atomic_path
from ..volumes.streaming import release_pages, z_slabs

ORANGE, SKY, GREEN, BLUE, VERMILION, PURPLE, GREY = "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7", "#777777"
LEAST_WEIGHT = 0.01  # eigenimages that weigh less do not show in the canvas
SERIES = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION)
MASK_COLOUR, POINT_COLOURS = ORANGE, (SKY, VERMILION, GREEN, PURPLE, BLUE)
MASK_OPACITY = 0.55
GREY_RANGE = (0.5, 99.5)  # percentiles of the slice shown as black and white
DOTS_PER_INCH = 150
ROUND_LENGTHS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)  # nm


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of ``width`` x ``height`` inches that belongs to no window."""
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(path: Any, figure: Figure) -> Path:
    """Write a figure as PNG atomically; raises :class:`OutputError`. Returns the path."""
    with atomic_path(path) as part:
        figure.savefig(part, format="png", dpi=DOTS_PER_INCH)
    return Path(path)


def draw_slice(
    axes: Axes,
    slice2d: np.ndarray,
    mask2d: Optional[np.ndarray] = None,
    points_yx: Optional[np.ndarray] = None,
    *,
    title: str = "",
    voxel_size: Optional[float] = None,
    diameter_px: Union[float, np.ndarray] = 8.0,
    percentiles: Tuple[float, float] = GREY_RANGE,
    mask_colours: Sequence[str] = (MASK_COLOUR,),
    classes: Optional[np.ndarray] = None,
) -> None:
    """Draw a slice (y, x) in grey with a mask (y, x) over it and circles around points (n, 2) in voxels.

    ``voxel_size`` (Angstrom) adds a scale bar in nanometres; ``diameter_px`` is the diameter of the circles in voxels, one
    or one (n,) for each. Label n of the
    mask has the n-th of ``mask_colours``, which start again after the last one; so do ``classes`` (n,) of the points, from 0 on, with
    the colours of points. Without classes all points have the first.
    """
    image = np.asarray(slice2d, dtype=np.float32)
    low, high = np.percentile(image, percentiles)
    axes.imshow(image, cmap="gray", vmin=low, vmax=max(high, low + 1e-6), origin="lower", interpolation="nearest")
    if mask2d is not None:
        labels = np.asarray(mask2d).astype(np.int64)
        shown = np.ma.masked_where(labels == 0, (labels - 1) % len(mask_colours))
        axes.imshow(shown, cmap=ListedColormap(list(mask_colours)), vmin=-0.5, vmax=len(mask_colours) - 0.5, alpha=MASK_OPACITY,
                    origin="lower", interpolation="nearest")  # fmt: skip
    if points_yx is not None and len(points_yx):
        kinds = np.zeros(len(points_yx), np.int64) if classes is None else np.asarray(classes, np.int64) % len(POINT_COLOURS)
        sizes = np.broadcast_to(np.asarray(diameter_px, dtype=np.float64), len(points_yx))
        for kind in np.unique(kinds):
            chosen = kinds == kind
            _draw_circles(axes, np.asarray(points_yx, dtype=np.float64)[chosen], sizes[chosen], POINT_COLOURS[kind])
    if voxel_size:
        _draw_scale_bar(axes, (image.shape[0], image.shape[1]), voxel_size)
    axes.set_title(title, fontsize="small")
    axes.set_axis_off()


def _draw_circles(axes: Axes, points_yx: np.ndarray, diameters_px: np.ndarray, colour: str) -> None:
    angles = np.linspace(0, 2 * np.pi, 25)
    # one line broken by NaN is drawn in a fraction of the time of hundreds of patches
    y = points_yx[:, :1] + diameters_px[:, None] / 2 * np.append(np.sin(angles), np.nan)
    x = points_yx[:, 1:] + diameters_px[:, None] / 2 * np.append(np.cos(angles), np.nan)
    limits = axes.get_xlim(), axes.get_ylim()
    axes.plot(x.ravel(), y.ravel(), color=colour, linewidth=1.0)
    axes.set_xlim(*limits[0])
    axes.set_ylim(*limits[1])


def _draw_scale_bar(axes: Axes, shape: Tuple[int, int], voxel_size: float) -> None:
    """A white bar on a dark ground, of a round length near a fifth of the width."""
    width_nm = shape[1] * voxel_size / 10
    length_nm = min(ROUND_LENGTHS, key=lambda length: abs(length - width_nm / 5))
    length, left, bottom = length_nm * 10 / voxel_size, 0.04 * shape[1], 0.04 * shape[0]
    axes.add_patch(Rectangle((left, bottom), length, 0.015 * shape[0], facecolor="white", edgecolor="black", linewidth=0.5))
    axes.text(
        left, bottom + 0.025 * shape[0], f"{length_nm} nm", color="white", fontsize="x-small", va="bottom",
        bbox={"facecolor": "black", "alpha": 0.5, "pad": 1, "linewidth": 0},
    )  # fmt: skip


def draw_orthogonal(
    figure: Figure,
    volume: Any,
    mask: Any = None,
    points_zyx: Optional[np.ndarray] = None,
    *,
    centre: Optional[Sequence[int]] = None,
    voxel_size: Optional[float] = None,
    diameter_px: float = 8.0,
    mask_colours: Sequence[str] = (MASK_COLOUR,),
) -> None:
    """Draw the three planes of a volume (z, y, x) through ``centre`` (z, y, x; default the middle), points within a radius shown."""
    z, y, x = (int(index) for index in (centre if centre is not None else [size // 2 for size in volume.shape]))
    depth, height, width = volume.shape
    grid = figure.add_gridspec(2, 2, width_ratios=[width, depth], height_ratios=[depth, height])
    planes = [
        ((1, 0), (1, 2), 0, z, f"xy, z = {z}"),
        ((0, 0), (0, 2), 1, y, f"xz, y = {y}"),
        ((1, 1), (1, 0), 2, x, f"zy, x = {x}"),
    ]
    for (row, column), rows_columns, axis, index, title in planes:
        image, cover = plane_of(volume, axis, index), None if mask is None else plane_of(mask, axis, index)
        if rows_columns == (1, 0):
            image, cover = image.T, None if cover is None else cover.T
        draw_slice(
            figure.add_subplot(grid[row, column]), image, cover, points_near(points_zyx, axis, index, diameter_px / 2, rows_columns),
            title=title, voxel_size=voxel_size if axis == 0 else None, diameter_px=diameter_px, mask_colours=mask_colours,
        )  # fmt: skip


def plane_of(volume: Any, axis: int, index: int) -> np.ndarray:
    """A plane of a volume (z, y, x) across ``axis``, in memory; across x it touches every page of a mapped file, which are given back."""
    if axis == 0:
        plane = np.array(volume[index])
        release_pages(volume)
        return plane
    rows = []
    for window in z_slabs(volume.shape):
        slab = volume[window]
        rows.append(np.array(slab[:, index] if axis == 1 else slab[:, :, index]))
        release_pages(volume)
    return np.concatenate(rows)


def points_near(
    points_zyx: Optional[np.ndarray], axis: int, index: int, reach_px: float, rows_columns: Tuple[int, int] = (1, 2)
) -> Optional[np.ndarray]:
    """Of points (n, 3) those within ``reach_px`` voxels of a plane, as (m, 2) positions in the plane's rows and columns."""
    if points_zyx is None:
        return None
    points = np.asarray(points_zyx, dtype=np.float64).reshape(-1, 3)
    return points[np.abs(points[:, axis] - index) <= reach_px][:, list(rows_columns)]


def draw_eigenimages(figure: Figure, images: np.ndarray, record: Mapping[str, Any], canvas: Optional[np.ndarray] = None) -> None:
    """Draw the eigenimages (k, y, x) of a tile with what was merged and why, and the canvas (y, x) they gave.

    ``record`` is that of the aggregation: ``base``, ``contours``, ``diversities`` and ``rounds`` with eigenimage, SSIM, PSNR,
    contours and diversity of each merge; where eigenimages were merged by weight (``weights``) each merge also has its ``weight``.
    """
    rounds = {step["eigenimage"]: (number, step) for number, step in enumerate(record["rounds"], start=1)}
    panels = len(images) + (canvas is not None)
    columns = min(6, panels)
    grid = figure.subplots(-(-panels // columns), columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for index, image in enumerate(images):
        colour, reason = _merge_reason(index, record, rounds)
        scores = f"{index}: diversity {record['diversities'][index]:.1f}, contours {record['contours'][index]}"
        _draw_panel(grid[index], image, f"{scores}\n{reason}", colour)
    if canvas is not None:
        _draw_panel(grid[len(images)], canvas, f"canvas\n{1 + len(rounds)} eigenimages", BLUE)


def _merge_reason(index: int, record: Mapping[str, Any], rounds: Mapping[int, Tuple[int, Mapping[str, Any]]]) -> Tuple[str, str]:
    if index == record["base"]:
        return VERMILION, f"base: {_base_reason(record)}"
    if index in rounds:
        number, step = rounds[index]
        merge = f"weight {step['weight']:.2f}" if "weight" in step else f"round {number}"
        colour = GREEN if step.get("weight", 1.0) >= LEAST_WEIGHT else GREY
        return colour, f"{merge}: SSIM {step['ssim']:.2f}, PSNR {step['psnr']:.1f}"
    return GREY, "not merged"


def _base_reason(record: Mapping[str, Any]) -> str:
    if "weights" in record:
        return f"largest weight, {record['weights'][record['base']]:.2f}"
    return "fewest contours" if record.get("fell_back") else "highest diversity"


def _draw_panel(axes: Axes, image: np.ndarray, title: str, colour: str) -> None:
    axes.imshow(image, cmap="gray", origin="lower", interpolation="nearest")
    axes.set_title(title, fontsize=6, color="black" if colour != GREY else GREY)
    axes.add_patch(Rectangle((0, 0), 1, 1, transform=axes.transAxes, fill=False, edgecolor=colour, linewidth=3))


def draw_scores(axes: Axes, scores: np.ndarray, threshold: Optional[float] = None) -> None:
    """Draw how the scores (n,) of candidates are distributed, with the threshold and how many pass it."""
    scores = np.asarray(scores, dtype=np.float64)
    axes.hist(scores, bins=min(50, max(10, len(scores) // 10)), color=BLUE)
    if threshold is not None:
        axes.axvline(threshold, color=VERMILION, linestyle="--")
        axes.set_title(f"{int((scores >= threshold).sum())} of {len(scores)} at or above {threshold:.3g}", fontsize="small")
    axes.set_xlabel("score")
    axes.set_ylabel("candidates")


def draw_bars(axes: Axes, table: Mapping[str, Mapping[str, float]]) -> None:
    """Draw scores in [0, 1] as grouped bars: ``table[method][score]``; each bar carries its number, the names stand beside them."""
    names = list(dict.fromkeys(name for row in table.values() for name in row))
    width = 0.8 / max(1, len(table))
    for number, (method, row) in enumerate(table.items()):
        places = np.arange(len(names)) + (number - (len(table) - 1) / 2) * width
        bars = axes.bar(places, [row.get(name, np.nan) for name in names], width, label=method, color=SERIES[number % len(SERIES)])
        axes.bar_label(bars, fmt="%.2f", fontsize=6, padding=1)
    axes.set_xticks(np.arange(len(names)), names)
    axes.set_ylim(0, 1.05)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0)


def draw_precision_recall(axes: Axes, curves: Mapping[str, Dict[str, Sequence[float]]]) -> None:
    """Draw precision over recall: ``curves[method]`` holds ``recall`` and ``precision``, from the best score on."""
    for number, (method, curve) in enumerate(curves.items()):
        axes.plot(curve["recall"], curve["precision"], color=SERIES[number % len(SERIES)], label=method)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")


def draw_recall(axes: Axes, curves: Mapping[str, np.ndarray], counts: Sequence[int] = ()) -> None:
    """Draw the share of known particles that the best 1, 2, ... picks find; ``counts`` are marked by thin lines."""
    for number, (method, curve) in enumerate(curves.items()):
        axes.plot(np.arange(1, len(curve) + 1), curve, color=SERIES[number % len(SERIES)], label=method)
    for count in counts:
        axes.axvline(count, color=GREY, linewidth=0.8, linestyle=":")
    axes.set(xlabel="best picks", ylabel="recall", ylim=(0, 1.02), xlim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", loc="lower right")
