"""``poetry tf doctor`` on the machine of the tests, which is whatever it is."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from poetry_tf.commands.doctor import read_spec
from tests.support.poetry import PoetryRunner, write_pyproject
from tests.support.projects import contents
from tests.support.pythons import add_python

needs_scripts = pytest.mark.skipif(os.name == "nt", reason="the interpreters are scripts")

WITH_TENSORFLOW = """\
[project]
name = "study"
version = "0.1.0"
requires-python = "{python}"
dependencies = ["tensorflow (>=2.18.1,<2.19.0)"]

[tool.poetry]
package-mode = false

[tool.poetry-tf]
gpu = "{gpu}"
"""


def write(folder: Path, gpu: str, python: str = ">=3.11,<3.12") -> None:
    text = WITH_TENSORFLOW.format(gpu=gpu, python=python)
    (folder / "pyproject.toml").write_text(text, "utf-8")


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
    assert "the project requests no GPU" in result.stdout


@pytest.mark.sample
@pytest.mark.parametrize("dependencies", [None, (), ("numpy (>=2)",)])
def test_without_tensorflow_it_says_what_the_machine_can_run(
    poetry: PoetryRunner, project: Path, dependencies: tuple[str, ...] | None
):
    if dependencies is not None:
        write_pyproject(project, dependencies, requires_python=">=3.11,<3.12")
    before = contents(project)
    result = poetry.call("tf", "doctor")
    assert result.ok, result.output
    (command,) = (line for line in result.stdout.splitlines() if "--no-devcontainer" in line)
    assert command.strip().startswith("poetry tf init ")
    report = json.loads(poetry.call("tf", "doctor", "--json").stdout)
    assert report["works"] is True
    assert [report[key] for key in ("tensorflow", "cuda", "cudnn", "gpu")] == [None] * 4
    assert report["manager"] is None
    assert "3.11" in report["machine"]["pythons"]
    here = report["possibilities"][-1]
    assert here["place"] == "here"
    assert here["commands"][-1] == command.strip()
    assert here["python"] == "3.11" or dependencies is None
    assert contents(project) == before


FOREIGN = """\
[project]
name = "study"
version = "0.1.0"
requires-python = ">=3.11,<3.13"
dependencies = ["{requirement}"]

{tool}
"""


@pytest.mark.sample
@pytest.mark.parametrize("requirement", ["tensorflow>=2.18", "tensorflow==2.18.1", "numpy>=1"])
@pytest.mark.parametrize(
    ("tool", "name"),
    [
        ("[tool.uv]", "uv"),
        ("[tool.pdm]", "pdm"),
        ('[build-system]\nbuild-backend = "hatchling.build"', "the build backend hatchling.build"),
        (
            '[build-system]\nbuild-backend = "uv_build"\n[tool.poetry-tf]',
            "the build backend uv_build",
        ),
    ],
)
def test_a_project_of_another_tool_is_told_of_the_machine_alone(
    poetry: PoetryRunner, project: Path, requirement: str, tool: str, name: str
):
    """None of Poetry's commands works there, and its TensorFlow is not known."""
    text = FOREIGN.format(requirement=requirement, tool=tool)
    (project / "pyproject.toml").write_text(text, "utf-8")
    result = poetry.call("tf", "doctor")
    assert result.ok, result.output
    assert f"This project uses {name}, not Poetry" in result.stdout
    assert "with Python 3.1" in result.stdout
    assert "poetry " not in result.stdout
    assert "2.18" not in result.stdout
    brief = poetry.call("tf", "doctor", "--brief")
    assert brief.stdout.startswith(f"This project uses {name}, not Poetry; ")
    assert "poetry " not in brief.stdout
    report = json.loads(poetry.call("tf", "doctor", "--json").stdout)
    assert report["manager"] == name
    assert report["tensorflow"] is None
    assert report["possibilities"][-1]["python"]
    assert not any(item["commands"] for item in report["possibilities"])


def test_what_it_proposes_makes_a_project(poetry: PoetryRunner, project: Path):
    report = json.loads(poetry.call("tf", "doctor", "--json").stdout)
    for item in report["possibilities"]:
        for command in item["commands"]:
            program, *arguments = shlex.split(command)
            assert program == "poetry"
            if arguments[0] == "tf":
                assert poetry.call(*arguments, "--no-lock", "-n").ok
                series = item["tensorflow"].rpartition(".")[0]
                assert f"tensorflow (>={series}" in (project / "pyproject.toml").read_text("utf-8")
                (project / "pyproject.toml").unlink()
                shutil.rmtree(project / ".devcontainer", ignore_errors=True)


