"""The data that no program reads anywhere: whence it is, how far it goes, and of which day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet

from poetry_tf.releases import cudnn_package, load
from poetry_tf.releases.model import numbers
from poetry_tf.releases.resources import read_json

FILES = ("bounds", "breaking", "containers", "documented", "keras2", "nvidia", "pythons")
LISTS = {
    "bounds": "bounds",
    "breaking": "changes",
    "containers": "pairs",
    "keras2": "needs",
    "nvidia": "cudnn",
    "pythons": "packages",
}


def entries(name: str) -> Iterator[Mapping[str, Any]]:
    """Each entry, with what its file says for all of them."""
    content = read_json(f"{name}.json")
    own = content.get(LISTS.get(name, ""), [])
    if name == "documented":
        own = [one for one in content.values() if isinstance(one, dict)]
    elif name == "nvidia":
        own = [*own, content["drivers"], content["libraries"], content["image"]]
    for entry in own:
        yield {"checked": content["checked"], **entry}


@pytest.mark.parametrize("name", FILES)
def test_each_entry_has_a_source_and_the_day_it_was_checked(name: str):
    found = [*entries(name)]
    assert found
    for entry in found:
        assert entry.get("source") or entry.get("sources"), entry
        assert date(2026, 1, 1) < date.fromisoformat(entry["checked"]) <= date.today(), entry


@pytest.mark.parametrize("name", FILES)
def test_somebody_has_looked_at_the_newest_series(name: str):
    """A series that the refresh adds fails here until its notes and wheels were read for this."""
    until = read_json(f"{name}.json")["until"]
    assert until == load().series[-1], f"compare {name}.json with {load().series[-1]}"


def test_each_series_with_cuda_has_a_package_of_cudnn_and_from_2_12_on_a_pair():
    for series in load().series:
        release = load().newest(series)
        assert release is not None
        if release.cuda is None:
            continue
        assert cudnn_package(release) is not None, series
        if numbers(series) >= (2, 12):
            assert load().container_pair(release) is not None, series


@pytest.mark.parametrize("name", ["bounds", "documented", "keras2"])
def test_each_range_of_versions_ends(name: str):
    for entry in entries(name):
        for text in entry.get("fits", {"": entry.get("versions")}).values():
            assert not SpecifierSet(text).contains("9999"), entry


def test_each_package_of_python_serves_a_series():
    known = {minor for one in load().releases for minor in one.pythons_on("linux-x86_64")}
    for entry in entries("pythons"):
        assert {*entry["pythons"]} <= known, entry
        assert "{minor}" in entry["command"], entry
