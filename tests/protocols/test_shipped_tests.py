"""The classes that Scipion's own test command runs, run here, and found by that command."""
import importlib
import subprocess
import sys

import pytest
from scipion_environment import inside

from cryoetseg.tests import test_protocols_cryoetseg as shipped


class TestShippedGeneralModels(shipped.TestCryoEtSegGeneralModels):
    """As shipped; the protocols with the two networks run in tests of their own, too."""

    testMembranes = pytest.mark.thorough(shipped.TestCryoEtSegGeneralModels.testMembranes)
    testParticles = pytest.mark.thorough(shipped.TestCryoEtSegGeneralModels.testParticles)


class TestShippedForms(shipped.TestCryoEtSegForms):
    """As shipped."""


def test_scipion_lists_them(project):
    with inside(project):
        command = [sys.executable, "-m", "pyworkflow.apps.pw_run_tests", "--grep", "cryoetseg", "--show"]
        listed = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert "TestCryoEtSegGeneralModels" in listed.stdout + listed.stderr, listed.stderr


@pytest.mark.parametrize("name", ["TestCryoEtSegGeneralModels", "TestCryoEtSegForms"])
def test_they_are_imported_without_pytest(name):
    assert hasattr(importlib.import_module("cryoetseg.tests.test_protocols_cryoetseg"), name)
