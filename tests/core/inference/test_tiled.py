"""Tiled processing gives back what went in, for every tiling; memory stays bounded; running out of memory is survived."""
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from cryoetseg.core.inference.memory import is_out_of_memory
from cryoetseg.core.inference.network import network_function, slice_network_function
from cryoetseg.core.inference.tiled import apply_tiled
from cryoetseg.core.runtime.errors import MemoryLimitError, ParameterError
from cryoetseg.core.volumes import io


def identity(tiles):
    return tiles


def random_volume(shape, dtype="float32", seed=0):
    return (np.random.default_rng(seed).normal(size=shape) * 30 + 60).clip(0, 120).astype(dtype)


SHAPES = st.tuples(*[st.integers(1, 14)] * 3)
TILES = st.tuples(*[st.integers(1, 9)] * 3)
OVERLAPS = st.tuples(*[st.integers(0, 8)] * 3)
BORDERS = st.sampled_from(["inside", "reflect", "zero"])


@settings(max_examples=50, deadline=None)
@given(SHAPES, TILES, OVERLAPS, BORDERS, st.integers(1, 5), st.sampled_from(["int8", "uint8", "int16", "uint16", "float16", "float32"]))
def test_crop_gives_the_same_bits(shape, tile, overlap, border, batch, dtype):
    volume, overlap = random_volume(shape, dtype), [min(o, t - 1) for o, t in zip(overlap, tile)]
    target = np.zeros_like(volume)
    apply_tiled(identity, volume, target, tile, overlap, batch, "crop", border=border)
    np.testing.assert_array_equal(target, volume)


@settings(max_examples=50, deadline=None)
@given(SHAPES, TILES, OVERLAPS, BORDERS, st.integers(1, 5), st.sampled_from(["cosine", "gaussian"]))
def test_blending_gives_the_same_values(shape, tile, overlap, border, batch, blending):
    volume, overlap = random_volume(shape) / 120, [min(o, t - 1) for o, t in zip(overlap, tile)]
    target = np.full_like(volume, np.nan)
    apply_tiled(identity, volume, target, tile, overlap, batch, blending, border=border)
    np.testing.assert_allclose(target, volume, atol=1e-6)


@pytest.mark.parametrize("blending", ["crop", "cosine", "gaussian"])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16"])
def test_integer_targets_are_exact(blending, dtype):
    volume = random_volume((13, 17, 19), dtype)
    target = np.zeros_like(volume)
    apply_tiled(identity, volume, target, 8, 3, 2, blending)
    np.testing.assert_array_equal(target, volume)


def test_integer_targets_round_and_clip():
    target = np.zeros((2, 2, 2), np.int8)
    apply_tiled(lambda tiles: tiles * 0 + 127.6, np.zeros((2, 2, 2)), target, 2, 0)
    assert (target == 127).all()
    apply_tiled(lambda tiles: tiles * 0 - 1.6, np.zeros((2, 2, 2)), target, 2, 0)
    assert (target == -2).all()


@pytest.mark.parametrize("blending", ["crop", "cosine"])
def test_several_channels(blending):
    volume = random_volume((11, 12, 13))
    target = np.zeros((3, 11, 12, 13), np.float32)
    apply_tiled(lambda t: np.stack([t, -t, 2 * t], axis=1), volume, target, (5, 6, 7), 2, 3, blending)
    np.testing.assert_allclose(target, np.stack([volume, -volume, 2 * volume]), rtol=1e-6)


@pytest.mark.parametrize("blending", ["crop", "cosine"])
def test_finish_makes_labels_of_blended_channels(blending):
    volume = random_volume((11, 12, 13))
    target = np.zeros(volume.shape, np.uint8)
    apply_tiled(lambda t: np.stack([60 - t, t - 60], axis=1), volume, target, 6, 2, 2, blending, finish=lambda block: block.argmax(0))
    np.testing.assert_array_equal(target, volume > 60)


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_result_does_not_depend_on_the_batch(batch):
    volume, reference, target = random_volume((12, 14, 16)), np.zeros((12, 14, 16), "f4"), np.zeros((12, 14, 16), "f4")
    apply_tiled(np.sqrt, volume, reference, 6, 2, 1, "cosine")
    apply_tiled(np.sqrt, volume, target, 6, 2, batch, "cosine")
    np.testing.assert_array_equal(target, reference)


def smoothed(tiles):
    return np.stack([ndimage.uniform_filter(tile, 5, mode="reflect") for tile in tiles])


def test_enough_overlap_makes_a_filter_exact():
    """Crop blending with an overlap of twice the reach of the filter equals the filter on the whole volume."""
    volume = random_volume((24, 26, 28))
    target = np.zeros_like(volume)
    apply_tiled(smoothed, volume, target, 12, 4)
    np.testing.assert_allclose(target, ndimage.uniform_filter(volume, 5, mode="reflect"), rtol=1e-5)


def test_single_slices_in_two_dimensions():
    volume = random_volume((5, 30, 33))
    shapes, target = set(), np.zeros_like(volume)

    def function(tiles):
        shapes.add(tiles.shape[1:])
        return tiles

    apply_tiled(function, volume, target, (1, 16, 16), (0, 4, 4), 4, "cosine")
    assert shapes == {(1, 16, 16)}
    np.testing.assert_allclose(target, volume, rtol=1e-6)


@pytest.mark.parametrize("suffix", ["mrc", "em", "tif", "zarr"])
def test_from_file_to_file(tmp_path, suffix):
    io.write_volume(tmp_path / f"in.{suffix}", random_volume((17, 18, 19), "int16"), 9.0)
    volume = io.open_volume(tmp_path / f"in.{suffix}")
    with io.create_volume(tmp_path / f"out.{suffix}", volume.header.shape, np.float32, 9.0) as target:
        apply_tiled(lambda tiles: tiles + 0.5, volume.data, target, 8, 2, 2, "cosine")
    np.testing.assert_allclose(io.read_volume(tmp_path / f"out.{suffix}")[0], random_volume((17, 18, 19), "int16") + 0.5, rtol=1e-6)


