"""After a command that changed the locked TensorFlow, the dev container follows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from poetry_tf.files.jsonc import JsoncDocument
from tests.integration.conftest import SetUp
from tests.support.poetry import PoetryRunner, locked
from tests.support.projects import changed_lines, read_jsonc

COMMENT = "  // ours: the team's own settings\n"


@pytest.fixture
def on_215(set_up: SetUp) -> PoetryRunner:
    """A project set up by `tf init` for 2.15, with a comment of its own in devcontainer.json."""
    poetry = set_up("--tensorflow", "2.15", "--python", "3.11", "--mirror", "off")
    path = container(poetry)
    path.write_text(path.read_text("utf-8").replace("{\n", "{\n" + COMMENT, 1), "utf-8")
    return poetry


def container(poetry: PoetryRunner) -> Path:
    return poetry.project / ".devcontainer" / "devcontainer.json"


def move(poetry: PoetryRunner, **settings: str) -> None:
    """Edits the pin, as a person would; a lock has to follow."""
    path = poetry.project / "pyproject.toml"
    text = path.read_text("utf-8")
    lines = [line for line in text.splitlines() if "tensorflow-cpu-aws" not in line]
    text = "\n".join(lines).replace(">=2.15.1,<2.16.0", ">=2.18.0,<2.19.0") + "\n"
    for key, value in settings.items():
        text = text.replace("[tool.poetry-tf]\n", f'[tool.poetry-tf]\n{key} = "{value}"\n')
    assert "2.18.0" in text
    path.write_text(text, "utf-8")


@pytest.mark.parametrize(
    "command",
    [["lock"], ["update", "--lock"], ["add", "--lock", "six"]],
    ids=" ".join,
)
@pytest.mark.sample
def test_the_container_follows_in_the_same_run(on_215: PoetryRunner, command: list[str]) -> None:
    before = container(on_215).read_bytes()
    move(on_215)
    done = on_215.call(*command)
    assert done.ok, done.output
    assert locked(on_215.project)["tensorflow"] == "2.18.1"
    lines = [line for line in done.stderr.splitlines() if "2.15.1" in line]
    assert lines == [
        "poetry-tf: tensorflow 2.15.1 -> 2.18.1. .devcontainer/devcontainer.json was updated "
        "(CUDA 12.2 -> 12.5, cuDNN 8.9.4.25 -> 9.3.0.75): rebuild the container"
    ]
    after = container(on_215).read_bytes()
    gone, new = changed_lines(before, after)
    assert len(gone) == len(new) <= 4, "only what is ours, each line in place"
    assert COMMENT in after.decode()
    assert '(TensorFlow 2.18)",' in after.decode(), "the name is ours as well"
    assert on_215.call("tf", "check").ok


def test_a_dry_run_moves_nothing(on_215: PoetryRunner) -> None:
    before = container(on_215).read_bytes()
    move(on_215)
    done = on_215.call("update", "--lock", "--dry-run")
    assert done.ok, done.output
    assert container(on_215).read_bytes() == before
    assert "was updated" not in done.output


def test_what_leaves_the_locked_tensorflow_alone_leaves_the_container_alone(
    on_215: PoetryRunner,
) -> None:
    path = container(on_215)
    path.write_text(path.read_text("utf-8").replace("8.9.4.25", "8.9.0.0"), "utf-8")
    before = path.read_bytes()
    done = on_215.call("add", "--lock", "six")
    assert done.ok, done.output
    assert path.read_bytes() == before
    assert "devcontainer" not in done.stderr


@pytest.mark.slow
def test_a_series_that_goes_with_the_same_cuda_moves_what_names_it_alone(
    set_up: SetUp,
) -> None:
    poetry = set_up("--tensorflow", "2.18", "--python", "3.11")
    before = container(poetry).read_bytes()
    path = poetry.project / "pyproject.toml"
    text = path.read_text("utf-8").replace(">=2.18.1,<2.19.0", ">=2.19.0,<2.20.0")
    path.write_text(text, "utf-8")
    done = poetry.call("lock")
    assert done.ok, done.output
    assert "devcontainer.json was updated (its name)\n" in done.stderr
    gone, new = changed_lines(before, container(poetry).read_bytes())
    assert [line.strip() for line in new] == [line.strip().replace("2.18", "2.19") for line in gone]
    assert len(new) == 2, "the name and the comment on top"


@pytest.mark.slow
def test_folders_that_a_release_overlooks_come_and_go_with_it(set_up: SetUp) -> None:
    poetry = set_up("--tensorflow", "2.20", "--python", "3.11", "--gpu", "pip")
    right = container(poetry).read_bytes()
    path = poetry.project / "pyproject.toml"
    older = path.read_text("utf-8")
    assert b"nvidia/cusolver/lib" not in right
    path.write_text(older.replace(">=2.20.0,<2.21.0", ">=2.21.0,<2.22.0"), "utf-8")
    done = poetry.call("lock")
    assert done.ok, done.output
    assert "was updated (remoteEnv): rebuild the container" in done.stderr
    made = read_jsonc(container(poetry))
    assert "/python3.11/site-packages/nvidia/cusolver/lib:" in made["remoteEnv"]["LD_LIBRARY_PATH"]
    path.write_text(older, "utf-8")
    done = poetry.call("lock")
    assert done.ok, done.output
    assert container(poetry).read_bytes() == right


def test_warn_says_it_and_changes_nothing(on_215: PoetryRunner) -> None:
    before = container(on_215).read_bytes()
    move(on_215, devcontainer="warn")
    done = on_215.call("lock")
    assert done.ok, done.output
    assert container(on_215).read_bytes() == before
    assert done.stderr.splitlines() == [
        "poetry-tf: tensorflow 2.15.1 -> 2.18.1. .devcontainer/devcontainer.json no longer fits "
        "it: run poetry tf check for details"
    ]


@pytest.mark.slow
def test_off_says_nothing(on_215: PoetryRunner) -> None:
    before = container(on_215).read_bytes()
    move(on_215, devcontainer="off")
    done = on_215.call("lock")
    assert (done.ok, done.stderr) == (True, ""), done.output
    assert container(on_215).read_bytes() == before


def test_where_poetry_tf_does_not_manage_it_is_one_notice(on_215: PoetryRunner) -> None:
    before = container(on_215).read_bytes()
    move(on_215)
    path = on_215.project / "pyproject.toml"
    path.write_text(path.read_text("utf-8").partition("\n[tool.poetry-tf]")[0] + "\n", "utf-8")
    done = on_215.call("lock")
    assert done.ok, done.output
    assert container(on_215).read_bytes() == before
    assert [line for line in done.stderr.splitlines() if "no longer fits" in line]


def test_a_file_that_cannot_be_edited_does_not_hinder_the_lock(on_215: PoetryRunner) -> None:
    container(on_215).write_text('{ "image": ', "utf-8")
    move(on_215)
    done = on_215.call("lock")
    assert done.ok, done.output
    assert locked(on_215.project)["tensorflow"] == "2.18.1"
    assert container(on_215).read_text("utf-8") == '{ "image": '
    (line,) = done.stderr.splitlines()
    assert "was not changed, because it can't be read" in line
    assert "devcontainer.json:1" in line
    assert "fix it, then run poetry tf devcontainer" in line


def test_a_folder_where_the_file_would_be_does_not_either(on_215: PoetryRunner) -> None:
    container(on_215).unlink()
    container(on_215).mkdir()
    move(on_215)
    done = on_215.call("lock")
    assert done.ok, done.output
    assert "Traceback" not in done.output
    assert locked(on_215.project)["tensorflow"] == "2.18.1"


def test_without_a_container_none_is_made(on_215: PoetryRunner) -> None:
    container(on_215).unlink()
    move(on_215)
    done = on_215.call("lock")
    assert (done.ok, done.stderr) == (True, ""), done.output
    assert not container(on_215).exists()


def test_a_base_of_the_users_own_gets_what_is_ours(on_215: PoetryRunner) -> None:
    own = {"build": {"dockerfile": "Dockerfile"}, "postCreateCommand": "make"}
    container(on_215).write_text(json.dumps(own, indent=2) + "\n", "utf-8")
    move(on_215)
    done = on_215.call("lock")
    assert done.ok, done.output
    data = read_jsonc(container(on_215))
    assert data["build"] == own["build"]
    assert "image" not in data


@pytest.mark.slow
def test_what_is_left_in_pyproject_is_reported(on_215: PoetryRunner) -> None:
    """2.16 has no proven pair: CUDA comes by wheels, which pyproject.toml has to ask for."""
    move(on_215)
    path = on_215.project / "pyproject.toml"
    text = path.read_text("utf-8").replace(">=2.18.0,<2.19.0", ">=2.16.2,<2.17.0")
    path.write_text(text, "utf-8")
    done = on_215.call("lock")
    assert done.ok, done.output
    (line,) = (item for item in done.stderr.splitlines() if "2.15.1" in item)
    assert "no CUDA, no cuDNN" in line
    assert line.endswith("There is more to fix: run poetry tf check --fix")
    assert on_215.call("tf", "check", "--fix").ok
    assert on_215.call("tf", "check").ok


# -- several containers ---------------------------------------------------------------------

NODE = """\
{
\t// the documentation
\t"image": "mcr.microsoft.com/devcontainers/javascript-node:1-18-bookworm",
\t"postCreateCommand": "npm ci",
}
"""


def named(poetry: PoetryRunner, name: str) -> Path:
    path = poetry.project / ".devcontainer" / name / "devcontainer.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture
def several(on_215: PoetryRunner) -> PoetryRunner:
    """The same with a copy that has tabs and CRLF, and a container that is for something else."""
    text = container(on_215).read_text("utf-8")
    assert "\n    " in text
    named(on_215, "gpu").write_bytes(
        text.replace("    ", "\t").replace("\n", "\r\n").encode("utf-8")
    )
    named(on_215, "docs").write_text(NODE, "utf-8")
    return on_215


def what_follows(stderr: str) -> str:
    (line,) = (item for item in stderr.splitlines() if "2.15.1 -> 2.18.1" in item)
    return line.partition("2.18.1. ")[2]


@pytest.mark.parametrize("command", [["lock"], ["update", "--lock"]], ids=" ".join)
@pytest.mark.sample
def test_each_container_follows_but_for_a_foreign_one(
    several: PoetryRunner, command: list[str]
) -> None:
    gpu = named(several, "gpu")
    before = gpu.read_bytes()
    move(several)
    done = several.call(*command)
    assert done.ok, done.output
    follows = "was updated (CUDA 12.2 -> 12.5, cuDNN 8.9.4.25 -> 9.3.0.75): rebuild the container"
    assert what_follows(done.stderr) == (
        f".devcontainer/devcontainer.json {follows}. .devcontainer/gpu/devcontainer.json {follows}"
    )
    gone, new = changed_lines(before, gpu.read_bytes())
    assert len(gone) == len(new) <= 4, "only what is ours, each line in place"
    assert all(line.endswith("\r\n") and line.startswith(("\t", "//")) for line in new)
    as_default = container(several).read_bytes().replace(b"    ", b"\t")
    assert gpu.read_bytes().replace(b"\r\n", b"\n") == as_default
    assert named(several, "docs").read_text("utf-8") == NODE
    assert several.call("tf", "check").ok


def test_named_ones_follow_without_a_default_one(several: PoetryRunner) -> None:
    container(several).unlink()
    move(several)
    done = several.call("lock")
    assert done.ok, done.output
    assert what_follows(done.stderr).startswith(
        ".devcontainer/gpu/devcontainer.json was updated (CUDA"
    )
    assert not container(several).exists()
    assert '(TensorFlow 2.18)"' in named(several, "gpu").read_text("utf-8")
    assert several.call("tf", "check").ok


def test_of_one_written_by_hand_only_what_it_has_follows(several: PoetryRunner) -> None:
    by_hand = named(several, "cpu")
    text = container(several).read_text("utf-8")
    image = JsoncDocument.parse(text).data["image"]
    hand = {"image": image, "postCreateCommand": "pipx install poetry && poetry install"}
    by_hand.write_text(json.dumps(hand), "utf-8")
    before = by_hand.read_bytes()
    move(several, devcontainer="warn")
    done = several.call("lock")
    assert what_follows(done.stderr) == (
        ".devcontainer/devcontainer.json, .devcontainer/cpu/devcontainer.json and "
        ".devcontainer/gpu/devcontainer.json no longer fit it: run poetry tf check for details"
    )
    assert by_hand.read_bytes() == before


def test_one_that_cannot_be_read_keeps_no_other_from_following(several: PoetryRunner) -> None:
    broken = '{\n\t"image": '
    named(several, "docs").write_text(broken, "utf-8")
    move(several)
    done = several.call("lock")
    assert done.ok, done.output
    line = what_follows(done.stderr)
    assert line.startswith(
        ".devcontainer/docs/devcontainer.json was not changed, because it can't be read "
        "(.devcontainer/docs/devcontainer.json:2:"
    )
    assert "fix it, then run poetry tf check --fix. " in line
    assert line.count("rebuild the container") == 2
    assert named(several, "docs").read_text("utf-8") == broken
    assert '"12.5"' in named(several, "gpu").read_text("utf-8")
