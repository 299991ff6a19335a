"""The packaged metadata of wheels is what Poetry would read of them."""

from __future__ import annotations

import re

import pytest
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet

from poetry_tf.index import known_metadata
from poetry_tf.releases import load
from poetry_tf.releases.resources import read_json

DATA = read_json(known_metadata.DATA)


def test_every_record_is_one_that_poetry_takes() -> None:
    assert DATA["files"]
    for sha256, record in DATA["files"].items():
        assert re.fullmatch(rf"[0-9a-f]{{{known_metadata.PREFIX}}}", sha256)
        info = known_metadata.info({"sha256": sha256 + "0" * (64 - known_metadata.PREFIX)})
        assert info is not None
        assert (info.name, info.version) == (record["name"], record["version"])
        package = info.to_package()
        assert package.pretty_version == record["version"]
        SpecifierSet(record["python"] or "")
        for line in info.requires_dist or ():
            try:
                Requirement(line)
            except InvalidRequirement as error:
                pytest.fail(f"{record['name']} {record['version']}: {line}: {error}")


def test_nothing_is_known_of_another_wheel() -> None:
    assert known_metadata.info({"sha256": "0" * 64}) is None
    assert known_metadata.info({"md5": next(iter(DATA["files"]))}) is None
    assert known_metadata.info({}) is None


def test_what_is_handed_out_is_the_callers_own() -> None:
    sha256 = next(
        key for key, record in DATA["files"].items() if DATA["requires"][record["requires"]]
    )
    first = known_metadata.info({"sha256": sha256})
    assert first is not None and first.requires_dist
    first.requires_dist.clear()
    second = known_metadata.info({"sha256": sha256})
    assert second is not None and second.requires_dist


def test_the_newest_release_of_each_series_is_known() -> None:
    """So that no wheel of TensorFlow's own is asked for."""
    versions = {item["version"] for item in DATA["files"].values() if item["name"] == "tensorflow"}
    catalog = load()
    assert {
        str(release.version) for series in catalog.series if (release := catalog.newest(series))
    } <= versions
