"""Values of options that commands share."""
import logging
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cryoetseg.core.commands import options
from cryoetseg.core.commands.running import build_job
from cryoetseg.core.methods import METHODS, parameters_model
from cryoetseg.core.runtime.errors import ParameterError
from cryoetseg.core.runtime.params import describe, idle_parameters
from cryoetseg.core.voxuda.params import VoxUdaSourceParameters


@pytest.mark.parametrize("text", ["", "5", "5:", ":5", "5:5", "6:5", "-1:5", "a:b", "1:2:3", "1.5:3"])
def test_a_z_range_that_is_none_is_refused(text):
    with pytest.raises(ParameterError, match="--z 40:72"):
        options.z_range(text)


def test_a_z_range_is_half_open():
    assert options.z_range("40:72") == (40, 72)


def test_slices_are_given_found_or_left_to_the_method():
    assert options.chosen_slices("40:72") == {"z_start": 40, "z_end": 72}
    assert options.chosen_slices("auto") == {"z_auto": True}
    assert options.chosen_slices("") == {}
    with pytest.raises(ParameterError, match="--z auto"):
        options.chosen_slices("automatic")


def test_an_option_that_does_nothing_is_warned_about(caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("cryoetseg"), "propagate", True)  # commands send it elsewhere
    given = options.Settings(parameters={"link_slices": 5, "eigenvectors": 6, "particle_threshold": 3.0}, seed=None, device=None,
                             as_json=False, verbose=False)
    build_job("segment-slabs", [], Path("out"), given)
    # once, though two handlers may hear it
    assert {record.getMessage() for record in caplog.records} == {
        "warning: link_slices = 5 does nothing here: it acts only with separation slices and filters scale_aware"}


@pytest.mark.parametrize("name", METHODS)
def test_what_parameters_depend_on_exists_and_can_be_so(name):
    model = parameters_model(name)
    fields = {field.name: field for field in describe(model)}
    for field in fields.values():
        for need in (need for alternative in field.needs for need in alternative):
            assert need.name in fields, field.name
            if fields[need.name].choices:
                assert set(need.values) <= set(fields[need.name].choices), field.name
        assert not field.needs or not field.keeps_result, field.name
    assert idle_parameters(model, {}) == []


@pytest.mark.parametrize(("written", "expected"), [([], 16), (["--batch-size", "8"], 8), (["--batch-size", "5"], 5)])
def test_what_is_written_beside_a_preset_stays_also_where_it_is_the_default(written, expected):
    seen = []
    app = typer.Typer()

    @app.command()
    @options.with_settings("train-voxuda", beside=[field._replace(name="source_count") for field in describe(VoxUdaSourceParameters)[:1]])
    def train(*, settings: options.Settings):
        seen.append(settings)

    assert CliRunner().invoke(app, ["--preset", "published", "--source-count", "7", *written], catch_exceptions=False).exit_code == 0
    assert (seen[0].parameters["batch_size"], seen[0].parameters["schedule"]) == (expected, "step")
    assert (seen[0].preset, seen[0].beside) == ("published", {"source_count": 7})
