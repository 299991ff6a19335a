"""Values of any type at any place of a devcontainer.json."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poetry_tf.devcontainer.changes import find_changes
from poetry_tf.files.documents import DocumentError
from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.plan.model import Plan
from poetry_tf.plan.settings import GpuChoice
from tests.devcontainer.containers import (
    CACHE,
    CUDA,
    IMAGES,
    LFS,
    LIVING_POETRY,
    OLD_CUDA,
    PATH,
    RETIRED_POETRY,
    codes,
    data,
    fixed,
    folder,
    make_spec,
    plan_for,
    plan_of,
    written,
)

ODD: list[Any] = [None, True, False, 0, 3, 1.5, "", "x", "gpu", [], [None], [3], {}, {"a": None}]
JUDGED = (
    "name",
    "image",
    "features",
    "runArgs",
    "hostRequirements",
    "containerEnv",
    "remoteEnv",
    "mounts",
    "onCreateCommand",
    "updateContentCommand",
    "postCreateCommand",
    "postStartCommand",
    "customizations",
    "build",
    "dockerFile",
    "dockerComposeFile",
    "overrideFeatureInstallOrder",
)


def holds(new: Any, old: Any) -> bool:
    """Whether a value is still there: as it was, added to, or as one of several."""
    if type(new) is type(old) and new == old:
        return True
    if isinstance(new, list):
        return isinstance(old, list) and all(item in new for item in old)
    if not isinstance(new, dict):
        return False
    if isinstance(old, dict) and all(key in new and holds(new[key], old[key]) for key in old):
        return True
    return any(holds(value, old) for value in new.values())


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("value", ODD, ids=repr)
@pytest.mark.parametrize("key", JUDGED)
@pytest.mark.sample(every=4)
def test_a_value_of_an_odd_type_stays_or_is_refused(key: str, value: Any, whole: bool):
    text = written({key: value, "x-kept": [1, {"a": None}]})
    spec = make_spec(whole=whole)
    try:
        after = fixed(text, spec)
    except DocumentError:
        return
    assert data(after)["x-kept"] == [1, {"a": None}]
    nothing = value in (None, "", []) and key.endswith("Command")
    assert nothing or value is None or holds(data(after)[key], value)
    assert fixed(after, spec) == after


@pytest.mark.parametrize("value", ODD, ids=repr)
@pytest.mark.parametrize(
    ("key", "inner"),
    [
        ("features", OLD_CUDA),
        ("features", CUDA),
        ("features", LFS),
        ("features", RETIRED_POETRY),
        ("features", LIVING_POETRY),
        ("features", CACHE),
        ("hostRequirements", "gpu"),
        ("containerEnv", "POETRY_CACHE_DIR"),
        ("onCreateCommand", "a"),
        ("postCreateCommand", "a"),
        ("customizations", "vscode"),
    ],
)
@pytest.mark.sample(every=4)
def test_an_inner_value_of_an_odd_type_stays_or_is_refused(key: str, inner: str, value: Any):
    text = written({key: {inner: value}, "x-kept": 1})
    try:
        after = data(fixed(text, make_spec(git_lfs=True)))
    except DocumentError:
        return
    assert after["x-kept"] == 1
    assert fixed(written(after), make_spec(git_lfs=True)) == written(after)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (key, value)
        for key, values in {
            "mounts": [True, 3, "x", {}, None],
            "containerEnv": ["x", 3, [], None],
            "features": ["x", 3, [], None],
            "hostRequirements": ["gpu", True, []],
            "onCreateCommand": [3, True, [3]],
            "postCreateCommand": [3, True, [None]],
        }.items()
        for value in values
    ],
)
def test_a_place_that_is_not_what_it_has_to_be_is_refused_by_its_name(key: str, value: Any):
    keys = {"image": IMAGES.image("3.11"), key: value}
    with pytest.raises(DocumentError, match=key):
        fixed(written(keys))
    assert codes(written(keys))  # which can be judged all the same


GPUS: tuple[GpuChoice, ...] = get_args(GpuChoice)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.sampled_from(
        [
            *("", "--gpus=all", "all", "--gpus", "--runtime=nvidia", "poetry install", "optional"),
            *("pipx install poetry", "pipx", "install", "poetry", "bash", "-c", "poetry==1.8"),
            *("NVIDIA_DRIVER_CAPABILITIES=video", folder("cusolver"), f"a:{folder('cufft')}:"),
            *("curl https://install.python-poetry.org | python3 -", "a (TensorFlow 2.9)"),
        ]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("gpu", "a", "poetry-tf", CUDA, OLD_CUDA, LIVING_POETRY, RETIRED_POETRY),
                    *("LD_LIBRARY_PATH", "NVIDIA_DRIVER_CAPABILITIES"),
                ]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(JUDGED), values, max_size=4),
    st.booleans(),
    st.sampled_from([None, plan_of("2.21.0"), *(plan_for("2.18", gpu) for gpu in GPUS)]),
)
def test_any_file_is_fixed_or_refused_and_fixed_once(
    keys: dict[str, Any], whole: bool, plan: Plan | None
):
    spec = replace(make_spec(whole=whole), plan=plan)
    try:
        text = fixed(written(keys), spec)
    except DocumentError:
        return
    try:
        assert fixed(text, spec) == text
    except DocumentError:
        pytest.fail("fixed, and then refused")
    left = find_changes(PATH, JsoncDocument.parse(text), spec)
    assert [item for item in left if item.edits] == []
