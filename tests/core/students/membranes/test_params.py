"""The published settings are those of the paper's table."""

from cryoetseg.core.models.unet2d import UNet2d
from cryoetseg.core.students.membranes.network import build_network
from cryoetseg.core.students.membranes.params import TrainMembranesParameters


def test_published_settings_of_supplement_and_program():
    supplement, released = TrainMembranesParameters.published(), TrainMembranesParameters.released(batch_size=2)
    shared = {"iterations": 30000, "optimiser": "sgd", "schedule": "step", "step_every": 10000, "step_factor": 0.1, "slices": 1,
              "rounds": 0, "ignore_band_px": 0, "augmentation": "published", "normalisation": "slice", "validation_interval": 200,
              "gradient_clip": 0, "ema_decay": 0, "held_out": 0.2}
    for parameters in (supplement, released):
        assert {name: getattr(parameters, name) for name in shared} == shared
    assert (supplement.learning_rate, supplement.weight_decay, supplement.batch_size) == (0.1, 1e-5, 8)
    assert (released.learning_rate, released.weight_decay, released.batch_size) == (0.01, 1e-4, 2)


def test_the_published_network_has_the_published_number_of_parameters():
    network = build_network(TrainMembranesParameters.published().slices)
    assert isinstance(network, UNet2d)
    assert sum(weight.numel() for weight in network.parameters()) == 1_944_034
