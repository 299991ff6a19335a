"""The mirrors that a cloned project names: what is used of them, and what the user is told."""

from __future__ import annotations

import re
import shlex
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from poetry.repositories.legacy_repository import LegacyRepository
from poetry.repositories.pypi_repository import PyPiRepository

from poetry_tf.http import addresses
from poetry_tf.plugin import TensorFlowPlugin
from tests.support.index import LocalIndex, Mount
from tests.support.poetry import PoetryRunner, Result, write_pyproject

MANAGED = '\n[tool.poetry-tf]\ngpu = "none"\n'


@pytest.fixture(autouse=True)
def managed(poetry: PoetryRunner) -> None:
    write_pyproject(poetry.project, ["six"], requires_python="~=3.11.0", more=MANAGED)


@pytest.fixture
def other(index: LocalIndex) -> Iterator[Mount]:
    """A mirror on another port, which the user does not name."""
    with LocalIndex() as found:
        found.extend(index.distributions)
        yield found.default


def _set(file: Path, value: str, table: str = "[tf]\nmirror") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{table} = {value}\n", "utf-8")


def _lock(poetry: PoetryRunner, *options: str) -> Result:
    (poetry.project / "poetry.lock").unlink(missing_ok=True)
    done = poetry.call("lock", "--no-cache", *options)
    assert done.ok, done.output
    return done


# A project's setting in place of the user's


def test_an_overridden_setting_of_the_user_is_told_once(
    poetry: PoetryRunner, mirror: Mount, index: LocalIndex
) -> None:
    own = index.mount("own")
    _set(poetry.config_file, f'"{own.url}"')
    _set(poetry.project / "poetry.toml", f'"{mirror.url}"')
    line = (
        "poetry-tf: poetry.toml:2 sets the mirror 127.0.0.1 instead of yours, "
        f"{own.url} (~/config/config.toml:2)\n"
    )
    assert _lock(poetry).stderr.count(line) == 1
    assert mirror.requests and not own.requests
    assert _lock(poetry, "-q").output == ""


def test_a_command_that_solves_several_times_tells_it_once(
    poetry: PoetryRunner, mirror: Mount, index: LocalIndex, tmp_path: Path
) -> None:
    _set(poetry.config_file, f'"{index.mount("own").url}"')
    _set(poetry.project / "poetry.toml", f'"{mirror.url}"')
    (poetry.project / "list.txt").write_text("tensorflow==2.18.0\nabsl-py\n", "utf-8")
    (poetry.project / "pyproject.toml").unlink()
    done = poetry.call("tf", "init", "-n", "--from", "list.txt", "--no-devcontainer")
    assert done.ok, done.output
    assert done.stderr.count("instead of yours") == 1


@pytest.mark.parametrize("how", ["equal", "variable", "no setting of the user"])
def test_nothing_is_told_where_nothing_is_overridden(
    poetry: PoetryRunner, mirror: Mount, index: LocalIndex, how: str
) -> None:
    _set(poetry.project / "poetry.toml", f'"{mirror.url}"')
    if how == "variable":
        poetry.mirror = index.mount("own").url
    elif how == "equal":
        _set(poetry.config_file, f'["{mirror.url.rstrip("/")}"]')
    else:
        _allow(poetry, mirror.url)
    assert "instead of yours" not in _lock(poetry).stderr


def _allow(poetry: PoetryRunner, url: str) -> None:
    _set(poetry.config_file, f'["{url.split("/")[2]}"]', "[tf]\nlocal-hosts")


