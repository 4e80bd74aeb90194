"""Short trainings of the students in Scipion, and what is asked of each of them."""
import csv

import pytest
from scipion_environment import finished

from cryoetseg.core.models.card import read_card

SHORT = {"iterations": 4, "batchSize": 2, "checkpointInterval": 2, "validationInterval": 2, "logInterval": 1, "useGpu": False}


def steps_in(run):
    """The steps that a training noted."""
    (table,) = run.getMetricFiles()
    with open(table, newline="", encoding="utf-8") as stream:
        return sorted({int(row["step"]) for row in csv.DictReader(stream)})


def check_model(project, run, method):
    """A training's model is described in Scipion as its card describes it."""
    model = project.getProtocol(run.getObjId()).model
    card = read_card(model.getPath())
    assert card.method == method
    assert (model.getMethod(), model.getNetwork(), model.getClasses()) == (method, card.network, card.classes)
    assert model.getSamplingRate() == pytest.approx(13.0)
    assert steps_in(run)[-1] == 4  # a step that the engine skips as non-finite leaves no row
    assert any("*4* steps on *1* tomogram " in line for line in run.summary())
    assert "trained for 4 steps on 1 tomogram " in run.methods()[0]


def check_going_on_from_a_model(project, before, labels, **values):
    """A second training on the same inputs starts with the first one's model."""
    start = {"startFrom": before._starts.index("a model"), "inStart": (before, "model")}
    run = finished(project, type(before), **start, **values, **_inputs(before, labels), **SHORT)
    assert read_card(run.model.getPath()).training["start"]["sha256"] == read_card(before.model.getPath()).sha256
    assert f"going on from a model for {before.model.describe()}" in run.methods()[0]


def check_going_on_from_the_general_model(project, before, labels, network, **values):
    """A second training on the same inputs starts with the model that comes with the plugin."""
    run = finished(project, type(before), startFrom=before._starts.index("the general model"), **values, **_inputs(before, labels), **SHORT)
    card = read_card(run.model.getPath())
    assert card.training["start"]["name"] == "general"
    assert card.network == network
    assert "going on from the general model of the plugin" in run.methods()[0]


def _inputs(run, labels):
    return {field: (getattr(run, field).getObjValue(), getattr(run, field).getExtended()) for field in ("inTomos", labels)}
