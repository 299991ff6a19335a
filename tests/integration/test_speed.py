"""What is spared and fetched ahead never changes a lock, and how many requests a solve makes."""

from __future__ import annotations

import logging
import random
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.utils import NormalizedName
from poetry.core.constraints.version import parse_constraint
from poetry.core.packages.dependency import Dependency
from poetry.inspection import lazy_wheel
from poetry.repositories.exceptions import PackageNotFoundError
from poetry.repositories.legacy_repository import LegacyRepository
from poetry.repositories.link_sources.html import HTMLPage
from poetry.utils.env import EnvManager

from poetry_tf.index import mirror_pages, prefetch, wheel_metadata
from poetry_tf.index.pages import POETRY_READS_JSON, as_html, is_in_json
from poetry_tf.index.repository import PrefetchingRepository
from poetry_tf.poetry_internals import lock_text
from tests.support.index import LocalIndex, Mount
from tests.support.poetry import PoetryRunner, Result, locked, write_pyproject

MANAGED = "\n[tool.poetry-tf]\n"
MIRROR = {"absolute": False, "metadata": False}


@pytest.fixture
def local() -> Iterator[LocalIndex]:
    """An index of the test's own; its default mount stands for PyPI."""
    with LocalIndex(api=True) as index:
        yield index


@pytest.fixture
def solver(project: Path, tmp_path: Path, local: LocalIndex) -> PoetryRunner:
    return PoetryRunner(project, tmp_path / "home", pypi=local.default.root)


@pytest.mark.slow
def test_what_a_solve_leaves_is_not_searched_at_the_end(
    solver: PoetryRunner, local: LocalIndex, tmp_path: Path
) -> None:
    local.add("thing", "1.0")
    write_pyproject(solver.project, ["thing"], more=MANAGED)
    path = tmp_path / "frozen"
    for command, is_frozen in (("lock", True), ("check", False)):
        done = solver.run(command, environ={"TESTS_FROZEN": str(path)})
        assert done.ok, done.output
        assert (int(path.read_text()) > 10_000) == is_frozen


def _lock(
    solver: PoetryRunner, mount: Mount, *dependencies: str, python: str = ">=3.8,<3.12"
) -> tuple[Result, str]:
    """A lock made anew, with an empty cache."""
    write_pyproject(solver.project, dependencies, requires_python=python, more=MANAGED)
    file = solver.project / "poetry.lock"
    file.unlink(missing_ok=True)
    solver.cache = solver.home / f"cache-{random.random()}"
    solver.mirror = mount.url
    done = solver.call("lock")
    return done, file.read_text("utf-8") if file.exists() else ""


def _own_page(repository: LegacyRepository, name: NormalizedName) -> HTMLPage:
    """A page as Poetry's own class reads it, in whichever form it came."""
    response = repository._get_response(f"/{name}/")
    if response is None:
        raise PackageNotFoundError(name)
    text = as_html(response.json()) if is_in_json(response) else response.text
    return HTMLPage(response.url, text)


@contextmanager
def _spared_nothing() -> Iterator[None]:
    """Within it, the index is read by Poetry's own class alone."""
    with ExitStack() as stack:
        for name in vars(PrefetchingRepository).keys() & set(dir(LegacyRepository)):
            if name.startswith("_get_"):
                own = getattr(LegacyRepository, name)
                if name == "_get_page" and not POETRY_READS_JSON:
                    own = _own_page  # Poetry's own would take JSON for a page without files
                stack.enter_context(mock.patch.object(PrefetchingRepository, name, own))
        stack.enter_context(mock.patch.object(prefetch.Prefetcher, "begin", lambda *_, **__: None))
        stack.enter_context(mock.patch.object(lock_text, "_compute", lambda *_: None))
        yield


def _both(solver: PoetryRunner, local: LocalIndex, *dependencies: str) -> str:
    """The lock, which is the same with everything that spares time and without."""
    mirror = local.mount("mirror", **MIRROR)
    with _spared_nothing():
        before, expected = _lock(solver, mirror, *dependencies)
    asked, mirror.requests = mirror.requests, []
    done, lock = _lock(solver, mirror, *dependencies)
    assert (done.returncode, done.output) == (before.returncode, before.output)
    assert lock == expected
    assert not before.ok or len(mirror.requests) <= len(asked) + 5
    return lock


# The same lock


