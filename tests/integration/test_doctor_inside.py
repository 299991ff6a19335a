"""`poetry tf doctor --brief` as a container's start runs it: one line, whatever there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.support.poetry import PoetryRunner


def test_a_project_that_is_not_installed_is_told_how(right: PoetryRunner, project: Path):
    # Where the tests run may be a container of another CUDA.
    (project / ".devcontainer/devcontainer.json").unlink()
    admit(project, ">=3.11,<3.12")
    done = right.call("tf", "doctor", "--brief")
    assert done.returncode == 0
    assert done.stdout == "TensorFlow is not installed. Run: poetry install\n"


@pytest.mark.slow
def test_an_active_environment_that_poetry_refuses_is_told_what_to_run(
    right: PoetryRunner, project: Path
):
    (project / ".devcontainer/devcontainer.json").unlink()
    admit(project, ">=3.12,<3.13")
    refused = right.call("install")
    assert "3.11.9" in refused.output, "Poetry takes the active environment, and refuses it"
    done = right.call("tf", "doctor")
    assert f"the active environment ({right.venv}) has Python 3.11.9" in done.stdout
    assert "  deactivate\n" in done.stdout
    assert "TensorFlow is not installed" not in done.stdout, "poetry install fails there"
    assert not done.ok


def admit(project: Path, pythons: str) -> None:
    file = project / "pyproject.toml"
    text = re.sub(r'requires-python = ".*"', f'requires-python = "{pythons}"', file.read_text())
    file.write_text(text, "utf-8")


@pytest.mark.slow
def test_a_configuration_of_ones_own_is_looked_at(right: PoetryRunner, project: Path):
    own = project / ".devcontainer/own"
    own.mkdir(parents=True)
    (own / "devcontainer.json").write_text("{}")
    assert right.call("tf", "doctor", "--brief", "--config", "own").ok
    done = right.call("tf", "doctor", "--brief", "--config", "none")
    assert done.returncode == 1
    assert "not found in .devcontainer/none" in done.stderr


def test_a_folder_without_a_project_gets_its_line(right: PoetryRunner, project: Path):
    (project / "pyproject.toml").unlink()
    done = right.call("tf", "doctor", "--brief")
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1


@pytest.mark.slow
def test_what_was_found_is_a_document_too(right: PoetryRunner):
    result = json.loads(right.call("tf", "doctor", "--json").stdout)
    assert result["tensorflow"].startswith("2.18.")
    assert all({"probe", "state", "seen", "remedy"} <= set(item) for item in result["findings"])
