from __future__ import annotations

import dataclasses
import re

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from poetry_tf.http.pages import IndexFile
from poetry_tf.releases import DISTRIBUTIONS, PLATFORMS, Catalog, Release, hashes, load, whole
from poetry_tf.releases.catalog import add_read, forget_read
from poetry_tf.releases.filenames import distributions, minors_by_platform
from poetry_tf.releases.model import LINUX_X86_64, AndCuda, ContainerPair
from poetry_tf.releases.resources import read_json

catalog = load()


def release(version: str, **more) -> Release:
    plain = Release(
        version=Version(version),
        uploaded=None,
        yanked=False,
        pythons={LINUX_X86_64: ("3.11",)},
        cuda="11.8",
        cudnn="8",
        requires=(),
        unsatisfiable=(),
        and_cuda=None,
    )
    return dataclasses.replace(plain, **more)


def made(*releases: Release, **more) -> Catalog:
    given = {"pairs": {}, "prereleases": (), "older": (), "first_series": "2.0"}
    return Catalog(releases, **{**given, **more})


# --- What the shipped data says -----------------------------------------------------------------


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_the_hashes_of_all_files(name):
    known = hashes(name)
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in known.values())
    opened = 0
    for block in read_json(f"{name}.json")["releases"].values():
        for part in block["platforms"].values():
            if "wheel" in part:
                opened += 1
                assert known[part["wheel"]] == part["sha256"]
    assert opened
    versions = {str(one.version) for one in whole(name).releases if one.wheels}
    assert versions <= {file.split("-")[1] for file in known}


def test_the_release_of_the_seed():
    seed = catalog.get("2.13.1")
    assert seed is not None
    assert seed.series == "2.13"
    assert (seed.cuda, seed.cudnn) == ("11.8", "8")
    assert seed.pythons_on("linux-x86_64") == ("3.8", "3.9", "3.10", "3.11")
    assert seed.uploaded == "2023-09-26"
    assert seed.and_cuda is None
    pair = catalog.container_pair(seed)
    assert pair is not None
    assert (pair.cuda, pair.cudnn, pair.proven) == ("11.8", "8.6.0.163", True)


def test_every_series_from_the_first_has_a_release():
    minors = [int(series.partition(".")[2]) for series in catalog.series]
    assert catalog.series[0] == catalog.first_series == "2.8"
    assert minors == list(range(minors[0], minors[-1] + 1))
    assert minors[-1] >= 21
    assert all(catalog.in_series(series) for series in catalog.series)


def test_every_release_is_described_whole():
    for known in catalog.releases:
        assert set(known.pythons) <= set(PLATFORMS)
        assert known.pythons_on(LINUX_X86_64)
        for minors in known.pythons.values():
            assert list(minors) == sorted(minors, key=Version)
            assert minors
        assert known.uploaded is not None
        assert known.cuda is not None
        assert known.cudnn is not None
        assert known.requires
        for text in (*known.requires, *known.unsatisfiable):
            Requirement(text)
        assert not set(known.requires) & set(known.unsatisfiable)
        assert not known.version.is_prerelease


@pytest.mark.parametrize(
    ("version", "lost"),
    [
        ("2.18.1", ["tensorflow-intel"]),
        ("2.19.0", ["tensorflow-intel"]),
        ("2.19.1", ["tensorflow-intel"]),
        ("2.15.0.post1", ["tensorflow-cpu-aws", "tensorflow-intel"]),
        ("2.16.1", ["tensorflow-cpu-aws"]),
        ("2.13.1", []),
        ("2.18.0", []),
        ("2.21.0", []),
    ],
)
def test_requirements_that_nothing_satisfies(version, lost):
    known = catalog.get(version)
    assert known is not None
    assert [Requirement(text).name for text in known.unsatisfiable] == lost
    assert not {Requirement(text).name for text in known.requires} & set(lost)


@pytest.mark.parametrize(
    ("version", "pythons"),
    [
        ("2.13.1", None),
        ("2.14.0", ("3.9", "3.10")),  # tensorrt 8.5.3.1 has no wheel for 3.11
        ("2.15.0", ()),  # tensorrt-libs 8.6.1 isn't there
        ("2.15.1", ("3.9", "3.10", "3.11")),
        ("2.20.0", ("3.9", "3.10", "3.11", "3.12", "3.13")),
    ],
)
def test_where_and_cuda_can_be_had(version, pythons):
    known = catalog.get(version)
    assert known is not None
    assert (known.and_cuda.pythons if known.and_cuda else None) == pythons


