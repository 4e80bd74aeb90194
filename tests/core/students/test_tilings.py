"""How much work is done twice by default, counted from the plans of tiles."""
import numpy as np
import pytest

from cryoetseg.core.students.centres.apply import PADDING
from cryoetseg.core.students.centres.apply import tiling_of as centre_tiling
from cryoetseg.core.students.membranes.apply import tiling_of as membrane_tiling
from cryoetseg.core.students.membranes.params import SegmentMembranesParameters
from cryoetseg.core.students.picker.apply import tiling_of as picker_tiling
from cryoetseg.core.students.picker.params import PickDeepetParameters
from cryoetseg.core.students.segmenter.inference import strips
from cryoetseg.core.students.segmenter.inference import tiling_of as segmenter_tiling
from cryoetseg.core.students.segmenter.params import SegmentClassesParameters
from cryoetseg.core.volumes.tiles import Tiling, plan_tiles

SHAPES = [(200, 960, 928), (128, 256, 256), (300, 1000, 1000)]


class Membranes:
    """What a tiling asks of a model."""

    def __init__(self, is_volumetric: bool) -> None:
        self.is_volumetric, self.slices = is_volumetric, 3


@pytest.mark.parametrize("shape", SHAPES)
def test_no_more_than_twice_the_voxels_are_computed(shape):
    parameters = SegmentMembranesParameters()
    assert all(membrane_tiling(shape, Membranes(deep), parameters).redundancy(shape) <= 2 for deep in (False, True))
    chosen = SegmentClassesParameters()
    margin, computed = chosen.overlap_px, 0.0
    for first, last in strips(shape, chosen.tile_px, chosen.overlap_px, 10):
        strip = (shape[0], min(shape[1], last + margin) - max(0, first - margin), shape[2])
        computed += segmenter_tiling(strip, chosen).redundancy(strip) * np.prod(strip)
    assert computed / np.prod(shape) <= 2


def test_tiles_of_the_general_picker_are_as_large_as_needed_with_a_rim_all_around():
    shape = (48, 160, 300)
    tiling = centre_tiling(shape)
    assert tiling.edges == (80, 112, 144)  # with rims 80, 192 and 332 voxels: one, two and three tiles
    tiles = plan_tiles(shape, tiling.edges, tiling.overlaps, "zero", tiling.align)
    rims = np.array([[(inner.start, edge - inner.stop) for inner, edge in zip(tile.inner, tiling.edges)] for tile in tiles])
    assert len(tiles) == 6
    assert rims.min() == PADDING
    assert centre_tiling((1000, 960, 928)).redundancy((1000, 960, 928), "zero") < 2.4


def test_redundancy_counts_whole_tiles_wherever_they_reach():
    assert Tiling((4, 4, 4), (0, 0, 0), (1, 1, 1)).redundancy((8, 8, 8)) == 1
    assert Tiling((8, 8, 8), (0, 0, 0), (1, 1, 1)).redundancy((4, 8, 8)) == 2
    assert Tiling((4, 4, 4), (2, 0, 0), (1, 1, 1)).redundancy((8, 4, 4)) == 1.5


@pytest.mark.parametrize("shape", SHAPES)
def test_default_tiles_start_where_the_networks_grids_do_and_the_published_ones_where_they_did(shape):
    tiling = picker_tiling(PickDeepetParameters())
    tiles = plan_tiles(shape, tiling.edges, tiling.overlaps, "zero", tiling.align)
    assert all((core.start - inner.start) % 8 == 0 for tile in tiles for core, inner in zip(tile.core, tile.inner))
    assert picker_tiling(PickDeepetParameters(tile_px=72, padding_px=12)) == Tiling((72,) * 3, (24,) * 3, (1,) * 3)
    assert segmenter_tiling(shape, SegmentClassesParameters(tile_px=192, overlap_px=55)).edges == (192,) * 3
