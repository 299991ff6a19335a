"""What README.md says of the rules and shows to copy, against the program itself."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.index import Mount
from tests.support.poetry import NO_NETWORK, PoetryRunner, write_pyproject

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
HOOKS: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))


@pytest.mark.parametrize("page", ["rules_page.py", "containers_page.py"])
def test_a_page_that_is_made_from_the_program_is_current(page: str):
    command = [sys.executable, str(ROOT / ".ci" / page), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "up to date\n"), done.stdout + done.stderr


def test_every_link_within_the_page_leads_somewhere():
    heads = re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}
    assert set(re.findall(r"\]\(#([^)]*)\)", README)) <= anchors


def workflow() -> dict[str, Any]:
    match = re.search(r"<!-- check: actions -->\s*```yaml\n(.*?)```", README, re.DOTALL)
    assert match is not None
    found: dict[str, Any] = yaml.safe_load(match[1])
    return found


def test_the_workflow_checks_and_annotates(poetry: PoetryRunner, project: Path):
    """Its last command; `tests/integration/test_pre_commit.py` runs them all, from the index."""
    (job,) = workflow()["jobs"].values()
    install, check = (step["run"] for step in job["steps"] if "run" in step)
    assert install.startswith("pip install git+https://github.com/OWNER/poetry-tf@")
    program, *arguments = check.split()
    assert program == "poetry-tf"
    write_pyproject(project, ["tensorflow >=2.18"], requires_python=">=3.12,<3.13")
    found = poetry.call(*arguments, program="poetry_tf")
    assert found.returncode == 1
    assert found.stdout.startswith("::error file=pyproject.toml,line=6,col=5,title=TF101::")
    write_pyproject(project, ["tensorflow >=2.18,<2.19"], requires_python=">=3.12,<3.13")
    assert poetry.call(*arguments, program="poetry_tf").ok


@pytest.mark.parametrize(
    ("path", "concerned"),
    [
        ("pyproject.toml", True),
        ("poetry.lock", True),
        ("poetry.toml", True),
        (".devcontainer/devcontainer.json", True),
        (".devcontainer.json", True),
        ("services/a/pyproject.toml", True),
        ("services/a/.devcontainer/devcontainer.json", True),
        (".devcontainer/gpu/devcontainer.json", True),
        (".devcontainer/gpu/more/devcontainer.json", False),
        (".devcontainer/feature/devcontainer-feature.json", False),
        ("my-pyproject.toml", False),
        ("pyproject.toml.j2", False),
        ("docs/devcontainer.json.md", False),
        ("src/main.py", False),
        ("uv.lock", False),
    ],
)
def test_a_hook_runs_for_the_files_concerned(path: str, concerned: bool):
    for hook in HOOKS:
        assert bool(re.search(hook["files"], path)) is concerned
        assert hook["pass_filenames"] is False


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: str(hook["id"]))
def test_a_hook_is_a_command_that_there_is(
    poetry: PoetryRunner, project: Path, hook: dict[str, Any]
):
    program, *arguments = hook["entry"].split()
    assert program == "poetry-tf"
    write_pyproject(project, ["tensorflow >=2.18"], requires_python=">=3.12,<3.13")
    done = poetry.call(*arguments, program="poetry_tf")
    assert done.returncode == (0 if "--fix" in arguments else 1)


def test_the_commands_for_mirrors_do_what_is_said(poetry: PoetryRunner, project: Path, pypi: Mount):
    """One after the other; the mirrors themselves can't be reached from here."""
    match = re.search(r"<!-- check: mirror -->\s*```sh\n(.*?)```", README, re.DOTALL)
    assert match is not None
    lines = [line.partition(" #")[0].split() for line in match[1].splitlines()]
    poetry.environ |= NO_NETWORK
    write_pyproject(project, ["six"])
    assert poetry.call("lock").ok
    statuses = {}
    for program, *arguments in lines:
        assert program == "poetry"
        statuses[" ".join(arguments)] = poetry.call(*arguments).returncode
    assert statuses.pop("tf mirror test tuna pypi") == 1
    assert len(statuses) == 7 and not any(statuses.values()), statuses
    assert poetry.config_file.read_text("utf-8") == (
        '[tf]\nmirror = "auto"\nlocal-hosts = ["mirror.lab"]\n'
    )
    assert (project / "poetry.toml").read_text("utf-8") == '[tf]\nmirror = "off"\n'
    # The Chinese part shows the same commands.
    commands = re.findall(r"^poetry tf (?:mirror|allow)[^#\n]*", README, re.MULTILINE)
    assert commands[: len(lines)] == commands[len(lines) :]
