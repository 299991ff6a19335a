"""In a project that another tool manages all commands refuse alike, and name the ways to Poetry."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.poetry import PoetryRunner
from tests.support.projects import contents

PROJECT = """\
[project]
name = "study"
version = "1"
requires-python = ">=3.11,<3.12"
dependencies = ["tensorflow>=2.18,<2.19"]
"""
HATCHLING = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
MANAGERS = {
    "uv": "[tool.uv]\npackage = false\n",
    "pdm": "[tool.pdm]\ndistribution = false\n",
    "hatch": "[tool.hatch.envs.default]\n",
    "the build backend hatchling.build": HATCHLING,
}
COMMANDS = (
    *("check", "check --fix", "check --diff", "devcontainer", "devcontainer --check"),
    *("upgrade", "upgrade 2.19 -n", "init -n", "env", "mirror verify", "mirror save disk"),
    *("mirror use tuna --local", "mirror off --local"),
)


@pytest.mark.parametrize("manager", MANAGERS)
def test_all_commands_refuse_alike(warm_poetry: PoetryRunner, project: Path, manager: str):
    (project / "pyproject.toml").write_text(PROJECT + MANAGERS[manager], "utf-8")
    before, said = contents(project), set()
    for command in COMMANDS:
        done = warm_poetry.call("tf", *command.split())
        assert done.returncode == (2 if command.startswith("check") else 1), command
        assert done.stdout == "", command
        said.add(done.stderr)
    (text,) = said
    assert text.startswith(f"Error: pyproject.toml: this project uses {manager}, not Poetry\n")
    assert contents(project) == before


@pytest.mark.sample
@pytest.mark.parametrize("manager", MANAGERS)
def test_what_it_says_to_add_moves_the_project(
    warm_poetry: PoetryRunner, project: Path, manager: str
):
    path = project / "pyproject.toml"
    path.write_text(PROJECT + MANAGERS[manager], "utf-8")
    said = warm_poetry.call("tf", "check").stderr.splitlines()
    start = said.index("To move it to Poetry, add this to pyproject.toml and run `poetry tf init`:")
    lines = [line.strip() for line in said[start + 1 : start + 3] if line.startswith("    ")]
    path.write_text("\n".join([path.read_text("utf-8"), *lines, ""]), "utf-8")
    done = warm_poetry.call("tf", "init", "-n")
    assert done.ok, done.output
    assert "Delete" not in done.stdout
    assert warm_poetry.call("tf", "check").ok


@pytest.mark.parametrize(
    ("lock", "more"), [("uv.lock", MANAGERS["uv"]), ("pdm.lock", MANAGERS["pdm"]), ("uv.lock", "")]
)
def test_a_lock_that_poetry_does_not_read_is_named(
    warm_poetry: PoetryRunner, project: Path, lock: str, more: str
):
    """A project of uv's without settings is one of Poetry's as well, and is set up at once."""
    path = project / "pyproject.toml"
    path.write_text(PROJECT + more, "utf-8")
    (project / lock).write_text("version = 1\n", "utf-8")
    if more:
        said = warm_poetry.call("tf", "init", "-n").stderr
        assert f"After that {lock} can be deleted: Poetry locks in poetry.lock.\n" in said
        path.write_text(f"{PROJECT}{more}[tool.poetry]\npackage-mode = false\n", "utf-8")
    done = warm_poetry.call("tf", "init", "-n", "--no-lock")
    assert done.ok, done.output
    assert f"  - Delete {lock}: Poetry locks in poetry.lock, and does not read it\n" in done.stdout


@pytest.mark.parametrize(
    ("manager", "export"),
    [("uv", "uv export "), ("pdm", "pdm export "), ("hatch", "hatch dep show requirements ")],
)
def test_the_way_by_a_list_is_named(poetry: PoetryRunner, project: Path, manager: str, export: str):
    (project / "pyproject.toml").write_text(PROJECT + MANAGERS[manager], "utf-8")
    said = poetry.call("tf", "check").stderr
    assert f"    {export}" in said
    assert "    poetry tf init --from requirements.txt" in said


def test_a_project_that_poetry_locks_is_checked_whatever_builds_it(
    warm_poetry: PoetryRunner, project: Path
):
    text = PROJECT + HATCHLING
    (project / "pyproject.toml").write_text(text, "utf-8")
    assert warm_poetry.call("lock").ok
    done = warm_poetry.call("tf", "check")
    assert done.ok and "TF305" in done.stderr, "a package publishes no bound, so it is told"
    (project / "pyproject.toml").write_text(text.replace("<2.19", "<2.20"), "utf-8")
    assert "TF101" in warm_poetry.call("tf", "check").stderr


def test_what_only_the_other_tool_reads_is_named(warm_poetry: PoetryRunner, project: Path):
    """It would be lost without a word: a Poetry that is told to take over reads past it."""
    own = '[tool.uv]\ndev-dependencies = ["pytest"]\n[tool.uv.sources]\nmine = { path = "mine" }\n'
    (project / "pyproject.toml").write_text(PROJECT + own, "utf-8")
    said = warm_poetry.call("tf", "init", "-n").stderr
    assert "Poetry does not read dev-dependencies and sources in [tool.uv]: " in said
    (project / "pyproject.toml").write_text(PROJECT + MANAGERS["uv"], "utf-8")
    assert "does not read" not in warm_poetry.call("tf", "init", "-n").stderr
