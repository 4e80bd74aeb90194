"""Several tomograms in one job: how many processes make them changes nothing, and what is whole is kept."""
from pathlib import Path

import pytest

from cryoetseg.core.runtime.job import Job
from cryoetseg.core.simulation import many
from cryoetseg.core.simulation.many import run
from cryoetseg.core.simulation.params import SimulateParameters


def job(folder: Path, values: dict, seed: int = 3, **changes: object) -> Job:
    return Job(method="simulate", parameters={**values, "count": 3, "half_maps": "tilts", "write_tilt_series": True, **changes},
               output_folder=str(folder), seed=seed)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_values: dict) -> Path:
    """Three tomograms by one process."""
    folder = tmp_path_factory.mktemp("made")
    run(job(folder, tiny_values, processes=1))
    return folder


def test_two_processes_write_what_one_writes(tmp_path: Path, tiny_values: dict, made: Path):
    outcomes = [run(job(folder, tiny_values, processes=processes)) for folder, processes in ((tmp_path, 2), (made, 1))]
    assert contents(tmp_path) == contents(made)
    assert len(contents(made)) == 3 * 14
    assert outcomes[0] == outcomes[1]


def test_what_is_whole_is_kept_and_the_rest_made_again(tmp_path: Path, tiny_values: dict, made: Path, monkeypatch: pytest.MonkeyPatch):
    for name, content in contents(made).items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "sim_002_parameters.json").unlink()  # killed before the record was written
    (tmp_path / "sim_003_classes.mrc").write_bytes(b"something else")
    simulated = []
    monkeypatch.setattr(many, "simulate", lambda p, *rest, real=many.simulate: simulated.append(p.name) or real(p, *rest))
    run(job(tmp_path, tiny_values, processes=1))
    assert simulated == ["sim_002", "sim_003"]
    assert contents(tmp_path) == contents(made)


@pytest.mark.parametrize("changes", [{"seed": 4}, {"snr": 0.2}])
def test_a_tomogram_of_another_seed_or_other_parameters_is_not_kept(tmp_path: Path, tiny_values: dict, made: Path, changes: dict):
    for name, content in contents(made).items():
        (tmp_path / name).write_bytes(content)
    run(job(tmp_path, tiny_values, processes=1, **changes))
    assert contents(tmp_path)["sim_001.mrc"] != contents(made)["sim_001.mrc"]


def test_small_tomograms_are_not_worth_a_process(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(many, "processes_that_fit", lambda wanted, bytes_each: wanted or 8)
    small = SimulateParameters(size_z=16, size_y=64, size_x=64)
    assert many._processes(small, 10, "cpu") == 1
    assert many._processes(SimulateParameters(), 10, "cpu") == 8
    assert many._processes(small.model_copy(update={"processes": 3}), 10, "cpu") == 3