def test_a_package_that_is_split_between_pythons_stays_split(
    solver: PoetryRunner, local: LocalIndex
) -> None:
    """Newer ones refuse the oldest Python, and are taken all the same where a marker allows it."""
    local.add(
        "splits", "1.0", requires=["c (<2) ; python_version < '3.9'", "c ; python_version >= '3.9'"]
    )
    for version, python in (("1.0", ">=3.6"), ("1.5", ">=3.8"), ("2.0", ">=3.9"), ("2.1", ">=3.9")):
        local.add("c", version, requires_python=python, requires=["d"])
    for version, python in (("1.0", ">=3.8"), ("2.0", ">=3.9")):
        local.add("d", version, requires_python=python)
    lock = _both(solver, local, "splits", "c", "d")
    assert lock.count('name = "c"') == 2


def test_a_version_that_is_refused_may_split_the_solve_first(
    solver: PoetryRunner, local: LocalIndex
) -> None:
    """So its metadata can't be gone without, though the page says that it will be refused."""
    split = ["n (<2) ; python_version < '3.10'", "n (>=2) ; python_version >= '3.10'"]
    local.add("m", "1.0", requires_python=">=3.8")
    local.add("m", "2.0", requires_python=">=3.9", requires=split)
    local.add("m", "2.1", requires_python=">=3.9", requires=split)
    local.add("n", "1.0")
    local.add("n", "2.0", requires_python=">=3.10")
    lock = _both(solver, local, "m")
    assert lock.count('name = "m"') == 2, "the refused one is in it, for newer Pythons"


def _pages_and_metadata_disagree(local: LocalIndex) -> list[str]:
    local.add("a", "1.0")
    local.add("a", "2.0", requires_python=">=3.9", tags=["cp39-cp39-win_amd64"])
    local.add("a", "2.0", requires_python=">=3.8", tags=["py3-none-any"])
    return ["a"]


def _yanked_and_prereleases(local: LocalIndex) -> list[str]:
    local.add("a", "1.0", requires=["b (>=1.0a1)"])
    local.add("a", "2.0", yanked="broken", requires=["c"])
    local.add("b", "1.0a1")
    local.add("b", "1.0a2", requires_python=">=3.9")
    local.add("e", "1.0", yanked="all of it")
    return ["a", "e (==1.0)"]


def _extras(local: LocalIndex) -> list[str]:
    local.add("a", "1.0", requires=["b[fast]", "d ; extra == 'more'"])
    local.add("b", "1.0", requires=["c ; extra == 'fast'", "x ; extra == 'slow'"])
    local.add("c", "1.0", requires=["a[more]"])
    local.add("d", "1.0")
    return ["a"]


def _backtracking(local: LocalIndex) -> list[str]:
    for number in range(1, 9):
        local.add("a", f"{number}.0", requires=[f"b (=={number}.0)"])
        local.add("b", f"{number}.0", requires=["c (<3)" if number < 4 else "c (>=3)"])
        local.add("c", f"{number}.0", requires_python=">=3.9" if number > 2 else None)
    return ["a", "c"]


def _nothing_fits(local: LocalIndex) -> list[str]:
    local.add("a", "1.0", requires=["b (<1)"])
    local.add("a", "2.0", requires=["b (<1)"])
    local.add("b", "1.0")
    return ["a"]


def _odd_metadata(local: LocalIndex) -> list[str]:
    local.add("a", "1.0", requires=["b ; python_version ~= 'x'", "not a requirement", "c==1.*"])
    local.add("b", "1.0", requires_python=">=3.8.dev0")
    local.add("c", "1.5", requires_python="")
    return ["a"]


@pytest.mark.parametrize(
    "make",
    [
        _pages_and_metadata_disagree,
        _yanked_and_prereleases,
        _extras,
        _backtracking,
        _nothing_fits,
        _odd_metadata,
    ],
)
@pytest.mark.sample(every=3)
def test_a_lock_is_the_same_with_and_without(
    solver: PoetryRunner, local: LocalIndex, make: Callable[[LocalIndex], list[str]]
) -> None:
    _both(solver, local, *make(local))


