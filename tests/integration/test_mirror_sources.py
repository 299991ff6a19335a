"""A mirror that is written as a source, as the seed had it, becomes a way that leaves no trace."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tomlkit
from poetry.packages.locker import Locker

from poetry_tf.index.mirrors import MIRRORS
from tests.support.index import LocalIndex, Mount
from tests.support.poetry import PoetryRunner, write_pyproject
from tests.support.projects import contents

TUNA = MIRRORS["tuna"].url
REQUIRES = ["tensorflow (>=2.18.1,<2.19.0)", "six"]
SOURCE = '\n# 国内镜像源\n[[tool.poetry.source]]\nname = "mirrors"\nurl = "{}"\npriority = "{}"\n'


def _write(project: Path, more: str) -> None:
    write_pyproject(project, REQUIRES, requires_python=">=3.11,<3.13", more=more)


def _bound(poetry: PoetryRunner, mirror: Mount, more: str = "", priority: str = "primary") -> None:
    """A project as Poetry locks it with a mirror as a source; then the mirror is TUNA."""
    project = poetry.project
    _write(project, more + SOURCE.format(mirror.url, priority))
    done = poetry.call("lock")
    assert done.ok, done.output
    _write(project, more + SOURCE.format(TUNA, priority))
    data = tomlkit.parse((project / "pyproject.toml").read_text("utf-8")).unwrap()
    lock = project / "poetry.lock"
    text = lock.read_text("utf-8").replace(mirror.url.rstrip("/"), TUNA.rstrip("/"))
    head, _, _ = text.rpartition("content-hash = ")
    lock.write_text(f'{head}content-hash = "{Locker(lock, data)._content_hash}"\n', "utf-8")


def _plain(poetry: PoetryRunner, mirror: Mount) -> bytes:
    """The lock that Poetry makes where the same mirror is only a way."""
    _write(poetry.project, "")
    (poetry.project / "poetry.lock").unlink(missing_ok=True)
    done = poetry.call("lock", environ={"POETRY_TF_MIRROR": mirror.url})
    assert done.ok, done.output
    return (poetry.project / "poetry.lock").read_bytes()


@pytest.fixture
def plain(warm_poetry: PoetryRunner, mirror: Mount) -> bytes:
    return _plain(warm_poetry, mirror)


@pytest.mark.slow
def test_fix_makes_the_lock_that_pypi_gives_without_asking_anyone(
    warm_poetry: PoetryRunner, index: LocalIndex, mirror: Mount, plain: bytes
) -> None:
    _bound(warm_poetry, mirror)
    project = warm_poetry.project
    result = warm_poetry.call("tf", "check")
    assert result.returncode == 1
    assert result.stderr.count(" TF401 ") == 2
    index.requests.clear()
    done = warm_poetry.call("tf", "check", "--fix")
    assert done.ok, done.output
    assert done.stdout.startswith("Fixed TF401 (2) in\n")
    assert index.requests == []
    assert (project / "poetry.lock").read_bytes() == plain
    _write(project.parent, "")
    after = contents(project)
    assert after["pyproject.toml"] == (project.parent / "pyproject.toml").read_bytes()
    assert after["poetry.toml"] == b'[tf]\nmirror = "tuna"\n'
    assert warm_poetry.call("check", "--lock", plugins=False).ok
    installed = warm_poetry.call("install", "--dry-run", plugins=False)
    assert installed.ok, installed.output
    assert warm_poetry.call("tf", "check").ok
    assert warm_poetry.call("tf", "check", "--fix").ok
    assert contents(project) == after


def test_dependencies_that_name_the_mirror_are_freed_as_well(
    warm_poetry: PoetryRunner, mirror: Mount, plain: bytes
) -> None:
    bound = '\n[tool.poetry.dependencies]\nsix = { source = "mirrors" }\n'
    _bound(warm_poetry, mirror, bound, "explicit")
    project = warm_poetry.project
    assert (project / "poetry.lock").read_bytes() != plain
    done = warm_poetry.call("tf", "check", "--fix")
    assert done.ok, done.output
    # The table that named it is still there, empty, and the hash covers it.
    hash_of = b"content-hash"
    lock = (project / "poetry.lock").read_bytes()
    assert lock.partition(hash_of)[0] == plain.partition(hash_of)[0]
    assert "mirrors" not in (project / "pyproject.toml").read_text("utf-8")
    assert warm_poetry.call("check", "--lock", plugins=False).ok
    assert warm_poetry.call("install", "--dry-run", plugins=False).ok


@pytest.mark.slow
def test_a_lock_whose_mirror_was_removed_by_hand_is_freed(
    warm_poetry: PoetryRunner, mirror: Mount, plain: bytes
) -> None:
    """`poetry lock` says that the repository doesn't exist."""
    _bound(warm_poetry, mirror)
    _write(warm_poetry.project, "")
    assert 'Repository "mirrors" does not exist' in warm_poetry.call("lock", plugins=False).output
    warm_poetry.mirror = "off"
    done = warm_poetry.call("tf", "check", "--fix")
    assert done.ok, done.output
    assert (warm_poetry.project / "poetry.lock").read_bytes() == plain


