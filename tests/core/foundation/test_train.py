import csv
import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cryoetseg.core.foundation.tiny import TinyBackbone
from cryoetseg.core.methods import run_job
from cryoetseg.core.runtime.errors import InputError, ParameterError
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.volumes.io import write_volume

SMALL = {"channels": "32", "slices": 3, "tile_px": 32, "iterations": 3, "batch_size": 2, "validation_tiles": 2, "workers": 0,
         "log_interval": 1, "checkpoint_interval": 3, "schedule": "constant"}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tomograms(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tomograms")
    rng = np.random.default_rng(0)
    inputs = []
    for name in ("a", "b"):
        density = np.clip(rng.normal(0.15, 0.3, (5, 36, 36)), 0, 1).astype(np.float32)
        write_volume(folder / f"{name}.mrc", -density + 0.2 * rng.normal(size=density.shape).astype(np.float32), 10.0)
        write_volume(folder / f"{name}_density.mrc", density, 10.0)
        inputs += [InputFile(path=str(folder / f"{name}.mrc"), voxel_size=10.0, tilt_series_id=name),
                   InputFile(path=str(folder / f"{name}_density.mrc"), role="grand_model", tilt_series_id=name)]
    return inputs


def job(tomograms, folder, **changes):
    return Job(method="train-backbone", parameters={**SMALL, **changes}, inputs=tomograms, output_folder=str(folder), seed=3, device="cpu")


@pytest.fixture(scope="module")
def trained(tomograms, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "mine"
    return folder, run_job(job(tomograms, folder))


def weights_of(folder):
    return load_file(folder / "backbone" / "unet" / "diffusion_pytorch_model.safetensors")


def steps_of(folder):
    with open(folder / "training" / "metrics.csv", newline="") as stream:
        return [int(row["step"]) for row in csv.DictReader(stream) if row["loss"]]


def test_training_writes_a_backbone_that_loads_and_sees(trained):
    folder, result = trained
    backbone = TinyBackbone.load(folder / "backbone", CPU)
    assert (backbone.name, backbone.slices, backbone.input_size_px) == ("mine", 3, 32)
    seen = backbone.look(np.random.default_rng(0).random((1, 3, 32, 32), np.float32), torch.Generator().manual_seed(0), 1)
    assert np.isfinite(seen.features).all()
    assert result.metrics["steps"] == 3
    assert [output.kind for output in result.outputs] == ["model", "figure", "table"]
    assert all((folder / output.path).exists() for output in result.outputs)


def test_the_card_says_what_it_was_trained_on(trained):
    card = json.loads((trained[0] / "backbone" / "card.json").read_text())
    assert (card["tomograms"], card["with_density"], card["voxel_sizes"], card["seed"]) == (2, 2, [10.0], 3)
    assert card["target"] == "true density"
    assert card["parameters"]["channels"] == "32"


def test_a_finished_training_is_not_repeated(trained, tomograms):
    folder, result = trained
    card = folder / "backbone" / "card.json"
    before = card.stat().st_mtime_ns
    assert run_job(job(tomograms, folder)) == result
    assert card.stat().st_mtime_ns == before


def test_more_iterations_go_on_where_the_training_ended(trained, tomograms, tmp_path):
    longer = tmp_path / "mine"
    shutil.copytree(trained[0], longer)
    result = run_job(job(tomograms, longer, iterations=5))
    assert result.metrics["steps"] == 5
    assert steps_of(trained[0]) == [1, 2, 3]
    assert steps_of(longer) == [1, 2, 3, 4, 5]  # nothing ran twice


def test_same_seed_gives_the_same_weights_and_leaves_the_global_stream_alone(trained, tomograms, tmp_path):
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    run_job(job(tomograms, tmp_path / "again"))
    assert torch.equal(torch.rand(3), expected)
    again, first = weights_of(tmp_path / "again"), weights_of(trained[0])
    assert first.keys() == again.keys()
    assert all(torch.equal(first[key], again[key]) for key in first)


@pytest.mark.parametrize(("name", "value"), [("channels", "32,a"), ("channels", "20,32"), ("channels", "32,48"), ("channels", ""),
                                             ("slices", 4), ("tile_px", 40), ("chanels", "32")])
def test_bad_parameters_are_refused(tomograms, tmp_path, name, value):
    with pytest.raises(ParameterError, match=name):
        run_job(job(tomograms, tmp_path, **{name: value}))
    assert not (tmp_path / "backbone").exists()


def test_tiles_larger_than_the_tomograms_are_refused(tomograms, tmp_path):
    with pytest.raises(InputError, match="smaller tiles"):
        run_job(job(tomograms, tmp_path, tile_px=64))


def test_without_densities_it_learns_the_tomograms_themselves(tomograms, tmp_path):
    alone = [item for item in tomograms if item.role == "tomogram"]
    run_job(job(alone, tmp_path / "self", iterations=1))
    card = json.loads((tmp_path / "self" / "backbone" / "card.json").read_text())
    assert (card["target"], card["with_density"]) == ("the picture itself", 0)
