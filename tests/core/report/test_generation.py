"""Figures of generated particles from files as the jobs write them."""
import json

import numpy as np

from cryoetseg.core.report.figures import new_figure
from cryoetseg.core.report.generation import draw_montage, draw_spectra, middle_planes
from cryoetseg.core.report.illustrate_generation import draw_generated, draw_scores
from cryoetseg.core.runtime.job import Output, Result
from cryoetseg.core.volumes.io import write_volume

CUBES = np.random.default_rng(0).standard_normal((2, 8, 8, 8)).astype(np.float32)


def result_of(folder, outputs):
    return Result(method="", job={"output_folder": str(folder)}, outputs=outputs, metrics={}, seconds=0, peak_memory_bytes=0, device="cpu",
                  versions={}, sha256={}, command=[])


def test_planes_are_those_through_the_middle():
    cube = CUBES[0]
    xy, xz, yz = middle_planes(cube)
    assert (xy[1, 2], xz[1, 2], yz[1, 2]) == (cube[4, 1, 2], cube[1, 4, 2], cube[1, 2, 4])


def test_a_montage_has_three_planes_of_each_cube_dark():
    figure = new_figure(4, 3)
    draw_montage(figure, ["a", "b"], {"generated": CUBES, "real": CUBES[::-1]})
    assert len(figure.axes) == 12
    np.testing.assert_array_equal(figure.axes[6].images[0].get_array(), -CUBES[1, 4])


def test_spectra_stand_beside_the_real_ones_at_their_frequencies():
    figure = new_figure(4, 3)
    draw_spectra(figure, {"a": ([3.0, 2.0], [4.0, 1.0]), "b": ([1.0, 1.0], None)}, 10.0)
    lines = {line.get_label(): line.get_data() for line in figure.axes[0].lines}
    np.testing.assert_allclose(lines["generated"], [[0.025, 0.05], [3, 2]])
    np.testing.assert_allclose(lines["real"][1], [4, 1])
    assert len(figure.axes[1].lines) == 1


def test_the_figures_of_both_jobs_are_drawn_from_their_files(tmp_path):
    rows = []
    for number, (cube, name) in enumerate(zip(CUBES, ["a", "b"])):
        write_volume(tmp_path / f"{number}.mrc", cube, 10.0)
        rows.append({"file": f"{number}.mrc", "class": name})
    (tmp_path / "list.json").write_text(json.dumps({"contrast": "dark", "subtomograms": rows}))
    assert draw_generated(result_of(tmp_path, [Output(kind="report", path="list.json")]), tmp_path) == ["montage.png"]
    row = {"power": [1, 1, 1, 1], "power_real": [1, 2, 1, 1], "profile": [0, 1], "profile_real": [1, 0]}
    scores = {"voxel_size": 10.0, "by_class": {"a": row, "b": row}, "hollow_class": "a"}
    (tmp_path / "scores.json").write_text(json.dumps(scores))
    np.savez(tmp_path / "means.npz", classes=np.array(["a", "b"]), mean=CUBES, mean_real=CUBES, example=CUBES, example_real=CUBES)
    outputs = [Output(kind="report", path="scores.json"), Output(kind="means", path="means.npz")]
    assert draw_scores(result_of(tmp_path, outputs), tmp_path) == ["montage.png", "spectra.png", "profile.png"]
    assert all((tmp_path / name).stat().st_size > 1000 for name in ("montage.png", "spectra.png", "profile.png"))
