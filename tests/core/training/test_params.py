from __future__ import annotations

import subprocess
import sys

import pytest

from cryoetseg.core.generation.params import TrainGeneratorParameters
from cryoetseg.core.runtime.errors import ParameterError
from cryoetseg.core.runtime.params import describe, parameters_from
from cryoetseg.core.students.membranes.params import TrainMembranesParameters
from cryoetseg.core.training.params import FREE_ON_RESUME, TrainingParameters


def test_every_parameter_has_help_and_a_plain_type() -> None:
    for field in describe(TrainingParameters):
        assert field.help
        assert field.kind in (bool, int, float, str)


def test_names_that_may_change_on_resume_exist() -> None:
    of_all, of_one = set(TrainingParameters.model_fields), {"micro_batch": TrainGeneratorParameters,
                                                            "tuning_iterations": TrainMembranesParameters}
    assert set(FREE_ON_RESUME) - of_all == set(of_one)
    assert all(name in model.model_fields for name, model in of_one.items())


def test_bounds_are_kept() -> None:
    for values in ({"batch_size": 0}, {"learning_rate": 0}, {"ema_decay": 1}, {"schedule": "magic"}, {"no_such": 1}):
        with pytest.raises(ParameterError):
            parameters_from(TrainingParameters, values)


def test_the_form_s_side_needs_no_torch() -> None:
    code = "import sys, cryoetseg.core.training.params; print({'torch', 'numpy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "set()\n"
