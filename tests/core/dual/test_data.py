"""The two domains: contrast, scale, voxel size, patches."""
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from cryoetseg.core.dual.data import Domain, Place, StandardisedView, coarseness_warnings, contrast_warnings, held_apart, open_domain
from cryoetseg.core.dual.patches import Patches
from cryoetseg.core.dual.wedge_train import TurnedView
from cryoetseg.core.runtime.errors import InputError
from cryoetseg.core.runtime.job import InputFile
from cryoetseg.core.training import resident
from cryoetseg.core.volumes.io import write_volume
from cryoetseg.core.volumes.resampling import resample


def noise(shape=(20, 24, 28), seed=0):
    return np.random.default_rng(seed).normal(3.0, 2.0, shape).astype(np.float32)


@pytest.mark.parametrize("contrast", ["dark", "bright"])
def test_views_are_standard_and_bright_and_lead_back(contrast):
    volume = noise()
    view = StandardisedView(volume, contrast)
    whole = view[:, :, :]
    assert abs(whole.mean()) < 1e-4
    assert whole.std() == pytest.approx(1, abs=1e-4)
    assert np.corrcoef(whole.ravel(), volume.ravel())[0, 1] == pytest.approx(1 if contrast == "bright" else -1)
    np.testing.assert_allclose(view.restored(whole), volume, atol=1e-4)


def test_patches_of_grid_and_random_places():
    volume = noise((33, 48, 64))
    domain = Domain([StandardisedView(volume, "bright")], 16)
    assert len(domain) == 2 * 3 * 4
    assert domain.grid_place(len(domain) - 1).corner == (16, 32, 48)
    generator = np.random.default_rng(0)
    places = [domain.random_place(generator) for _ in range(50)]
    assert {place.turned for place in places} == {True, False}
    assert all(0 <= first <= side - 16 for place in places for first, side in zip(place.corner, volume.shape))
    straight, turned = (domain.cut(Place(0, (1, 2, 3), half)) for half in (False, True))
    assert straight.shape == (1, 16, 16, 16)
    np.testing.assert_array_equal(turned, straight[:, ::-1, :, ::-1])  # half a turn about y


def test_other_voxel_sizes_are_resampled(tmp_path):
    write_volume(tmp_path / "fine.mrc", gaussian_filter(noise((40, 40, 40)), 2), 5.0)
    write_volume(tmp_path / "right.mrc", noise((20, 20, 20)), 10.0)
    files = [InputFile(path=str(tmp_path / name), role="noisy") for name in ("fine.mrc", "right.mrc")]
    domain = open_domain(files, 16, 10.0, tmp_path / "resampled")
    assert [view.shape for view in domain.views] == [(20, 20, 20)] * 2


def test_inputs_of_one_name_keep_their_own_resampled_copies(tmp_path):
    volumes = [gaussian_filter(noise((40, 40, 40), seed), 2) for seed in (0, 1)]
    files = []
    for folder, volume in zip(("a", "b"), volumes):
        (tmp_path / folder).mkdir()
        write_volume(tmp_path / folder / "tomo.mrc", volume, 5.0)
        files.append(InputFile(path=str(tmp_path / folder / "tomo.mrc"), role="noisy"))
    for _ in range(2):  # the second time from the copies
        views = open_domain(files, 16, 10.0, tmp_path / "resampled").views
        for view, volume in zip(views, volumes):
            assert np.corrcoef(np.array(view.volume).ravel(), resample(volume, 5.0, 10.0).ravel())[0, 1] > 0.999


def test_volumes_much_coarser_than_the_model_are_told(tmp_path):
    for name, voxel_size in (("coarse", 30.0), ("like", 10.5)):
        write_volume(tmp_path / f"{name}.mrc", noise(), voxel_size)
    files = [InputFile(path=str(tmp_path / f"{name}.mrc"), role="noisy") for name in ("coarse", "like")]
    (line,) = coarseness_warnings(files, 10.0)
    assert "coarse.mrc" in line
    assert "27 for each" in line


