"""A mirror that lists wrong hashes: it is told and left, and the lock is that of PyPI."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import cycle, product
from pathlib import Path

import pytest
import tomlkit

from poetry_tf.index import failover, mirrors
from poetry_tf.index.mirrors import Mirror
from tests.support.index import Distribution, LocalIndex, Mount, Wheel
from tests.support.pages import named
from tests.support.poetry import PoetryRunner, Result, write_pyproject
from tests.support.projects import contents, restore

Hashes = Callable[[Wheel], Mapping[str, str]]

VERSIONS = ("1.0", "1.1")
TAGS = ("cp311-cp311-win_amd64", "cp311-cp311-macosx_12_0_arm64", "py3-none-any")
FILES = {
    "the first wheel": f"demo-1.1-{TAGS[0]}.whl",
    "the last wheel": f"demo-1.1-{TAGS[-1]}.whl",
    "the source archive": "demo-1.1.tar.gz",
}


def true(wheel: Wheel) -> dict[str, str]:
    return {"sha256": wheel.sha256}


def _sha512(content: bytes) -> str:
    return hashlib.sha512(content).hexdigest()


LIES: dict[str, Hashes] = {
    "other digits": lambda _: {"sha256": "f" * 64},
    "upper-case digits": lambda _: {"sha256": "F" * 64},
    "one other digit": lambda wheel: {
        "sha256": f"{wheel.sha256[:-1]}{'0' if wheel.sha256[-1] != '0' else '1'}"
    },
    "another file's": lambda wheel: {"sha256": hashlib.sha256(wheel.filename.encode()).hexdigest()},
    "too few digits": lambda wheel: {"sha256": wheel.sha256[:40]},
    "beside another algorithm": lambda wheel: {
        "sha256": "f" * 64,
        "sha512": _sha512(wheel.content),
    },
}


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failover, "PAUSES", (0.01, 0.01))


PACKAGES = (
    *(Distribution("demo", version, ("needed",), tags=TAGS, sdist=True) for version in VERSIONS),
    *(Distribution("needed", version, sdist=True) for version in VERSIONS),
    Distribution("added", "1.0", ("more",), sdist=True),
    Distribution("more", "1.0"),
)


@pytest.fixture
def local() -> Iterator[LocalIndex]:
    with LocalIndex(api=True) as index:
        index.extend(PACKAGES)
        yield index


LOCKED: dict[str, bytes] = {}
"""The files of `solver`, by their paths; empty until a test has first asked for it."""


@pytest.fixture
def tuna(local: LocalIndex) -> Mount:
    return local.mount("tuna", absolute=False, metadata=False)


@pytest.fixture
def aliyun(local: LocalIndex) -> Mount:
    return local.mount("aliyun", absolute=False, metadata=False)


@pytest.fixture
def mounts(tuna: Mount, aliyun: Mount) -> tuple[Mount, Mount]:
    return tuna, aliyun


@pytest.fixture
def solver(
    project: Path,
    tmp_path: Path,
    local: LocalIndex,
    mounts: tuple[Mount, Mount],
    monkeypatch: pytest.MonkeyPatch,
) -> PoetryRunner:
    """A project with a lock that was made by PyPI, and now uses TUNA, then Aliyun."""
    tuna, aliyun = mounts
    found = {
        "tuna": Mirror("TUNA", tuna.url, "tuna"),
        "aliyun": Mirror("Aliyun", aliyun.url, "aliyun"),
    }
    monkeypatch.setattr(mirrors, "MIRRORS", found)
    write_pyproject(project, ["demo"], requires_python=">=3.11,<3.12", more="\n[tool.poetry-tf]\n")
    poetry = PoetryRunner(project, tmp_path / "home", pypi=local.default.root)
    if not LOCKED:
        poetry.mirror = "pypi"
        _run(poetry, "lock")
        LOCKED.update(contents(project))
    restore(project, LOCKED)
    poetry.cache = poetry.home / "another-cache"
    poetry.mirror = "tuna, aliyun"
    for mount in local.mounts:
        mount.requests.clear()
    return poetry


def _run(poetry: PoetryRunner, *arguments: str) -> Result:
    done = poetry.call(*arguments)
    assert done.ok, done.output
    poetry.settle()
    return done


def _lock(poetry: PoetryRunner) -> bytes:
    return (poetry.project / "poetry.lock").read_bytes()


def _lines(done: Result) -> list[str]:
    """What was told, without the line that names the way."""
    found = re.findall(r"^poetry-tf: (.*)$", done.stderr, re.MULTILINE)
    return [line for line in found if not line.startswith("PyPI via")]


def _without_hashes(text: str) -> str:
    return re.sub(r"(?<=sha256:)[0-9a-f]+", "", text)


def _lying(lie: Hashes, *files: str) -> Hashes:
    return lambda wheel: lie(wheel) if not files or wheel.filename in files else true(wheel)


def _pages(mount: Mount) -> list[str | None]:
    return [request.package for request in mount.requests if request.kind == "page"]


# A file that the lock has


# Each lie in each form, about one file or another.
CASES = [
    pytest.param(form, FILES[file], LIES[lie], id=f"{form}-{file}-{lie}")
    for (form, lie), file in zip(product(("json", "html"), LIES), cycle(FILES), strict=False)
]


@pytest.mark.parametrize(("form", "file", "lie"), CASES)
@pytest.mark.sample(every=4)
def test_the_lock_stays_and_the_mirror_is_told(
    solver: PoetryRunner, local: LocalIndex, form: str, file: str, lie: Hashes
) -> None:
    right, tuna, aliyun = _lock(solver), local.named("tuna"), local.named("aliyun")
    tuna.formats = (form,)  # type: ignore[assignment]
    tuna.hashes = _lying(lie, file)
    done = _run(solver, "lock", "--regenerate")
    (line,) = _lines(done)
    assert line.startswith(f"TUNA lists a different hash of {file} (sha256:")
    assert line.endswith("): using Aliyun")
    assert "than poetry.lock (sha256:" in line and line.isprintable()
    shown = (
        named("mirror-lies").replace("TUNA (Tsinghua)", "TUNA").replace("six-1.17.0.tar.gz", file)
    )
    assert _without_hashes(shown) == _without_hashes(f"poetry-tf: {line}\n")
    assert _lock(solver) == right
    assert "needed" not in _pages(tuna)[1:], "what is faulty is asked for nothing more"
    assert "needed" in _pages(aliyun)


COMMANDS = (
    ("lock",),
    ("lock", "--regenerate"),
    ("update",),
    ("update", "needed"),
    ("add", "added"),
    ("add", "added", "--no-cache"),
    ("add", "demo@1.0"),
    ("remove", "demo"),
    ("install",),
    ("sync",),
)


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.sample
def test_every_command_gives_what_pypi_gives(
    solver: PoetryRunner, tuna: Mount, arguments: tuple[str, ...]
) -> None:
    """The mirror lies about every file, also about those of which nothing is known."""
    before = {
        name: (solver.project / name).read_bytes() for name in ("pyproject.toml", "poetry.lock")
    }
    results = []
    for mirror, home in (("pypi", "first"), ("tuna, aliyun", "second")):
        for name, content in before.items():
            (solver.project / name).write_bytes(content)
        solver.mirror, solver.home, solver.cache = mirror, solver.project.parent / home, None
        tuna.hashes = _lying(LIES["other digits"])
        done = _run(solver, *arguments)
        results.append(_lock(solver))
    assert results[0] == results[1]
    # To remove what was the only requirement takes no page.
    assert len(_lines(done)) == 1 or "remove" in arguments


def test_what_is_locked_is_installed(solver: PoetryRunner, tuna: Mount, aliyun: Mount) -> None:
    tuna.hashes = _lying(LIES["other digits"])
    done = _run(solver, "install")
    assert [line.rpartition(": ")[2] for line in _lines(done)] == ["using Aliyun"]
    assert {request.kind for request in tuna.requests} == {"page"}
    assert sorted(r.package or "" for r in aliyun.requests if r.kind == "file") == [
        "demo",
        "needed",
    ]


def test_two_mirrors_that_lie_in_the_same_way(
    solver: PoetryRunner, tuna: Mount, aliyun: Mount
) -> None:
    right = _lock(solver)
    tuna.hashes = aliyun.hashes = _lying(LIES["other digits"])
    lines = _lines(_run(solver, "lock"))
    assert [line.partition(" ")[0] for line in lines] == ["TUNA", "Aliyun"]
    assert {line.rpartition(": ")[2] for line in lines} == {"using PyPI"}
    assert _lock(solver) == right


def test_nothing_is_written_where_only_the_liar_answers(
    solver: PoetryRunner, tuna: Mount, aliyun: Mount, local: LocalIndex
) -> None:
    right = _lock(solver)
    tuna.hashes = aliyun.hashes = _lying(LIES["other digits"])
    local.default.page_status = 503
    done = solver.call("lock")
    assert done.returncode == 1
    for name in ("TUNA", "Aliyun"):
        assert f"  - {name} lists a different hash of " in done.stderr
    assert "  - PyPI answers 503" in done.stderr
    assert "Traceback" not in done.output
    assert _lock(solver) == right


# What is no lie


@pytest.mark.parametrize(
    ("form", "hashes"),
    [
        ("json", lambda wheel: {"sha256": wheel.sha256.upper()}),
        ("html", lambda wheel: {"sha256": wheel.sha256.upper()}),
        ("json", lambda wheel: {"md5": "0" * 32, "sha256": wheel.sha256}),
        ("json", lambda wheel: {"sha256": wheel.sha256, "sha512": _sha512(wheel.content)}),
        ("json", lambda wheel: {"sha256": wheel.sha256, "sha512": "f" * 128}),
    ],
    ids=["upper case", "upper case in html", "md5 too", "sha512 too", "a false sha512 too"],
)
@pytest.mark.parametrize("is_locked", [True, False])
@pytest.mark.sample(every=3)
def test_other_spellings_and_algorithms_give_the_same_lock(
    solver: PoetryRunner, tuna: Mount, form: str, hashes: Hashes, is_locked: bool
) -> None:
    right = _lock(solver)
    if not is_locked:
        (solver.project / "poetry.lock").unlink()
    tuna.formats, tuna.hashes = (form,), hashes  # type: ignore[assignment]
    _run(solver, "lock")
    assert _lock(solver) == right


@pytest.mark.parametrize("form", ["json", "html"])
@pytest.mark.parametrize(
    "hashes", [lambda _: {}, lambda _: {"md5": "0" * 32}], ids=["none", "md5 alone"]
)
def test_a_page_without_comparable_hashes_is_taken_elsewhere(
    solver: PoetryRunner, tuna: Mount, aliyun: Mount, form: str, hashes: Hashes
) -> None:
    """Poetry would download each file to compute its hash."""
    right = _lock(solver)
    tuna.formats, tuna.hashes = (form,), _lying(hashes)  # type: ignore[assignment]
    done = _run(solver, "lock", "--regenerate")
    (line,) = _lines(done)
    assert re.fullmatch(r"TUNA lists no hash of \S+ to compare: using Aliyun", line)
    assert _lock(solver) == right
    assert not [r for r in (*tuna.requests, *aliyun.requests) if r.kind == "file" and not r.range]


def test_a_computed_hash_is_compared_too(
    solver: PoetryRunner, tuna: Mount, aliyun: Mount, local: LocalIndex
) -> None:
    right = _lock(solver)
    for mount in (tuna, aliyun):
        mount.hashes, mount.corrupt = (lambda _: {}), True
    local.default.page_status = 503
    done = solver.call("lock", "--regenerate")
    assert done.returncode == 1
    assert re.search(
        r"- \w+ lists a different hash of \S+ \(sha256:\w+…\) than poetry.lock", done.stderr
    )
    assert _lock(solver) == right


@pytest.mark.parametrize(
    "hashes", [None, 5, "sha256", ["sha256"], {"sha256": None}, {"sha256": "\033[2J"}]
)
@pytest.mark.sample(every=3)
def test_what_are_no_hashes_at_all(solver: PoetryRunner, tuna: Mount, hashes: object) -> None:
    right = _lock(solver)
    page = {
        "meta": {"api-version": "1.0"},
        "name": "demo",
        "files": [
            {"filename": file, "url": f"../../packages/{file}", "hashes": hashes}
            for file in (f"demo-1.1-{TAGS[1]}.whl", *FILES.values())
        ],
    }
    tuna.page_body, tuna.formats = json.dumps(page).encode(), ("json",)
    done = _run(solver, "lock", "--regenerate")
    (line,) = _lines(done)
    assert line.startswith("TUNA lists ") and line.isprintable()
    assert _lock(solver) == right


def test_packages_of_other_indexes_are_not_compared(
    solver: PoetryRunner, local: LocalIndex, tuna: Mount
) -> None:
    """A private index may have its own build under the name of a file on PyPI."""
    own = local.mount("own", hashes=lambda wheel: {"sha256": "a" * 64})
    source = f'\n[[tool.poetry.source]]\nname = "own"\nurl = "{own.url}"\npriority = "explicit"\n'
    bound = '\n[tool.poetry.dependencies]\ndemo = { source = "own" }\n'
    more = f"\n[tool.poetry-tf]\n{bound}{source}"
    write_pyproject(solver.project, ["demo"], requires_python=">=3.11,<3.12", more=more)
    _run(solver, "lock")
    (demo, *_) = tomlkit.parse(_lock(solver).decode()).unwrap()["package"]
    assert demo["source"]["reference"] == "own"
    before = _lock(solver)
    assert _lines(_run(solver, "lock", "--regenerate")) == []
    assert _lock(solver) == before


# A lock that is wrong itself


@pytest.mark.parametrize("mirror", ["tuna, aliyun", "pypi"])
def test_a_hash_that_nobody_lists_is_told_and_the_mirror_is_not_called_faulty(
    solver: PoetryRunner, tuna: Mount, mirror: str
) -> None:
    right = _lock(solver).decode()
    (digest, *_) = re.findall(r'demo-1\.1\.tar\.gz", hash = "sha256:(\w+)"', right)
    (solver.project / "poetry.lock").write_text(right.replace(digest, "0" * 64), "utf-8")
    solver.mirror = mirror
    (line,) = _lines(_run(solver, "lock"))
    assert line == (
        f"PyPI lists a different hash of demo-1.1.tar.gz (sha256:{digest[:12]}…) than poetry.lock "
        "(sha256:000000000000…): files on PyPI never change, so poetry.lock is wrong"
    )
    assert _lock(solver).decode() == right


def test_a_lie_is_told_though_the_lock_is_wrong_too(solver: PoetryRunner, tuna: Mount) -> None:
    right = _lock(solver).decode()
    (digest, *_) = re.findall(r'demo-1\.1\.tar\.gz", hash = "sha256:(\w+)"', right)
    (solver.project / "poetry.lock").write_text(right.replace(digest, "0" * 64), "utf-8")
    tuna.hashes = _lying(LIES["other digits"], FILES["the last wheel"])
    lines = _lines(_run(solver, "lock"))
    assert [line.partition(" lists")[0] for line in lines] == ["TUNA", "PyPI"]
    assert _lock(solver).decode() == right


# Caches


@pytest.mark.parametrize(
    ("is_locked", "lies_on", "max_age"),
    # What nothing is known of can be compared with the page as it is now, and with no more.
    [*product([True], [True, False], [None, 10_000_000]), (False, False, None)],
)
@pytest.mark.sample(every=3)
def test_a_lie_of_an_earlier_run_does_not_stay(
    solver: PoetryRunner, tuna: Mount, is_locked: bool, lies_on: bool, max_age: int | None
) -> None:
    right = _lock(solver)
    lock = solver.project / "poetry.lock"
    lock.unlink()
    tuna.hashes, tuna.max_age = _lying(LIES["other digits"]), max_age
    assert _lines(_run(solver, "lock")) == []
    assert _lock(solver) != right
    if is_locked:
        lock.write_bytes(right)
    else:
        lock.unlink()
    if not lies_on:
        tuna.hashes = true
    told = _lines(_run(solver, "lock", "--regenerate"))
    assert len(told) == (1 if lies_on else 0)
    assert _lock(solver) == right
    assert _lines(_run(solver, "lock", "--regenerate")) == told
    assert _lock(solver) == right


# TensorFlow

TENSORFLOW = "tensorflow (>=2.18.1,<2.19.0)"


@pytest.fixture
def tensorflow(
    poetry: PoetryRunner, index: LocalIndex, pypi: Mount, mirror: Mount
) -> Iterator[PoetryRunner]:
    """A project for TensorFlow without a lock, through a mirror that lies about every file."""
    poetry.packaged = {
        name: {
            wheel.filename: wheel.sha256
            for distribution in index._distributions[name]
            for wheel in distribution.wheels
        }
        for name in ("tensorflow", "tensorflow-cpu")
    }
    more = '\n[tool.poetry-tf]\ngpu = "none"\n'
    write_pyproject(
        poetry.project, ["absl-py", "wrapt", TENSORFLOW], requires_python="~=3.11.0", more=more
    )
    poetry.mirror = "pypi"
    _run(poetry, "lock")
    poetry.mirror, poetry.cache = mirror.url, poetry.home / "another-cache"
    mirror.hashes = _lying(LIES["other digits"])
    yield poetry


@pytest.mark.slow
@pytest.mark.parametrize("form", ["json", "html"])
@pytest.mark.sample(every=2)
def test_a_first_lock_of_tensorflow_is_that_of_pypi(
    tensorflow: PoetryRunner, mirror: Mount, form: str
) -> None:
    right = _lock(tensorflow)
    (tensorflow.project / "poetry.lock").unlink()
    mirror.formats = (form,)  # type: ignore[assignment]
    (line,) = _lines(_run(tensorflow, "lock"))
    assert re.fullmatch(
        r"127.0.0.1 lists a different hash of tensorflow-\S+\.whl \(sha256:f{12}…\) than the data "
        r"of this poetry-tf \(sha256:[0-9a-f]{12}…\): using PyPI",
        line,
    )
    assert _lock(tensorflow) == right


def test_a_release_that_the_data_lacks_is_not_judged(
    tensorflow: PoetryRunner, mirror: Mount
) -> None:
    (tensorflow.project / "poetry.lock").unlink()
    tensorflow.packaged["tensorflow"] = {
        name: digits
        for name, digits in tensorflow.packaged["tensorflow"].items()
        if not name.startswith("tensorflow-2.18.1-")
    }
    mirror.hashes = lambda wheel: (
        LIES["other digits"](wheel)
        if wheel.filename.startswith("tensorflow-2.18.1-")
        else true(wheel)
    )
    assert _lines(_run(tensorflow, "lock")) == []
    assert f'hash = "sha256:{"f" * 64}"' in _lock(tensorflow).decode()


def test_data_that_pypi_contradicts_is_told_and_stops_nothing(
    tensorflow: PoetryRunner, mirror: Mount
) -> None:
    right = _lock(tensorflow)
    (tensorflow.project / "poetry.lock").unlink()
    mirror.hashes = true
    name = next(file for file in tensorflow.packaged["tensorflow"] if "-2.18.1-cp311" in file)
    tensorflow.packaged["tensorflow"][name] = "0" * 64
    (line,) = _lines(_run(tensorflow, "lock"))
    assert line.startswith(f"PyPI lists a different hash of {name} ")
    assert line.endswith("files on PyPI never change, so the data of this poetry-tf is wrong")
    assert _lock(tensorflow) == right


class _Unread(dict[str, dict[str, str]]):
    def get(self, *_: object) -> dict[str, str]:
        pytest.fail("the packaged hashes are read")


@pytest.mark.parametrize("arguments", [("tf", "check"), ("check",), ("version",)], ids=" ".join)
@pytest.mark.sample
def test_the_packaged_hashes_are_read_by_solves_alone(
    tensorflow: PoetryRunner, arguments: tuple[str, ...]
) -> None:
    tensorflow.packaged = _Unread()
    tensorflow.call(*arguments)
