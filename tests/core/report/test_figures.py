"""Figures show what they are given: checked on the pixels and on the artists, not on pictures of the past."""

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.image import imread

from cryoetseg.core.report import figures
from cryoetseg.core.runtime.errors import OutputError


@pytest.fixture
def axes():
    return figures.new_figure(3, 3).subplots()


def pixels(axes):
    axes.figure.canvas.draw()
    return np.asarray(axes.figure.canvas.buffer_rgba())[..., :3].astype(int)


def circle_centres(axes):
    """Middle of each circle in data coordinates (y, x)."""
    x, y = axes.lines[0].get_data()
    gaps = np.flatnonzero(np.isnan(x))
    starts = np.concatenate([[0], gaps[:-1] + 1])
    return np.array([[y[a:b].min() + y[a:b].max(), x[a:b].min() + x[a:b].max()] for a, b in zip(starts, gaps)]) / 2


def test_mask_and_points_are_where_they_belong(axes):
    mask = np.zeros((32, 64), bool)
    mask[24:, :] = True
    figures.draw_slice(axes, np.random.default_rng(0).normal(size=(32, 64)), mask, np.array([[5.0, 50.0], [10.0, 20.0]]))
    shown = pixels(axes)
    coloured = np.abs(shown[..., 0] - shown[..., 2]) > 40
    assert coloured[: shown.shape[0] // 2].sum() > 5 * coloured[shown.shape[0] // 2 :].sum()  # rows count from the bottom
    assert np.allclose(circle_centres(axes), [[5, 50], [10, 20]], atol=0.1)


def test_each_class_of_points_has_its_colour(axes):
    points = np.array([[5.0, 5.0], [5.0, 20.0], [20.0, 5.0]])
    figures.draw_slice(axes, np.zeros((32, 32)), None, points, classes=np.array([0, 1, 0]))
    assert [line.get_color() for line in axes.lines] == list(figures.POINT_COLOURS[:2])
    assert [int(np.isnan(line.get_xdata()).sum()) for line in axes.lines] == [2, 1]  # circles


def test_a_hot_voxel_does_not_take_the_contrast(axes):
    image = np.random.default_rng(0).normal(size=(64, 64))
    image[3, 3] = 1e6
    figures.draw_slice(axes, image)
    assert axes.images[0].get_clim()[1] < 5


def test_a_constant_slice_is_drawn(axes):
    figures.draw_slice(axes, np.zeros((8, 8)), np.zeros((8, 8)), np.zeros((0, 2)), voxel_size=10.0)
    low, high = axes.images[0].get_clim()
    assert low < high  # equal limits divide by zero
    assert pixels(axes).size


@pytest.mark.parametrize(("width", "voxel_size"), [(256, 31.36), (960, 13.48), (64, 10.0), (4096, 2.0)])
def test_the_scale_bar_has_the_length_it_names(axes, width, voxel_size):
    figures.draw_slice(axes, np.zeros((32, width)), voxel_size=voxel_size)
    nanometres = float(axes.texts[0].get_text().removesuffix(" nm"))
    assert axes.patches[0].get_width() * voxel_size / 10 == pytest.approx(nanometres)
    assert 0.05 * width < axes.patches[0].get_width() < 0.45 * width


def test_no_scale_bar_where_the_voxel_size_is_not_known(axes):
    figures.draw_slice(axes, np.zeros((8, 8)))
    assert not axes.patches


def test_orthogonal_planes_show_their_own_points():
    volume = np.random.default_rng(1).normal(size=(16, 24, 32)).astype(np.float32)
    figure = figures.new_figure(5, 5)
    figures.draw_orthogonal(figure, volume, volume > 1, np.array([[4.0, 5.0, 6.0]]), centre=(4, 20, 6), diameter_px=4)
    panels = {axes.get_title(): axes for axes in figure.axes}
    assert np.allclose(circle_centres(panels["xy, z = 4"]), [[5, 6]], atol=0.05)
    assert np.allclose(circle_centres(panels["zy, x = 6"]), [[5, 4]], atol=0.05)
    assert not panels["xz, y = 20"].lines
    assert panels["zy, x = 6"].images[0].get_array().shape == (24, 16)


def test_points_near_a_plane():
    points = np.array([[5.0, 1, 2], [7.9, 3, 4], [8.1, 5, 6]])
    assert figures.points_near(points, 0, 6, 2.0).tolist() == [[1, 2], [3, 4]]
    assert figures.points_near(None, 0, 6, 2.0) is None


def test_eigenimages_tell_what_was_merged_and_why():
    record = {
        "base": 1, "fell_back": False, "contours": [3, 4, 12], "diversities": [10.0, 20.0, 5.0],
        "rounds": [{"eigenimage": 0, "ssim": 0.51, "psnr": 13.2, "contours": 4, "diversity": 21.0}],
    }  # fmt: skip
    figure = figures.new_figure(6, 3)
    figures.draw_eigenimages(figure, np.random.default_rng(0).random((3, 8, 8)), record, np.zeros((8, 8)))
    titles = [axes.get_title() for axes in figure.axes]
    assert "round 1: SSIM 0.51, PSNR 13.2" in titles[0]
    assert "base: highest diversity" in titles[1]
    assert titles[2] == "2: diversity 5.0, contours 12\nnot merged"
    assert titles[3] == "canvas\n2 eigenimages"


def test_eigenimages_merged_by_weight_tell_their_weight():
    record = {
        "base": 0, "fell_back": False, "contours": [3, 4], "diversities": [10.0, 20.0], "weights": [0.7, 0.3],
        "rounds": [{"eigenimage": 1, "weight": 0.3, "ssim": 0.51, "psnr": 13.2, "contours": 4, "diversity": 21.0}],
    }  # fmt: skip
    figure = figures.new_figure(6, 3)
    figures.draw_eigenimages(figure, np.random.default_rng(0).random((2, 8, 8)), record)
    titles = [axes.get_title() for axes in figure.axes]
    assert "diversity 10.0, contours 3\nbase: largest weight, 0.70" in titles[0]
    assert titles[1] == "1: diversity 20.0, contours 4\nweight 0.30: SSIM 0.51, PSNR 13.2"


def test_scores_count_what_passes(axes):
    figures.draw_scores(axes, np.array([0.1, 0.5, 0.9]), 0.5)
    assert axes.get_title() == "2 of 3 at or above 0.5"


def test_bars_carry_their_numbers(axes):
    figures.draw_bars(axes, {"ours": {"Dice": 0.71, "F1": 0.5}, "baseline": {"Dice": 0.3}})
    assert {"0.71", "0.50", "0.30"} <= {text.get_text() for text in axes.texts}


def test_precision_recall_curves_are_named(axes):
    figures.draw_precision_recall(axes, {"ours": {"recall": [0, 1], "precision": [1, 0.5]}})
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["ours"]


def test_a_saved_figure_can_be_read(tmp_path, axes):
    figures.draw_slice(axes, np.random.default_rng(0).normal(size=(8, 8)))
    path = figures.save_figure(tmp_path / "new" / "figure.png", axes.figure)
    assert imread(path).shape[:2] == (450, 450)


def test_a_figure_that_cannot_be_saved_is_an_output_error(tmp_path, axes):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError):
        figures.save_figure(tmp_path / "file" / "figure.png", axes.figure)