def test_an_existing_lock_moves_as_little(solver: PoetryRunner, local: LocalIndex) -> None:
    for version in ("1.0", "1.1"):
        local.add("a", version, requires=["b"])
        local.add("b", version)
    write_pyproject(solver.project, ["a (==1.0)", "b (==1.0)"], more=MANAGED)
    assert solver.call("lock", plugins=False).ok
    write_pyproject(solver.project, ["a", "b (>=1.0)"], more=MANAGED)
    before = (solver.project / "poetry.lock").read_bytes()
    assert solver.call("lock", plugins=False).ok
    alone = (solver.project / "poetry.lock").read_bytes()
    (solver.project / "poetry.lock").write_bytes(before)
    solver.mirror = local.mount("mirror", **MIRROR).url
    assert solver.call("lock").ok
    assert (solver.project / "poetry.lock").read_bytes() == alone
    assert locked(solver.project) == {"a": "1.0", "b": "1.0"}
    assert solver.call("update", "--lock").ok
    assert locked(solver.project) == {"a": "1.1", "b": "1.1"}


REAL = {
    "2.18": (["tensorflow (>=2.18.0,<2.19.0)"], ">=3.10,<3.13"),
    "2.13, four Pythons": (["tensorflow (>=2.13.0,<2.14.0)"], ">=3.8,<3.12"),
    "2.13, one Python": (["tensorflow (>=2.13.0,<2.14.0)"], ">=3.11,<3.12"),
}


@pytest.mark.index
@pytest.mark.parametrize(("requirements", "python"), REAL.values(), ids=REAL)
def test_real_projects_have_the_same_lock(
    real_poetry: PoetryRunner, requirements: list[str], python: str
) -> None:
    write_pyproject(real_poetry.project, requirements, requires_python=python, more=MANAGED)
    file = real_poetry.project / "poetry.lock"
    locks = []
    for spares in (False, True):
        real_poetry.cache = real_poetry.home / f"cache-{spares}"
        with nullcontext() if spares else _spared_nothing():
            done = real_poetry.call("lock")
        assert done.ok, done.output
        locks.append(file.read_bytes())
        file.unlink()
    assert locks[0] == locks[1]


MARKERS = [
    "",
    " ; python_version < '3.9'",
    " ; python_version >= '3.10'",
    " ; sys_platform == 'win32'",
]
packages = st.sampled_from("abcde")
releases = st.fixed_dictionaries(
    {
        "requires": st.lists(
            st.builds(
                "{}{}{}".format,
                packages,
                st.sampled_from(["", " (>=2)", " (<2)", " (==3)"]),
                st.sampled_from(MARKERS),
            ),
            max_size=3,
        ),
        "requires_python": st.sampled_from([None, ">=3.8", ">=3.9", ">=3.10", "<3.11"]),
        "yanked": st.sampled_from([None, None, None, "broken"]),
    }
)


@pytest.mark.slow
@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.dictionaries(packages, st.lists(releases, min_size=1, max_size=4), min_size=2))
def test_whatever_an_index_has_the_lock_is_the_same(
    solver: PoetryRunner, universe: dict[str, list[dict[str, Any]]]
) -> None:
    with LocalIndex(api=True) as local:
        for name, made in universe.items():
            for number, release in enumerate(made, start=1):
                local.add(name, f"{number}.0", **release)
        solver.pypi = local.default.root
        _both(solver, local, *sorted(universe)[:2])


# Requests


def _chain(local: LocalIndex, length: int = 12, width: int = 6) -> list[str]:
    """Packages that each require the next two, in some versions each."""
    for number in range(length):
        for version in range(1, width + 1):
            requires = [f"p{after}" for after in (number + 1, number + 2) if after < length]
            local.add(f"p{number}", f"{version}.0", requires=requires)
    return ["p0"]


def test_a_solve_asks_for_each_page_and_each_wheel_once(
    solver: PoetryRunner, local: LocalIndex
) -> None:
    mirror = local.mount("mirror", **MIRROR)
    done, _ = _lock(solver, mirror, *_chain(local))
    assert done.ok, done.output
    asked = Counter(request.path for request in mirror.requests)
    assert Counter(request.kind for request in mirror.requests) == {"page": 12, "file": 12}
    assert set(asked.values()) == {1}