def test_a_resampled_copy_is_made_anew_for_another_source_and_where_it_is_damaged(tmp_path):
    source, folder = tmp_path / "fine.mrc", tmp_path / "resampled"

    def copy(seed):
        write_volume(source, gaussian_filter(noise((40, 40, 40), seed), 2), 5.0)
        open_domain([InputFile(path=str(source), role="noisy")], 16, 10.0, folder)
        return folder / "noisy_001_fine_10A.mrc"

    first = copy(0).read_bytes()
    kept = copy(0).stat().st_mtime_ns
    assert copy(0).stat().st_mtime_ns == kept  # the same is not made again
    second = copy(1).read_bytes()
    assert second != first
    copy(1).write_bytes(second[:-4] + b"\0\0\0\0")
    assert copy(1).read_bytes() == second


def test_bad_volumes_are_told(tmp_path):
    write_volume(tmp_path / "small.mrc", noise((12, 40, 40)), 10.0)
    write_volume(tmp_path / "flat.mrc", np.ones((20, 20, 20), np.float32), 10.0)
    with pytest.raises(InputError, match=r"small\.mrc has \(12, 40, 40\) voxels"):
        open_domain([InputFile(path=str(tmp_path / "small.mrc"))], 16, 10.0, tmp_path)
    with pytest.raises(InputError, match="every voxel has the value 1"):
        open_domain([InputFile(path=str(tmp_path / "flat.mrc"))], 16, 10.0, tmp_path)
    with pytest.raises(InputError, match="constant"):
        StandardisedView(np.ones((4, 4, 4)), "dark")


def test_a_mask_is_no_tomogram_but_may_be_a_density(tmp_path):
    mask = np.zeros((16, 16, 16), np.int8)
    mask[:, 6:10] = 1
    write_volume(tmp_path / "mask.mrc", mask, 10.0)
    for role in ("noisy", "clean"):
        files = [InputFile(path=str(tmp_path / "mask.mrc"), role=role)]
        if role == "clean":
            assert len(open_domain(files, 16, 10.0, tmp_path).views) == 1
            continue
        with pytest.raises(InputError, match="as in a mask"):
            open_domain(files, 16, 10.0, tmp_path)


def test_wrongly_told_contrast_is_noticed(domains):
    noisy, clean = domains
    assert contrast_warnings(clean, ["a", "b"]) == []
    inverted = Domain([StandardisedView(view.volume, "dark") for view in clean.views], 16)
    assert "check which contrast" in contrast_warnings(inverted, ["a", "b"])[0]
    assert contrast_warnings(noisy, ["a", "b"]) == []


def test_what_judges_is_apart_from_what_is_learned():
    volumes = [np.arange(16 * side * 18, dtype=np.float32).reshape(16, side, 18) for side in (40, 200, 24)]
    domain = Domain([StandardisedView(volume, "bright") for volume in volumes], 16)
    learned, judged = held_apart(domain)
    assert [view.shape[1] for view in learned.views] == [24, 180, 24]  # a patch, a tenth, nothing of the one that is too short
    assert [view.shape[1] for view in judged.views] == [16, 20]
    for number, (view, part) in enumerate(zip(judged.views, learned.views)):
        whole = domain.views[number][:]
        np.testing.assert_array_equal(np.concatenate([part[:], view[:]], axis=1), whole)
        np.testing.assert_array_equal(view[2:5, 3:9, 4:6], whole[2:5, part.shape[1] + 3:part.shape[1] + 9, 4:6])
    short = Domain([StandardisedView(volumes[2], "bright")], 16)
    assert held_apart(short) == (short, short)


def test_patches_read_by_their_places_are_those_cut_bit_for_bit(monkeypatch):
    views = [StandardisedView(noise((20, 48, 28), 1), "dark"), StandardisedView(noise((24, 20, 30), 2), "bright")]
    learned, _ = held_apart(Domain(views, 16))
    domains = {"noisy": learned, "turned": Domain([TurnedView(view) for view in learned.views], 16)}
    generator = np.random.default_rng(0)
    drawn = [{name: domain.random_place(generator) for name, domain in domains.items()} for _ in range(12)]
    kept = Patches(**domains)
    monkeypatch.setattr(resident, "MOST_BYTES", 1000)
    streamed = Patches(**domains)
    assert kept.fit
    assert not streamed.fit
    for patches in (kept, streamed):
        places = [patches.place(one) for one in drawn]
        batch = patches.gather({name: torch.from_numpy(np.stack([place[name] for place in places])) for name in domains})
        for number, one in enumerate(drawn):
            assert all(np.array_equal(batch[name][number], domains[name].cut(one[name])) for name in domains)
