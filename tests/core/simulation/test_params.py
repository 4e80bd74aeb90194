"""Parameters: bounds, descriptions, records."""
import pytest

from cryoetseg.core.runtime.errors import ParameterError
from cryoetseg.core.runtime.params import describe, parameters_from
from cryoetseg.core.simulation.params import SimulationParameters, SubtomogramParameters


@pytest.mark.parametrize("model", [SimulationParameters, SubtomogramParameters])
def test_every_parameter_is_explained(model: type):
    for field in describe(model):
        assert len(field.help) > 10
        assert field.help.endswith(".")


def test_help_of_snr_says_what_it_refers_to():
    field = next(field for field in describe(SimulationParameters) if field.name == "snr")
    assert "noise-free reconstruction over variance of the reconstructed noise" in field.help


@pytest.mark.parametrize("bad", [{"voxel_size": 1.0}, {"snr": 0.0}, {"size_z": 2}, {"tilt_max": 95.0}, {"weighting": "fbp"},
                                 {"vesicle_radius_min": 900.0}, {"unknown": 1}])
def test_values_out_of_bounds_are_refused(bad: dict):
    with pytest.raises(ParameterError):
        parameters_from(SimulationParameters, bad)


def test_record_round_trip():
    p = SimulationParameters(snr=0.05, particles="tric:2")
    assert parameters_from(SimulationParameters, p.model_dump()) == p
