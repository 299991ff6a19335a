"""Patch releases of TensorFlow that are on the index and not in the data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.version import Version

from poetry_tf.releases import Release, load
from tests.support.index import Distribution, LocalIndex
from tests.support.poetry import PoetryRunner, locked, write_pyproject
from tests.support.projects import contents, read_jsonc
from tests.support.tensorflow import add_tensorflow, patch_release

LAST = load().series[-1]
ALL = "linux-x86_64,linux-aarch64,macos-arm64,windows-amd64"
REQUIRED = "only-the-patch-needs-it"
"""What no release of the data requires."""


def known(series: str) -> Release:
    release = load().newest(series)
    assert release is not None
    return release


def later(series: str) -> str:
    """The patch release of a series that the data doesn't have."""
    version = known(series).version
    return f"{version.major}.{version.minor}.{version.micro + 1}"


@pytest.fixture(scope="module")
def tomorrow() -> Iterator[LocalIndex]:
    with LocalIndex() as index:
        add_tensorflow(index)
        index.extend([Distribution(REQUIRED, "1.0")])
        for series in load().series:
            index.extend(patch_release(known(series), later(series), REQUIRED))
        yield index


@pytest.fixture(scope="module")
def cache_of_tomorrow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache-of-tomorrow")


@pytest.fixture
def ahead(poetry: PoetryRunner, tomorrow: LocalIndex, cache_of_tomorrow: Path) -> PoetryRunner:
    poetry.pypi = tomorrow.mount("pypi", api=True).root
    poetry.cache = cache_of_tomorrow
    return poetry


def holds(poetry: PoetryRunner, version: str, name: str = "tensorflow") -> None:
    """The project is on the release, `check` is clean, and nothing is left to do."""
    assert locked(poetry.project)[name] == version
    assert REQUIRED in locked(poetry.project), "the release's own requirements count"
    checked = poetry.call("tf", "check")
    assert checked.stdout.startswith("All set! "), checked.output
    before = contents(poetry.project)
    for command in (("init", "-n"), ("check", "--fix"), ("devcontainer",), ("upgrade", LAST, "-n")):
        if command[0] != "upgrade" or version == later(LAST):
            done = poetry.call("tf", *command)
            assert done.ok, done.output
            assert contents(poetry.project) == before, command


@pytest.mark.parametrize(
    ("series", "wanted"),
    [
        (LAST, None),
        (LAST, LAST),
        (LAST, str(known(LAST).version)),
        (LAST, later(LAST)),
        ("2.20", "2.20"),
        ("2.18", "2.18"),
        ("2.18", later("2.18")),
        ("2.15", "2.15"),
        ("2.12", later("2.12")),
    ],
)
@pytest.mark.sample("2.21-None", "2.18-2.18.2")
def test_a_project_is_set_up(ahead: PoetryRunner, series: str, wanted: str | None) -> None:
    done = ahead.call("tf", "init", "-n", *(("--tensorflow", wanted) if wanted else ()))
    assert done.ok, done.output
    assert f"TensorFlow {later(series)} on Python" in done.stdout
    assert "Left for you" not in done.stderr
    holds(ahead, later(series))


def test_the_container_is_that_of_the_series(ahead: PoetryRunner, project: Path) -> None:
    path = project / ".devcontainer" / "devcontainer.json"
    cuda = "ghcr.io/devcontainers/features/nvidia-cuda:3"
    assert ahead.call("tf", "init", "-n", "--tensorflow", "2.18").ok
    pair = load().container_pair(known("2.18"))
    assert pair is not None
    feature = read_jsonc(path)["features"][cuda]
    assert (feature["cudaVersion"], feature["cudnnVersion"]) == (pair.cuda, pair.cudnn)


@pytest.mark.parametrize("series", ["2.15", "2.18", LAST])
@pytest.mark.sample("2.18")
def test_every_environment_has_what_it_needs(ahead: PoetryRunner, series: str) -> None:
    done = ahead.call("tf", "init", "-n", "--tensorflow", series, "--environments", ALL)
    assert done.ok, done.output
    holds(ahead, later(series))


@pytest.mark.slow
def test_tensorflow_cpu_too(ahead: PoetryRunner) -> None:
    only = ("--gpu", "none", "--environments", "linux-x86_64")
    done = ahead.call("tf", "init", "-n", "--tensorflow", "2.20", *only)
    assert done.ok, done.output
    assert "tensorflow" not in locked(ahead.project)
    holds(ahead, later("2.20"), "tensorflow-cpu")
    assert ahead.call("tf", "upgrade", "-n").ok
    holds(ahead, later(LAST), "tensorflow-cpu")


