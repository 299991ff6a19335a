"""A Python that something other than the image names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from poetry_tf.devcontainer.changes import find_changes
from poetry_tf.devcontainer.image import container_python
from poetry_tf.files.jsonc import JsoncDocument
from tests.devcontainer.containers import CUDA, IMAGES, codes, data, fixed, make_spec, written

FEATURE = "ghcr.io/devcontainers/features/python:1"
BASE = "mcr.microsoft.com/devcontainers/base:ubuntu-22.04"


@pytest.mark.parametrize("image", [BASE, IMAGES.image("3.11"), "ubuntu:22.04"])
@pytest.mark.parametrize("written_as", [{"version": "3.14"}, {"version": "latest"}, "3.14.1"])
def test_the_python_of_the_feature_has_to_fit(image: str, written_as: Any):
    text = written({"image": image, "features": {FEATURE: written_as}})
    assert "TF502" in codes(text) and codes(text, make_spec(whole=False)) == ["TF502"]
    after = fixed(text)
    made = data(after)
    right = {"version": "3.11"} if isinstance(written_as, dict) else "3.11"
    assert (made["image"], made["features"][FEATURE]) == (image, right)
    assert container_python(JsoncDocument.parse(after)) == "3.11"
    assert codes(after) == [] and fixed(after) == after


@pytest.mark.parametrize("value", [{"version": "3.11"}, "3.10.4", {}, {"version": "os-provided"}])
def test_one_that_fits_or_is_not_known_stays(value: Any):
    text = written({"image": BASE, "features": {FEATURE: value}})
    assert codes(text, make_spec(whole=False)) == []
    assert data(fixed(text))["features"][FEATURE] == value


def test_the_feature_goes_before_the_image():
    text = written({"image": IMAGES.image("3.14"), "features": {FEATURE: "3.11"}})
    assert codes(text, make_spec(whole=False)) == []
    assert data(fixed(text))["image"] == IMAGES.image("3.14")


@pytest.mark.parametrize(
    ("image", "value", "is_known"),
    [
        (BASE, {"version": "3.11"}, True),
        (BASE, {"version": "3.11", "installTools": False}, False),
        ("mcr.microsoft.com/devcontainers/base:alpine-3.20", {"version": "3.11"}, False),
        (BASE, None, False),
        ("ubuntu:22.04", {"version": "3.11"}, False),
    ],
)
def test_a_base_image_with_the_feature_is_known(image: str, value: Any, is_known: bool):
    features = {} if value is None else {FEATURE: value}
    text = written({"image": image, "features": features})
    assert ("TF503" in codes(text), "TF506" in codes(text)) == (is_known, is_known)
    assert (CUDA in data(fixed(text))["features"]) == is_known


@pytest.mark.parametrize(
    ("name", "value", "source", "is_found"),
    [
        ("PYTHON_VERSION", "3.8", "FROM ubuntu", True),
        ("python_version", "3.8.10", "FROM ubuntu", True),
        ("PYTHON_VERSION", "3.11", "FROM ubuntu", False),
        ("VARIANT", "3.9-bullseye", "FROM mcr.microsoft.com/x/python:0-${VARIANT}", True),
        ("VARIANT", "3-3.9", "# x\n  from python:$VARIANT AS base", True),
        ("VARIANT", "3.11-bookworm", "FROM python:${VARIANT}", False),
        ("VARIANT", "bullseye", "FROM python:${VARIANT}", False),
        ("VARIANT", "3.9", "FROM alpine:${VARIANT}", False),
        ("VARIANT", "3.9", None, False),
        ("NODE_VERSION", "3.9", "FROM python:3.11", False),
        ("PYTHON_VERSION", 3.8, "FROM ubuntu", False),
    ],
)
def test_the_python_of_an_argument_has_to_fit(
    tmp_path: Path, name: str, value: Any, source: str | None, is_found: bool
):
    (folder := tmp_path / ".devcontainer").mkdir()
    if source is not None:
        (folder / "Dockerfile").write_text(f"{source}\nRUN true\n")
    build = {"dockerfile": "Dockerfile", "args": {"OTHER": "x", name: value}}
    document = JsoncDocument.parse(written({"build": build}))
    found = find_changes(folder / "devcontainer.json", document, make_spec(whole=False))
    assert [(item.code, item.path, item.edits) for item in found] == (
        [("TF502", ("build", "args", name), ())] if is_found else []
    )