@pytest.mark.sample
@pytest.mark.parametrize(
    ("command", "pages", "files"),
    [
        (("add", "--lock", "extra"), 14, 1),
        (("update", "--lock"), 13, 0),
        (("remove", "--lock", "alone"), 12, 0),
    ],
    ids=["add", "update", "remove"],
)
def test_a_locked_project_asks_for_each_page_once_and_only_for_new_wheels(
    solver: PoetryRunner,
    local: LocalIndex,
    command: tuple[str, ...],
    pages: int,
    files: int,
) -> None:
    names = _chain(local)
    for name in ("alone", "extra"):
        local.add(name, "1.0")
    mirror = local.mount("mirror", **MIRROR)
    done, _ = _lock(solver, mirror, *names, "alone (>=1.0)")
    assert done.ok, done.output
    mirror.requests = []
    done = solver.call(*command)
    assert done.ok, done.output
    asked = Counter(request.path for request in mirror.requests)
    kinds = Counter(request.kind for request in mirror.requests)
    assert kinds == Counter(page=pages, file=files)
    assert set(asked.values()) <= {1}


@pytest.mark.parametrize(
    "command",
    [("lock",), ("lock", "--regenerate"), ("update", "--lock"), ("add", "--lock", "extra")],
    ids=" ".join,
)
@pytest.mark.sample(every=2)
def test_what_a_solve_needs_is_asked_for_while_poetry_prepares_it(
    solver: PoetryRunner, local: LocalIndex, command: tuple[str, ...]
) -> None:
    """Poetry makes or inspects the virtual environment first, which takes a second."""
    names = _chain(local)
    local.add("extra", "1.0")
    mirror = local.mount("mirror", **MIRROR)
    done, lock = _lock(solver, mirror, *names)
    assert done.ok, done.output
    if command == ("lock",):
        (solver.project / "poetry.lock").unlink()
    mirror.requests = []
    before: list[str] = []
    create = EnvManager.create_venv

    def create_later(manager: EnvManager, *arguments: Any, **more: Any) -> Any:
        until = time.monotonic() + 20
        while len({*(one.path for one in mirror.requests)}) < 12 and time.monotonic() < until:
            time.sleep(0.01)
        before.extend(request.path for request in mirror.requests)
        return create(manager, *arguments, **more)

    with mock.patch.object(EnvManager, "create_venv", create_later):
        done = solver.call(*command)
    assert done.ok, done.output
    assert len({*before}) >= 12
    assert {*Counter(request.path for request in mirror.requests).values()} == {1}
    if "add" not in command:
        assert (solver.project / "poetry.lock").read_text("utf-8") == lock


@pytest.mark.slow
def test_an_update_asks_for_several_pages_at_a_time(
    solver: PoetryRunner, local: LocalIndex
) -> None:
    """All that is locked may change: what is kept of it is none."""
    mirror = local.mount("mirror", delay=0.05, **MIRROR)
    assert _lock(solver, mirror, *_chain(local))[0].ok
    local.busiest = 0
    mirror.requests = []
    done = solver.call("update", "--dry-run")
    assert done.ok, done.output
    assert local.busiest > 1


def test_a_mirror_that_answers_has_no_page_parsed_for_its_wheels(
    solver: PoetryRunner, local: LocalIndex
) -> None:
    """Only to find the same file on another index."""
    mirror = local.mount("mirror", **MIRROR)
    with mock.patch.object(mirror_pages, "_parsed", wraps=mirror_pages._parsed) as parsed:
        done, _ = _lock(solver, mirror, *_chain(local))
        assert done.ok and solver.call("update", "--lock").ok
    assert any(request.kind == "file" for request in mirror.requests)
    assert parsed.call_count == 0


def test_each_wheel_is_opened_once_and_the_environment_read_once_for_a_server(
    solver: PoetryRunner, local: LocalIndex
) -> None:
    mirror = local.mount("mirror", **MIRROR)
    environ, opened = requests.sessions.get_environ_proxies, []

    class Archive(zipfile.ZipFile):
        def __init__(self, *arguments: Any, **more: Any) -> None:
            opened.append(arguments)
            super().__init__(*arguments, **more)

    with (
        mock.patch.object(requests.sessions, "get_environ_proxies", wraps=environ) as read,
        mock.patch.object(wheel_metadata, "ZipFile", Archive),
        mock.patch.object(lazy_wheel, "ZipFile", Archive),
    ):
        done, _ = _lock(solver, mirror, *_chain(local))
    assert done.ok
    assert len(opened) == 12
    assert read.call_count <= 4, "the mirror, over http, with and without a stream"


