"""Subtomograms from files: found, paired with masks, brought to one size, bad sets refused."""
import numpy as np
import pytest
import starfile

from cryoetseg.core.runtime.errors import InputError
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.volumes.io import write_volume
from cryoetseg.core.voxuda.data import boxed, cut_warnings, read_domains, read_subtomograms


def write(folder, count=3, side=16, voxel_size=10.0, masks=True, ball=4):
    grid = np.stack(np.meshgrid(*[np.arange(side) - side // 2] * 3, indexing="ij"))
    inside = (grid**2).sum(axis=0) < ball**2
    generator = np.random.default_rng(0)
    for number in range(count):
        write_volume(folder / f"sub_{number}.mrc", (generator.normal(size=(side,) * 3) - 5 * inside).astype(np.float32), voxel_size)
        if masks:
            write_volume(folder / f"sub_{number}_mask.mrc", inside.astype(np.int8), voxel_size)
    return folder


def job(*inputs):
    return Job(method="train-voxuda", inputs=[InputFile(path=str(path), role=role) for role, path in inputs], output_folder="unused")


@pytest.fixture
def folder(tmp_path):
    return lambda name, **options: write(_made(tmp_path / name), **options)


def _made(path):
    path.mkdir()
    return path


def test_a_folder_gives_bright_standardised_volumes_with_their_masks(folder):
    found = read_subtomograms(job(("source", folder("a"))), "source", 16, 0.0)
    assert found.names == ["sub_0", "sub_1", "sub_2"]
    assert found.volumes.mean(axis=(1, 2, 3)) == pytest.approx(0, abs=1e-5)
    assert found.volumes.std(axis=(1, 2, 3)) == pytest.approx(1, abs=1e-5)
    assert found.volumes[found.masks].mean() > 1  # dark in the file


def test_whole_boxes_are_rescaled_as_published(folder):
    found = read_subtomograms(job(("target", folder("a", side=32, voxel_size=5.0, ball=12))), "target", 16, 0.0)
    assert found.voxel_size == pytest.approx(10.0)
    assert found.masks[0].sum() == pytest.approx(4 / 3 * np.pi * 6**3, rel=0.1)
    small = read_subtomograms(job(("target", folder("b", side=16, voxel_size=8.0))), "target", 32, 0.0)
    assert small.voxel_size == pytest.approx(4.0)
    assert small.masks[0].sum() == pytest.approx(8 * 4 / 3 * np.pi * 4**3, rel=0.1)


def test_boxes_that_are_cut_or_filled_are_told(folder):
    here = job(("target", folder("a", side=32, voxel_size=5.0)))
    assert cut_warnings(here, "target", 16, 10.0) == []
    assert "160 A wide, the network's 80 A: only their middles" in cut_warnings(here, "target", 16, 5.0)[0]
    assert "filled with their means" in cut_warnings(here, "target", 16, 20.0)[0]


def test_another_voxel_size_and_box_keep_the_middle_and_the_lengths(folder):
    here = folder("a", side=24, voxel_size=5.0, ball=8)
    found = read_subtomograms(job(("source", here)), "source", 16, 10.0)
    assert found.volumes.shape == (3, 16, 16, 16)
    place = np.argwhere(found.masks[0])
    assert place.mean(axis=0) == pytest.approx([7.75] * 3, abs=0.3)
    assert found.masks[0].sum() == pytest.approx(4 / 3 * np.pi * 4**3, rel=0.15)  # smoothing shrinks small balls


def test_lists_name_files_and_classes(folder):
    import pandas as pd

    here = folder("a")
    rows = pd.DataFrame({"rlnImageName": [f"sub_{number}.mrc" for number in (2, 0)], "rlnClassNumber": [7, 1]})
    starfile.write({"particles": rows}, here / "list.star")
    found = read_subtomograms(job(("target", here / "list.star")), "target", 16, 0.0)
    assert (found.names, found.classes) == (["sub_2", "sub_0"], ["7", "1"])


def test_masks_may_lie_elsewhere(folder):
    here, masks = folder("a", masks=False), folder("masks")
    for path in masks.glob("sub_?.mrc"):
        path.unlink()
    assert read_subtomograms(job(("source", here), ("source_mask", masks)), "source", 16, 0.0).masks.sum() > 0


def test_box_and_its_middle():
    volume = np.arange(125.0, dtype=np.float32).reshape(5, 5, 5)
    assert boxed(volume, 3)[1, 1, 1] == volume[2, 2, 2]
    assert boxed(boxed(volume, 8, fill=0.0), 5) == pytest.approx(volume)


@pytest.mark.parametrize(("change", "message"), [
    ("size", "differ in size"), ("voxel_size", "differ in voxel size"), ("empty", "holds no subtomograms"),
    ("no_masks", "source has no masks"),
    ("some_masks", "have no mask"), ("one", "has one subtomogram"), ("empty_masks", "masks of the source are empty")])
def test_bad_sets_are_refused_with_advice(folder, change, message):
    source, target = folder("source", masks=change != "no_masks"), folder("target", masks=False, count=1 if change == "one" else 3)
    if change in ("size", "voxel_size"):
        write_volume(target / "other.mrc", np.random.default_rng(0).normal(size=(16 if change == "voxel_size" else 18,) * 3),
                     20.0 if change == "voxel_size" else 10.0)
    for path in target.glob("*.mrc") if change == "empty" else []:
        path.unlink()
    if change == "some_masks":
        (source / "sub_1_mask.mrc").unlink()
    for number in range(3) if change == "empty_masks" else []:
        write_volume(source / f"sub_{number}_mask.mrc", np.zeros((16, 16, 16), np.int8), 10.0)
    with pytest.raises(InputError, match=message):
        read_domains(job(("source", source), ("target", target)), 16, 0.0, 0.5)
