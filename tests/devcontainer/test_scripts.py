"""Scripts of the repository that a lifecycle hook names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from poetry_tf.devcontainer.changes import find_changes, synchronize
from poetry_tf.files.jsonc import JsoncDocument
from tests.devcontainer.containers import INSTALL, POETRY, container, make_spec

SETUP = f"""#!/usr/bin/env bash
set -euo pipefail
pipx install poetry=={POETRY}  # not: poetry install
poetry install --no-root
"""
CALLS: list[Any] = [
    "bash .devcontainer/setup.sh",
    "./.devcontainer/setup.sh",
    ".devcontainer/setup.sh --fast",
    "sudo -E bash -eu ./.devcontainer/setup.sh && echo done",
    "cd .devcontainer && sh setup.sh",
    ". .devcontainer/setup.sh",
    "bash ${containerWorkspaceFolder}/.devcontainer/setup.sh",
    "bash /workspaces/study/.devcontainer/setup.sh",
    ["bash", ".devcontainer/setup.sh"],
    ["/bin/sh", "-c", "/bin/bash ./.devcontainer/setup.sh"],
    {"setup": "bash .devcontainer/setup.sh", "other": "echo hello"},
    {"setup": ["bash", ".devcontainer/setup.sh"], "other": "echo hello"},
    "bash .devcontainer/outer.sh",
]


def made_in(folder: Path, text: str, script: str) -> Any:
    path = folder / ".devcontainer" / "devcontainer.json"
    path.parent.mkdir(exist_ok=True)
    (path.parent / "setup.sh").write_text(script)
    (path.parent / "outer.sh").write_text("echo first; bash .devcontainer/setup.sh\n")
    made = synchronize(path, JsoncDocument.parse(text), make_spec())
    assert synchronize(path, made, make_spec()).text == made.text
    return made.data


@pytest.mark.parametrize("call", CALLS, ids=repr)
@pytest.mark.parametrize("hook", ["onCreateCommand", "updateContentCommand", "postCreateCommand"])
def test_a_script_that_installs_the_project_is_the_only_one_that_does(
    tmp_path: Path, hook: str, call: Any
):
    hooks: dict[str, Any] = {"onCreateCommand": ..., "postCreateCommand": ..., hook: call}
    made = made_in(tmp_path, container(**hooks), SETUP)
    assert made.pop(hook) == call
    made.pop("postStartCommand", None)  # which advises it
    assert "poetry install" not in str(made)
    assert "pipx install" not in str(made)


@pytest.mark.parametrize("call", [*CALLS[:2], CALLS[8], CALLS[10]], ids=repr)
def test_an_installation_comes_after_a_script_that_uses_poetry(tmp_path: Path, call: Any):
    made = made_in(tmp_path, container(postCreateCommand=call), "poetry config --list\n")
    command = made["postCreateCommand"]
    last = command["setup"] if isinstance(call, dict) else command
    assert str(last).endswith(f"setup.sh && {INSTALL}")


def test_an_installation_comes_after_what_cannot_be_looked_into(tmp_path: Path):
    for call in (
        *("/usr/local/bin/setup.sh", "bash scripts/gone.sh", "make setup"),
        *(
            "python3 .devcontainer/setup.py",
            "sudo -E python3.11 -u setup.py --all",
            "python -m nox",
        ),
        *("npm run setup", "yarn setup", "uv run setup.py", "npx setup", "node setup.js"),
        *("python3 -c 'import os; os.system(\"poetry install\")'", "conda run setup"),
    ):
        made = made_in(tmp_path, container(postCreateCommand=call), "")
        assert made["postCreateCommand"] == f"{call} && {INSTALL}"
    for call in ("npm ci", "yarn", "yarn install", "python3 -m pip install x", "uv sync", "python"):
        made = made_in(tmp_path, container(postCreateCommand=call), "")
        assert made["postCreateCommand"] == {"project": call, "poetry-tf": INSTALL}
    made = made_in(tmp_path, container(postCreateCommand="bash .devcontainer/setup.sh"), "echo 1\n")
    assert made["postCreateCommand"] == {
        "project": "bash .devcontainer/setup.sh",
        "poetry-tf": INSTALL,
    }


@pytest.mark.parametrize(
    "script", ["#!/usr/bin/env python3\nimport os\n", f"echo {'x' * 30_000}\npoetry install\n"]
)
def test_an_installation_comes_after_a_script_that_is_not_for_a_shell_or_too_long(
    tmp_path: Path, script: str
):
    call = "./.devcontainer/setup.sh"
    made = made_in(tmp_path, container(postCreateCommand=call), script)
    assert made["postCreateCommand"] == f"{call} && {INSTALL}"


def test_poetry_is_there_before_a_script_of_the_first_hook_uses_it(tmp_path: Path):
    call = "bash .devcontainer/setup.sh"
    made = made_in(tmp_path, container(onCreateCommand=call), "poetry install\n")
    assert made["onCreateCommand"].endswith(f" && {call}")
    assert f"pipx install poetry=={POETRY}" in made["onCreateCommand"]


def test_another_poetry_in_a_script_is_found_where_it_is_called(tmp_path: Path):
    script = SETUP.replace(POETRY, "1.8.2")
    text = container(onCreateCommand=..., postCreateCommand="bash .devcontainer/setup.sh")
    made_in(tmp_path, text, script)
    path = tmp_path / ".devcontainer" / "devcontainer.json"
    changes = find_changes(path, JsoncDocument.parse(text), make_spec())
    (change,) = (item for item in changes if item.code == "TF506")
    assert (change.path, change.edits) == (("postCreateCommand",), ())
    assert change.remedy.endswith("in .devcontainer/setup.sh")


def test_a_script_outside_the_repository_is_not_read(tmp_path: Path):
    (tmp_path / "setup.sh").write_text(SETUP)
    (project := tmp_path / "project").mkdir()
    (project / "link.sh").symlink_to(tmp_path / "setup.sh")
    for call in ("bash ../setup.sh", "bash link.sh"):
        made = made_in(project, container(postCreateCommand=call), "")
        assert made["postCreateCommand"] == f"{call} && {INSTALL}"


def test_scripts_that_call_each_other_come_to_an_end(tmp_path: Path):
    text = container(postCreateCommand="bash .devcontainer/setup.sh")
    made = made_in(tmp_path, text, "bash .devcontainer/outer.sh\n")
    assert "poetry install" in str(made["postCreateCommand"])