@pytest.mark.slow
def test_init_frees_a_project_too(warm_poetry: PoetryRunner, mirror: Mount, plain: bytes) -> None:
    _bound(warm_poetry, mirror)
    warm_poetry.mirror = "off"
    done = warm_poetry.call("tf", "init", "-n", "--no-devcontainer")
    assert done.ok, done.output
    text = (warm_poetry.project / "pyproject.toml").read_text("utf-8")
    assert "tool.poetry.source" not in text and "国内" not in text
    lock = (warm_poetry.project / "poetry.lock").read_bytes()
    assert b"package.source" not in lock
    assert (warm_poetry.project / "poetry.toml").read_text("utf-8") == '[tf]\nmirror = "tuna"\n'
    assert warm_poetry.call("check", "--lock", plugins=False).ok
    assert warm_poetry.call("tf", "check").ok


@pytest.mark.slow
def test_init_that_is_to_write_the_source_leaves_the_one_that_is_there(
    warm_poetry: PoetryRunner, mirror: Mount
) -> None:
    _bound(warm_poetry, mirror)
    done = warm_poetry.call(
        "tf", "init", "-n", "--no-devcontainer", "--no-lock", "--write-source", "--mirror", "tuna"
    )
    assert done.ok, done.output
    text = (warm_poetry.project / "pyproject.toml").read_text("utf-8")
    assert text.count("[[tool.poetry.source]]") == 1 and 'code = "TF401"' in text
    assert not (warm_poetry.project / "poetry.toml").exists()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://pypi.tuna.tsinghua.edu.cn/simple/", TUNA),
        ("tuna,http://index.example.com/simple/", "plain http"),
        ("https://pypi.doubanio.com/simple/", "retired"),
    ],
)
def test_init_refuses_a_mirror_that_check_would_find_fault_with(
    poetry: PoetryRunner, url: str, says: str
) -> None:
    done = poetry.call("tf", "init", "-n", "--mirror", url)
    assert done.returncode == 1
    assert says in done.stderr
    assert contents(poetry.project) == {}


@pytest.mark.parametrize("host", ["[::1", "host:port", "ho\\\\st"])
def test_a_malformed_address_of_a_source_is_an_error_with_its_place(
    poetry: PoetryRunner, project: Path, host: str
) -> None:
    _write(project, SOURCE.format(f"https://me:s3cr3t@{host}/simple/", "supplemental"))
    before = contents(project)
    done = poetry.call("tf", "init", "-n")
    assert done.returncode == 1
    place = r"pyproject\.toml:\d+:\d+: the address https://\S+/simple/ of the source mirrors"
    assert re.search(f"{place} (contains|has) ", done.output)
    assert "s3cr3t" not in done.output
    assert contents(project) == before


@pytest.mark.parametrize("command", ["add six", "lock", "install", "remove --lock six"])
@pytest.mark.parametrize("directory", [[], ["-C", ".."]], ids=["below", "-C"])
@pytest.mark.sample
def test_poetrys_own_commands_say_where_a_malformed_address_is(
    poetry: PoetryRunner, project: Path, command: str, directory: list[str]
) -> None:
    _write(project, SOURCE.format("https://[::1/simple/", "supplemental"))
    below = project / "below"
    below.mkdir()
    done = poetry.run(*command.split(), *directory, cwd=below)
    assert done.returncode == 1
    place = (
        r"^pyproject\.toml:\d+:\d+: the address https://\[::1/simple/ of the source mirrors has "
    )
    assert re.search(place, done.stderr, re.MULTILINE)
    assert "Invalid IPv6 URL" not in done.output
