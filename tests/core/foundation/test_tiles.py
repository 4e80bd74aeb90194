import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from cryoetseg.core.foundation.tiles import Tiles
from cryoetseg.core.foundation.training_data import Pair, cut_tile, draw_tile
from cryoetseg.core.foundation.training_params import TrainBackboneParameters
from cryoetseg.core.training import resident

PARAMETERS = TrainBackboneParameters(slices=3, tile_px=32)


def pair(number, shape, density):
    generator = np.random.default_rng(number)
    limits = np.sort(generator.normal(size=(shape[0], 2))).astype(np.float32)
    limits[1, 1] = limits[1, 0]  # a constant slice
    known = generator.random(shape).astype(np.float32) if density else None
    return Pair(str(number), generator.normal(size=shape).astype(np.float32), known, limits)


@pytest.mark.parametrize("densities", [(True, True, True), (False, False, False), (False, True, False)])
@pytest.mark.parametrize("most", [resident.MOST_BYTES, 1000])
def test_tiles_read_by_their_places_are_those_cut_bit_for_bit(monkeypatch, densities, most):
    monkeypatch.setattr(resident, "MOST_BYTES", most)
    pairs = [pair(number, shape, known) for number, (shape, known) in enumerate(zip([(5, 40, 36), (3, 32, 50), (7, 35, 32)], densities))]
    tiles, generator = Tiles(pairs, PARAMETERS), np.random.default_rng(9)
    assert tiles.fit == (most > 1000)
    drawn = [(number, draw_tile(pairs[number], PARAMETERS, generator)) for number in [0, 1, 2] * 6]
    batch = tiles.gather(default_collate([tiles.place(number, choice) for number, choice in drawn]))
    for row, (number, choice) in enumerate(drawn):
        picture, target = cut_tile(pairs[number], choice, PARAMETERS)
        np.testing.assert_array_equal(batch["picture"][row].numpy(), picture)
        np.testing.assert_array_equal(batch["target"][row].numpy(), target)
    assert len({tuple(choice.__dict__.values())[3:] for _, choice in drawn}) > 4
    assert torch.equal(batch["picture"], batch["target"]) == (not any(densities))
