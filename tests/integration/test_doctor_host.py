"""``poetry tf doctor`` on the machine of the tests, which is whatever it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.poetry import PoetryRunner

WITH_TENSORFLOW = """\
[project]
name = "study"
version = "0.1.0"
requires-python = ">=3.11,<3.12"
dependencies = ["tensorflow (>=2.18.1,<2.19.0)"]

[tool.poetry]
package-mode = false

[tool.poetry-tf]
gpu = "{gpu}"
"""


def write(folder: Path, gpu: str) -> None:
    (folder / "pyproject.toml").write_text(WITH_TENSORFLOW.format(gpu=gpu), "utf-8")


def test_the_status_says_what_the_report_says(poetry: PoetryRunner, project: Path):
    write(project, "auto")
    result = poetry.call("tf", "doctor", "--json")
    report = json.loads(result.stdout)
    assert report["tensorflow"] == "2.18.1"
    assert report["gpu"] == "system"
    states = [finding["state"] for finding in report["findings"]]
    assert report["works"] == ("error" not in states) == (result.returncode == 0)
    assert {path.name for path in project.iterdir()} == {"pyproject.toml"}


def test_who_asks_for_no_gpu_misses_none(poetry: PoetryRunner, project: Path):
    write(project, "none")
    result = poetry.call("tf", "doctor")
    assert result.returncode == 0
    assert "no GPU is asked for" in result.stdout


def test_without_a_project_it_is_reported_for_the_newest(poetry: PoetryRunner, project: Path):
    result = poetry.call("tf", "doctor")
    assert "the newest (there is no project with TensorFlow here)" in result.stdout
    assert "Traceback" not in result.stderr


def test_a_project_that_cannot_be_read_is_one_error(poetry: PoetryRunner, project: Path):
    (project / "pyproject.toml").write_text("[project\n", "utf-8")
    result = poetry.call("tf", "doctor")
    assert result.returncode == 1
    assert "pyproject.toml:1" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("options", [(), ("--network",)], ids=["", "network"])
def test_a_program_gets_it_too(poetry: PoetryRunner, project: Path, options: tuple[str, ...]):
    (project / "pyproject.toml").write_text("[project\n", "utf-8")
    result = poetry.call("tf", "doctor", "--json", *options)
    assert result.returncode == 1
    document = json.loads(result.stdout)
    assert document["works"] is False
    assert document["findings"] == []
    assert "pyproject.toml:1" in document["trouble"]["message"]
    assert "pyproject.toml:1" in result.stderr


def test_a_record_that_cannot_be_written_leaves_one_document(poetry: PoetryRunner, project: Path):
    write(project, "none")
    result = poetry.call("tf", "doctor", "--json", "--record", str(project / "no" / "file"))
    assert result.returncode == 1
    assert json.loads(result.stdout)["trouble"] is None
    assert "can't be written" in result.stderr


def test_what_was_answered_can_be_written_down(poetry: PoetryRunner, project: Path):
    write(project, "auto")
    file = project / "machine.json"
    poetry.call("tf", "doctor", "--record", str(file))
    assert json.loads(file.read_text("utf-8"))["system"]