# An address on the local network


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "[::ffff:127.0.0.1]"),
        "mirror.example.com",
    ],
)
@pytest.mark.sample(every=4)
def test_it_is_used_after_the_command_that_the_line_names_and_not_before(
    poetry: PoetryRunner, other: Mount, pypi: Mount, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    if host == "mirror.example.com":
        _resolve(monkeypatch, host, "127.0.0.1")
    url = other.url.replace("127.0.0.1", host)
    _set(poetry.project / "poetry.toml", f'["{url}"]')
    done = _lock(poetry)
    assert other.requests == [] and pypi.requests
    (line,) = [line for line in done.stderr.splitlines() if "on the local network" in line]
    assert line.startswith("poetry-tf: poetry.toml:2 names ")
    command = re.search(r"run: poetry (tf allow (\S+))$", line)
    assert command is not None
    assert poetry.call(*shlex.split(command[1])).ok
    assert poetry.call("tf", "allow", "nas.local").ok
    done = _lock(poetry)
    assert "on the local network" not in done.stderr
    assert other.requests or "[::" in host  # where this machine speaks IPv6


def _resolve(monkeypatch: pytest.MonkeyPatch, name: str, number: str) -> None:
    ask = socket.getaddrinfo
    addresses._resolves_there.cache_clear()
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *rest, **more: ask(number if host == name else host, *rest, **more),
    )


def test_the_rest_of_the_list_and_the_users_setting_serve(
    poetry: PoetryRunner, other: Mount, pypi: Mount, mirror: Mount, index: LocalIndex
) -> None:
    own = index.mount("own")
    _set(poetry.config_file, f'"{own.url}"')
    _set(poetry.project / "poetry.toml", f'["{other.url}"]')
    assert "instead of yours" not in _lock(poetry).stderr
    assert own.requests and not pypi.requests
    own.requests.clear()
    _set(poetry.project / "poetry.toml", f'["{other.url}", "{mirror.url}"]')
    _lock(poetry)
    assert mirror.requests and not own.requests and not other.requests


def test_the_same_host_in_the_users_own_setting_allows_it(
    poetry: PoetryRunner, other: Mount
) -> None:
    _set(poetry.config_file, f'["tuna", "{other.url}"]')
    _set(poetry.project / "poetry.toml", f'"{other.url}"')
    assert "on the local network" not in _lock(poetry).stderr
    assert other.requests


def test_what_a_project_allows_itself_does_not_count(poetry: PoetryRunner, other: Mount) -> None:
    host = other.url.split("/")[2]
    text = f'["{other.url}"]\nlocal-hosts = ["{host}"]'
    _set(poetry.project / "poetry.toml", text)
    assert "on the local network" in _lock(poetry).stderr
    assert other.requests == []


@pytest.mark.sample
@pytest.mark.parametrize("command", ["use", "init", "dialogue"])
@pytest.mark.usefixtures("engine")
def test_what_the_user_sets_for_a_project_is_allowed(
    poetry: PoetryRunner, other: Mount, command: str
) -> None:
    if command == "use":
        done = poetry.call("tf", "mirror", "use", "--local", other.url)
    elif command == "init":
        done = poetry.call("tf", "init", "-n", "--no-lock", "--mirror", other.url)
    else:
        answers = f"\n{other.url}\n"
        done = poetry.call("tf", "init", "--no-lock", stdin=answers)
    assert done.ok, done.output
    assert f"Projects may name {other.url.split('/')[2]} (~/config/config.toml)" in done.stderr
    assert other.url in (poetry.project / "poetry.toml").read_text("utf-8")
    write_pyproject(poetry.project, ["six"], requires_python="~=3.11.0", more=MANAGED)
    _lock(poetry)
    assert other.requests


def test_mirror_shows_what_is_used(poetry: PoetryRunner, other: Mount) -> None:
    _set(poetry.config_file, '"tuna"')
    _set(poetry.project / "poetry.toml", f'"{other.url}"')
    done = poetry.call("tf", "mirror")
    assert done.stdout.startswith("tuna, set in ~/config/config.toml:2\n")
    assert done.stdout.endswith(f"not in force: {other.url}, set in poetry.toml:2\n")
    assert "tf allow" in done.stderr


@pytest.mark.parametrize("word", ["", "http://", "a b", "host/path", "me@host", "host:port"])
def test_what_is_no_host_is_not_allowed(poetry: PoetryRunner, word: str) -> None:
    done = poetry.call("tf", "allow", "--", word)
    assert done.returncode == 1 and "is not a host" in done.stderr
    assert not poetry.config_file.exists()