def test_and_cuda_from_its_first_series_on():
    for known in catalog.releases:
        assert (known.and_cuda is None) == (known.version < Version("2.14"))
        if known.and_cuda is not None:
            assert set(known.and_cuda.pythons) <= set(known.pythons_on(LINUX_X86_64))
            for text in known.and_cuda.requires:
                assert Requirement(text).marker is None
                assert Requirement(text).name.startswith(("nvidia-", "tensorrt"))


def test_a_newer_release_can_drop_pythons_and_platforms():
    assert catalog.newest("2.20").pythons_on(LINUX_X86_64)[0] == "3.9"  # type: ignore[union-attr]
    assert catalog.newest("2.21").pythons_on(LINUX_X86_64)[0] == "3.10"  # type: ignore[union-attr]
    late = catalog.get("2.15.0.post1")
    assert late is not None
    assert set(late.pythons) == {LINUX_X86_64}
    assert late.pythons_on("macos-arm64") == ()
    for known in catalog.releases:  # the last ones for Intel Macs
        assert bool(known.pythons_on("macos-x86_64")) == (
            known.version < Version("2.17") and known is not late
        )


def test_every_listed_pair_agrees_with_the_wheels():
    for known in catalog.releases:
        pair = catalog.container_pair(known)
        if known.version < Version("2.12"):
            assert pair is None, "CUDA 11.2 is in no repository that an image of today can use"
            continue
        assert pair is not None, known.version
        assert known.cudnn is not None
        assert pair.cudnn.count(".") == 3
        assert pair.cuda.count(".") == 1
        assert pair.source
        # A pair is proven only where CUDA is the wheel's own.
        assert known.cuda is not None
        if pair.proven:
            assert f"{known.cuda}.".startswith(f"{pair.cuda}.")
        else:
            assert pair.note


def test_pairs_are_listed_once_and_carry_their_evidence():
    listed = [
        series for entry in read_json("containers.json")["pairs"] for series in entry["series"]
    ]
    assert listed == sorted(set(listed), key=Version)


@pytest.mark.parametrize(
    ("series", "pair"),
    [
        ("2.12", ("11.8", "8.6.0.163", True)),
        ("2.13", ("11.8", "8.6.0.163", True)),
        ("2.14", ("11.8", "8.7.0.84", True)),
        ("2.15", ("12.2", "8.9.4.25", True)),
        ("2.16", ("12.2", "8.9.7.29", False)),
        ("2.17", ("12.2", "8.9.7.29", False)),
        ("2.18", ("12.5", "9.3.0.75", True)),
        ("2.21", ("12.5", "9.3.0.75", True)),
    ],
)
def test_pairs(series, pair):
    newest = catalog.newest(series)
    assert newest is not None
    found = catalog.container_pair(newest)
    assert found is not None
    assert (found.cuda, found.cudnn, found.proven) == pair


def test_standing():
    assert catalog.standing("2.13.1") == "release"
    assert catalog.standing("2.13") == "release"
    assert catalog.standing("2.13.0rc1") == "prerelease"
    assert catalog.standing(Version("2.7.0")) == "older"
    assert catalog.standing("2.16.0") == "missing"
    assert catalog.standing("2.13.9") == "newer", "than all of its series"
    assert catalog.standing("2.13.0.post1") == "missing"
    assert catalog.standing("0.0.1") == "missing"
    assert catalog.standing("99.0") == "newer"
    assert catalog.standing("latest") is None


def test_versions_are_distinguished():
    described = {known.version for known in catalog.releases}
    assert described.isdisjoint(catalog.prereleases)
    assert described.isdisjoint(catalog.older)
    assert all(version.is_prerelease for version in catalog.prereleases)
    assert all(version < Version("2.12.dev0") for version in catalog.older)
    assert list(catalog.prereleases) == sorted(catalog.prereleases)
    assert list(catalog.older) == sorted(catalog.older)
    assert catalog.data_version >= "2026-09-23"


# --- Releases that the data doesn't have --------------------------------------------------------


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_a_patch_release_that_is_not_known_has_the_facts_of_its_series(distribution):
    known_ones = whole(distribution)
    for series in whole().series:
        known, last = known_ones.newest(series), whole().in_series(series)[-1].version
        found = known_ones.get(f"{last.major}.{last.minor}.{last.micro + 1}")
        if known is None:
            assert found is None, "this distribution never had the series"
            continue
        assert found is not None
        assert (found.distribution, found.series) == (distribution, series)
        assert found.inferred_from == known.version
        assert (found.pythons, found.cuda, found.cudnn) == (known.pythons, known.cuda, known.cudnn)
        assert (found.wheels, found.and_cuda) == (known.wheels, known.and_cuda)
        assert known_ones.container_pair(found) == known_ones.container_pair(known)
        # What is said of the files of one release is not said of another.
        assert (found.uploaded, found.yanked, found.unsatisfiable) == (None, False, ())


