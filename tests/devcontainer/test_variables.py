"""CUDA from wheels in folders that TensorFlow overlooks."""

from __future__ import annotations

from typing import Any

import pytest

from poetry_tf.devcontainer.changes import find_changes
from poetry_tf.devcontainer.spec import ContainerSpec
from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.plan.model import Plan
from tests.devcontainer.containers import (
    IMAGES,
    LACKS_FIVE,
    LACKS_NONE,
    LACKS_ONE,
    LOCAL,
    PATH,
    POETRY,
    codes,
    data,
    fixed,
    folder,
    make_spec,
    plan_for,
    plan_of,
    written,
)

FIVE = ("cublas", "cudnn", "cufft", "cusolver", "cusparse")
IMAGES_OWN = "${containerEnv:LD_LIBRARY_PATH:/nonexistent}"


def alone(plan: Plan, *, whole: bool = True) -> ContainerSpec:
    """What a container has to have that does not get poetry-tf."""
    return make_spec(plan, whole=whole, origin=LOCAL)


def bare(**keys: Any) -> str:
    """A container without poetry-tf that is right for 2.13 in all that the keys don't say."""
    return written({**data(fixed("{}", alone(plan_for()))), **keys})


def library_path(text: str) -> Any:
    return data(text).get("remoteEnv", {}).get("LD_LIBRARY_PATH")


def test_folders_that_tensorflow_overlooks_are_named_to_it():
    assert library_path(fixed("{}", alone(LACKS_ONE))) == f"{folder('cusolver')}:{IMAGES_OWN}"
    five = ":".join(folder(part, "3.12") for part in FIVE)
    assert library_path(fixed("{}", alone(LACKS_FIVE))) == f"{five}:{IMAGES_OWN}"
    for plan in (LACKS_NONE, plan_of("2.21.0", "system"), plan_of("2.21.0", "none")):
        assert library_path(fixed("{}", alone(plan))) is None


def test_poetry_tf_in_the_container_links_the_libraries_instead():
    for plan in (LACKS_ONE, LACKS_FIVE):
        made = fixed("{}", make_spec(plan))
        assert library_path(made) is None
        assert codes(made, make_spec(plan)) == []
        with_path = fixed(bare(), alone(plan))
        assert library_path(with_path) is not None
        both = {**data(with_path), "updateContentCommand": data(made)["updateContentCommand"]}
        assert codes(written(both), make_spec(plan)) == ["TF503"]
        assert library_path(fixed(written(both), make_spec(plan))) is None


def test_they_follow_tensorflow_and_python():
    text = fixed("{}", alone(LACKS_FIVE))
    assert library_path(fixed(text, alone(LACKS_ONE))) == f"{folder('cusolver', '3.12')}:" + (
        IMAGES_OWN
    )
    newer = text.replace(IMAGES.image("3.12"), IMAGES.image("3.13"))
    assert codes(newer, alone(LACKS_ONE)) == ["TF503"]
    assert folder("cusolver") in library_path(fixed(newer, alone(LACKS_ONE)))
    assert codes(text, alone(plan_of("2.16.2"))) == ["TF503"]
    assert fixed(text, alone(plan_of("2.16.2"))) == fixed("{}", alone(plan_of("2.16.2")))


def test_that_they_are_not_named_is_reported():
    right = data(fixed("{}", alone(LACKS_ONE)))
    right["remoteEnv"].pop("LD_LIBRARY_PATH")
    (change,) = find_changes(PATH, JsoncDocument.parse(written(right)), alone(LACKS_ONE))
    assert change.code == "TF503"
    assert "nvidia/cusolver/lib" in change.message
    assert codes(written(right), alone(LACKS_ONE, whole=False)) == []


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
    text = bare(remoteEnv={"LD_LIBRARY_PATH": theirs, "X": "1"})
    made = fixed(text, alone(LACKS_ONE))
    rest = theirs or IMAGES_OWN
    assert library_path(made) == f"{folder('cusolver', '3.11')}:{rest}"
    assert fixed(made, alone(LACKS_ONE)) == made
    back = fixed(made, alone(LACKS_NONE))
    assert library_path(back) == left
    assert data(back)["remoteEnv"]["X"] == "1"


def test_a_library_path_of_the_whole_container_stays_as_it_is():
    environment = {**data(bare())["containerEnv"], "LD_LIBRARY_PATH": "/mine"}
    made = fixed(bare(containerEnv=environment), alone(LACKS_ONE))
    assert data(made)["containerEnv"] == environment
    assert library_path(made) == f"{folder('cusolver', '3.11')}:{IMAGES_OWN}"


@pytest.mark.parametrize("key", ["containerEnv", "remoteEnv"])
def test_folders_that_the_user_has_named_are_not_named_again(key: str):
    right = data(fixed("{}", alone(LACKS_ONE)))
    right["remoteEnv"].pop("LD_LIBRARY_PATH")
    right[key]["LD_LIBRARY_PATH"] = "/workspaces/a/.venv/lib/python3.13/site-packages/nvidia/" + (
        "cusolver/lib/:/mine"
    )
    text = written(right)
    assert fixed(text, alone(LACKS_ONE)) == text
    assert fixed(text, alone(LACKS_NONE)) == text


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
    found = find_changes(PATH, JsoncDocument.parse(text), alone(LACKS_ONE))
    (change,) = [item for item in found if "cusolver" in item.message]
    assert (change.code, change.edits) == ("TF503", ())
    assert library_path(fixed(text, alone(LACKS_ONE))) is None
    named = {"LD_LIBRARY_PATH": "/e/lib/python3.11/site-packages/nvidia/cusolver/lib"}
    text = written({**data(text), "remoteEnv": {**data(text).get("remoteEnv", {}), **named}})
    found = find_changes(PATH, JsoncDocument.parse(text), alone(LACKS_ONE))
    assert not any("cusolver" in item.message for item in found)
