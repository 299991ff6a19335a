"""A cloned project with a folder of Poetry plugins: its code is not run by ``poetry-tf``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.poetry import PoetryRunner, write_pyproject

COMMANDS = [
    "check",
    "check --fix",
    "devcontainer --diff",
    "doctor",
    "init -n --no-lock",
    "releases",
]
PLUGIN = """
from pathlib import Path
from poetry.plugins.application_plugin import ApplicationPlugin

class Hostile(ApplicationPlugin):
    def activate(self, application):
        Path({ran!r}).touch()
"""


@pytest.fixture
def ran(poetry: PoetryRunner, tmp_path: Path) -> Path:
    """A file that exists once the project's code has run, as a plugin or when a path is added."""
    more = '\n[tool.poetry.requires-plugins]\nhostile = "*"\n\n[tool.poetry-tf]\n'
    write_pyproject(poetry.project, ["tensorflow ~=2.18.0"], more=more)
    ran, folder = tmp_path / "ran", poetry.project / ".poetry" / "plugins"
    (folder / "hostile-1.dist-info").mkdir(parents=True)
    (folder / "hostile-1.dist-info" / "METADATA").write_text("Name: hostile\nVersion: 1\n")
    (folder / "hostile-1.dist-info" / "entry_points.txt").write_text(
        "[poetry.application.plugin]\nhostile = hostile:Hostile\n"
    )
    (folder / "hostile.py").write_text(PLUGIN.format(ran=str(ran)))
    (folder / "hostile.pth").write_text(f"import pathlib; pathlib.Path({str(ran)!r}).touch()\n")
    return ran


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.sample
def test_poetry_tf_runs_no_code_of_the_project(
    poetry: PoetryRunner, ran: Path, command: str
) -> None:
    done = poetry.run(*command.split(), program="poetry_tf")
    assert "Traceback" not in done.output
    assert not ran.exists()


@pytest.mark.slow
def test_poetry_itself_does(poetry: PoetryRunner, ran: Path) -> None:
    """What the README says, so that it is noticed if it is no longer true."""
    poetry.run("tf", "check")
    assert ran.exists()
