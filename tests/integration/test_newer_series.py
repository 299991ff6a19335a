"""A series of TensorFlow that is on the index and not in the data."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.version import Version

from poetry_tf.files.lock import Lock
from poetry_tf.index import session
from poetry_tf.plan.environments import Target, next_minor
from poetry_tf.plan.lock_entries import read_packages
from poetry_tf.releases import Release, load
from poetry_tf.releases.images import load_images
from poetry_tf.releases.reader.requirement_lines import environment
from tests.support.index import LocalIndex, Mount
from tests.support.poetry import PoetryRunner, locked, write_pyproject
from tests.support.projects import contents
from tests.support.tensorflow import (
    add_tensorflow,
    next_series,
    packaged,
    patch_release,
    wheel_tags,
)

LAST = load().series[-1]
ALL = ("linux-x86_64", "linux-aarch64", "macos-arm64", "windows-amd64")


def known(series: str) -> Release:
    release = load().newest(series)
    assert release is not None
    return release


def _next() -> str:
    major, minor = map(int, LAST.split("."))
    return f"{major}.{minor + 1}"


SERIES = _next()
NEW = f"{SERIES}.0"
NOWHERE = "http://127.0.0.1:9"
TOO_OLD = "its and-cuda extra requires cuDNN 9.10.2.21 or later"
UNNAMED = "the CUDA and cuDNN of its build, the packages that go with it"


def later(series: str) -> str:
    version = known(series).version
    return f"{version.major}.{version.minor}.{version.micro + 1}"


def made(*, cu13: bool = False, patches: bool = False) -> LocalIndex:
    index = LocalIndex()
    add_tensorflow(index)
    index.extend(next_series(known(LAST), NEW, cu13=cu13))
    # As on PyPI: older releases have no wheel for the new Python.
    minors = (*known(LAST).pythons_on("linux-x86_64"), "3.14")
    index._distributions["h5py"] = [
        replace(one, tags=wheel_tags(minors if one.version == "3.15.1" else minors[:-1]))
        for one in index._distributions["h5py"]
    ]
    index.add("tensorflow", f"{SERIES}.1rc0", tags=("cp313-cp313-win_amd64",))
    if patches:
        for series in (LAST, load().series[-2]):
            index.extend(patch_release(known(series), later(series)))
    return index


@pytest.fixture(scope="module", params=["cu12", "cu13", "patches"])
def tomorrow(request: pytest.FixtureRequest) -> Iterator[LocalIndex]:
    with made(cu13=request.param == "cu13", patches=request.param == "patches") as index:
        yield index


@pytest.fixture
def mount(tomorrow: LocalIndex) -> Mount:
    return tomorrow.mount("pypi", api=True)


@pytest.fixture
def ahead(poetry: PoetryRunner, mount: Mount) -> PoetryRunner:
    poetry.pypi = mount.root
    return poetry


@pytest.fixture(scope="module")
def cu12_index() -> Iterator[LocalIndex]:
    with made() as index:
        yield index


@pytest.fixture
def index(cu12_index: LocalIndex) -> LocalIndex:
    cu12_index.reset()
    return cu12_index


@pytest.fixture
def cu12(poetry: PoetryRunner, index: LocalIndex) -> PoetryRunner:
    poetry.pypi = index.mount("pypi", api=True).root
    return poetry


def holds(poetry: PoetryRunner, *more: tuple[str, ...]) -> None:
    """The project is on the release, `check` is clean without an index, and nothing is left."""
    assert locked(poetry.project)["tensorflow"] == NEW
    pypi, poetry.pypi = poetry.pypi, NOWHERE
    checked = poetry.call("tf", "check")
    assert checked.stdout.startswith("All set! "), checked.output
    assert UNNAMED in checked.stderr
    before = contents(poetry.project)
    for command in (*more, ("check", "--fix"), ("devcontainer",)):
        done = poetry.call("tf", *command)
        assert done.ok, done.output
        assert contents(poetry.project) == before, command
    poetry.pypi = pypi


def h5py(project: Path) -> set[str]:
    text = (project / "poetry.lock").read_text("utf-8")
    packages = read_packages(Lock.read(project / "poetry.lock", text).data)
    return {package.version for package in packages if package.name == "h5py"}


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--tensorflow", SERIES),
        ("--tensorflow", NEW, "--python", "3.12"),
        ("--python", "3.14"),
        ("--python", "3.14", "--environments", ",".join(ALL)),
        ("--gpu", "pip"),
    ],
)
@pytest.mark.sample("cu13-options2")
def test_a_project_is_set_up(ahead: PoetryRunner, options: tuple[str, ...]) -> None:
    done = ahead.call("tf", "init", "-n", *options)
    assert done.ok, done.output
    python = "3.12" if "3.12" in options else "3.14"
    assert f"TensorFlow {NEW} on Python {python}" in done.stdout
    assert "read from its wheels" in done.stdout
    assert f"tensorflow {NEW} is newer than the data" in done.stderr
    assert "Left for you" not in done.stderr
    assert (h5py(ahead.project) == {"3.15.1"}) == (python == "3.14")
    container = (ahead.project / ".devcontainer" / "devcontainer.json").read_text("utf-8")
    assert "cudnnVersion" not in container, "no pair is proven for it"
    if "--gpu" not in options:
        assert "no pair of CUDA and cuDNN packages is proven" in done.stdout
    holds(ahead, ("init", "-n"))


@pytest.mark.sample("cu13")
def test_the_cuda_that_was_asked_for_is_not_that_of_another_series(ahead: PoetryRunner) -> None:
    done = ahead.call("tf", "init", "-n", "--tensorflow", SERIES, "--gpu", "system")
    assert done.returncode == 1
    assert f"No CUDA and cuDNN packages are known to work with TensorFlow {NEW}" in done.stderr
    assert contents(ahead.project) == {}


@pytest.mark.parametrize("managed", [True, False])
@pytest.mark.sample("cu12-True")
def test_poetrys_own_commands(ahead: PoetryRunner, managed: bool) -> None:
    table = "\n[tool.poetry-tf]\n" if managed else ""
    write_pyproject(ahead.project, requires_python=">=3.11,<3.15", more=table)
    for command in (("add", "--lock", "tensorflow"), ("lock",), ("update", "--lock")):
        done = ahead.call(*command)
        assert done.ok, done.output
        assert locked(ahead.project)["tensorflow"] == NEW
        assert len(h5py(ahead.project)) == 2, "one for Python 3.14, and one for the others"
    assert f"(>={NEW},<{SERIES.rpartition('.')[0]}" in (ahead.project / "pyproject.toml").read_text(
        "utf-8"
    )
    done = ahead.call("tf", "devcontainer")
    assert done.ok, done.output
    assert ("nothing installs CUDA and it uses the CPU" in done.stderr) == (not managed)
    holds(ahead)


@pytest.mark.sample("cu13")
def test_every_target_of_a_lock_has_its_files(ahead: PoetryRunner) -> None:
    """For each package, by its marker in the lock and the tags of its files."""
    write_pyproject(ahead.project, requires_python=">=3.11,<3.15", more="\n[tool.poetry-tf]\n")
    done = ahead.call("add", "--lock", "tensorflow")
    assert done.ok, done.output
    text = (ahead.project / "poetry.lock").read_text("utf-8")
    packages = [*read_packages(Lock.read(ahead.project / "poetry.lock", text).data)]
    systems = load_images().systems
    for platform, python in itertools.product(ALL, ("3.11", "3.12", "3.13", "3.14")):
        target, where = Target(platform, python), environment(platform, python)
        needed = [
            one
            for one in packages
            if not one.markers or any(Marker(text).evaluate(where) for text in one.markers)
        ]
        names = [one.name for one in needed]
        assert {"tensorflow", "h5py", "keras"} <= {*names}
        assert len(names) == len({*names}), "one version of each"
        assert ("nvidia-cublas" in " ".join(names)) == (platform == "linux-x86_64")
        for one in needed:
            assert one.has_wheel(target, systems), (one, target)


@pytest.mark.sample("cu12")
def test_a_project_is_moved(ahead: PoetryRunner) -> None:
    assert ahead.call("tf", "init", "-n", "--tensorflow", "2.20", "--python", "3.12").ok
    done = ahead.call("tf", "upgrade", "-n", "--json")
    assert done.ok, done.output
    page = json.loads(done.stdout)
    assert page["tensorflow"]["to"] == NEW
    assert page["origin"] == "read"
    holds(ahead)


@pytest.mark.slow
def test_a_project_that_is_not_managed_is_moved(cu12: PoetryRunner) -> None:
    write_pyproject(
        cu12.project, [f"tensorflow (~={LAST}.0)", "h5py"], requires_python=">=3.11,<3.15"
    )
    assert cu12.call("lock").ok
    done = cu12.call("tf", "upgrade", "-n")
    assert done.ok, done.output
    assert "Left for you" not in done.stderr
    assert len(h5py(cu12.project)) == 2
    lock = contents(cu12.project)["poetry.lock"]
    assert cu12.call("lock").ok
    assert contents(cu12.project)["poetry.lock"] == lock
    assert cu12.call("tf", "check").stdout.startswith("All set! ")


@pytest.mark.slow
def test_the_container_of_another_series_is_found(cu12: PoetryRunner) -> None:
    assert cu12.call("tf", "init", "-n", "--tensorflow", LAST, "--python", "3.13").ok
    path = cu12.project / ".devcontainer" / "devcontainer.json"
    old = path.read_text("utf-8")
    assert "cudnnVersion" in old
    for managed in (True, False):
        path.unlink()
        more = "\n[tool.poetry-tf]\n" if managed else ""
        write_pyproject(cu12.project, requires_python=">=3.11,<3.15", more=more)
        (cu12.project / "poetry.lock").unlink(missing_ok=True)
        assert cu12.call("add", "--lock", "tensorflow").ok
        path.write_text(old, "utf-8")
        for cache in (True, False):
            if not cache:
                shutil.rmtree(cu12.home / "cache", ignore_errors=True)
            checked = cu12.call("tf", "check")
            assert checked.returncode == 1, checked.output
            assert "TF503" in checked.stderr
            assert UNNAMED in checked.stderr
    assert TOO_OLD in checked.stderr


def same_again(poetry: PoetryRunner) -> None:
    """Forgets the lock and what was read."""
    (poetry.project / "poetry.lock").unlink(missing_ok=True)
    shutil.rmtree(poetry.home / "cache", ignore_errors=True)


@pytest.mark.slow
def test_a_container_is_judged_where_no_pair_is_known_that_it_asks_for(
    poetry: PoetryRunner, index: LocalIndex
) -> None:
    poetry.pypi = index.mount("pypi", api=True).root
    assert poetry.call("tf", "init", "-n", "--tensorflow", LAST, "--python", "3.13").ok
    more = '\n[tool.poetry-tf]\ngpu = "system"\n'
    write_pyproject(
        poetry.project, [f"tensorflow (~={NEW})"], requires_python=">=3.11,<3.15", more=more
    )
    assert poetry.call("lock").ok
    path = poetry.project / ".devcontainer" / "devcontainer.json"
    for cudnn, is_found in (("9.3.0.75", True), ("9.10.2.21", False)):
        path.write_text(path.read_text("utf-8").replace("9.3.0.75", cudnn), "utf-8")
        checked = poetry.call("tf", "check")
        assert checked.returncode == 1
        assert "TF001 No CUDA and cuDNN packages are known" in checked.stderr
        assert "A newer poetry-tf may know them" in checked.stderr
        assert (TOO_OLD in checked.stderr) == is_found
        assert UNNAMED in checked.stderr


@pytest.mark.slow
def test_the_lock_is_the_same_by_whatever_route(poetry: PoetryRunner) -> None:
    more = f"\n[tool.poetry-tf]\nenvironments = {json.dumps(ALL)}\n"
    locks: dict[str, bytes] = {}

    def lock(attempt: str, index: LocalIndex, **behaviour: bool) -> None:
        poetry.pypi = index.mount("pypi", api=True, **behaviour).root
        write_pyproject(
            poetry.project, [f"tensorflow (~={NEW})"], requires_python=">=3.11,<3.15", more=more
        )
        done = poetry.call("lock")
        assert done.ok, done.output
        assert ("reading its wheels" in done.stderr) == (attempt not in {"cached", "packaged"})
        locks[attempt] = (poetry.project / "poetry.lock").read_bytes()

    with made() as index:
        lock("read", index)
        (poetry.project / "poetry.lock").unlink()
        lock("cached", index)
        same_again(poetry)
        with packaged(index, NEW):
            lock("packaged", index)
        same_again(poetry)
        lock("only metadata", index, range=False)
    same_again(poetry)
    other = made()
    other._distributions["tensorflow"].reverse()
    with other:
        lock("reversed", other)
    assert len({*locks.values()}) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [("--gpu", "none"), ("--environments", ",".join(ALL)), ("--python", "3.11")]
)
def test_init_writes_the_same_once_the_release_is_packaged(
    cu12: PoetryRunner, options: tuple[str, ...]
) -> None:
    written = []
    for data in (nullcontext(), packaged(made(), NEW)):
        with data:
            done = cu12.call("tf", "init", "-n", *options)
        assert done.ok, done.output
        written.append(contents(cu12.project))
        for name in written[0]:
            (cu12.project / name).unlink()
    assert written[0] == written[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tensorflow", "tensorflow-cpu"])
@pytest.mark.parametrize("series", [LAST, "2.16", "2.15", "2.13"])
@pytest.mark.parametrize("managed", [True, False])
def test_the_lock_of_a_patch_release_is_the_same_once_it_is_packaged(
    poetry: PoetryRunner, name: str, series: str, managed: bool
) -> None:
    version, pythons = later(series), known(series).pythons_on("linux-x86_64")
    environments = json.dumps(ALL if name == "tensorflow" else ALL[:1])
    more = f"\n[tool.poetry-tf]\nenvironments = {environments}\n" if managed else ""
    write_pyproject(
        poetry.project,
        [f"{name} (~={version})"],
        requires_python=f">=3.11,<{next_minor(pythons[-1])}",
        more=more,
    )
    locks = []
    with LocalIndex() as index:
        add_tensorflow(index)
        index.extend(patch_release(known(series), version))
        for data, has_ranges in (
            (nullcontext(), True),
            (nullcontext(), False),
            (packaged(index, version), True),
        ):
            poetry.pypi = index.mount("pypi", api=True, range=has_ranges).root
            with data:
                done = poetry.call("lock")
            assert done.ok, done.output
            assert locked(poetry.project)[name] == version
            locks.append((poetry.project / "poetry.lock").read_bytes())
            same_again(poetry)
    assert len({*locks}) == 1


@pytest.mark.slow
def test_what_cannot_be_read_does_not_reach_a_lock(cu12: PoetryRunner, index: LocalIndex) -> None:
    cu12.pypi = index.mount("pypi", api=True, metadata=False, file_status=503).root
    more = "\n[tool.poetry-tf]\n"
    write_pyproject(
        cu12.project, [f"tensorflow (~={NEW})"], requires_python=">=3.11,<3.15", more=more
    )
    done = cu12.call("lock")
    assert not done.ok
    assert "poetry.lock" not in contents(cu12.project)


@pytest.mark.slow
def test_a_python_without_an_image_is_served_without_a_container(poetry: PoetryRunner) -> None:
    with made() as index:
        for name in ("tensorflow", "h5py"):
            index._distributions[name] = [
                replace(one, tags=(*one.tags, *later_python(one.tags)))
                for one in index._distributions[name]
            ]
        poetry.pypi = index.mount("pypi", api=True).root
        poetry.python_version = "3.15.0"
        done = poetry.call("tf", "init", "-n", "--python", "3.15")
        assert done.returncode == 1
        assert (
            f"the newest image that this poetry-tf knows has Python {load_images().pythons[-1]}"
            in done.stderr
        )
        done = poetry.call("tf", "init", "-n", "--python", "3.15", "--no-devcontainer")
        assert done.ok, done.output
        assert f"TensorFlow {NEW} on Python 3.15" in done.stdout
        assert h5py(poetry.project) == {"3.15.1"}
        assert poetry.call("tf", "check").stdout.startswith("All set! ")
        assert poetry.call("lock").ok


def later_python(tags: tuple[str, ...]) -> Iterator[str]:
    yield from (tag.replace("cp314", "cp315") for tag in tags if "cp314" in tag)


@pytest.mark.slow
def test_a_source_of_the_project_is_read(poetry: PoetryRunner, index: LocalIndex) -> None:
    """The wheels are its own, so what is read of them holds there."""
    mount = index.mount("own")
    poetry.pypi = NOWHERE
    done = poetry.call("tf", "init", "-n", "--mirror", mount.url, "--write-source")
    assert done.ok, done.output
    assert h5py(poetry.project) == {"3.15.1"}
    holds(poetry, ("init", "-n"))
    text = (poetry.project / "pyproject.toml").read_text("utf-8")
    source = text[text.index("[[tool.poetry.source]]") : text.index("[tool.poetry-tf]")]
    (poetry.project / "poetry.lock").unlink()
    write_pyproject(poetry.project, requires_python=">=3.11,<3.15", more=f"\n{source}")
    done = poetry.call("add", "--lock", "tensorflow")
    assert done.ok, done.output
    assert h5py(poetry.project) == {"3.11.1", "3.15.1"}


def test_a_release_that_the_index_lacks_is_no_matter_of_the_data(cu12: PoetryRunner) -> None:
    version = Version(NEW)
    for wanted, remedy in (
        (f"{version.major}.{version.minor + 1}", "The known series: `poetry tf releases`"),
        (f"{SERIES}.1", f"The index has only {SERIES}.1rc0, a release candidate."),
    ):
        done = cu12.call("tf", "init", "-n", "--tensorflow", wanted)
        assert done.returncode == 1
        assert f"Unknown TensorFlow {wanted}; the newest on the index is {NEW}\n" in done.stderr
        assert done.stderr.endswith(f"{remedy}\n")
    done = cu12.call("tf", "releases", "--refresh", "9.9")
    assert "The index has no TensorFlow 9.9" in done.stderr


@pytest.mark.slow
def test_what_metadata_tells_alone_is_said_to_be_all(cu12: PoetryRunner, index: LocalIndex) -> None:
    """An index that sends no part of a file, but the metadata beside it."""
    mount = index.mount("pypi", range=False)
    cu12.mirror = mount.url
    done = cu12.call("tf", "init", "-n", "--python", "3.13")
    assert done.ok, done.output
    assert "the CUDA and cuDNN that they are built with are unknown" in done.stderr
    assert "read from the metadata of its wheels alone" in done.stdout
    holds(cu12, ("init", "-n"))
    shown = cu12.call("tf", "releases", "--refresh", SERIES)
    assert "CUDA and cuDNN of its build: unknown" in shown.stdout
    page = json.loads(cu12.call("tf", "releases", "--refresh", "--json").stdout)
    assert (page["series"][-1]["build_known"], page["series"][-1]["cuda"]) == (False, None)
    assert "  ?  " in cu12.call("tf", "releases", "--refresh").stdout
    own = [one for one in mount.requests if one.kind == "file" and one.package == "tensorflow"]
    assert own and all(one.range for one in own), "the connection is dropped: it is no part"


@pytest.mark.parametrize("managed", [True, False])
@pytest.mark.sample("True")
def test_no_wheel_is_downloaded_in_silence(
    cu12: PoetryRunner, index: LocalIndex, monkeypatch: pytest.MonkeyPatch, managed: bool
) -> None:
    """An index that sends whole files and nothing else."""
    monkeypatch.setattr(session, "LARGE", 1000)  # what is made here is tiny
    mount = index.mount("pypi", range=False, metadata=False)
    cu12.mirror = mount.url
    more = "\n[tool.poetry-tf]\n" if managed else ""
    write_pyproject(
        cu12.project, [f"tensorflow (~={NEW})"], requires_python=">=3.11,<3.15", more=more
    )
    done = cu12.call("lock")
    assert "sends no part of tensorflow-" in done.stderr
    assert ("poetry.lock" in contents(cu12.project)) == done.ok == (not managed)
    assert (f"downloading tensorflow-{NEW}-" in done.stderr) == (not managed)
    whole = [one for one in mount.requests if one.kind == "file" and not one.range]
    assert len([one for one in whole if one.package == "tensorflow"]) == (not managed)


@pytest.mark.sample("patches")
def test_releases_are_read_on_demand(ahead: PoetryRunner) -> None:
    plain = ahead.call("tf", "releases")
    assert NEW not in plain.stdout
    done = ahead.call("tf", "releases", "--refresh")
    assert done.ok, done.output
    assert f"New since then: {NEW}, read from its wheels" in done.stdout
    assert f"New since then: {SERIES}.1rc0, a release candidate" in done.stdout
    assert 'now requires: h5py~=3.15.1; python_version >= "3.14"' in done.stdout
    page = json.loads(ahead.call("tf", "releases", "--refresh", "--json").stdout)
    row = page["series"][-1]
    assert (row["newest"], row["origin"], row["cudnn"]) == (NEW, "read", "9.10.0")
    assert page["data"] == load().data_version
    assert Version(page["new"][-1]["version"]).is_prerelease


@pytest.mark.slow
def test_nothing_is_read_where_nothing_is_new(poetry: PoetryRunner) -> None:
    with LocalIndex() as index:
        add_tensorflow(index)
        mount = index.mount("pypi", api=True)
        poetry.pypi = mount.root
        more = "\n[tool.poetry-tf]\n"
        write_pyproject(
            poetry.project, ["tensorflow (~=2.18.0)"], requires_python=">=3.11,<3.12", more=more
        )
        done = poetry.run("lock", "-vvv")
        assert done.ok, done.output
        assert not [one for one in mount.requests if one.kind == "file" and one.package == "h5py"]
        assert "reading its wheels" not in done.stderr


@pytest.mark.parametrize("command", ["init", "add", "upgrade"])
@pytest.mark.sample("init")
def test_an_older_series_is_taken_where_the_newest_cannot_be_read(
    poetry: PoetryRunner, command: str
) -> None:
    with LocalIndex() as index:
        add_tensorflow(index)
        broken = {"tensorflow/python/platform/build_info.py": b"("}
        for one in next_series(known(LAST), NEW):
            index.extend([replace(one, members=broken if one.members else {})])
        poetry.pypi = index.mount("pypi", api=True).root
        if command == "init":
            done = poetry.call("tf", "init", "-n", "--python", "3.13")
        elif command == "add":
            more = "\n[tool.poetry-tf]\n"
            write_pyproject(poetry.project, requires_python=">=3.11,<3.14", more=more)
            done = poetry.call("add", "--lock", "tensorflow")
        else:
            assert poetry.call("tf", "init", "-n", "--tensorflow", "2.20", "--python", "3.13").ok
            done = poetry.call("tf", "upgrade", "-n")
        assert done.ok, done.output
        assert "its wheels could not be read" in done.stderr
        assert locked(poetry.project)["tensorflow"].startswith(f"{LAST}.")
        named = poetry.call("tf", "upgrade", "-n", SERIES)
        assert named.returncode == 1
        assert "its wheels could not be read" in named.stderr
