import json
import re

import numpy as np
import pytest
import torch
from scipy import ndimage

from cryoetseg.core.foundation.eigenimages import WHITE
from cryoetseg.core.foundation.tiny import build_network, fold
from cryoetseg.core.foundation.train import save_backbone
from cryoetseg.core.methods import run_job
from cryoetseg.core.metrics.picking import match_points
from cryoetseg.core.metrics.segmentation import dice
from cryoetseg.core.particles.formats import read_particles
from cryoetseg.core.runtime.errors import InputError, ParameterError
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.volumes.io import read_volume, write_volume

SHAPE, VOXEL, ORIGIN, START, END = (24, 96, 96), 20.0, (10.0, 20.0, 30.0), 8, 16
CENTRES = np.array([[12.0, 25.0, 55.0], [12.0, 60.0, 50.0], [10.0, 40.0, 80.0], [14.0, 75.0, 75.0]])
OUTSIDE = np.array([[19.0, 80.0, 45.0]])  # beyond the slabs
WALL_X = 18
SMALL = {"z_start": START, "z_end": END, "tile_px": 128, "particle_diameter": 200.0, "particle_threshold": 2.0, "eigenvectors": 6,
         "eigenimages": 5}


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    """Random features, which still follow the grey values; only the last layer is fitted, to give the picture back."""
    torch.manual_seed(0)
    network, kept = build_network([32, 32], 3, 64), []
    handle = network.conv_out.register_forward_pre_hook(lambda module, inputs: kept.append(inputs[0]))
    tokens = fold(torch.from_numpy(ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(4, 3, 64, 64)), (0, 1, 2, 2)) * 6).float())
    with torch.no_grad():
        network(tokens, 25)
        handle.remove()
        features = torch.nn.functional.pad(kept[0], (0, 0, 0, 0, 0, 1), value=1.0)  # one for the bias
        fitted = torch.linalg.lstsq(features.movedim(1, -1).flatten(0, 2), tokens.movedim(1, -1).flatten(0, 2)).solution
        network.conv_out.weight.zero_()[:, :, 1, 1] = fitted[:-1].T
        network.conv_out.bias.copy_(fitted[-1])
    folder = tmp_path_factory.mktemp("backbone") / "random"
    save_backbone(folder, network, {"name": "random"})
    return str(folder)


@pytest.fixture(scope="module")
def tomogram(tmp_path_factory):
    """A wall and balls, dark on bright, with little noise."""
    z, y, x = np.indices(SHAPE).astype(np.float32)
    bright = np.exp(-((x - WALL_X) ** 2) / (2 * 1.5**2))
    for centre in [*CENTRES, *OUTSIDE]:
        distance = np.sqrt((z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2)
        bright += 1.2 * np.exp(-((distance / 5) ** 4))
    path = tmp_path_factory.mktemp("tomogram") / "TS_01.mrc"
    noise = 0.1 * np.random.default_rng(0).standard_normal(SHAPE)
    write_volume(path, (-bright + noise).astype(np.float32), VOXEL, ORIGIN)
    return str(path)


def job(tomogram, backbone, folder, seed=0, **changes):
    inputs = [InputFile(path=tomogram, contrast="dark")]
    return Job(method="segment-slabs", parameters={**SMALL, "backbone": backbone, **changes}, inputs=inputs, output_folder=str(folder),
               seed=seed, device="cpu")


@pytest.fixture(scope="module")
def segmented(tomogram, backbone, tmp_path_factory):
    folder = tmp_path_factory.mktemp("segmented")
    return folder, run_job(job(tomogram, backbone, folder))


def bytes_of(folder):
    """Every file a method wrote; of STAR files without the comment in which their writer notes the time."""
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in {"job.json", "result.json"}}
    return {name: re.sub(rb"^#.*\n", b"", content) if name.endswith(".star") else content for name, content in files.items()}


def test_the_mask_lies_on_the_tomogram_and_is_empty_outside_the_slabs(segmented):
    mask, header = read_volume(segmented[0] / "TS_01_membranes.mrc")
    assert header.shape == SHAPE
    assert header.dtype == np.int8
    assert header.voxel_size == pytest.approx(VOXEL)
    assert header.origin == pytest.approx(ORIGIN)
    assert set(np.unique(mask)) == {0, 1}
    assert mask[START:END].any()
    assert not mask[:START].any()
    assert not mask[END:].any()


def test_the_wall_is_membrane_and_the_balls_are_not(segmented):
    mask, _ = read_volume(segmented[0] / "TS_01_membranes.mrc")
    assert mask[START:END, 6:-6, WALL_X].mean() > 0.95
    assert mask[:, :, WALL_X + 8:].sum() == 0


