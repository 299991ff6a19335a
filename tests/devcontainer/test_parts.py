"""The parts of a container, and where their values come from."""

from __future__ import annotations

from typing import Any

import pytest

from poetry_tf.devcontainer.origin import Origin
from poetry_tf.devcontainer.parts import list_parts
from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.plan.model import Plan
from tests.devcontainer.containers import (
    CATALOG,
    IMAGES,
    LACKS_NONE,
    LACKS_ONE,
    LOCAL,
    ORIGINS,
    PATH,
    codes,
    container,
    fixed,
    from_,
    having,
    make_spec,
    plan_of,
)


def test_what_they_are_named_for_is_explained():
    def explain(plan: Plan) -> list[str]:
        spec = make_spec(plan, origin=LOCAL)
        document = JsoncDocument.parse(fixed("{}", spec))
        found = list_parts(PATH, document, spec, CATALOG)
        return [f"{part.value}: {part.origin}" for part in found if part.name == "LD_LIBRARY_PATH"]

    (line,) = explain(LACKS_ONE)
    assert line.startswith("nvidia/cusolver/lib: TensorFlow 2.21.0 opens libraries there")
    assert explain(LACKS_NONE) == explain(plan_of("2.21.0", "system")) == []


def test_how_an_image_can_be_fixed_is_explained():
    def explain(image: str) -> str:
        document = JsoncDocument.parse(container(image=image))
        return next(list_parts(PATH, document, make_spec(), CATALOG)).origin

    fixed = f"{IMAGES.image('3.11')}@sha256:{'0' * 64}"
    assert codes(container(image=fixed)) == []
    assert "its digest fixes it" in explain(fixed)
    assert "the tag is fixed" in explain(IMAGES.image("3.11"))


@pytest.mark.parametrize("origin", ORIGINS.values(), ids=ORIGINS)
def test_where_poetry_tf_comes_from_is_reported(origin: Origin):
    document = JsoncDocument.parse(fixed("{}", from_(origin)))
    (part,) = (
        item
        for item in list_parts(PATH, document, from_(origin), CATALOG)
        if item.name == "poetry-tf"
    )
    assert part.value == (origin.requirement or "none")
    if origin is LOCAL:
        assert LOCAL.url in part.origin
        assert "then `poetry tf devcontainer`" in part.origin


@pytest.mark.parametrize(
    ("settings", "value", "names"),
    [
        ({}, "where there is one", "nvidia runtime"),
        ({"gpu_required": True}, "required", "from 29.2 on with CDI"),
        ({"engine": "podman"}, "required, by CDI", "Podman reads a file"),
    ],
)
def test_how_the_gpu_comes_in_is_explained(settings: dict[str, Any], value: str, names: str):
    spec = having(**settings)
    found = list_parts(PATH, JsoncDocument.parse(fixed("{}", spec)), spec, CATALOG)
    (part,) = (item for item in found if item.name == "GPU")
    assert part.value == value and names in part.origin
