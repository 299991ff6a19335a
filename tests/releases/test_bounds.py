"""Upper bounds that TensorFlow's own requirements lack."""

from __future__ import annotations

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from poetry_tf.releases import whole
from poetry_tf.releases.bounds import bounds
from poetry_tf.releases.resources import read_json


@pytest.mark.parametrize(
    ("version", "names"),
    [
        ("2.8.0", ["numpy", "protobuf"]),
        ("2.8.4", ["numpy"]),
        ("2.9.0", ["numpy", "protobuf"]),
        ("2.11.1", ["numpy"]),
        ("2.12.0", []),
        ("2.14.0", ["numpy"]),
        ("2.14.1", []),
        ("2.18.0", []),
        ("2.21.0", []),
    ],
)
def test_a_release_has_the_bounds_that_its_wheels_lack(version: str, names: list[str]):
    for distribution in ("tensorflow", "tensorflow-cpu"):
        release = whole(distribution).get(version)
        assert release is not None
        assert [bound.name for bound in bounds(release)] == names


def test_where_other_releases_have_a_bound_it_is_no_wider():
    for entry in read_json("bounds.json")["bounds"]:
        assert entry["source"] and entry["why"]
        bounded = [
            requirement.specifier
            for release in whole().releases
            if release.version < Version(entry["before"])
            for requirement in map(Requirement, release.requires)
            if requirement.name == entry["name"] and "<" in str(requirement.specifier)
        ]
        assert bounded
        assert not any(specifier.contains(entry["below"]) for specifier in bounded)
