from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tiny_training import TinyTask

from cryoetseg.core.training import sampling
from cryoetseg.core.training.sampling import BatchPlaces, EndlessOrder, TaskItems, batches


def test_every_item_comes_once_an_epoch_in_a_new_order() -> None:
    order = EndlessOrder(TinyTask(), seed=1)
    epochs = [[order.place(10 * epoch + position).item for position in range(10)] for epoch in range(3)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_order_is_the_same_from_any_starting_point() -> None:
    forward = EndlessOrder(TinyTask(), seed=1)
    places = [forward.place(number) for number in range(40)]
    assert EndlessOrder(TinyTask(), seed=1).place(37) == places[37]
    assert forward.place(3) == places[3]  # going back, as after a restore
    assert [EndlessOrder(TinyTask(), seed=2).place(number) for number in range(40)] != places


def test_processes_share_each_global_batch_between_them() -> None:
    order = EndlessOrder(TinyTask(), seed=1)
    whole = list(BatchPlaces(order, 4, 0, 6, 0, 1))
    halves = [list(BatchPlaces(order, 4, 0, 6, process, 2)) for process in (0, 1)]
    assert [first + second for first, second in zip(*halves)] == whole
    assert list(BatchPlaces(order, 4, 2, 6, 0, 1)) == whole[2:]


def test_batches_straddle_epochs_and_are_never_short() -> None:
    places = list(BatchPlaces(EndlessOrder(TinyTask(), seed=1), 4, 0, 5, 0, 1))
    assert {len(batch) for batch in places} == {4}
    assert {place.epoch for place in places[2]} == {0, 1}


def test_an_item_s_randomness_belongs_to_its_place_and_differs_between_epochs() -> None:
    order, items = EndlessOrder(TinyTask(), seed=1), TaskItems(TinyTask(), seed=1)
    np.testing.assert_array_equal(items[order.place(3)]["x"], items[order.place(3)]["x"])
    again = next(place for place in map(order.place, range(10, 20)) if place.item == order.place(3).item)
    assert not np.array_equal(items[again]["x"], items[order.place(3)]["x"])


def test_items_are_stacked_batch_first() -> None:
    places = BatchPlaces(EndlessOrder(TinyTask(), seed=1), 4, 0, 1, 0, 1)
    batch = next(batches(TinyTask(), 1, places, workers=0))
    assert batch["x"].shape == (4, 2)


def test_an_order_of_the_wrong_length_is_refused() -> None:
    task = TinyTask()
    task.order = lambda epoch, generator: np.arange(3)  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="3 places for 10 items"):
        EndlessOrder(task, seed=1).place(0)


@pytest.mark.parametrize(("free", "told"), [(2**16, True), (2**30, False)])
def test_workers_are_left_out_where_shared_memory_has_no_room_for_their_items(
    free: int, told: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path,
) -> None:
    loaders = []
    monkeypatch.setattr(sampling, "SHARED_MEMORY", tmp_path)
    monkeypatch.setattr(sampling.shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    monkeypatch.setattr(sampling, "DataLoader", lambda *args, num_workers, **options: loaders.append(num_workers) or [])
    sampling.batches(TinyTask(), 1, BatchPlaces(EndlessOrder(TinyTask(), seed=1), 4, 0, 5, 0, 1), workers=2)
    assert loaders == [0 if told else 2]
    assert ("--workers 0" in caplog.text) is told