def test_the_balls_within_the_slabs_are_the_particles(segmented):
    particles = read_particles(segmented[0] / "TS_01_particles.star")
    assert particles.zyx[:, 0].min() >= START
    assert particles.zyx[:, 0].max() < END
    assert particles.voxel_size == pytest.approx(VOXEL)
    assert particles.tilt_series_ids() == ["TS_01"]
    assert len(match_points(particles.zyx, CENTRES, 1.0).distance) == len(CENTRES)
    assert len(particles) == len(CENTRES)
    assert (np.diff(particles.score) <= 0).all()


def test_eigenimages_come_with_their_records(segmented):
    with np.load(segmented[0] / "TS_01_eigenimages.npz") as shown:
        records = json.loads(str(shown["records"]))
        assert shown["z"].tolist() == sorted(shown["z"].tolist())
        assert shown["z"][0] == START
        assert shown["z"][-1] == END - 1
        assert len(records) == len(shown["z"]) == len(shown["eigenimages"]) == len(shown["canvases"])
        assert shown["canvases"].shape[1:] == SHAPE[1:]
        assert shown["canvases"].dtype == shown["eigenimages"].dtype == np.uint8
    assert all(len(record["rounds"]) + 1 == len(record["weights"]) for record in records)


def test_the_result_names_what_was_made_and_measured(segmented):
    folder, result = segmented
    assert {output.kind for output in result.outputs} == {"membrane_mask", "particles", "eigenimages"}
    assert all((folder / output.path).is_file() and output.voxel_size == pytest.approx(VOXEL) for output in result.outputs)
    assert result.metrics["slabs"] == END - START
    assert result.metrics["particles"] == len(CENTRES)
    assert 0.02 < result.metrics["membrane_fraction"] < 0.2
    assert result.warnings == []


def test_same_seed_same_bytes(segmented, tomogram, backbone, tmp_path):
    run_job(job(tomogram, backbone, tmp_path))
    assert bytes_of(tmp_path) == bytes_of(segmented[0])


def test_inverted_contrast_told_so_gives_the_same(segmented, tomogram, backbone, tmp_path):
    dark, _ = read_volume(tomogram)
    write_volume(tmp_path / "TS_01.mrc", -dark, VOXEL, ORIGIN)
    turned = job(str(tmp_path / "TS_01.mrc"), backbone, tmp_path / "out")
    turned.inputs[0].contrast = "bright"
    run_job(turned)
    mask, expected = (read_volume(folder / "TS_01_membranes.mrc")[0] for folder in (tmp_path / "out", segmented[0]))
    assert dice(mask > 0, expected > 0) > 0.99  # grey values are rounded on the other side of zero
    found, particles = (read_particles(folder / "TS_01_particles.star").zyx for folder in (tmp_path / "out", segmented[0]))
    np.testing.assert_allclose(found, particles, atol=1.0)


@pytest.mark.parametrize(("start", "end"), [(30, 0), (4, 25), (9, 9)])
def test_slabs_outside_the_tomogram_are_refused_and_earlier_results_stay(tomogram, backbone, tmp_path, segmented, start, end):
    (tmp_path / "TS_01_membranes.mrc").write_bytes(b"earlier")
    (tmp_path / "result.json").write_bytes((segmented[0] / "result.json").read_bytes())
    with pytest.raises(ParameterError, match="24 slices"):
        run_job(job(tomogram, backbone, tmp_path, z_start=start, z_end=end))
    assert bytes_of(tmp_path) == {"TS_01_membranes.mrc": b"earlier"}
    assert (tmp_path / "result.json").read_bytes() == (segmented[0] / "result.json").read_bytes()


@pytest.mark.parametrize("count", [0, 2])
def test_one_tomogram_makes_one_job(tomogram, backbone, tmp_path, count):
    wrong = job(tomogram, backbone, tmp_path)
    wrong.inputs = wrong.inputs * count
    with pytest.raises(InputError, match=f"{count} tomograms"):
        run_job(wrong)


@pytest.mark.parametrize("solver", ["joint", "eigen"])
def test_solvers_find_the_balls_of_fewer_slabs(tomogram, backbone, tmp_path, solver):
    run_job(job(tomogram, backbone, tmp_path, solver=solver, z_start=11, z_end=14))
    particles = read_particles(tmp_path / "TS_01_particles.star")
    assert len(match_points(particles.zyx, CENTRES[:2], 1.0).distance) == 2
    assert set(particles.zyx[:, 0]) <= {11, 12, 13}


