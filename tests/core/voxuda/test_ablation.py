"""The comparison: what each row switches off, that it resumes, and what its figures mean."""
import json

import numpy as np
import pytest

from cryoetseg.core.runtime.errors import InputError, ParameterError
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.volumes.io import write_volume
from cryoetseg.core.voxuda import ablation
from cryoetseg.core.voxuda.params import VoxUdaAblationParameters

SMALL = {"size": 16, "width": 4, "iterations": 1, "batch_size": 4, "precision": "float32", "noise_samples": 4, "seeds": 2,
         "rows": "source_only,vox_uda,supervised"}


@pytest.fixture(scope="module")
def job(source, target, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ablation")
    inputs = []
    for role, part in (("source", source), ("target", target)):
        for name, volume, mask in zip(part.names, part.volumes, part.masks):
            write_volume(folder / role / f"{name}.mrc", volume, 10.0)
            write_volume(folder / role / f"{name}_mask.mrc", mask.astype(np.int8), 10.0)
        inputs.append(InputFile(path=str(folder / role), role=role, contrast="bright"))
    return Job(method="voxuda-ablation", parameters=VoxUdaAblationParameters(**SMALL).model_dump(), inputs=inputs,
               output_folder=str(folder / "out"), device="cpu")


@pytest.fixture(scope="module")
def outcome(job):
    return ablation.run(job)


def test_rows_switch_off_what_their_names_say():
    p = VoxUdaAblationParameters()
    parts = {row: [getattr(ablation.row_parameters(row, p), part) for part in ("consistency", "adversarial", "pseudo_labels")]
             for row in ablation.ROWS}
    assert parts["source_only"] == parts["supervised"] == [False, False, False]
    assert parts["dann"] == [False, True, False]
    assert parts["without_noise_module"] == [False, True, True]
    assert parts["without_pseudo_labels"] == [True, True, False]
    assert parts["vox_uda"] == [True, True, True]
    moved = {row for row in ablation.ROWS if ablation.row_parameters(row, p).calibration == "otsu"}
    assert moved == set(ablation.ROWS) - {"source_only", "supervised", "dann"}


def test_every_row_is_scored_with_and_without_calibration(outcome):
    for row, rule in (("source_only", "none"), ("vox_uda", "otsu"), ("supervised", "none")):
        summary = outcome.metrics[row]
        assert summary["dice"] == summary[f"dice_{rule}"]
        assert summary["dice_none"] != summary["dice_otsu"]


def test_the_table_has_all_rows_and_the_published_figures(outcome, job, tmp_path):
    lines = (ablation.Path(job.output_folder) / "ablation.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["row", "source_only", "vox_uda", "supervised"]
    assert lines[1].endswith("0.174,0.097")
    assert {name: outcome.metrics[name]["seeds"] for name in ("source_only", "vox_uda", "supervised")} == dict.fromkeys(
        ("source_only", "vox_uda", "supervised"), 2)


def test_features_are_mapped_for_both_models(outcome, job):
    maps = json.loads((ablation.Path(job.output_folder) / "features.json").read_text())["maps"]
    assert {name: len(found["target"]) for name, found in maps.items()} == {"source_only": 4, "vox_uda": 4}


def test_what_is_done_is_not_trained_again(outcome, job, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("trained again")

    monkeypatch.setattr(ablation, "fit", refuse)
    assert ablation.run(job).metrics == outcome.metrics
    changed = job.model_copy(update={"parameters": {**job.parameters, "learning_rate": 0.01}})
    with pytest.raises(AssertionError, match="trained again"):
        ablation.run(changed)


def test_held_out_subtomograms_are_never_trained_on(target):
    trained, held_out = ablation.split(target, 0.5, 0)
    assert not set(trained.names) & set(held_out.names)
    assert sorted(held_out.classes) == ["a", "a", "b", "b"]
    assert ablation.split(target, 0.0, 0)[1] is target
    with pytest.raises(InputError, match="cannot be split"):
        ablation.split(target.select([0, 1]), 0.5, 0)


def test_the_share_of_the_gap():
    rows = {name: {"dice": value} for name, value in (("source_only", 0.2), ("vox_uda", 0.5), ("supervised", 0.6))}
    assert ablation.gap_closed(rows) == pytest.approx(0.75)
    assert ablation.gap_closed({"vox_uda": {"dice": 0.5}}) is None


def test_unknown_rows_and_a_target_without_truth_are_refused(job):
    with pytest.raises(ParameterError, match="rows 'other'"):
        ablation.checked_rows("vox_uda, other")
    blind = [item if item.role == "source" else item.model_copy(update={"path": item.path + "/s0.mrc"}) for item in job.inputs]
    several = [*blind, blind[-1].model_copy(update={"path": blind[-1].path.replace("s0", "s1")})]
    for name in ("s0", "s1"):
        path = ablation.Path(job.inputs[1].path) / f"{name}_mask.mrc"
        path.rename(path.with_suffix(".away"))
    try:
        with pytest.raises(InputError, match="nothing can be scored"):
            ablation.run(job.model_copy(update={"inputs": several}))
    finally:
        for path in ablation.Path(job.inputs[1].path).glob("*.away"):
            path.rename(path.with_suffix(".mrc"))