def test_viewers_need_neither_torch_nor_a_display():
    program = "import sys, cryoetseg.core.report.figures; print({'torch', 'matplotlib.pyplot', 'tkinter'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip() == "set()"


def test_every_label_of_a_mask_has_its_own_colour():
    from cryoetseg.core.report.figures import SERIES, draw_slice, new_figure

    labels = np.zeros((12, 12), np.int8)
    labels[:4], labels[8:] = 1, 3
    seen = []
    for colours in (SERIES, SERIES[:1]):
        figure = new_figure(2, 2)
        draw_slice(figure.add_subplot(), np.random.default_rng(0).standard_normal((12, 12)), labels, mask_colours=colours)
        cover = figure.axes[0].images[1]
        shown = cover.to_rgba(cover.get_array())[[1, 6, 10], 5]
        assert shown[1, 3] == 0  # no label, nothing drawn
        seen.append(np.allclose(shown[0], shown[2]))
    assert seen == [False, True]


def test_the_names_of_bars_cover_none_of_them():
    axes = figures.new_figure(8, 3.5).subplots()
    figures.draw_bars(axes, {method: {"Dice": 1.0, "F1": 1.0} for method in ("ours", "Gaussian + Otsu", "DoG, best count")})
    axes.figure.canvas.draw()
    legend = axes.get_legend().get_window_extent()
    assert not any(legend.overlaps(bar.get_window_extent()) for bar in axes.patches)
    assert legend.x1 <= axes.figure.bbox.x1  # nor is it cut off


def test_recall_rises_with_every_pick_from_the_first(axes):
    figures.draw_recall(axes, {"ours": np.array([0.5, 0.5, 1.0])}, counts=(2,))
    x, y = axes.lines[0].get_data()
    assert list(x) == [1, 2, 3]
    assert list(y) == [0.5, 0.5, 1.0]
    assert list(axes.lines[1].get_xdata()) == [2, 2]