@pytest.mark.parametrize("step", [2, 4])
def test_skipped_slices_take_nothing_from_particles_and_membranes(tomogram, backbone, tmp_path, step):
    run_job(job(tomogram, backbone, tmp_path, z_step=step))
    found = read_particles(tmp_path / "TS_01_particles.star").zyx
    last = START + (END - START - 1) // step * step
    inside = CENTRES[CENTRES[:, 0] <= last]
    assert len(match_points(found, inside, 2.5).distance) == len(inside)
    on_wall = np.abs(found[:, 2] - WALL_X) <= 2  # two slabs of the wall, four slices apart, may leave a piece that looks like a body
    assert on_wall.sum() <= (step == 4)
    assert (~on_wall).sum() == len(inside)
    mask, _ = read_volume(tmp_path / "TS_01_membranes.mrc")
    assert mask[START:last + 1, 6:-6, WALL_X].mean() > (0.85 if step == 4 else 0.9)
    assert not mask[last + 1:].any()


def test_affinities_alone_take_the_eigen_solver_but_not_the_joint_one(tomogram, sd_folder, tmp_path):
    few = {"z_start": 12, "z_end": 14}
    run_job(job(tomogram, str(sd_folder), tmp_path / "eigen", solver="eigen", **few))
    run_job(job(tomogram, str(sd_folder), tmp_path / "auto", solver="auto", **few))
    assert bytes_of(tmp_path / "auto") == bytes_of(tmp_path / "eigen")
    with pytest.raises(ParameterError, match="joint"):
        run_job(job(tomogram, str(sd_folder), tmp_path / "joint", solver="joint", **few))
    assert not list((tmp_path / "joint").glob("TS_01*"))


def test_the_slices_that_hold_the_sample_are_found_and_told(backbone, tmp_path):
    generator, points = np.random.default_rng(0), np.zeros((40, 64, 64))
    points[tuple(generator.integers((16, 0, 0), (24, 64, 64), (40, 3)).T)] = 1
    grey = generator.normal(0, 1, points.shape) - 60 * ndimage.gaussian_filter(points, 2)
    write_volume(tmp_path / "a.mrc", grey.astype(np.float32), VOXEL)
    result = run_job(job(str(tmp_path / "a.mrc"), backbone, tmp_path / "out", z_auto=True, z_step=4))
    first, last = (int(part) for part in result.metrics["slices"].split(":"))
    assert 8 <= first <= 16
    assert 24 <= last <= 32
    assert result.metrics["slabs"] <= (last - first + 3) // 4
    assert not result.warnings or "told apart" not in " ".join(result.warnings)


def test_a_border_changes_nothing_of_what_is_found_inside_it(tomogram, segmented, backbone, tmp_path):
    whole, header = read_volume(tomogram)
    wide = np.full((SHAPE[0], SHAPE[1] + 34, SHAPE[2] + 20), -9.0, np.float32)
    wide[:, 14:-20, 6:-14] = whole
    write_volume(tmp_path / "TS_01.mrc", wide, VOXEL, header.origin)
    run_job(job(str(tmp_path / "TS_01.mrc"), backbone, tmp_path / "out"))
    inner, wider = slice(1, -1), (slice(15, -21), slice(7, -15))  # the voxel beside a border is not trusted
    found, before = (read_volume(folder / "TS_01_membranes.mrc")[0] for folder in (tmp_path / "out", segmented[0]))
    assert found.shape == wide.shape
    assert found.sum() == found[:, wider[0], wider[1]].sum() > 0
    assert dice(found[:, wider[0], wider[1]] > 0, before[:, inner, inner] > 0) > 0.9
    points, expected = (read_particles(folder / "TS_01_particles.star").zyx for folder in (tmp_path / "out", segmented[0]))
    assert len(match_points(points, expected + np.array([0, 14, 6]), 2.0).distance) == len(expected) == len(points)
    shown = np.load(tmp_path / "out" / "TS_01_eigenimages.npz")
    assert shown["canvases"].shape[1:] == wide.shape[1:]
    assert (shown["canvases"][:, :14] == WHITE).all()  # nothing dense is shown where there is no sample


def test_nothing_found_is_said(tomogram, backbone, tmp_path):
    result = run_job(job(tomogram, backbone, tmp_path, particle_threshold=50.0, membrane_extent=100000.0, z_start=12, z_end=13))
    assert len(read_particles(tmp_path / "TS_01_particles.star")) == 0
    assert any("membrane_threshold" in warning for warning in result.warnings)
    assert any("particle_diameter" in warning for warning in result.warnings)


def test_a_very_small_tomogram_runs_and_a_smaller_one_is_refused(backbone, tmp_path):
    generator = np.random.default_rng(0)
    for name, shape in (("small", (3, 40, 12)), ("smaller", (3, 40, 6))):
        write_volume(tmp_path / f"{name}.mrc", generator.normal(size=shape).astype(np.float32), VOXEL)
    result = run_job(job(str(tmp_path / "small.mrc"), backbone, tmp_path / "small", z_start=0, z_end=3))
    assert result.metrics["slabs"] == 3
    with pytest.raises(InputError, match="at least 8"):
        run_job(job(str(tmp_path / "smaller.mrc"), backbone, tmp_path / "smaller", z_start=0, z_end=3))
