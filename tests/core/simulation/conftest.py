"""A small simulated tomogram that several tests look at."""
import pytest

from cryoetseg.core.simulation.apply import simulate
from cryoetseg.core.simulation.params import SimulationParameters
from cryoetseg.core.simulation.tomogram import SimulatedTomogram

SMALL = {
    "size_z": 48, "size_y": 64, "size_x": 64, "particles": "tric:2, apoferritin", "vesicle_count": 1, "vesicle_radius_max": 200.0,
    "ellipsoid_count": 0, "tube_count": 0, "sheet_count": 0, "actin_count": 1, "gold_count": 1, "tilt_step": 4.0, "snr": 0.3,
}
TINY = {**SMALL, "size_z": 24, "size_y": 40, "size_x": 40, "particles": "apoferritin", "vesicle_count": 0, "actin_count": 0,
        "gold_count": 0, "tilt_step": 10.0}


@pytest.fixture(scope="session")
def tomogram() -> SimulatedTomogram:
    """All kinds of structures in 48 x 64 x 64 voxels of 10 A."""
    return simulate(SimulationParameters(**SMALL), 1)


@pytest.fixture(scope="session")
def tiny_values() -> dict:
    """Parameters of a tomogram that takes a fraction of a second."""
    return dict(TINY)