def test_what_was_read_is_not_inferred():
    assert all(catalog.get(known.version) is known for known in catalog.releases)
    assert all(known.inferred_from is None for known in catalog.releases)


@pytest.mark.parametrize(
    "version",
    [
        "2.13.0.post1",  # would be between two that are known
        "2.16.0",
        "2.13.9rc0",
        "2.13.9.dev1",
        "2.13.9+nv23.5",
        "2.99.0",
    ],
)
def test_nothing_is_inferred_of_what_is_no_later_release_of_a_known_series(version):
    assert catalog.get(version) is None


def test_what_tensorflow_has_and_another_distribution_lacks_is_not_inferred():
    assert catalog.get("2.11.1") is not None
    assert whole("tensorflow-cpu-aws").get("2.16.1") is None
    assert whole("tensorflow-gpu").get("2.12.1") is None
    assert whole("tensorflow-gpu").standing("2.12.1") == "missing"


# --- What a catalog answers ---------------------------------------------------------------------


@pytest.mark.parametrize("junk", ["", "  ", "2.13.x", "~2.13", "main", "🙂", "2.99.1", None])
def test_junk_gets_an_answer(junk):
    assert catalog.get(junk) is None
    assert catalog.in_series(junk) == ()
    assert junk is None or catalog.newest(junk) is None
    assert catalog.standing(junk) in (None, "newer")


def test_one_process_reads_the_data_once():
    assert load() is catalog


def test_releases_ascend_as_versions_do():
    small = made(release("2.10.0"), release("2.9.0"), release("2.9.0.post1"))
    assert [str(one.version) for one in small.releases] == ["2.9.0", "2.9.0.post1", "2.10.0"]
    assert small.series == ("2.9", "2.10")
    assert small.newest() is small.get("2.10")
    assert small.newest("2.9") is small.get("2.9.0.post1")


def test_a_yanked_release_is_newest_only_where_all_are():
    small = made(release("2.9.0"), release("2.9.1", yanked=True), release("2.8.0", yanked=True))
    assert small.newest("2.9") is small.get("2.9.0")
    assert small.newest("2.8") is small.get("2.8.0")
    assert small.newest() is small.get("2.9.0")
    assert made().newest() is None
    assert made().standing("2.0") == "missing"
    assert made().data_version == "unknown"


@pytest.mark.parametrize(
    ("cuda", "cudnn", "agrees"),
    [
        ("11.8", "8", True),
        ("11.2", "8.1.0", True),
        ("12.2", "8", False),
        ("11.8", "9", False),
        ("11.8", None, False),
        (None, "8", False),
        ("1.8", "8", False),
    ],
)
def test_a_pair_that_contradicts_the_wheel_is_none(cuda, cudnn, agrees):
    pair = ContainerPair("11.8", "8.6.0.163", True, "a source", "")
    small = made(pairs={"2.13": pair})
    assert (small.container_pair(release("2.13.1", cuda=cuda, cudnn=cudnn)) is pair) == agrees
    assert small.container_pair(release("2.14.0")) is None


def test_values_are_immutable_and_hashable():
    known = catalog.releases[0]
    with pytest.raises(dataclasses.FrozenInstanceError):
        known.cuda = "10.1"  # type: ignore[misc]
    with pytest.raises(TypeError):
        known.pythons["linux-x86_64"] = ()  # type: ignore[index]
    assert len({*catalog.releases, *catalog.releases}) == len(catalog.releases)
    assert hash(AndCuda((), ())) == hash(AndCuda((), ()))


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_the_evidence_is_a_wheel_of_the_release(name):
    for version, block in read_json(f"{name}.json")["releases"].items():
        for platform, part in block["platforms"].items():
            if Version(version) < Version("2.5"):
                assert set(part) == {"pythons"}
                continue
            (found,) = distributions([IndexFile(part["wheel"], "")]).items()
            assert found[0] == Version(version)
            assert platform in minors_by_platform(found[1])
            if "cuda" in part:
                assert set(part["said_by"]) == {"cuda", "cudnn"}
                exact = part["said_by"]["cudnn"] == "cudnn_version.h"
                assert exact == (part["cudnn"].count(".") == 2)
                assert exact == (Version(version) >= Version("2.16"))


def test_what_was_read_of_one_distribution_says_nothing_of_another():
    version = Version(f"{load().series[-1]}.99")
    newer = Version(f"{version.major + 1}.0.0")
    block = read_json("tensorflow.json")["releases"][str(load().releases[-1].version)]
    for one in (version, newer):
        add_read("tensorflow", one, block)
        assert whole().standing(one) == "release"
        assert whole("tensorflow-cpu").standing(one) == "newer"
    forget_read()