def test_a_record_is_one_file_in_one_folder(solver: PoetryRunner, local: LocalIndex) -> None:
    mirror = local.mount("mirror", **MIRROR)
    done, _ = _lock(solver, mirror, *_chain(local))
    assert done.ok and solver.cache is not None
    (folder,) = Path(solver.cache).rglob("poetry-tf/*")
    assert len([*folder.iterdir()]) == 12
    assert all(file.is_file() for file in folder.iterdir())
    mirror.requests = []
    (solver.project / "poetry.lock").unlink()
    assert solver.call("lock").ok
    assert {request.kind for request in mirror.requests} == {"page"}, "they are read again"


def test_poetry_asks_for_what_is_refused_and_is_not_kept_waiting(
    solver: PoetryRunner, local: LocalIndex
) -> None:
    for version in range(1, 31):
        local.add("a", f"{version}.0", requires_python=">=3.9" if version > 3 else None)
    mirror = local.mount("mirror", delay=0.03, **MIRROR)
    done, _ = _lock(solver, mirror, "a")
    assert done.ok
    assert locked(solver.project) == {"a": "3.0"}
    files = [request for request in mirror.requests if request.kind == "file"]
    assert len(files) == 28, "27 that are refused, and the one that is taken"
    assert 2 <= local.busiest <= prefetch.THREADS + 1


def test_a_wheel_whose_metadata_lies_far_from_its_end_takes_two_requests(
    solver: PoetryRunner, local: LocalIndex
) -> None:
    noise = random.Random(1).randbytes(200_000)
    local.add("near", "1.0", members={"near/noise": noise}, requires=["six"])
    local.add("far", "1.0", members={"far-1.0.dist-info/METADATA": b"", "far/noise": noise})
    local.add("six", "1.0")
    mirror = local.mount("mirror", **MIRROR)
    done, _ = _lock(solver, mirror, "near", "far")
    assert done.ok, done.output
    files = Counter(request.package for request in mirror.requests if request.kind == "file")
    assert files == {"near": 1, "far": 2, "six": 1}


@pytest.mark.sample
@pytest.mark.parametrize("metadata", [False, True])
def test_what_is_known_of_a_wheel_is_not_asked_for(
    solver: PoetryRunner, local: LocalIndex, monkeypatch: pytest.MonkeyPatch, metadata: bool
) -> None:
    """Also where the mirror offers metadata, of which it lists the hash itself."""
    wheels = [
        local.add("a", "1.0", requires=["b (<2)"], requires_python=">=3.7"),
        local.add("b", "1.0", requires=["c ; extra == 'x'"]),
    ]
    local.add("b", "2.0")
    mirror = local.mount("mirror", **MIRROR)
    expected = _both(solver, local, "a")
    record = {"summary": "", "python": None}
    files = {
        wheel.sha256[: wheel_metadata.PREFIX]: {
            **record,
            "name": item.name,
            "version": item.version,
            "summary": f"A stand-in for {item.name}",
            "python": item.requires_python,
            "requires": number,
        }
        for number, item in enumerate(wheels)
        for wheel in item.wheels
    }
    data = {"files": files, "requires": [item.requires or None for item in wheels]}
    monkeypatch.setattr(wheel_metadata, "_packaged", lambda: data)
    mirror = local.mount("mirror", absolute=False, metadata=metadata)
    done, lock = _lock(solver, mirror, "a")
    assert done.ok, done.output
    assert lock == expected
    assert {request.kind for request in mirror.requests} == {"page"}


def test_nothing_is_fetched_ahead_where_nothing_is_solved(
    solver: PoetryRunner, local: LocalIndex
) -> None:
    mirror = local.mount("mirror", **MIRROR)
    assert _lock(solver, mirror, *_chain(local, 3, 2))[0].ok
    mirror.requests.clear()
    assert solver.call("check").ok
    assert solver.call("version").ok
    assert solver.call("show").ok
    assert not mirror.requests
    done = solver.call("install")
    assert done.ok, done.output
    asked = Counter(request.package for request in mirror.requests if request.kind == "file")
    assert asked == {"p0": 1, "p1": 1, "p2": 1}


