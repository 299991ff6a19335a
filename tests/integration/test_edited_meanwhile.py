"""What a person saves while a command is at work: the command writes nothing, and says so."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import SetUp
from tests.support.index import LocalIndex
from tests.support.poetry import PoetryRunner, Result, locked
from tests.support.projects import contents

PYPROJECT, LOCK, POETRY_TOML = "pyproject.toml", "poetry.lock", "poetry.toml"
CONTAINER = ".devcontainer/devcontainer.json"
SAVED = {
    PYPROJECT: b'# theirs\r\n[project]\r\nname = "theirs"\r\nversion = "1"\r\n',
    LOCK: b"# theirs\n",
    POETRY_TOML: b'# theirs\n[tf]\nmirror = "off"\n',
    CONTAINER: b"// theirs\n{}\n",
}


class Saving:
    """Changes a file once, at the first request to the index or the first write to the disk."""

    def __init__(self, project: Path, name: str, act: Callable[[Path], object] | None) -> None:
        self.project, self.name, self.path = project, name, project / name
        self._act = act or self._save
        self.after: dict[str, bytes] = {}
        """The project's files right after the change; empty until then."""

    def _save(self, path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(SAVED[self.name])

    def before(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with the change right before its first call."""

        def call(*args: Any, **more: Any) -> Any:
            if not self.after:
                self._act(self.path)
                files = contents(self.project).items()
                self.after = {
                    name: content for name, content in files if not name.startswith(".poetry-tf-")
                }
            return function(*args, **more)

        return call


@dataclass(frozen=True)
class Meanwhile:
    """Somebody who changes a file of the project while a command is at work."""

    project: Path
    index: LocalIndex
    patch: pytest.MonkeyPatch

    def solving(self, name: str, act: Callable[[Path], object] | None = None) -> Saving:
        saving = Saving(self.project, name, act)
        self.patch.setattr(self.index, "answer", saving.before(self.index.answer))
        return saving

    def writing(self, name: str, act: Callable[[Path], object] | None = None) -> Saving:
        saving = Saving(self.project, name, act)
        self.patch.setattr(os, "fsync", saving.before(os.fsync))
        return saving


@pytest.fixture
def meanwhile(project: Path, index: LocalIndex, monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    return Meanwhile(project, index, monkeypatch)


@pytest.fixture
def cold(right: PoetryRunner) -> PoetryRunner:
    """The project of `right`, for which the index is asked."""
    right.cache = right.home / "cache"
    return right


@pytest.fixture
def moved(set_up: SetUp, project: Path) -> PoetryRunner:
    """A project whose pin was moved to 2.19, so that the next lock moves the container."""
    poetry = set_up("--tensorflow", "2.18", "--python", "3.11")
    path = project / PYPROJECT
    text = path.read_bytes()
    path.write_bytes(text.replace(b">=2.18.1,<2.19.0", b">=2.19.0,<2.20.0"))
    assert path.read_bytes() != text
    poetry.cache = poetry.home / "cache"
    return poetry


def comment(path: Path) -> None:
    sign = b"//" if path.suffix == ".json" else b"#"
    path.write_bytes(sign + b" theirs\n" + path.read_bytes())


def refused(result: Result, saving: Saving, how: str, status: int = 1) -> None:
    """It ended with one error that names the file, and all is as the person left it."""
    assert saving.after, "the file was changed while it ran"
    assert result.returncode == status, result.output
    assert "Traceback" not in result.output
    assert [line for line in result.stderr.splitlines() if line.startswith("Error:")] == [
        f"Error: {saving.name} was {how} while poetry-tf was running; nothing was written"
    ]
    assert "Run the command again." in result.stderr
    assert contents(saving.project) == saving.after


@pytest.mark.parametrize("name", [PYPROJECT, LOCK, POETRY_TOML, CONTAINER])
@pytest.mark.sample(every=3)
def test_init_in_an_empty_folder(poetry: PoetryRunner, meanwhile: Meanwhile, name: str) -> None:
    saving = meanwhile.solving(name)
    result = poetry.call("tf", "init", "-n", "--tensorflow", "2.18")
    refused(result, saving, "created")


@pytest.mark.parametrize(
    "command",
    ["init -n", "init -n --from requirements.txt", "upgrade -n 2.19", "check --fix"],
)
@pytest.mark.parametrize("name", [PYPROJECT, LOCK, POETRY_TOML, CONTAINER])
@pytest.mark.sample(every=5)
def test_a_project_that_is_edited_while_it_is_solved(
    cold: PoetryRunner, project: Path, meanwhile: Meanwhile, command: str, name: str
) -> None:
    (project / "requirements.txt").write_text("six\n", "utf-8")
    path = project / PYPROJECT
    path.write_bytes(path.read_bytes().replace(b">=2.18.1,<2.19.0", b">=2.18.0,<2.19.0"))
    saving = meanwhile.solving(name)
    result = cold.call("tf", *command.split())
    refused(result, saving, "changed", status=2 if command == "check --fix" else 1)


@pytest.mark.parametrize("name", [PYPROJECT, LOCK, CONTAINER])
@pytest.mark.sample(every=2)
def test_what_is_deleted_while_it_is_solved(
    cold: PoetryRunner, meanwhile: Meanwhile, name: str
) -> None:
    saving = meanwhile.solving(name, Path.unlink)
    refused(cold.call("tf", "upgrade", "-n", "2.19"), saving, "deleted")


@pytest.mark.slow
def test_json_says_it_as_well(cold: PoetryRunner, meanwhile: Meanwhile) -> None:
    saving = meanwhile.solving(CONTAINER)
    result = cold.call("tf", "upgrade", "--json", "2.19")
    refused(result, saving, "changed")
    output = json.loads(result.stdout)
    assert not output["applied"]
    assert output["error"]["message"].startswith(f"{CONTAINER} was changed")
    assert output["error"]["remedy"] == "Run the command again."


@pytest.mark.slow
def test_run_again_it_takes_what_was_saved(
    cold: PoetryRunner, project: Path, meanwhile: Meanwhile
) -> None:
    saving = meanwhile.solving(PYPROJECT, comment)
    refused(cold.call("tf", "upgrade", "-n", "2.19"), saving, "changed")
    result = cold.call("tf", "upgrade", "-n", "2.19")
    assert result.ok, result.output
    assert saving.path.read_bytes().startswith(b"# theirs\n")
    assert locked(project)["tensorflow"].startswith("2.19.")


@pytest.mark.slow
def test_a_save_that_changes_nothing_is_no_change(cold: PoetryRunner, meanwhile: Meanwhile) -> None:
    saving = meanwhile.solving(PYPROJECT, lambda path: path.write_bytes(path.read_bytes()))
    result = cold.call("tf", "upgrade", "-n", "2.19")
    assert saving.after
    assert result.ok, result.output


# Commands that take no time: the file is saved between their reading and their writing.


@pytest.mark.parametrize("name", [CONTAINER, PYPROJECT, LOCK, POETRY_TOML])
def test_devcontainer(right: PoetryRunner, project: Path, meanwhile: Meanwhile, name: str) -> None:
    path = project / CONTAINER
    path.write_bytes(path.read_bytes().replace(b"9.3.0.75", b"9.1.0.70"))
    saving = meanwhile.writing(name)
    refused(right.call("tf", "devcontainer"), saving, "changed")


def test_devcontainer_of_a_name(right: PoetryRunner, project: Path, meanwhile: Meanwhile) -> None:
    name = ".devcontainer/gpu/devcontainer.json"
    (project / name).parent.mkdir()
    (project / CONTAINER).rename(project / name)
    path = project / name
    path.write_bytes(path.read_bytes().replace(b"9.3.0.75", b"9.1.0.70"))
    saving = meanwhile.writing(name, comment)
    refused(right.call("tf", "devcontainer", "--config", "gpu"), saving, "changed")


@pytest.mark.parametrize("command", ["use aliyun", "off"])
@pytest.mark.parametrize("is_there", [True, False])
def test_mirror_of_the_project(
    right: PoetryRunner, project: Path, meanwhile: Meanwhile, command: str, is_there: bool
) -> None:
    if not is_there:
        (project / POETRY_TOML).unlink()
    saving = meanwhile.writing(POETRY_TOML)
    result = right.call("tf", "mirror", *command.split(), "--local")
    refused(result, saving, "changed" if is_there else "created")


def test_mirror_of_the_user(right: PoetryRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    file = right.config_file
    file.parent.mkdir(parents=True)
    file.write_bytes(b"[virtualenvs]\n")
    saving = Saving(file.parent, file.name, comment)
    monkeypatch.setattr(os, "fsync", saving.before(os.fsync))
    refused(right.call("tf", "mirror", "use", "aliyun"), saving, "changed")


# Poetry's own commands: they write pyproject.toml and poetry.lock, and the container follows.


@pytest.mark.parametrize("command", ["lock", "update --lock", "add --lock six"])
@pytest.mark.sample("lock")
def test_a_container_that_is_edited_while_poetry_solves_follows_with_the_edit(
    moved: PoetryRunner, meanwhile: Meanwhile, command: str
) -> None:
    saving = meanwhile.solving(CONTAINER, comment)
    result = moved.call(*command.split())
    assert result.ok, result.output
    assert saving.after
    assert f"{CONTAINER} was updated" in result.stderr
    after = saving.path.read_bytes()
    assert after.startswith(b"// theirs\n")
    assert b"(TensorFlow 2.19)" in after


@pytest.mark.parametrize("name", [CONTAINER, LOCK, PYPROJECT])
@pytest.mark.sample(every=2)
def test_a_file_that_is_edited_while_the_container_follows(
    moved: PoetryRunner, project: Path, meanwhile: Meanwhile, name: str
) -> None:
    saving = meanwhile.writing(name, comment)
    result = moved.call("lock")
    assert result.ok, "what Poetry was asked for is done"
    assert saving.after
    assert contents(project) == saving.after
    assert (
        f"The dev container was not updated ({name} was changed while poetry-tf was running; "
        "nothing was written): run poetry tf devcontainer\n"
    ) in result.stderr
