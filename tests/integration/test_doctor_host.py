"""``poetry tf doctor`` on the machine of the tests, which is whatever it is."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest

from poetry_tf.commands.doctor import needs_of
from tests.support.poetry import PoetryRunner, write_pyproject
from tests.support.projects import contents

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
    spec = needs_of(project)
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
    assert "can't be written" in result.stderr


def test_what_was_answered_can_be_written_down(poetry: PoetryRunner, project: Path):
    write(project, "auto")
    file = project / "machine.json"
    poetry.call("tf", "doctor", "--record", str(file))
    assert json.loads(file.read_text("utf-8"))["system"]