def limited_to(voxels, error):
    def function(tiles):
        if tiles.size > voxels:
            raise error
        return tiles

    return function


ERRORS = [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
          torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB")]


@pytest.mark.parametrize("error", ERRORS, ids=["numpy", "torch cpu", "torch gpu"])
@pytest.mark.parametrize(("room", "batch", "tile"), [(3 * 16**3, 2, 16), (16**3, 1, 16), (8**3, 1, 8)])
@pytest.mark.parametrize("blending", ["crop", "cosine"])
def test_out_of_memory_halves_batch_then_tile(error, room, batch, tile, blending, caplog):
    volume = random_volume((20, 33, 40))
    target = np.zeros_like(volume)
    used = apply_tiled(limited_to(room, error), volume, target, 16, 4, 4, blending)
    np.testing.assert_allclose(target, volume, rtol=1e-6)
    assert (used.batch, used.tile) == (batch, (tile,) * 3)
    assert used.overlap == (4, 4, 4)  # the network still sees as much around each voxel
    halvings = (4 // batch).bit_length() - 1 + 2 * (tile < 16)  # 16 to 10 to 8: the part beside the overlap
    assert sum("out of memory" in record.message for record in caplog.records) == halvings


def test_memory_limit_is_a_typed_error():
    with pytest.raises(MemoryLimitError, match="one tile"):
        apply_tiled(limited_to(100, MemoryError()), np.ones((20, 20, 20)), np.ones((20, 20, 20)), 16, 0, 2)


def test_smaller_tiles_keep_the_multiple_of_a_network():
    used = apply_tiled(limited_to(16 * 48 * 48, MemoryError()), np.ones((40, 96, 96)), np.zeros((40, 96, 96)), (32, 80, 80), 8,
                       tile_multiple=16)
    assert used.tile == (16, 48, 48)


def test_results_do_not_depend_on_the_memory_that_is_free():
    volume, results = random_volume((24, 40, 40)), []
    for room in (10**6, 12**3):
        limit, target = limited_to(room, MemoryError()), np.zeros((24, 40, 40), np.float32)
        # sees three voxels to each side: exact where tiles share six
        apply_tiled(lambda tiles: ndimage.uniform_filter(limit(tiles), (0, 7, 7, 7)), volume, target, 24, 6, 1, border="reflect")  # noqa: B023
        results.append(target)
    np.testing.assert_allclose(results[0][3:-3, 3:-3, 3:-3], results[1][3:-3, 3:-3, 3:-3], atol=1e-4)


def test_aligned_tiles_shrink_no_further_than_their_step():
    with pytest.raises(MemoryLimitError, match=r"one tile of \(24, 24, 24\) voxels"):
        apply_tiled(limited_to(1, MemoryError()), np.ones((64, 64, 64)), np.zeros((64, 64, 64)), 48, 16, align=8, tile_multiple=8)


def test_other_errors_are_not_swallowed():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        apply_tiled(limited_to(0, RuntimeError("mat1 and mat2 shapes cannot be multiplied")), np.ones((4, 4, 4)), np.ones((4, 4, 4)), 4, 0)
    assert not is_out_of_memory(ValueError("out of memory"))


@pytest.mark.parametrize("arguments", [{"overlap": 8}, {"tile": 0}, {"batch": 0}, {"tile": (4, 4)}, {"target": np.ones((3, 3, 3))},
                                       {"function": lambda t: t[:, :2]}, {"function": lambda t: np.stack([t, t], 1)},
                                       {"blending": "mean"}])
def test_what_does_not_fit(arguments):
    call = {"function": identity, "source": np.ones((9, 9, 9)), "target": np.ones((9, 9, 9)), "tile": 8, "overlap": 2, **arguments}
    with pytest.raises(ParameterError):
        apply_tiled(**call)


@pytest.mark.parametrize("blending", ["crop", "cosine"])
def test_memory_stays_far_below_the_size_of_the_volume(tmp_path, blending):
    """A sparse 64 MiB volume into another of 64 MiB in a fresh process; resident memory counts mapped pages too."""
    code = f"""
import resource, sys, numpy as np
from pathlib import Path
from cryoetseg.core.inference.tiled import apply_tiled
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
make = lambda name, mode: np.memmap(sys.argv[1] + name, np.float32, mode, shape=(64, 512, 512))
make('/in', 'w+').flush()
source, target = make('/in', 'r'), make('/out', 'w+')
before = peak()
apply_tiled(lambda t: t + 1, source, target, (8, 128, 128), 2, 2, {blending!r})
print(peak() - before)
assert (target[::9, ::50, ::50] == 1).all() or abs(target[::9, ::50, ::50] - 1).max() < 1e-6
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 40, "MiB"


def test_networks_in_two_and_three_dimensions():
    volume = random_volume((9, 20, 21))
    target = np.zeros((2, *volume.shape), np.float32)
    for kind, tile, wrap in ((torch.nn.Conv3d, 8, network_function), (torch.nn.Conv2d, (1, 8, 8), slice_network_function)):
        network = kind(1, 2, 1)
        torch.nn.init.constant_(network.weight, 0.5)
        torch.nn.init.zeros_(network.bias)
        apply_tiled(wrap(network, torch.device("cpu")), volume, target, tile, 0, 3)
        np.testing.assert_allclose(target[1], volume / 2, rtol=0.01)