# poetry-plugin-pypi-mirror

PLUGIN = "[plugins.pypi_mirror]\nurl"


@pytest.fixture(params=["no plugin", "plugin first", "plugin last"])
def plugin(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What that plugin does to a project, before or after this one."""
    activate = TensorFlowPlugin.activate

    def replace(poetry: Any) -> None:
        import os

        found = poetry.config.get("plugins", {}).get("pypi_mirror", {}).get("url")
        url = os.environ.get("POETRY_PYPI_MIRROR_URL") or found
        if url and isinstance(poetry.pool.repository("PyPI"), PyPiRepository):
            poetry.config.merge({"repositories": {"PyPI": {"url": url}}})
            poetry.pool.remove_repository("PyPI")
            poetry.pool.add_repository(LegacyRepository("PyPI", url, config=poetry.config))

    def both(self: TensorFlowPlugin, poetry: Any, io: Any) -> None:
        if request.param == "plugin first":
            replace(poetry)
        activate(self, poetry, io)
        if request.param == "plugin last":
            replace(poetry)

    monkeypatch.setattr(TensorFlowPlugin, "activate", both)
    return str(request.param)


@pytest.mark.parametrize("place", ["variable", "config.toml", "poetry.toml", "unmanaged"])
@pytest.mark.sample(every=4)
def test_the_mirror_of_the_other_plugin_is_used(
    poetry: PoetryRunner, other: Mount, pypi: Mount, plugin: str, place: str
) -> None:
    _lock(poetry)
    lock = (poetry.project / "poetry.lock").read_bytes()
    pypi.requests.clear()
    if place in {"variable", "unmanaged"}:
        if place == "unmanaged":
            write_pyproject(poetry.project, ["six"], requires_python="~=3.11.0")
        poetry.environ["POETRY_PYPI_MIRROR_URL"] = other.url
    elif place == "config.toml":
        _set(poetry.config_file, f'"{other.url}"', PLUGIN)
    else:
        _allow(poetry, other.url)
        _set(poetry.project / "poetry.toml", f'"{other.url}"', PLUGIN)
    done = _lock(poetry)
    assert "poetry-tf: PyPI via 127.0.0.1\n" in done.stderr
    assert other.requests and not pypi.requests
    assert (poetry.project / "poetry.lock").read_bytes() == lock


def test_a_mirror_that_is_set_here_goes_before_it(
    poetry: PoetryRunner, other: Mount, mirror: Mount, plugin: str
) -> None:
    poetry.environ["POETRY_PYPI_MIRROR_URL"] = other.url
    _set(poetry.config_file, f'"{mirror.url}"')
    _lock(poetry)
    assert mirror.requests and not other.requests


def test_a_project_cannot_lead_it_into_the_local_network(
    poetry: PoetryRunner, other: Mount, pypi: Mount, plugin: str
) -> None:
    _set(poetry.project / "poetry.toml", f'"{other.url}"', PLUGIN)
    done = _lock(poetry)
    assert done.stderr.count("on the local network") == 1
    assert other.requests == [] and pypi.requests


def test_it_is_shown_with_its_place(poetry: PoetryRunner) -> None:
    url = "https://nexus.example.com/a,b/simple/"
    _set(poetry.project / "poetry.toml", f'"{url}"', PLUGIN)
    poetry.environ["POETRY_PYPI_MIRROR_URL"] = "https://jane:s3cr3t@pypi.example.com/simple/"
    done = poetry.call("tf", "mirror")
    assert done.stdout == (
        "https://pypi.example.com/simple/, set in the variable POETRY_PYPI_MIRROR_URL\n"
        "  pypi.example.com: https://pypi.example.com/simple/\n"
        f"not in force: {url}, set in poetry.toml:2\n"
    )


def test_init_leaves_it_in_force(poetry: PoetryRunner) -> None:
    _set(poetry.config_file, '"https://pypi.example.com/simple/"', PLUGIN)
    assert poetry.call("tf", "init", "-n", "--no-lock").ok
    assert not (poetry.project / "poetry.toml").exists()
