"""What scores mean, and how the models are judged."""

import numpy as np
import pytest

from cryoetseg.core.recipes.general.calibration import ScoredPicks, fitted
from cryoetseg.core.recipes.general.judge import average_precision, particle_figures
from cryoetseg.core.students.centres.model import Calibration


def picks(logit, hit, truth, snr=0.5, size=10.0, diameter=100.0):
    ones = np.ones(len(logit))
    return ScoredPicks(np.array(logit, float), np.array(hit, bool), diameter * ones, 100 * ones, 0 * ones, truth, 0, size, snr, "cell")


def test_the_fit_finds_the_rule_that_drew_the_hits():
    rng = np.random.default_rng(0)
    true, parts = Calibration(1.6, -0.7, 0.5), []
    for size in (10.0, 20.0, 40.0):
        logit = rng.normal(0, 2, 20000)
        parts.append(picks(logit, rng.random(20000) < 1 / (1 + np.exp(-true.calibrated(logit, size))), 20000, size=size))
    found = fitted(parts)
    assert (found.slope, found.offset, found.coarseness) == (
        pytest.approx(1.6, rel=0.08), pytest.approx(-0.7, abs=0.08), pytest.approx(0.5, abs=0.08))


def test_a_crowded_scene_does_not_outvote_the_others():
    crowded, sparse = picks(np.zeros(9000), np.ones(9000), 9000), picks(np.zeros(100), np.zeros(100), 0)
    assert fitted([crowded, sparse]).offset == pytest.approx(0, abs=0.01)


def test_average_precision_is_that_of_a_known_list():
    assert average_precision(np.array([3.0, 1.0, 2.0]), np.array([True, True, False]), 2) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(np.array([1.0]), np.array([True]), 4) == pytest.approx(0.25)  # three are never found


def test_figures_count_what_is_likely_and_tell_scenes_with_nothing_apart():
    full = picks([2.0, 1.0, -2.0], [True, False, True], 2, diameter=200.0)
    empty = picks([1.0, -3.0], [False, False], 0)
    figures = particle_figures([full, empty], Calibration())
    assert figures["all"]["precision"] == 0.5
    assert figures["all"]["recall"] == 0.5
    assert figures["all"]["median error of diameters"] == pytest.approx(1.0)
    assert figures["nothing to find"] == {"false picks for each scene": 1.0}
    assert "SNR above 0.3" in figures
    assert "voxels below 15 A" in figures
