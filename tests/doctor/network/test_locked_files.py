"""The lock's files: found by the first way that has them as they are locked, or lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.index import LocalIndex, Mount, Wheel
from tests.support.servers import anywhere

from poetry_tf.doctor.network.client import format_error, survey_client
from poetry_tf.doctor.network.locked_files import LockAvailability, PackageIndex, check_locked_files
from poetry_tf.files.lock import Lock
from poetry_tf.files.pyproject import Pyproject
from poetry_tf.http.client import Client
from poetry_tf.plan.environments import Target
from poetry_tf.plan.installability import LockedPackages
from poetry_tf.releases.images import load_images

CELL = Target("linux-x86_64", "3.11")
TAGS = ("cp311-cp311-manylinux_2_17_x86_64", "cp311-cp311-win_amd64", "cp310-cp310-win_amd64")


@pytest.fixture
def packages() -> Iterator[LocalIndex]:
    with LocalIndex() as index:
        index.add("plain", "1.0")
        index.add("plain", "1.2")
        index.add("built", "2.0", tags=TAGS)
        yield index


def lock_of(*packages: tuple[str, str, list[Wheel]], source: str = "") -> Lock:
    text = "# by Poetry 2.1.4\n"
    for name, version, wheels in packages:
        files = "".join(
            f'    {{file = "{wheel.filename}", hash = "sha256:{wheel.sha256}"}},\n'
            for wheel in wheels
        )
        text += (
            f'[[package]]\nname = "{name}"\nversion = "{version}"\noptional = false\n'
            f'python-versions = "*"\ngroups = ["main"]\nfiles = [\n{files}]\n{source}\n'
        )
    text += '[metadata]\nlock-version = "2.1"\npython-versions = "*"\ncontent-hash = "0"\n'
    return Lock.read(Path("poetry.lock"), text)


def wheels(index: LocalIndex, name: str, version: str) -> list[Wheel]:
    found = [item for item in index._distributions[name] if item.version == version]
    return [wheel for item in found for wheel in item.wheels]


def locked(index: LocalIndex, *, source: str = "") -> Lock:
    names = (("plain", "1.0"), ("built", "2.0"))
    return lock_of(*((n, v, wheels(index, n, v)) for n, v in names), source=source)


def look(lock: Lock, *mounts: Mount, client: Client | None = None) -> LockAvailability:
    pyproject = Pyproject.read(Path("pyproject.toml"), "[project]\nname = 'a'\nversion = '1'\n")
    return check_locked_files(
        lock,
        LockedPackages.of(lock, pyproject),
        client or survey_client(anywhere, 2),
        target=CELL,
        systems=load_images().systems,
        indexes=[PackageIndex(mount.name, mount.url) for mount in mounts],
        until=time.monotonic() + 30,
    )


def test_all_is_there(packages: LocalIndex):
    found = look(locked(packages), packages.mount("pypi"))
    (index,) = found.indexes
    assert (index.packages, index.files) == (2, 4)
    assert not (found.unavailable or found.unreachable or found.skipped or found.unchecked)


def test_a_page_is_asked_for_once_and_no_file(packages: LocalIndex):
    mount = packages.mount("pypi")
    look(locked(packages), mount)
    assert sorted(request.kind for request in mount.requests) == ["page", "page"]


def test_what_a_mirror_lacks_comes_from_the_next_way(packages: LocalIndex):
    mirror, pypi = packages.mount("mirror", hidden=("plain==1.0",)), packages.mount("pypi")
    found = look(locked(packages), mirror, pypi)
    assert [(index.name, index.files) for index in found.indexes] == [("mirror", 3), ("pypi", 1)]
    assert found.skipped == ("mirror has no plain-1.0-py3-none-any.whl",)
    assert not (found.unavailable or found.unreachable)


def test_a_file_that_is_gone_is_reported_with_what_is_there(packages: LocalIndex):
    lock = locked(packages)
    found = look(lock, packages.mount("pypi", hidden=("plain==1.0",)))
    (lost,) = found.unavailable
    assert (lost.package, lost.files) == ("plain 1.0", ("plain-1.0-py3-none-any.whl",))
    assert (lost.is_needed, lost.versions) == (True, ("1.2",))
    assert found.skipped == (), "there is no other index"


def test_a_file_that_only_others_need_is_reported_as_such(packages: LocalIndex):
    linux, windows, _ = wheels(packages, "built", "2.0")
    lock = lock_of(("built", "2.0", [linux, Wheel(windows.filename, b"gone", b"")]))
    (lost,) = look(lock, packages.mount("pypi")).unavailable
    assert not lost.is_needed
    assert "another file" in lost.reason


def test_another_file_under_the_same_name_is_no_find(packages: LocalIndex):
    (plain,) = wheels(packages, "plain", "1.0")
    lock = lock_of(("plain", "1.0", [Wheel(plain.filename, b"another", b"")]))
    (lost,) = look(lock, packages.mount("mirror"), packages.mount("pypi")).unavailable
    assert lost.is_needed and lost.files == (plain.filename,)


@pytest.mark.parametrize(
    ("behaviour", "cause"),
    [
        ({"page_status": 503}, "answers 503"),
        ({"page_status": 403}, "block your region"),
        ({"page_type": "image/png"}, "can't be read"),
        ({"page_body": b"<html>log in</html>", "page_type": "text/html"}, "can't be read"),
        ({"page_body": b'{"files": 7}'}, "can't be read"),
        ({"cut_pages": True}, "incomplete"),
    ],
)
def test_a_mirror_that_gives_no_page_stops_nothing(packages: LocalIndex, behaviour, cause):
    mirror, pypi = packages.mount("mirror", **behaviour), packages.mount("pypi")
    found = look(locked(packages), mirror, pypi)
    assert [index.name for index in found.indexes] == ["pypi"]
    assert not found.unavailable
    ((error, names),) = found.unreachable.values()
    assert cause in format_error(error) and names == ()


def test_where_no_way_answers_it_is_one_trouble_and_nothing_is_lost(packages: LocalIndex):
    found = look(locked(packages), packages.mount("pypi", page_status=500))
    assert not found.unavailable
    ((error, names),) = found.unreachable.values()
    assert "500" in format_error(error) and names == ("plain 1.0", "built 2.0")


def test_a_page_in_html_is_as_good(packages: LocalIndex):
    found = look(locked(packages), packages.mount("pypi", formats=("html",)))
    (index,) = found.indexes
    assert (index.packages, index.files) == (2, 4)


def test_a_source_of_the_projects_own_is_asked_without_its_password(packages: LocalIndex):
    own, pypi = packages.mount("own"), packages.mount("pypi")
    url = own.url.replace("http://", "http://me:secret@").rstrip("/")
    source = f'[package.source]\ntype = "legacy"\nurl = "{url}"\nreference = "own"\n'
    found = look(locked(packages, source=source), pypi)
    assert [index.name for index in found.indexes] == ["own"]
    assert not pypi.requests
    assert {request.credentials for request in own.requests} == {None}


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("has_password", [True, False])
def test_a_source_that_wants_a_password_is_reported_separately(
    packages: LocalIndex, status: int, has_password: bool
):
    own, pypi = packages.mount("own", page_status=status), packages.mount("pypi")
    url = own.url.replace("http://", "http://me:secret@") if has_password else own.url
    source = f'[package.source]\ntype = "legacy"\nurl = "{url}"\nreference = "own"\n'
    found = look(locked(packages, source=source), pypi)
    ((route, (reported, names)),) = found.protected.items()
    assert (route.name, route.has_password, reported) == ("own", has_password, status)
    assert names == ("plain 1.0", "built 2.0")
    assert not (found.unavailable or found.unreachable or found.indexes)


def test_what_comes_from_elsewhere_is_said(packages: LocalIndex):
    source = '[package.source]\ntype = "git"\nurl = "https://a.test/a.git"\nreference = "main"\n'
    found = look(locked(packages, source=source), packages.mount("pypi"))
    assert found.unchecked == ("plain 1.0 comes from git", "built 2.0 comes from git")
