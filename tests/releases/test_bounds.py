"""Known breakages that the requirements of what breaks don't exclude."""

from __future__ import annotations

import pytest
from packaging.requirements import Requirement

from poetry_tf.releases import whole
from poetry_tf.releases.bounds import admits_breaking_version, bounds


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
        own = [bound for bound in bounds() if bound.breaks == "tensorflow"]
        assert [bound.name for bound in own if admits_breaking_version(release, bound)] == names


def test_where_other_releases_have_a_bound_it_is_no_wider():
    for bound in bounds():
        if bound.breaks != "tensorflow":
            continue
        bounded = [
            requirement.specifier
            for release in whole().releases
            if bound.versions.contains(release.version)
            for requirement in map(Requirement, release.requires)
            if requirement.name == bound.name and "<" in str(requirement.specifier)
        ]
        assert bounded
        assert not any(specifier.contains(bound.below) for specifier in bounded)
