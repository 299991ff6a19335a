from __future__ import annotations

import json

import pytest

from poetry_tf.releases import DISTRIBUTIONS, whole
from poetry_tf.releases.summary import keras, release_summary, series_summary, span


@pytest.mark.parametrize(
    ("minors", "text"),
    [
        ((), ""),
        (("3.9",), "3.9"),
        (("3.9", "3.10", "3.11"), "3.9-3.11"),
        (("2.7", "3.5", "3.6"), "2.7, 3.5-3.6"),
        (("3.8", "3.10"), "3.8, 3.10"),
    ],
)
def test_span(minors, text):
    assert span(minors) == text


@pytest.mark.parametrize(
    ("version", "text"),
    [("2.5.0", None), ("2.15.1", ">=2.15.0,<2.16"), ("2.21.0", ">=3.12.0"), ("2.0.0", None)],
)
def test_keras(version, text):
    release = whole().get(version)
    assert release is not None
    assert keras(release) == text


def test_a_series_by_its_newest_release():
    found = series_summary(whole(), "2.11")
    assert found == {
        "series": "2.11",
        "newest": "2.11.1",
        "releases": ["2.11.0", "2.11.1"],
        "uploaded": "2023-03-20",
        "origin": "packaged",
        "build_known": True,
        # Not linux-aarch64: the shim's target has no wheel for its Pythons.
        "pythons": {
            platform: ["3.8", "3.9", "3.10"]
            for platform in ("linux-x86_64", "macos-x86_64", "windows-amd64")
        },
        "cuda": "11.2",
        "cudnn": "8",
        "driver": "450.80.02",
        "keras": ">=2.11.0,<2.12",
    }
    with pytest.raises(LookupError):
        series_summary(whole(), "2.99")


@pytest.mark.sample
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_everything_is_plain(name):
    for release in whole(name).releases:
        found = release_summary(whole(name), release)
        assert json.loads(json.dumps(found)) == found
