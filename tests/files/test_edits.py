"""Changes to a project's files, as data: they can be shown, applied, or left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from poetry_tf.files.edits import Edit, apply, apply_until_stable, changed_texts, diff
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.project import DEVCONTAINERS, PYPROJECT
from tests.made import NOWHERE, in_memory, on_disk
from tests.support.projects import patched

TEXT = "# mine\n[a]\nb = [1] # one\nc = 'x'\n"
FILE = NOWHERE / PYPROJECT


@pytest.mark.parametrize(
    ("edit", "after"),
    [
        (Edit(FILE, "set", ("a", "c"), "y"), TEXT.replace("x", "y")),
        (Edit(FILE, "append", ("a", "b"), 2), TEXT.replace("[1]", "[1, 2]")),
        (Edit(FILE, "remove", ("a", "c")), TEXT.replace("c = 'x'\n", "")),
        (Edit(FILE, "rename", ("a", "c"), "d"), TEXT.replace("c =", "d =")),
        (Edit(FILE, "set", ("a", "c"), "x"), TEXT),
    ],
)
def test_an_edit_changes_its_place_and_nothing_else(edit: Edit, after: str):
    before = in_memory(TEXT)
    assert apply(before, [edit]).pyproject.document.text == after
    assert before.pyproject.document.text == TEXT


def test_edits_are_made_one_after_the_other():
    edits = [
        Edit(FILE, "append", ("a", "b"), 2),
        Edit(FILE, "rename", ("a", "b"), "e"),
        Edit(FILE, "append", ("a", "e"), 3),
    ]
    assert apply(in_memory(TEXT), edits).pyproject.data["a"]["e"] == [1, 2, 3]


@pytest.mark.parametrize(
    ("edit", "says", "place"),
    [
        (Edit(FILE, "set", ("a", "c", "d"), 1), "a.c is not a table", (4, 5)),
        (Edit(FILE, "append", ("a", "c"), 1), "a.c is not an array", (4, 5)),
        (Edit(FILE, "rename", ("a", "c"), "b"), "a.b exists already", (3, 1)),
        (Edit(FILE, "rename", ("a", "x"), "y"), "there is no key a.x", (2, 2)),
    ],
)
def test_what_is_in_the_way_of_an_edit_is_named_with_its_place(
    edit: Edit, says: str, place: tuple[int, int]
):
    with pytest.raises(ProjectError) as caught:
        apply(in_memory(TEXT), [edit])
    assert str(caught.value) == f"pyproject.toml:{place[0]}:{place[1]}: {says}"
    assert caught.value.path == FILE


def test_a_file_that_is_not_there_begins_empty(tmp_path: Path):
    project = on_disk(tmp_path, {PYPROJECT: TEXT})
    container, settings = tmp_path / DEVCONTAINERS[0], tmp_path / "poetry.toml"
    after = apply(
        project,
        [Edit(container, "set", ("a",), 1), Edit(settings, "set", ("tf", "mirror"), "auto")],
    )
    assert changed_texts(project) == {}
    texts = changed_texts(after)
    assert set(texts) == {container, settings}
    assert texts[settings] == '[tf]\nmirror = "auto"\n'
    assert texts[container].startswith("{") and texts[container].endswith("}\n")
    assert not container.exists()


def test_only_files_that_differ_from_the_disk_are_changed(tmp_path: Path):
    project = on_disk(tmp_path, {PYPROJECT: TEXT, "poetry.toml": "", ".devcontainer.json": "{}"})
    path = tmp_path / PYPROJECT
    there = apply(project, [Edit(path, "set", ("a", "c"), "y")])
    assert set(changed_texts(there)) == {path}
    back = apply(there, [Edit(path, "set", ("a", "c"), "x")])
    assert changed_texts(back) == {}


# -- diffs ----------------------------------------------------------------------------------


def test_a_new_file_is_shown_against_nothing():
    assert diff("a/b.json", None, "{}\n") == ("--- /dev/null\n+++ b/a/b.json\n@@ -0,0 +1 @@\n+{}\n")


def test_a_change_is_reported_by_its_lines():
    assert diff("x.toml", "a = 1\nb = 2\n", "a = 1\nb = 3\n") == (
        "--- a/x.toml\n+++ b/x.toml\n@@ -1,2 +1,2 @@\n a = 1\n-b = 2\n+b = 3\n"
    )


def test_without_a_change_there_is_no_diff():
    assert diff("x.toml", "a = 1\n", "a = 1\n") == ""


def roundtrip(old: str, new: str) -> None:
    assert patched({"x.toml": old.encode()}, diff("x.toml", old, new)) == {"x.toml": new.encode()}


texts = st.lists(st.sampled_from(["a = 1", "b = 2", "", "\r", "#"])).map("\n".join)


@settings(deadline=None)
@given(texts, texts)
@example("a", "a\n")
@example("a\r\nb", "a\r\nc\r\n")
def test_a_diff_makes_the_new_text_of_the_old(old: str, new: str):
    roundtrip(old, new)


@pytest.mark.parametrize("char", ["\x0c", "\x1c", "\x85", "\u2028", "\r"])
def test_a_diff_ends_lines_where_other_tools_do(char: str):
    roundtrip(f"# a{char}b\nc = 1\n", f"# a{char}b\nc = 2\n")


@pytest.mark.parametrize(("limit", "reached"), [(2, 2), (3, 3), (9, 3)])
def test_steps_end_when_nothing_changes_or_at_the_limit(limit: int, reached: int):
    assert apply_until_stable(0, lambda n: n + 1 if n < 3 else None, limit) == reached
