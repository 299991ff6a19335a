"""`poetry-tf …` and `python -m poetry_tf …`, where Poetry itself was never set up."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.poetry import PoetryRunner
from tests.support.projects import contents

WRITTEN = {"pyproject.toml", "poetry.toml", "poetry.lock", ".devcontainer/devcontainer.json"}
COMMANDS = ("init", "check", "devcontainer")


def test_init_and_check(warm_poetry: PoetryRunner, project: Path) -> None:
    done = warm_poetry.run("init", "-n", "--tensorflow", "2.18", program="poetry_tf")
    assert done.ok, done.output
    assert set(contents(project)) == WRITTEN
    checked = warm_poetry.run("check", program="poetry_tf")
    assert checked.returncode == 0
    assert checked.stdout.startswith("All set! ")


def test_it_does_what_poetry_tf_does(
    warm_poetry: PoetryRunner, project: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other" / project.name
    other.mkdir(parents=True)
    one = warm_poetry.call("init", "-n", "--no-lock", program="poetry_tf")
    two = warm_poetry.call("tf", "init", "-n", "--no-lock", cwd=other)
    # Its commands are called by its own name.
    assert "poetry-tf init" in one.stdout
    assert "poetry tf init" in two.stdout
    one, two = (
        replace(done, stdout=done.stdout.replace("poetry-tf ", "poetry tf ")) for done in (one, two)
    )
    assert one == two
    assert contents(project) == contents(other)


@pytest.mark.parametrize("option", ["-C", "--directory", "-P", "--project"])
def test_a_folder_can_be_named(warm_poetry: PoetryRunner, tmp_path: Path, option: str) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    arguments = [option, str(folder), "init", "-n", "--no-lock"]
    done = warm_poetry.call(*arguments, cwd=tmp_path, program="poetry_tf")
    assert done.ok, done.output
    assert set(contents(folder)) == WRITTEN - {"poetry.lock"}
    assert not (tmp_path / "pyproject.toml").exists()


def test_a_folder_can_be_named_after_the_command(warm_poetry: PoetryRunner, tmp_path: Path) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    arguments = ["init", "-n", "--no-lock", f"--directory={folder}"]
    assert warm_poetry.call(*arguments, cwd=tmp_path, program="poetry_tf").ok
    assert "pyproject.toml" in contents(folder)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--help"],
        ["-h"],
        ["list"],
        ["--no-ansi"],
    ],
    ids=" ".join,
)
def test_without_a_command_the_commands_are_listed(
    poetry: PoetryRunner, project: Path, arguments: list[str]
) -> None:
    listed = poetry.call(*arguments, program="poetry_tf")
    assert listed.ok
    assert all(f"  {name} " in listed.stdout for name in COMMANDS)
    assert "  add " not in listed.stdout, "Poetry's own commands"
    assert contents(project) == {}


@pytest.mark.parametrize(
    "arguments",
    [
        ["init", "--help"],
        ["help", "init"],
        ["-h", "init"],
    ],
    ids=" ".join,
)
def test_the_help_of_a_command(poetry: PoetryRunner, arguments: list[str]) -> None:
    result = poetry.call(*arguments, program="poetry_tf")
    assert result.ok, result.output
    assert "tf init [options]" in result.stdout
    assert "--tensorflow" in result.stdout and "--dry-run" in result.stdout


def test_the_version(poetry: PoetryRunner) -> None:
    result = poetry.call("--version", program="poetry_tf")
    assert result.ok
    assert "Poetry" in result.stdout and len(result.stdout.splitlines()) == 1


def test_a_command_that_is_none(poetry: PoetryRunner) -> None:
    refused = poetry.call("nonsense", program="poetry_tf")
    assert refused.returncode == 1
    assert "Run `poetry-tf help`" in refused.stderr


def test_the_console_script_is_installed(warm_poetry: PoetryRunner, project: Path) -> None:
    script = Path(sysconfig.get_path("scripts"), "poetry-tf")
    done = subprocess.run(
        [script, "check", "-C", project], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "No pyproject.toml" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="a shell of POSIX, and a folder that is in use")
@pytest.mark.parametrize(
    ("how", "status", "said"),
    [
        ("{} releases --all | true", 0, ""),
        ("{} releases >&-", 0, ""),
        ("{} releases 2.15 <&- >/dev/null", 0, ""),
        (
            'mkdir gone; cd gone; rmdir "$PWD"; {} check',
            1,
            "Error: could not read the current folder: No such file or directory\n",
        ),
    ],
    ids=["nobody reads", "stdout is closed", "stdin is closed", "the folder is gone"],
)
@pytest.mark.sample
def test_streams_and_folders_that_are_gone(
    poetry: PoetryRunner, how: str, status: int, said: str
) -> None:
    command = f"set -o pipefail; {how.format(f'{sys.executable} -m poetry_tf')}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=poetry.project,
        env=poetry._environment(None),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stderr) == (status, said)
