"""Files that earlier versions of poetry-tf wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from poetry_tf.devcontainer.changes import find_changes
from poetry_tf.devcontainer.spec import generated_name
from poetry_tf.files.documents import Document
from poetry_tf.files.edits import Edit
from poetry_tf.files.jsonc import JsoncDocument
from tests.devcontainer.containers import (
    INDEX,
    LOCAL,
    PATH,
    codes,
    data,
    fixed,
    make_spec,
    plan_for,
)

FILES = sorted((Path(__file__).parent / "earlier").glob("*.json"))


def spec_for(path: Path):
    origin = INDEX if "inject" in path.read_text("utf-8") else LOCAL
    return make_spec(origin=origin, git_lfs="lfs" in path.name, poetry="2.5.1")


def by_fix(text: str, path: Path) -> str:
    """The text after the edits of TF509 alone."""
    changes = find_changes(PATH, JsoncDocument.parse(text), spec_for(path))
    (change,) = (item for item in changes if item.code == "TF509")
    document: Document = JsoncDocument.parse(text)
    for edit in change.edits:
        assert isinstance(edit, Edit)
        document = edit.on(document)
    return document.text


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_of_an_earlier_version_becomes_one_of_today(path: Path):
    text, spec = path.read_text("utf-8"), spec_for(path)
    assert codes(text, spec) == ["TF509"]
    today = {**data(fixed("{}", spec)), "name": generated_name("study", plan_for())}
    after = fixed(text, spec)
    assert data(after) == today
    assert after.startswith("// Written by poetry-tf for TensorFlow 2.13.")
    assert fixed(after, spec) == after and codes(after, spec) == []
    commands = {key: value for key, value in today.items() if key.endswith("Command")}
    assert data(by_fix(text, path)).items() >= commands.items()
    assert codes(by_fix(text, path), spec) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_a_person_changed_in_it_stays(path: Path):
    spec = spec_for(path)
    content = data(path.read_text("utf-8"))
    content["onCreateCommand"] += " && make tools"
    content["postCreateCommand"] = "poetry install --sync && make"
    content["postStartCommand"] = "make hello"
    if path.stem.startswith("5"):
        content["postStartCommand"] = {"gpu": data(path.read_text("utf-8"))["postStartCommand"]}
    text = f"// ours\n{json.dumps(content, indent=2)}\n"
    for after in (fixed(text, spec), by_fix(text, path)):
        made = data(after)
        assert after.startswith("// ours\n{")
        assert made["onCreateCommand"].endswith(" && make tools")
        assert made["postCreateCommand"] == "poetry install --sync && make"
        assert ("make hello" in str(made["postStartCommand"])) != path.stem.startswith("5")
        assert made["mounts"] == data(fixed("{}", spec))["mounts"]
        assert codes(after, spec) == []
    assert fixed(fixed(text, spec), spec) == fixed(text, spec)


def test_another_series_is_named_in_the_comment_of_poetry_tf_only():
    text = fixed("{}")
    later = fixed(text, make_spec(plan_for("2.15")))
    assert later.startswith("// Written by poetry-tf for TensorFlow 2.15. To update it: ")
    own = text.partition("\n")[2]
    for before in ("", "// For format details, see the docs.\n"):
        assert fixed(f"{before}{own}", make_spec(plan_for("2.15"))).startswith(f"{before}{{")
    moved = f"\ufeff/* mine */\r\n{text}"
    after = fixed(moved, make_spec(plan_for("2.15")))
    assert after.startswith("\ufeff/* mine */\r\n// Written by poetry-tf for TensorFlow 2.15. ")


@pytest.mark.parametrize("owner", ["$(id -u):$(id -g)", r"\"$(id -u):$(id -g)\""])
def test_an_owner_of_the_folder_alone_becomes_one_of_all_in_it(owner: str):
    today = fixed("{}")
    before = today.replace("chown -R $(id -u):$(id -g)", f"chown {owner}")
    assert codes(before) == ["TF509"]
    assert fixed(before) == today