def test_a_name_that_another_source_may_have_is_not_told_to_pypi_ahead(
    solver: PoetryRunner, local: LocalIndex
) -> None:
    local.add("a", "1.0", requires=["private"])
    local.add("private", "1.0")
    own = local.mount("own", **MIRROR)
    pypi = local.mount("mirror", hidden=("private", "a"), **MIRROR)
    source = f'\n[[tool.poetry.source]]\nname = "own"\nurl = "{own.url}"\npriority = "primary"\n'
    more = f'{source}\n[[tool.poetry.source]]\nname = "PyPI"\npriority = "supplemental"\n{MANAGED}'
    write_pyproject(solver.project, ["a"], more=more)
    solver.mirror = pypi.url
    done = solver.call("lock")
    assert done.ok, done.output
    assert not pypi.requests


# What goes wrong ahead


def test_what_fails_ahead_fails_as_it_does_without(solver: PoetryRunner, local: LocalIndex) -> None:
    local.add("a", "1.0", requires=["b"])
    local.add("b", "1.0")
    mirror = local.mount("mirror", file_status=403, **MIRROR)
    pypi = next(mount for mount in local.mounts if mount.root == solver.pypi)
    pypi.file_status = 403
    done, lock = _lock(solver, mirror, "a")
    assert not done.ok
    assert not lock
    assert "answers 403" in done.output
    assert "Traceback" not in done.output
    mirror.file_status = pypi.file_status = None
    assert _lock(solver, mirror, "a")[0].ok


def test_no_thread_goes_on_after_the_solve(solver: PoetryRunner, local: LocalIndex) -> None:
    mirror = local.mount("mirror", **MIRROR)
    assert _lock(solver, mirror, *_chain(local))[0].ok
    threads = [item for item in threading.enumerate() if item.name.startswith("poetry-tf")]
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def test_no_thread_goes_on_where_poetry_does_not_come_to_solve(
    solver: PoetryRunner, local: LocalIndex
) -> None:
    mirror = local.mount("mirror", **MIRROR)
    assert _lock(solver, mirror, *_chain(local))[0].ok
    assert "Nothing to add" in solver.call("add", "p0").stdout
    for thread in threading.enumerate():
        if thread.name.startswith("poetry-tf"):
            thread.join(10)
            assert not thread.is_alive()


def test_a_second_solve_asks_for_nothing_again() -> None:
    """`add` solves several times where the newest version does not fit."""
    asked: list[tuple[str, ...]] = []

    def fetch_page(name: NormalizedName) -> object:
        return fetching.get(("page", name), lambda: page(name))

    def page(name: NormalizedName) -> object:
        asked.append((name,))
        if name == "broken":
            raise PackageNotFoundError(name)
        return HTMLPage(f"https://example.org/{name}/", f'<a href="{name}-1.0.tar.gz">x</a>')

    def fetch_record(name: NormalizedName, version: object) -> dict[str, Any]:
        return fetching.get(("record", name, version), lambda: record(name, version))

    def record(name: NormalizedName, version: object) -> dict[str, Any]:
        asked.append((name, str(version)))
        return {"requires_dist": ["b"] if name == "a" else []}

    def wait(*needed: tuple[str, ...]) -> None:
        until = time.monotonic() + 10
        while not {*needed} <= {*asked} and time.monotonic() < until:
            time.sleep(0.01)
        assert {*needed} <= {*asked}

    fetching = prefetch.Prefetcher(fetch_page, fetch_record)
    python, first = parse_constraint(">=3.8"), [Dependency("a", "*"), Dependency("broken", "*")]
    fetching.begin(python, first, ahead=True)
    wait(("b", "1.0"), ("broken",))
    fetching.begin(python, [*first, Dependency("c", "*")])
    wait(("c", "1.0"))
    fetching.end()
    for again in ("first", "second"):
        fetching.begin(python, [*first, Dependency(again, "*")])
        wait((again, "1.0"))
        fetching.end()
    failed = asked.count(("broken",))
    assert {*Counter(asked).values()} <= {1, failed}
    assert asked.count(("b", "1.0")) == 1


def test_the_threads_are_not_heard() -> None:
    """They may be asking in vain, and Poetry asks again for what failed."""
    heard: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    try:
        fetch_page = mock.Mock(side_effect=lambda name: logging.warning("ahead"))
        fetching = prefetch.Prefetcher(fetch_page, mock.Mock())
        fetching.begin(parse_constraint(">=3.8"), [Dependency("a", "*")])
        while not fetch_page.called:
            time.sleep(0.01)
        fetching.end()
        logging.warning("Poetry")
    finally:
        logging.getLogger().removeHandler(handler)
    assert heard == ["Poetry"]
