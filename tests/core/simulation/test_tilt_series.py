"""The plan of a tilt series."""
import numpy as np
import pytest

from cryoetseg.core.simulation.params import SimulationParameters
from cryoetseg.core.simulation.tilt_series import plan_tilt_series, recording_rank, tilt_angles


def plan(seed: int = 1, **values):
    return plan_tilt_series(SimulationParameters(**values), 1500.0, np.random.default_rng(seed))


def test_angles_of_symmetric_and_asymmetric_ranges():
    assert len(tilt_angles(-60, 60, 3)) == 41
    asymmetric = tilt_angles(-50, 70, 2)
    assert (asymmetric[0], asymmetric[-1], len(asymmetric)) == (-50, 70, 61)


def test_dose_symmetric_order_starts_at_zero_and_alternates():
    angles = tilt_angles(-6, 6, 3)
    rank = recording_rank(angles, "dose_symmetric")
    assert angles[np.argsort(rank)].tolist() == [0, 3, -3, 6, -6]
    assert recording_rank(angles, "sequential").tolist() == [0, 1, 2, 3, 4]


def test_dose_before_grows_with_the_order():
    series = plan(total_dose=82.0)
    assert series.dose_before.min() == 0
    assert series.dose_before.max() == pytest.approx(80.0)
    assert series.angles[np.argmin(series.dose_before)] == 0


def test_high_tilts_transmit_less():
    series = plan(mean_free_path=3000.0)
    assert series.transmission[20] == pytest.approx(np.exp(-0.5))
    assert series.transmission[0] == pytest.approx(np.exp(-1.0))


def test_errors_are_zero_unless_asked_for():
    exact, wrong = plan(), plan(misalignment=20.0, tilt_angle_error=0.5)
    assert not exact.shifts.any()
    assert np.array_equal(exact.angles, exact.true_angles)
    assert wrong.shifts.std() == pytest.approx(1.6, rel=0.4)  # 20 A are 2 voxels at the ends and 1 in the middle
    assert (wrong.true_angles - wrong.angles).std() == pytest.approx(0.5, rel=0.4)


def test_defocus_lies_around_one_value_of_the_range():
    series = plan(defocus_min=3.0, defocus_max=3.0, defocus_jitter=0.1)
    assert series.defocus.mean() == pytest.approx(3, abs=0.06)
    assert series.defocus.std() == pytest.approx(0.1, rel=0.4)