@pytest.mark.slow
@pytest.mark.parametrize("to", [(), (LAST,), (later(LAST),)])
@pytest.mark.sample("to0")
def test_a_project_is_moved(ahead: PoetryRunner, to: tuple[str, ...]) -> None:
    assert ahead.call("tf", "init", "-n", "--tensorflow", "2.18", "--python", "3.11").ok
    done = ahead.call("tf", "upgrade", "-n", *to)
    assert done.ok, done.output
    assert f"TensorFlow {later('2.18')} -> {later(LAST)}" in done.stdout
    holds(ahead, later(LAST))


@pytest.mark.slow
def test_poetrys_own_commands_go_on(ahead: PoetryRunner) -> None:
    write_pyproject(ahead.project, requires_python=">=3.11,<3.13", more="\n[tool.poetry-tf]\n")
    for command in (("add", "--lock", "tensorflow"), ("lock",), ("update", "--lock")):
        done = ahead.call(*command)
        assert done.ok, done.output
        assert locked(ahead.project)["tensorflow"] == later(LAST)
        assert REQUIRED in locked(ahead.project)
    assert ahead.call("tf", "devcontainer").ok
    assert ahead.call("tf", "init", "-n").ok
    holds(ahead, later(LAST))


def test_what_the_lock_has_is_what_plain_poetry_locks(ahead: PoetryRunner) -> None:
    assert ahead.call("tf", "init", "-n", "--python", "3.11").ok
    made = locked(ahead.project)
    (ahead.project / "poetry.lock").unlink()
    assert ahead.call("lock", plugins=False).ok
    assert locked(ahead.project) == made


@pytest.mark.slow
def test_a_pin_on_it_is_planned_for_before_it_is_locked(ahead: PoetryRunner) -> None:
    done = ahead.call(
        "tf", "init", "-n", "--no-lock", "--python", "3.11", "--tensorflow", later(LAST)
    )
    assert done.ok, done.output
    assert ahead.call("tf", "devcontainer", "--check").ok
    assert ahead.call("lock").ok
    holds(ahead, later(LAST))


@pytest.fixture(scope="module")
def tomorrow_without_shims() -> Iterator[LocalIndex]:
    """An index whose patch releases of tensorflow hand over to the known releases of the others."""
    with LocalIndex() as index:
        add_tensorflow(index)
        for series in ("2.13", "2.15"):
            release = known(series)
            for one in patch_release(release, later(series)):
                if one.name == "tensorflow":
                    requires = [
                        line.replace(f"=={later(series)}", f"=={release.version}")
                        for line in one.requires
                    ]
                    index.extend([replace(one, requires=tuple(requires))])
        yield index


@pytest.mark.parametrize(("series", "wanted"), [("2.13", None), ("2.13", "patch"), ("2.15", None)])
@pytest.mark.sample("2.13-None")
def test_the_distribution_of_a_platform_may_stay_behind(
    poetry: PoetryRunner,
    tomorrow_without_shims: LocalIndex,
    tmp_path: Path,
    series: str,
    wanted: str | None,
) -> None:
    poetry.pypi = tomorrow_without_shims.mount("pypi", api=True).root
    poetry.cache = tmp_path / "cache"
    asked = later(series) if wanted else series
    done = poetry.call("tf", "init", "-n", "--tensorflow", asked)
    assert done.ok, done.output
    assert "Left for you" not in done.stderr
    versions = locked(poetry.project)
    assert versions["tensorflow"] == later(series)
    assert versions["tensorflow-cpu-aws"] == str(known(series).version)
    assert poetry.call("tf", "check").stdout.startswith("All set! ")
    before = contents(poetry.project)
    assert poetry.call("tf", "init", "-n").ok
    assert contents(poetry.project) == before


@pytest.mark.sample
@pytest.mark.parametrize("series", ["2.13", "2.18", LAST])
def test_one_that_the_index_does_not_have_is_an_error_and_nothing_is_written(
    ahead: PoetryRunner, project: Path, series: str
) -> None:
    version = Version(later(series))
    wanted = f"{version.major}.{version.minor}.{version.micro + 5}"
    done = ahead.call("tf", "init", "-n", "--tensorflow", wanted)
    assert done.returncode == 1
    assert "Could not lock the project; nothing was written" in done.stderr
    assert wanted in done.stderr
    assert contents(project) == {}
