"""`poetry tf doctor --brief` as a container's start runs it: one line, whatever there is."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.poetry import PoetryRunner


def test_a_project_that_is_not_installed_is_told_how(right: PoetryRunner, project: Path):
    # Where the tests run may be a container of another CUDA.
    (project / ".devcontainer/devcontainer.json").unlink()
    done = right.call("tf", "doctor", "--brief")
    assert done.returncode == 0
    assert done.stdout == "TensorFlow is not installed: poetry install\n"


def test_a_configuration_of_ones_own_is_looked_at(right: PoetryRunner, project: Path):
    own = project / ".devcontainer/own"
    own.mkdir(parents=True)
    (own / "devcontainer.json").write_text("{}")
    assert right.call("tf", "doctor", "--brief", "--config", "own").ok
    done = right.call("tf", "doctor", "--brief", "--config", "none")
    assert done.returncode == 1
    assert "there is none in .devcontainer/none" in done.stderr


def test_a_folder_without_a_project_gets_its_line(right: PoetryRunner, project: Path):
    (project / "pyproject.toml").unlink()
    done = right.call("tf", "doctor", "--brief")
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1


def test_what_was_found_is_a_document_too(right: PoetryRunner):
    result = json.loads(right.call("tf", "doctor", "--json").stdout)
    assert result["tensorflow"].startswith("2.18.")
    assert all({"probe", "state", "seen", "remedy"} <= set(item) for item in result["findings"])
