"""Small batches for every test of this room."""

import functools

import pytest
from batch_jobs import stand_in_batch


@pytest.fixture
def make_batch(tmp_path):
    """Make a batch of stand-in jobs in a folder of its own."""
    return functools.partial(stand_in_batch, tmp_path / "batch")
