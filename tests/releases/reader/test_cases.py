"""What is known to mislead about TensorFlow's releases, each held against the shipped data."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from poetry_tf.releases import DISTRIBUTIONS, PLATFORMS, Release, Wheels, load, whole
from poetry_tf.releases.reader.requirement_lines import environment, parse_requirement_line

LINUX, AARCH64, INTEL_MAC, MAC, WINDOWS = PLATFORMS


def the(version: str, distribution: str = "tensorflow") -> Release:
    found = whole(distribution).get(version)
    assert found is not None
    return found


def wheels(version: str, platform: str, distribution: str = "tensorflow") -> Wheels:
    return the(version, distribution).wheels[platform]


def every() -> Iterator[Release]:
    for name in DISTRIBUTIONS:
        yield from whole(name).releases


def opened() -> Iterator[tuple[Release, str, Wheels]]:
    for release in every():
        for platform, found in release.wheels.items():
            if release.version >= Version("2.5"):
                yield release, platform, found


def names(lines: tuple[str, ...]) -> list[str]:
    return [parse_requirement_line(text).name for text in lines]


# --- Pythons and platforms ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "dropped"),
    [
        *(("2.0.4", "3.5"), ("2.1.3", "3.5"), ("2.2.2", "3.5"), ("2.3.2", "3.5")),
        *(("2.5.3", "3.6"), ("2.6.3", "3.6"), ("2.11.1", "3.7")),
    ],
)
def test_patch_releases_that_drop_a_python(version, dropped):
    releases = whole().in_series(the(version).series)
    before = releases[releases.index(the(version)) - 1]
    for platform in before.pythons:
        assert dropped in before.pythons_on(platform)
        assert dropped not in the(version).pythons_on(platform)
    assert not any(dropped in r.pythons_on(LINUX) for r in releases if r.version > before.version)


def test_intel_macs_have_no_wheel_since_2_17():
    for release in whole().releases:
        expected = release.version < Version("2.17") and release.version != Version("2.15.0.post1")
        assert (INTEL_MAC in release.pythons) == expected


def test_tensorflow_gpu_2_12_0_has_no_wheel():
    last = whole("tensorflow-gpu").releases[-1]
    assert str(last.version) == "2.12.0"
    assert (last.pythons, last.wheels, last.cuda, last.requires) == ({}, {}, None, ())
    assert the("2.11.0", "tensorflow-gpu").pythons_on(LINUX) == ("3.7", "3.8", "3.9", "3.10")


def test_distributions_whose_patch_release_lacks_pythons():
    assert the("2.11.1", "tensorflow-cpu-aws").pythons_on(AARCH64) == ("3.7",)
    for name, platform in (("tensorflow-intel", WINDOWS), ("tensorflow-macos", MAC)):
        assert the("2.13.1", name).pythons_on(platform) == ("3.9", "3.10", "3.11")
    # So the shims of these releases promise what can't be had.
    assert the("2.11.1").pythons_on(AARCH64) == ("3.8", "3.9", "3.10")
    assert the("2.11.1").usable_on(AARCH64) == ()
    assert the("2.13.1").pythons_on(WINDOWS) == ("3.8", "3.9", "3.10", "3.11")
    assert the("2.13.1").usable_on(WINDOWS) == ("3.9", "3.10", "3.11")
    assert the("2.13.1").usable_on(MAC) == ("3.9", "3.10", "3.11")
    for release in whole().releases:
        for platform, minors in release.pythons.items():
            known = (release.version, platform) in {
                (Version("2.11.1"), AARCH64),
                (Version("2.13.1"), WINDOWS),
                (Version("2.13.1"), MAC),
            }
            assert (release.usable_on(platform) == minors) != known


def test_requires_python_would_let_in_pythons_without_a_wheel():
    for version, python in (("2.16.2", "3.13"), ("2.18.0", "3.13"), ("2.13.1", "3.12")):
        assert python not in the(version).pythons_on(LINUX)


def test_the_first_releases_are_known_by_their_wheels_names():
    first = the("2.0.0")
    assert first.pythons_on(LINUX) == ("2.7", "3.5", "3.6", "3.7")
    assert first.pythons_on(WINDOWS) == ("3.5", "3.6", "3.7")
    assert first.wheels[LINUX].kind is None
    assert not first.is_opened
    assert {r.is_opened for r in whole().releases if r.version < Version("2.5")} == {False}
    assert {r.is_opened for r in whole().releases if r.version > Version("2.5")} == {True}
    assert (first.cuda, first.requires, first.and_cuda) == (None, (), None)
    assert whole().releases[0] is first
    # One release, built on three kinds of Mac.
    assert wheels("2.3.1", INTEL_MAC).tags == {
        "macosx_10_14_x86_64": ("3.8",),
        "macosx_10_6_intel": ("3.5",),
        "macosx_10_9_x86_64": ("3.6", "3.7"),
    }
    assert wheels("2.3.1", INTEL_MAC).macos == "10.14"


@pytest.mark.parametrize(
    ("version", "platform", "glibc"),
    [
        ("2.0.0", LINUX, "2.12"),
        ("2.8.4", LINUX, "2.12"),
        ("2.9.0", LINUX, "2.17"),
        ("2.20.0", AARCH64, "2.17"),
        ("2.21.0", LINUX, "2.27"),
        ("2.21.0", WINDOWS, None),
        ("2.21.0", MAC, None),
    ],
)
def test_the_glibc_that_a_platform_tag_needs(version, platform, glibc):
    assert wheels(version, platform).glibc == glibc


# --- CUDA and cuDNN -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tensorflow", "tensorflow-gpu"])
def test_windows_says_64_112(name):
    for release in whole(name).releases:
        windows = release.wheels.get(WINDOWS)
        if windows is None or windows.kind is None:
            continue
        if release.version < Version("2.11"):
            assert (windows.cuda, windows.cudnn) == ("11.2", "8")
            assert windows.compute == ("sm_35", "sm_50", "sm_60", "sm_70", "sm_75", "compute_80")
        else:
            assert (windows.cuda, windows.cudnn, windows.compute) == (None, None, ())


@pytest.mark.parametrize(
    ("series", "cuda", "cudnn"),
    [
        *((f"2.{minor}", "11.2", "8") for minor in range(5, 12)),
        *(("2.12", "11.8", "8"), ("2.13", "11.8", "8"), ("2.14", "11.8", "8")),
        *(("2.15", "12.2", "8"), ("2.16", "12.3", "8.9.6"), ("2.17", "12.3", "8.9.6")),
        *((f"2.{minor}", "12.5.1", "9.3.0") for minor in range(18, 22)),
    ],
)
def test_cuda_is_the_builds_not_the_classifiers(series, cuda, cudnn):
    for release in whole().in_series(series):
        assert (release.cuda, release.cudnn) == (cuda, cudnn)
        assert (release.wheels[LINUX].compute or [""])[-1].startswith("compute_")


def test_who_is_built_with_cuda():
    for release, platform, found in opened():
        windows = platform == WINDOWS and release.version < Version("2.11")
        gpu = release.distribution in ("tensorflow", "tensorflow-gpu")
        assert (found.cuda is not None) == (gpu and (platform == LINUX or windows))
        assert (found.cuda is None) == (found.cudnn is None) == (not found.compute)


# --- Real wheels and shims ----------------------------------------------------------------------


def series_of_shims(platform: str) -> list[str]:
    found = (r for r in whole().releases if platform in r.wheels)
    return [str(r.version) for r in found if r.wheels[platform].kind == "shim"]


def test_shims():
    assert series_of_shims(LINUX) == series_of_shims(INTEL_MAC) == []
    assert series_of_shims(AARCH64)[0] == "2.10.0"
    assert series_of_shims(AARCH64)[-1] == "2.15.1"
    assert series_of_shims(WINDOWS)[0] == "2.11.0"
    assert series_of_shims(WINDOWS)[-1] == "2.18.0"
    assert series_of_shims(MAC) == ["2.13.0", "2.13.1", "2.14.0", "2.14.1", "2.15.0"]
    for platform, target in (
        (AARCH64, "tensorflow-cpu-aws"),
        (WINDOWS, "tensorflow-intel"),
        (MAC, "tensorflow-macos"),
    ):
        for version in series_of_shims(platform):
            assert wheels(version, platform).target == target
            assert wheels(version, platform, target).kind == "real"


def test_tensorflow_macos_2_15_1_is_empty_and_requires_itself():
    empty = wheels("2.15.1", MAC, "tensorflow-macos")
    assert (empty.kind, empty.target, empty.usable) == ("shim", None, ())
    assert "tensorflow-macos" in names(empty.requires)
    assert wheels("2.16.2", MAC, "tensorflow-macos").target == "tensorflow"


# --- Requirements -------------------------------------------------------------------------------


def test_releases_whose_wheels_differ():
    """All from 2.10 to 2.19.1 but 2.15.0.post1, which has wheels for one platform only."""
    for release in whole().releases:
        if release.version < Version("2.5"):
            continue
        variants = {frozenset(found.requires) for found in release.wheels.values()}
        differs = Version("2.10") <= release.version < Version("2.20")
        assert (len(variants) > 1) == (differs and str(release.version) != "2.15.0.post1")


def test_the_union_of_2_15_1():
    """PyPI's API and a mirror's page give two different locks of it; neither is whole."""
    release = the("2.15.1")
    assert set(release.wheels[LINUX].requires) == set(release.requires)
    own = {
        parse_requirement_line(text).name: parse_requirement_line(text) for text in release.requires
    }
    on = {
        name: [p for p in PLATFORMS if own[name].applies(p, release.pythons_on(p))]
        for name in ("tensorflow-cpu-aws", "tensorflow-intel", "numpy", "keras")
    }
    assert on == {
        "tensorflow-cpu-aws": [AARCH64],
        "tensorflow-intel": [WINDOWS],
        "numpy": list(PLATFORMS),
        "keras": list(PLATFORMS),
    }
    assert "tensorflow-macos" not in own  # that wheel is real by now
    assert release.unsatisfiable == ()
    assert names(the("2.15.0").requires).count("tensorflow-macos") == 1


@pytest.mark.parametrize(
    ("name", "version", "lost"),
    [
        *(("tensorflow", one, "tensorflow-intel") for one in ("2.18.1", "2.19.0", "2.19.1")),
        *(("tensorflow-cpu", one, "tensorflow-intel") for one in ("2.18.1", "2.19.0", "2.19.1")),
        ("tensorflow-cpu", "2.16.1", "tensorflow-cpu-aws"),
        ("tensorflow", "2.16.1", "tensorflow-cpu-aws"),
    ],
)
def test_requirements_that_no_index_satisfies(name, version, lost):
    release = the(version, name)
    assert names(release.unsatisfiable) == [lost]
    assert lost not in names(release.requires)
    assert lost in names(release.wheels[LINUX].requires)  # as it stands in the wheel


def test_every_own_distribution_that_a_union_names_exists():
    for release in every():
        for text in release.requires:
            line = parse_requirement_line(text)
            if line.name in DISTRIBUTIONS:
                (pin,) = line.requirement.specifier
                assert whole(line.name).get(pin.version) is not None, (release.version, text)


@pytest.mark.slow
def test_a_union_gives_each_platform_what_its_own_wheels_ask_for():
    """Held against the wheels by evaluating markers, with nothing of the program that made it."""
    for release, platform, found in opened():
        for minor in release.pythons_on(platform):
            for extra in ("", "and-cuda", "gcs-filesystem"):
                given = applying(release.requires, platform, minor, extra)
                wanted = applying(found.requires, platform, minor, extra)
                target = found.target
                while target is not None:
                    behind = wheels(str(release.version), platform, target)
                    wanted |= applying(behind.requires, platform, minor, extra)
                    target = behind.target
                lost = applying(release.unsatisfiable, platform, minor, extra)
                own = applying(found.requires, platform, minor, extra) - lost
                assert own - given == {one for one in own if one[0] == release.distribution}, (
                    release.version
                )
                assert given <= wanted, (release.distribution, release.version, platform)


def applying(lines: tuple[str, ...], platform: str, minor: str, extra: str) -> set[tuple[str, str]]:
    found = set()
    for text in lines:
        requirement = parse_requirement_line(text).requirement
        marker = requirement.marker
        if marker is None or marker.evaluate(environment(platform, minor, extra)):
            found.add((parse_requirement_line(text).name, str(requirement.specifier)))
    return found


def test_the_filesystem_is_required_from_2_7_to_2_19_then_an_extra():
    name = "tensorflow-io-gcs-filesystem"
    for release in whole().releases:
        if release.version < Version("2.5"):
            continue
        found = [parse_requirement_line(text).requirement for text in release.requires]
        markers = {str(one.marker or "") for one in found if one.name == name}
        late = release.version >= Version("2.16")
        assert bool(markers) == (release.version >= Version("2.7"))
        if late:
            extra = release.version >= Version("2.20")
            assert all(("extra" in marker) == extra for marker in markers)
            assert extra or markers == {'python_version < "3.12"'}


def test_what_has_no_upper_bound():
    def bound(version: str, name: str) -> bool:
        found = [parse_requirement_line(text).requirement for text in the(version).requires]
        (wanted,) = {str(one.specifier) for one in found if one.name == name}
        return not Requirement(f"x{wanted}").specifier.contains("9999")

    assert not bound("2.16.1", "keras")
    assert bound("2.15.1", "keras")
    assert not bound("2.7.0", "numpy")
    assert not bound("2.14.0", "numpy")
    assert bound("2.14.1", "numpy")
    assert not bound("2.6.4", "protobuf")
    assert bound("2.6.5", "protobuf")
    assert not bound("2.9.0", "protobuf")
    assert bound("2.9.1", "protobuf")


# --- and-cuda -----------------------------------------------------------------------------------


def test_and_cuda_by_platform():
    for release in whole().releases:
        extra = release.and_cuda
        assert (extra is None) == (release.version < Version("2.14"))
        if extra is None:
            continue
        aarch64 = release.version >= Version("2.19")
        assert bool(extra.pythons_on(AARCH64)) == aarch64
        for platform in (INTEL_MAC, MAC, WINDOWS):
            assert extra.pythons_on(platform) == ()
        assert extra.pythons_on(LINUX) == extra.pythons


def test_and_cuda_that_cannot_be_had():
    extra = the("2.14.0").and_cuda
    assert extra is not None
    assert "tensorrt==8.5.3.1" in extra.requires
    assert "3.11" not in extra.pythons
    extra = the("2.15.0").and_cuda
    assert extra is not None
    assert "tensorrt-libs==8.6.1" in extra.requires
    assert extra.pythons == ()
    assert the("2.15.1", "tensorflow-cpu").and_cuda is not None  # it carries the extra too


# --- The catalogs -------------------------------------------------------------------------------


def test_what_is_planned_for_is_the_end_of_what_is_known():
    known, planned = whole().releases, load().releases
    assert planned == known[-len(planned) :]
    assert planned[0].series == load().first_series == "2.8"
    # The first with wheels for a Python that a container, and the Poetry that locks, begin at.
    assert {"3.10"} == {release.pythons_on(LINUX)[-1] for release in load().in_series("2.8")}
    assert not any("3.10" in one.pythons_on(LINUX) for one in known if one.version < Version("2.8"))
    older = {release.version for release in known} - {release.version for release in planned}
    assert older < set(load().older)
    assert whole().first_series == "2.0"
    assert whole().data_version == load().data_version


def test_release_candidates_exist_and_are_not_stable():
    assert Version("2.22.0rc0") in whole().prereleases
    assert whole().standing("2.22.0rc0") == "prerelease"
    assert whole().get("2.22.0rc0") is None


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_each_distribution_has_its_catalog(name):
    catalog = whole(name)
    assert catalog is whole(name)
    assert {release.distribution for release in catalog.releases} == {name}
    assert not any(release.yanked for release in catalog.releases)


def test_no_other_distribution_has_one():
    with pytest.raises(KeyError):
        whole("numpy")
