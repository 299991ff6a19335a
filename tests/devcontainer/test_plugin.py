"""Where the poetry-tf in a container comes from."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import pytest
from packaging.version import Version

from poetry_tf.devcontainer.changes import find_changes
from poetry_tf.devcontainer.origin import Origin
from poetry_tf.files.jsonc import JsoncDocument
from tests.devcontainer.containers import (
    ARCHIVE,
    FOLDER,
    GIT,
    INDEX,
    LOCAL,
    ORIGINS,
    PATH,
    POETRY,
    REPOSITORY,
    codes,
    container,
    data,
    fixed,
    from_,
    make_spec,
    written,
)

LATER = Origin(Version("0.1.0"), "git", f"{REPOSITORY}@{'b' * 40}")
# What a file may hold before poetry-tf prepares the container.
STARTED_BY = [{}, {"onCreateCommand": "poetry install"}, {"onCreateCommand": ["poetry", "install"]}]


def injected(text: str) -> list[str]:
    """What `pipx inject poetry` is given in a container, as a shell reads it."""
    found = []
    for value in data(text).values():
        for command in value.values() if isinstance(value, dict) else [value]:
            if not isinstance(command, str) or "pipx inject" not in command:
                continue
            lexer = shlex.shlex(command, posix=True, punctuation_chars="();&|")
            lexer.whitespace_split = True
            words = list(lexer)
            found.append(words[words.index("inject") + 2])
    return found


@pytest.mark.parametrize("origin", ORIGINS.values(), ids=ORIGINS)
@pytest.mark.parametrize("keys", STARTED_BY)
def test_poetry_tf_comes_from_where_the_one_here_came_from(keys: dict[str, Any], origin: Origin):
    spec = from_(origin)
    text = fixed(written(keys), spec)
    assert injected(text) == ([] if origin is LOCAL else [origin.requirement])
    assert f"pipx install poetry=={POETRY}" in text
    assert "poetry install" in text
    assert codes(text, spec) == []
    assert fixed(text, spec) == text
    if origin is not INDEX:
        assert "poetry-tf==" not in text


@pytest.mark.parametrize("origin", [GIT, FOLDER, ARCHIVE, LOCAL], ids=lambda item: item.source)
@pytest.mark.parametrize("keys", STARTED_BY)
@pytest.mark.parametrize("whole", [True, False])
def test_a_name_gives_way_where_no_index_vouches_for_it(
    keys: dict[str, Any], origin: Origin, whole: bool
):
    before = fixed(written(keys))
    spec = make_spec(origin=origin, whole=whole)
    assert codes(before, spec) == ["TF508"]
    after = fixed(before, spec)
    assert codes(after, spec) == []
    assert after == fixed(after, spec)
    if whole:
        assert data(after) == data(fixed(written(keys), spec)), "as one that is new"
    assert injected(after) == ([] if origin is LOCAL else [origin.requirement])
    assert codes(before) == []


@pytest.mark.parametrize("here", ORIGINS.values(), ids=ORIGINS)
@pytest.mark.parametrize("there", [GIT, ARCHIVE], ids=["git", "archive"])
def test_an_address_in_the_file_stays(there: Origin, here: Origin):
    text = fixed("{}", from_(there))
    spec = from_(here)
    assert codes(text, spec) == []
    assert fixed(text, spec) == text


def test_two_people_with_different_ones_do_not_undo_each_other():
    for here in (LATER, replace(GIT, url=GIT.url.replace("owner", "another"))):
        text = fixed("{}", from_(GIT))
        assert codes(text, from_(here)) == []
        assert fixed(text, from_(here)) == text


def test_a_later_version_takes_the_place_of_an_earlier_one_and_never_the_other_way():
    text, later = fixed("{}", from_(INDEX)), replace(INDEX, version=Version("0.10.0"))
    assert injected(fixed(text, from_(later))) == ["poetry-tf==0.10.0"]
    assert injected(fixed(fixed(text, from_(later)), from_(INDEX))) == ["poetry-tf==0.10.0"]


@pytest.mark.parametrize("origin", [INDEX, GIT, ARCHIVE], ids=lambda item: item.source)
def test_a_container_without_poetry_tf_gets_it_once_it_can_be_had(origin: Origin):
    text = fixed("{}", from_(LOCAL))
    assert codes(text, from_(origin)) == []
    assert data(fixed(text, from_(origin))) == data(fixed("{}", from_(origin)))


@pytest.mark.parametrize("origin", [INDEX, GIT, LOCAL], ids=lambda item: item.source)
def test_poetry_tf_that_a_person_took_out_stays_out(origin: Origin):
    text = container(onCreateCommand=f"pipx install poetry=={POETRY}", postStartCommand="true")
    assert fixed(text, from_(origin)) == text or origin is LOCAL
    assert injected(fixed(text, from_(origin))) == []


@pytest.mark.parametrize(
    "command",
    [
        "pipx inject poetry poetry-tf",
        "pipx inject poetry poetry_tf==0.1.0 || echo no",
        "pipx inject -f poetry other 'poetry-tf >=0.1'",
        "pip install poetry-tf",
        "pip install Poetry.TF[x]==1",
        "poetry self add poetry-tf@latest",
        "poetry self add poetry-tf@^0.1",
        ["bash", "-lc", "sudo pip3 install poetry-tf~=0.1"],
    ],
)
def test_a_name_that_a_person_wrote_is_reported(command: Any):
    text = container(updateContentCommand=command, postStartCommand="true")
    (change,) = (
        item
        for item in find_changes(PATH, JsoncDocument.parse(text), from_(LOCAL))
        if item.code is not None
    )
    assert (change.code, change.path[0], change.edits) == ("TF508", "updateContentCommand", ())
    assert codes(text) == []


@pytest.mark.parametrize(
    "command",
    [
        f"pipx inject poetry {REPOSITORY}",
        f"poetry self add {REPOSITORY}@main",
        "pip install poetry-tf@https://files.example/poetry_tf.whl",
        "pip install ./poetry_tf-0.1.0-py3-none-any.whl poetry-tf-other==1",
        "pipx inject poetry-tf six",
        "echo pip install poetry-tf-x",
    ],
)
def test_what_is_no_bare_name_is_not(command: str):
    text = container(updateContentCommand=command, postStartCommand="true")
    assert codes(text, from_(LOCAL)) == []
