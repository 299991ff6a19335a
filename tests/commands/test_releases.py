"""`poetry tf releases`: outside of any project, without network, for people and for programs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from poetry_tf.releases import DISTRIBUTIONS, PLATFORMS, load, whole
from tests.support.index import LocalIndex
from tests.support.poetry import PoetryRunner, Result


@pytest.fixture
def releases(poetry: PoetryRunner, index: LocalIndex):
    """Runs the command in an empty folder; what it asks of the index would be found in the log."""

    def run(*arguments: str) -> Result:
        return poetry.call("tf", "releases", *arguments)

    yield run
    assert not index.requests
    assert list(poetry.project.iterdir()) == []


def parsed(result: Result) -> dict[str, Any]:
    assert result.ok, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_a_table_of_the_series_to_choose_from(releases) -> None:
    result = releases()
    assert result.ok, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split() == [
        *("TensorFlow", "Python", "CUDA", "cuDNN", "driver", "Keras"),
        *("Linux", "Linux", "macOS", "macOS", "Windows"),
    ]
    rows = {line.split()[0]: line.split() for line in lines[2 : 2 + len(load().series)]}
    newest = [load().newest(series) for series in load().series]
    assert list(rows) == [str(release.version) for release in newest if release]
    assert rows["2.13.1"] == [
        *("2.13.1", "3.8-3.11", "11.8", "8", "450.80.02", ">=2.13.1,<2.14"),
        *("x", "x", "x", "3.9-3.11", "3.9-3.11"),
    ]
    assert rows["2.18.1"][1:] == [
        *("3.9-3.12", "12.5.1", "9.3.0", "525.60.13", ">=3.5.0", "x", "x", "-", "x", "x"),
    ]
    assert f"Data of {load().data_version}. For series before 2.8: --all." in lines
    # Columns stand under each other, and no line is wider than it must be.
    assert all(line == line.rstrip() for line in lines)
    assert max(map(len, lines)) < 115


@pytest.mark.parametrize("given", ["2.15", "v2.15", " 2.15 ", "2.15.1", "v2.15.1"])
def test_a_series_is_its_newest_release_in_any_spelling(releases, given: str) -> None:
    assert releases(given).stdout.startswith("tensorflow 2.15.1, ")


@pytest.mark.parametrize("given", ["2.15.0", "v2.15.0", "2.15.0.0"])
def test_a_release_is_that_one(releases, given: str) -> None:
    assert releases(given).stdout.startswith("tensorflow 2.15.0, ")


@pytest.mark.parametrize("given", ["2", "v2", "1"])
def test_a_major_alone_is_no_series(releases, given: str) -> None:
    done = releases(given)
    assert done.returncode == 1
    assert f"{given} is not a series of TensorFlow\nGive one such as 2.21." in done.stderr


def test_all_series(releases) -> None:
    result = releases("--all")
    assert result.ok
    for series in whole().series:
        release = whole().newest(series)
        assert release is not None
        assert f"\n{release.version} " in result.stdout
    assert "--all" not in result.stdout


def test_a_series_means_its_newest_release(releases) -> None:
    result = releases("2.15")
    assert result.ok, result.output
    assert result.stdout.startswith("tensorflow 2.15.1, 2024-03-08\nAlso in 2.15: 2.15.0, ")
    for line in (
        "  linux-x86_64   Python 3.9-3.11  glibc 2.17   CUDA 12.2, cuDNN 8",
        "  windows-amd64  Python 3.9-3.11               through tensorflow-intel",
        "  macos-arm64    Python 3.9-3.11  macOS 12.0",
        "  compiled for sm_50, sm_60, sm_70, sm_75, compute_80",
        "  NVIDIA driver 525.60.13 or later (Linux); 535.104.05 or later for a GPU that it is not "
        "compiled for",
        "  cuDNN as apt package: libcudnn8=8.9.4.25-1+cuda12.2",
        "  dev container: CUDA 12.2 with cuDNN 8.9.4.25 (proven)",
        "  and-cuda: Python 3.9-3.11 on linux-x86_64",
        '  tensorflow-intel (==2.15.1) ; platform_system == "Windows"',
    ):
        assert line in result.stdout.splitlines()
    assert "Left out" not in result.stdout
    assert "stated in its code only" in result.stdout
    assert "supports" not in result.stdout


def test_a_series_that_is_only_shown_is_said_to_be_none_that_is_supported(releases) -> None:
    """As `init` says of it, which refuses it."""
    first = load().first_series
    says = f"Older than the releases that poetry-tf supports, from {first} on.\n"
    for version in ("2.0", "2.7", "2.7.1"):
        assert releases(version).stdout.endswith(f"\n\n{says}"), version
    assert says not in releases(first).stdout


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("2.15.0",), "  and-cuda: no platform has its wheels"),
        (("2.18.1",), "Left out, because no release satisfies it"),
        (("2.16",), "  dev container: CUDA 12.2 with cuDNN 8.9.7.29 (not proven)"),
        (("2.4",), "Only the names of its wheels are known, not their contents."),
        (("2.12", "--distribution", "tensorflow-gpu"), "It has no wheel."),
        (
            ("2.13.1",),
            "  macos-arm64    Python 3.8-3.11  macOS 12.0   through tensorflow-macos, "
            "which has 3.9-3.11",
        ),
        (
            ("2.11",),
            "  linux-aarch64  Python 3.8-3.10  glibc 2.17   through tensorflow-cpu-aws, "
            "which has none of these",
        ),
        (
            ("2.15.1", "--distribution", "tensorflow-macos"),
            "  macos-arm64  Python 3.9-3.11  macOS 12.0  empty, which has none of these",
        ),
    ],
)
def test_what_is_odd_about_a_release_is_said(releases, arguments, line) -> None:
    result = releases(*arguments)
    assert result.ok, result.output
    assert line in result.stdout.splitlines()


@pytest.mark.parametrize("version", [str(release.version) for release in whole().releases])
@pytest.mark.sample(every=4)
def test_every_release_can_be_shown(releases, version) -> None:
    result = releases(version)
    assert result.ok, result.output
    assert result.stderr == ""
    assert result.stdout.startswith(f"tensorflow {version}, ")


@pytest.mark.parametrize("name", ["tensorflow", "tensorflow-cpu"])
def test_of_a_patch_release_that_is_not_known_it_says_whose_facts_it_shows(releases, name) -> None:
    result = releases("2.18.9", "--distribution", name)
    assert result.ok, result.output
    first, second, *_ = result.stdout.splitlines()
    assert first == f"{name} 2.18.9, newer than the data; these are the facts of 2.18.1"
    assert second == "Also in 2.18: 2.18.0, 2.18.1"
    shown = parsed(releases("2.18.9", "--distribution", name, "--json"))["release"]
    assert (shown["version"], shown["inferred_from"]) == ("2.18.9", "2.18.1")
    shown = parsed(releases("2.18.1", "--distribution", name, "--json"))["release"]
    assert (shown["version"], shown["inferred_from"]) == ("2.18.1", None)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_every_distribution_has_a_table(releases, name) -> None:
    series = parsed(releases("--distribution", name, "--all", "--json"))["series"]
    assert [row["series"] for row in series] == list(whole(name).series)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("2.22",), "Unknown TensorFlow 2.22"),
        (("2.22.0rc0",), "TensorFlow 2.22.0rc0 is a release candidate, not a stable release"),
        (("1.15.0",), "TensorFlow 1.15.0 is older than the releases that poetry-tf knows"),
        (("99.0",), "Unknown TensorFlow 99.0"),
        (("2.16.0",), "There is no TensorFlow 2.16.0"),
        (("<b>latest</b>",), "'<b>latest</b>' is not a version of TensorFlow"),
        (
            ("--distribution", "numpy"),
            "Unknown distribution of TensorFlow: 'numpy'",
        ),
    ],
)
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_what_there_is_not(releases, arguments, message, form) -> None:
    result = releases(*arguments, *form)
    assert result.returncode == 1
    assert result.stdout == ""
    first, remedy = result.stderr.splitlines()
    if "Unknown TensorFlow" in message:
        message += f"; the newest known is {load().series[-1]} (data of {load().data_version})"
        assert remedy == f"Read it from the index: poetry tf releases --refresh {arguments[-1]}"
    else:
        assert remedy.startswith(("The known series are 2.0 to ", "Give one of tensorflow, "))
    assert first == f"Error: {message}"


def test_the_table_for_programs(releases) -> None:
    found = parsed(releases("--json"))
    assert found["data"] == load().data_version
    assert [row["series"] for row in found["series"]] == list(load().series)
    (row,) = (row for row in found["series"] if row["series"] == "2.17")
    assert row["newest"] == "2.17.1"
    assert row["releases"] == ["2.17.0", "2.17.1"]
    assert list(row["pythons"]) == [one for one in PLATFORMS if one != "macos-x86_64"]
    assert (row["cuda"], row["cudnn"], row["driver"]) == ("12.3", "8.9.6", "525.60.13")


def test_a_release_for_programs(releases) -> None:
    found = parsed(releases("2.15.1", "--json"))["release"]
    release = whole().get("2.15.1")
    assert release is not None
    assert (found["distribution"], found["version"]) == ("tensorflow", "2.15.1")
    assert found["requires"] == list(release.requires)
    assert found["and_cuda"]["pythons"] == {"linux-x86_64": ["3.9", "3.10", "3.11"]}
    windows = found["platforms"]["windows-amd64"]
    assert (windows["kind"], windows["target"]) == ("shim", "tensorflow-intel")
    assert windows["requires"] == list(release.wheels["windows-amd64"].requires)
    assert found["container"]["proven"] is True
    assert {fit["name"] for fit in found["companions"]} >= {"tensorflow-text", "tf-keras"}


def test_in_a_project_too(poetry: PoetryRunner) -> None:
    (poetry.project / "pyproject.toml").write_text("this is no TOML")
    result = poetry.run("tf", "releases", "2.13")
    assert result.ok, result.output
    assert result.stdout.startswith("tensorflow 2.13.1, ")
