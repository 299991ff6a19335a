"""The command at each start of a container."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable

import pytest

from poetry_tf.devcontainer.changes import synchronize
from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.files.project import DEVCONTAINERS
from tests.devcontainer.containers import container, data, fixed, make_spec, plan_for
from tests.made import NOWHERE


def test_a_start_says_what_the_doctor_says(start: Callable[..., list[str]]):
    assert start(fixed("{}"), doctor='echo "$@"') == ["tf doctor --brief"]


def test_a_start_without_poetry_tf_names_tensorflows_devices(start: Callable[..., list[str]]):
    missing = 'echo "The command tf does not exist" >&2; false'
    (output,) = start(fixed("{}"), doctor=missing)
    advice = "(no GPU? poetry self add poetry-tf && poetry tf doctor)"
    assert output == f"tensorflow 2.99.0 /physical_device:GPU:0 {advice}"


def test_a_start_without_tensorflow_says_so_and_succeeds(start: Callable[..., list[str]]):
    output = start(fixed("{}"), doctor="false", tensorflow="raise ImportError")
    assert output == ["TensorFlow cannot be imported: poetry install"]


def test_the_line_is_the_same_for_every_tensorflow_and_short():
    command = data(fixed("{}"))["postStartCommand"]
    assert command == data(fixed("{}", make_spec(plan_for("2.18", "none"))))["postStartCommand"]
    assert len(json.dumps(command)) - 2 == len(command) < 350, "nothing in it has to be escaped"


def test_a_line_that_was_changed_by_hand_stays():
    own = "poetry tf doctor --brief && make"
    assert data(fixed(container(postStartCommand=own)))["postStartCommand"] == own


@pytest.mark.parametrize("path", [*DEVCONTAINERS, ".devcontainer/it's mine/devcontainer.json"])
def test_the_file_is_looked_at_where_it_lies(path: str):
    made = synchronize(NOWHERE / path, JsoncDocument.parse("{}"), make_spec()).data
    words = shlex.split(made["postStartCommand"].partition(" 2>")[0])
    named = ["--config", "it's mine"] if "mine" in path else []
    assert words == ["poetry", "tf", "doctor", "--brief", *named]
