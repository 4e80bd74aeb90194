"""Scipion without its installer: what is written, what is set, what is left alone."""
import os
import subprocess
import sys

import pytest

from cryoetseg.scipion_home import prepare, variables


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """An environment of its own, put back afterwards, in which no Scipion is set up."""
    for name in variables(tmp_path):
        monkeypatch.setenv(name, "")  # noted, so that it is put back
        monkeypatch.delenv(name)
    return monkeypatch


def test_a_home_is_made_and_told(environment, tmp_path):
    values = prepare(tmp_path / "home")
    assert (tmp_path / "home" / "config" / "hosts.conf").read_text().startswith("[localhost]")
    assert (tmp_path / "home" / "user_data").is_dir()
    assert {name: os.environ[name] for name in values} == values
    assert values["SCIPION_PYTHON"] == sys.executable
    assert values["SCIPION_NOTIFY"] == "False"


def test_a_changed_host_configuration_is_kept(environment, tmp_path):
    prepare(tmp_path)
    hosts = tmp_path / "config" / "hosts.conf"
    hosts.write_text("[cluster]\n")
    prepare(tmp_path)
    assert hosts.read_text() == "[cluster]\n"


def test_an_installed_scipion_keeps_its_configuration_but_not_our_projects(environment, tmp_path):
    installed = tmp_path / "installed"
    (installed / "config").mkdir(parents=True)
    (installed / "config" / "hosts.conf").write_text("[cluster]\n")
    environment.setenv("SCIPION_HOME", str(installed))
    prepare(tmp_path / "ours")
    assert os.environ["SCIPION_HOME"] == str(installed)
    assert os.environ["SCIPION_USER_DATA"] == str(tmp_path / "ours" / "user_data")
    assert not (tmp_path / "ours" / "config").exists()


def test_it_imports_without_scipion():
    code = "import sys, cryoetseg.scipion_home; sys.exit(any(name in sys.modules for name in ('pyworkflow', 'pwem')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