@pytest.mark.parametrize("setting", ["sync", "off"])
def test_a_project_that_wants_no_container_is_told_of_none(project: Path, setting: str):
    write(project, "auto")
    (project / ".devcontainer").mkdir()
    (project / ".devcontainer/devcontainer.json").write_text('{"image": "python:3.11"}', "utf-8")
    with (project / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(f'devcontainer = "{setting}"\n')
    spec = read_spec(project)
    assert spec is not None
    assert (spec.config is None) == (setting == "off")


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
    assert "Could not write" in result.stderr


def test_what_was_answered_can_be_written_down(poetry: PoetryRunner, project: Path):
    write(project, "auto")
    file = project / "machine.json"
    poetry.call("tf", "doctor", "--record", str(file))
    assert json.loads(file.read_text("utf-8"))["system"]


# -- the activated environment ---------------------------------------------------------------


def with_pythons(poetry: PoetryRunner, folder: Path, *minors: str) -> None:
    """Leaves the machine these Pythons alone."""
    for minor in minors:
        add_python(folder, minor)
    poetry.environ |= {"PATH": str(folder), "POETRY_VIRTUALENVS_USE_POETRY_PYTHON": "false"}


def python_finding(poetry: PoetryRunner) -> dict[str, Any]:
    report = json.loads(poetry.call("tf", "doctor", "--json").stdout)
    found: dict[str, Any] = next(one for one in report["findings"] if one["probe"] == "python")
    return found


@pytest.mark.sample
@needs_scripts
@pytest.mark.parametrize("is_here", [True, False])
def test_an_activated_environment_is_left_for_a_python_that_fits(
    poetry: PoetryRunner, project: Path, tmp_path: Path, is_here: bool
):
    """One that is on the machine is not installed again."""
    write(project, 'none"\ndevcontainer = "off', python=">=3.9,<3.10")
    poetry.in_project, poetry.python_version = False, "3.12.2"
    with_pythons(poetry, tmp_path / "bin", "3.14", *["3.9"] * is_here)
    found = python_finding(poetry)
    assert found["seen"].endswith("has Python 3.12.2")
    assert "active environment" in found["seen"]
    assert ("which is installed" in found["remedy"]["what"]) == is_here
    install = [] if is_here else ["poetry python install 3.9"]
    assert found["remedy"]["everywhere"] == [*install, "deactivate", "poetry install"]


@pytest.mark.sample
@needs_scripts
@pytest.mark.parametrize("variable", ["VIRTUAL_ENV", "CONDA_PREFIX"])
def test_a_variable_that_names_no_folder_is_no_environment(
    poetry: PoetryRunner, project: Path, tmp_path: Path, variable: str
):
    """Whatever `python` is on PATH."""
    write(project, "none")
    poetry.in_project = True
    with_pythons(poetry, tmp_path / "bin", "3.11")
    folder = str(tmp_path / "removed")
    poetry.environ[variable] = folder
    for _ in range(2):
        found = python_finding(poetry)
        assert found["seen"] == f"{variable} names a folder that does not exist ({folder})"
        assert found["remedy"]["everywhere"] == [f"unset {variable}"]
        add_python(tmp_path / "bin", "3.11", "python")
    brief = poetry.call("tf", "doctor", "--brief")
    assert brief.stdout == (
        f"TensorFlow can't be installed: {variable} names a folder that does not exist ({folder}). "
        f"Run: unset {variable}\n"
    )
    (project / "pyproject.toml").unlink()
    report = json.loads(poetry.call("tf", "doctor", "--json").stdout)
    assert report["machine"]["pythons"] == ["3.11"]


# -- what the project says -------------------------------------------------------------------


@pytest.mark.parametrize("line", ["", 'devcontainer = "off"', 'keras = "legacy"'])
@pytest.mark.parametrize("gpu", ["none", "pip"])
def test_the_settings_decide_what_is_said(project: Path, gpu: str, line: str):
    write(project, gpu)
    with (project / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    spec = read_spec(project)
    assert spec is not None
    assert spec.refuses_gpu == (gpu == "none")
    assert spec.refuses_container == ("devcontainer" in line)
    assert spec.legacy_keras == ("keras" in line)
    assert spec.pythons == ("3.11",)
