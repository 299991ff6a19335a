"""The command at each start of a container."""

from __future__ import annotations

import shlex
from collections.abc import Callable

import pytest

from poetry_tf.devcontainer.changes import synchronize
from poetry_tf.devcontainer.origin import Origin
from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.files.project import DEVCONTAINERS
from tests.devcontainer.containers import (
    IMAGES,
    INDEX,
    LOCAL,
    container,
    data,
    fixed,
    from_,
    make_spec,
    plan_for,
    written,
)
from tests.made import NOWHERE


def test_a_start_says_what_the_doctor_says(start: Callable[..., list[str]]):
    assert start(fixed("{}"), doctor='echo "$@"') == ["tf doctor --brief"]


def test_a_start_says_where_poetry_tf_is_missing(start: Callable[..., list[str]]):
    (output,) = start(fixed("{}"), doctor="false")
    assert output == "GPU not checked. Run on the host: poetry tf doctor"


def test_a_start_without_poetry_tf_names_tensorflows_devices(start: Callable[..., list[str]]):
    text = fixed("{}", from_(LOCAL))
    assert start(text, doctor="exit 9") == ["['/physical_device:GPU:0']"]
    assert start(text, doctor="exit 9", tensorflow="raise SystemExit(1)") == [], "and succeeds"


def test_the_line_is_the_same_for_every_tensorflow():
    command = data(fixed("{}"))["postStartCommand"]
    assert command == data(fixed("{}", make_spec(plan_for("2.18", "none"))))["postStartCommand"]
    assert '"' not in command, "nothing in it has to be escaped"


@pytest.mark.parametrize("origin", [INDEX, LOCAL], ids=lambda item: item.source)
def test_the_line_comes_after_what_may_still_install_the_project(origin: Origin):
    spec = from_(origin)
    line = data(fixed("{}", spec))["postStartCommand"]
    for command in ("poetry install", "make setup", ["poetry", "install"], {"a": "poetry sync"}):
        text = written({"image": IMAGES.image("3.11"), "postStartCommand": command})
        made = data(fixed(text, spec))
        assert made["postStartCommand"] == command
        assert made["postAttachCommand"] == line
        assert fixed(fixed(text, spec), spec) == fixed(text, spec)
    text = written({"image": IMAGES.image("3.11"), "postStartCommand": "echo 1"})
    made = data(fixed(text, spec))
    assert made["postStartCommand"] == {"project": "echo 1", "poetry-tf": line}


def test_a_line_that_was_changed_by_hand_stays():
    own = "poetry tf doctor --brief && make"
    assert data(fixed(container(postStartCommand=own)))["postStartCommand"] == own


@pytest.mark.parametrize("path", [*DEVCONTAINERS, ".devcontainer/it's mine/devcontainer.json"])
def test_the_file_is_looked_at_where_it_lies(path: str):
    made = synchronize(NOWHERE / path, JsoncDocument.parse("{}"), make_spec()).data
    words = shlex.split(made["postStartCommand"].partition(" || ")[0])
    named = ["--config", "it's mine"] if "mine" in path else []
    assert words == ["poetry", "tf", "doctor", "--brief", *named]
