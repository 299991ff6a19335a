"""CUDA from wheels in folders that TensorFlow overlooks."""

from __future__ import annotations

from typing import Any

import pytest

from poetry_tf.devcontainer.changes import find_changes
from poetry_tf.files.jsonc import JsoncDocument
from tests.devcontainer.containers import (
    IMAGES,
    LACKS_FIVE,
    LACKS_NONE,
    LACKS_ONE,
    PATH,
    POETRY,
    codes,
    container,
    data,
    fixed,
    folder,
    make_spec,
    plan_of,
    written,
)

FIVE = ("cublas", "cudnn", "cufft", "cusolver", "cusparse")
IMAGES_OWN = "${containerEnv:LD_LIBRARY_PATH:/nonexistent}"


def library_path(text: str) -> Any:
    return data(text).get("remoteEnv", {}).get("LD_LIBRARY_PATH")


def test_folders_that_tensorflow_overlooks_are_named_to_it():
    assert library_path(fixed("{}", make_spec(LACKS_ONE))) == f"{folder('cusolver')}:{IMAGES_OWN}"
    five = ":".join(folder(part, "3.12") for part in FIVE)
    assert library_path(fixed("{}", make_spec(LACKS_FIVE))) == f"{five}:{IMAGES_OWN}"
    for plan in (LACKS_NONE, plan_of("2.21.0", "system"), plan_of("2.21.0", "none")):
        assert library_path(fixed("{}", make_spec(plan))) is None


def test_they_follow_tensorflow_and_python():
    text = fixed("{}", make_spec(LACKS_FIVE))
    assert library_path(fixed(text, make_spec(LACKS_ONE))) == f"{folder('cusolver', '3.12')}:" + (
        IMAGES_OWN
    )
    newer = text.replace(IMAGES.image("3.12"), IMAGES.image("3.13"))
    assert codes(newer, make_spec(LACKS_ONE)) == ["TF503"]
    assert folder("cusolver") in library_path(fixed(newer, make_spec(LACKS_ONE)))
    assert codes(text, make_spec(plan_of("2.16.2"))) == ["TF503"]
    assert fixed(text, make_spec(plan_of("2.16.2"))) == fixed("{}", make_spec(plan_of("2.16.2")))


def test_that_they_are_not_named_is_reported():
    right = data(fixed("{}", make_spec(LACKS_ONE)))
    right["remoteEnv"].pop("LD_LIBRARY_PATH")
    (change,) = find_changes(PATH, JsoncDocument.parse(written(right)), make_spec(LACKS_ONE))
    assert change.code == "TF503"
    assert "nvidia/cusolver/lib" in change.message
    assert codes(written(right), make_spec(LACKS_ONE, whole=False)) == []


@pytest.mark.parametrize(
    ("theirs", "left"),
    [
        ("/mine", "/mine"),
        ("/mine:${localEnv:X:/a}:", "/mine:${localEnv:X:/a}:"),
        ("", None),
        (None, None),
    ],
)
def test_a_library_path_of_the_users_own_is_kept_behind_them(theirs: Any, left: str | None):
    text = container(remoteEnv={"LD_LIBRARY_PATH": theirs, "X": "1"})
    made = fixed(text, make_spec(LACKS_ONE))
    rest = theirs or IMAGES_OWN
    assert library_path(made) == f"{folder('cusolver', '3.11')}:{rest}"
    assert fixed(made, make_spec(LACKS_ONE)) == made
    back = fixed(made, make_spec(LACKS_NONE))
    assert library_path(back) == left
    assert data(back)["remoteEnv"]["X"] == "1"


def test_a_library_path_of_the_whole_container_stays_as_it_is():
    environment = {**data(container())["containerEnv"], "LD_LIBRARY_PATH": "/mine"}
    made = fixed(container(containerEnv=environment), make_spec(LACKS_ONE))
    assert data(made)["containerEnv"] == environment
    assert library_path(made) == f"{folder('cusolver', '3.11')}:{IMAGES_OWN}"


@pytest.mark.parametrize("key", ["containerEnv", "remoteEnv"])
def test_folders_that_the_user_has_named_are_not_named_again(key: str):
    right = data(fixed("{}", make_spec(LACKS_ONE)))
    right["remoteEnv"].pop("LD_LIBRARY_PATH")
    right[key]["LD_LIBRARY_PATH"] = "/workspaces/a/.venv/lib/python3.13/site-packages/nvidia/" + (
        "cusolver/lib/:/mine"
    )
    text = written(right)
    assert fixed(text, make_spec(LACKS_ONE)) == text
    assert fixed(text, make_spec(LACKS_NONE)) == text


@pytest.mark.parametrize(
    "keys",
    [
        {"containerEnv": {"POETRY_VIRTUALENVS_IN_PROJECT": "false"}},
        {"remoteEnv": {"POETRY_VIRTUALENVS_PATH": "/e"}},
        {"onCreateCommand": f"pipx install poetry=={POETRY}"},
        {"image": "mine:1"},
    ],
    ids=["outside", "path", "prepared", "image"],
)
def test_where_the_environment_lies_elsewhere_a_person_has_to_name_them(keys: dict[str, Any]):
    text = written({"image": IMAGES.image("3.11"), **keys})
    found = find_changes(PATH, JsoncDocument.parse(text), make_spec(LACKS_ONE))
    (change,) = [item for item in found if "cusolver" in item.message]
    assert (change.code, change.edits) == ("TF503", ())
    assert library_path(fixed(text, make_spec(LACKS_ONE))) is None
    named = {"LD_LIBRARY_PATH": "/e/lib/python3.11/site-packages/nvidia/cusolver/lib"}
    text = written({**data(text), "remoteEnv": {**data(text).get("remoteEnv", {}), **named}})
    found = find_changes(PATH, JsoncDocument.parse(text), make_spec(LACKS_ONE))
    assert not any("cusolver" in item.message for item in found)
