"""`poetry tf mirror save`, and a folder as the mirror: installing without any network."""

from __future__ import annotations

import errno
import itertools
import json
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from poetry.installation.chooser import Chooser

from poetry_tf.actions.save_folder import _Saving
from poetry_tf.files import state
from poetry_tf.index import folder_lock, saved_folder
from poetry_tf.index.download import Downloader
from poetry_tf.index.folder_lock import LOCK_FILE, FolderLock
from poetry_tf.index.manifest import manifest_name, write_pages
from tests.integration.conftest import SetUp
from tests.support.index import LocalIndex
from tests.support.pages import named
from tests.support.poetry import PoetryRunner, Program, Result, write_pyproject
from tests.support.projects import contents, restore
from tests.support.tools import add_tools

MADE: dict[str, dict[str, bytes]] = {}
"""The files of a lock and of a folder, made once in a worker."""
LOCKED, SAVED = "locked", "saved"
LINUX = "cp311-cp311-manylinux_2_17_x86_64"
ARM = "cp311-cp311-manylinux_2_17_aarch64"
WINDOWS = "cp311-cp311-win_amd64"


class _Killed(BaseException):
    """What no code of ours catches."""


@pytest.fixture(scope="module")
def shelf() -> Iterator[LocalIndex]:
    """A small index: a library with native wheels, an extra, a requirement for Windows, tools."""
    with LocalIndex() as index:
        index.add(
            "native",
            "1.0",
            requires=[
                "pure (>=1,<2)",
                "more (>=1) ; extra == 'more'",
                "never (!=3.1,>=1) ; extra == 'never'",
                "colour ; sys_platform == 'win32'",
            ],
            requires_python=">=3.9",
            tags=(LINUX, ARM, WINDOWS),
            members={"native/data.bin": bytes(range(256)) * 400},
        )
        for name, number in (("pure", "1.5"), ("pure", "1.4"), ("more", "2.0"), ("colour", "0.4")):
            index.add(name, number, sdist=name == "pure")
        index.add("other", "1.0")
        index.add("lone", "1.0", tags=(LINUX, WINDOWS))
        index.add("crude", "1.0", tags=(WINDOWS,), sdist=True)
        index.add("setuptools", "80.0")
        index.add("wheel", "0.45")
        index.add("split", "1.0", requires=["pure", "pure (>=1.4) ; python_version >= '3.12'"])
        add_tools(index)
        yield index


@pytest.fixture
def offline(poetry: PoetryRunner, shelf: LocalIndex) -> PoetryRunner:
    """A locked project, with `shelf` for PyPI and an empty log."""
    shelf.reset()
    poetry.pypi = shelf.mount("pypi", api=True).root
    write_pyproject(
        poetry.project,
        ["native[more] (>=1.0,<2.0)"],
        requires_python=">=3.11,<3.13",
        more='\n[tool.poetry-tf]\ndevcontainer = "off"\n',
    )
    lock = poetry.project / "poetry.lock"
    if LOCKED not in MADE:
        done = poetry.call("lock")
        assert done.ok, done.output
        MADE[LOCKED] = {lock.name: lock.read_bytes()}
    restore(poetry.project, MADE[LOCKED])
    poetry.settle()
    shelf.requests.clear()
    return poetry


def _save(poetry: PoetryRunner, folder: Path, *options: str) -> Result:
    return poetry.call("tf", "mirror", "save", str(folder), "--python", "3.11", *options)


@pytest.fixture
def folder(offline: PoetryRunner, shelf: LocalIndex, tmp_path: Path) -> Path:
    """What the project installs, saved; the log is empty again."""
    path = tmp_path / "a stick"
    if SAVED not in MADE:
        done = _save(offline, path)
        assert done.ok, done.output
        MADE[SAVED] = contents(path)
    restore(path, MADE[SAVED])
    # The project of each test is in another place.
    (manifest,) = (path / "manifests").glob("*.json")
    manifest.rename(manifest.with_name(manifest_name("example", offline.project)))
    offline.settle()
    shelf.requests.clear()
    return path


def _wheels(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("simple/*/*.whl")}


def _lock(poetry: PoetryRunner) -> bytes:
    return (poetry.project / "poetry.lock").read_bytes()


# Saving


def test_the_files_of_the_targets_are_saved_with_pages_that_list_them(
    offline: PoetryRunner, shelf: LocalIndex, tmp_path: Path
) -> None:
    folder = tmp_path / "stick"
    done = _save(offline, folder)
    assert done.ok, done.output
    names = {name.partition("-")[0] for name in _wheels(folder)}
    assert {"native", "pure", "more", "poetry", "poetry_tf", "filelock", "pip"} <= names
    assert "colour" not in names and "other" not in names
    assert {name for name in _wheels(folder) if name.startswith("native")} == {
        f"native-1.0-{LINUX}.whl"
    }
    page = (folder / "simple" / "native" / "index.html").read_text("utf-8")
    wheel = folder / "simple" / "native" / f"native-1.0-{LINUX}.whl"
    digest = saved_folder.hash_of(wheel, "sha256").partition(":")[2]
    metadata = saved_folder.hash_of(wheel.with_name(f"{wheel.name}.metadata"), "sha256")
    assert f'href="{wheel.name}#sha256={digest}"' in page
    assert f'data-core-metadata="{metadata.replace(":", "=")}"' in page
    assert 'data-requires-python="&gt;=3.9"' in page
    assert "Requires-Dist: pure" in wheel.with_name(f"{wheel.name}.metadata").read_text("utf-8")
    assert '<a href="native/">' in (folder / "simple" / "index.html").read_text("utf-8")
    (manifest,) = (folder / "manifests").glob("*.json")
    entries = {item["filename"]: item for item in json.loads(manifest.read_text())["files"]}
    assert {*entries} == _wheels(folder)
    assert entries[wheel.name]["hash_from"] == "poetry.lock"
    assert {item["hash_from"] for item in entries.values() if item["name"] == "poetry"} == {"index"}
    assert {item["hash_from"] for item in entries.values() if item["name"] == "poetry-tf"} == {
        "packed"
    }
    size = re.search(r"Downloading (\d+) files \(", done.stderr)
    assert size is not None and int(size[1]) == len(_wheels(folder)) - 1
    assert f"poetry=={version('poetry')} poetry-tf=={version('poetry-tf')}" in done.stdout


@pytest.mark.slow
def test_several_environments_are_saved_and_those_no_longer_wanted_deleted(
    offline: PoetryRunner, folder: Path
) -> None:
    done = _save(offline, folder, "--environments", "linux-x86_64,windows-amd64")
    assert done.ok, done.output
    assert f"native-1.0-{WINDOWS}.whl" in _wheels(folder)
    assert "colour" in {name.partition("-")[0] for name in _wheels(folder)}
    before = _wheels(folder)
    done = _save(offline, folder)
    assert re.search(
        r"4 files \(.*\) that no project needs: --prune", done.stdout
    )  # two wheels, each with its metadata
    assert _wheels(folder) == before
    done = _save(offline, folder, "--prune")
    assert "Deleted 4 files that no project needs" in done.stdout
    assert before - _wheels(folder) == {f"native-1.0-{WINDOWS}.whl", "colour-0.4-py3-none-any.whl"}
    assert not (folder / "simple" / "colour").exists()


def test_projects_share_a_folder_and_prune_leaves_the_others_files(
    offline: PoetryRunner, shelf: LocalIndex, folder: Path, tmp_path: Path
) -> None:
    before = _wheels(folder)
    second = tmp_path / "second"
    second.mkdir()
    write_pyproject(second, ["other"], requires_python=">=3.11,<3.13")
    assert offline.call("lock", cwd=second).ok
    offline.settle()
    shelf.requests.clear()
    done = offline.call(
        "tf", "mirror", "save", str(folder), "--python", "3.11", "--prune", cwd=second
    )
    assert done.ok, done.output
    # Poetry and what belongs to it are there, with their lock: nothing else is asked for.
    assert {r.path.rpartition("/")[2] for r in shelf.requests if r.kind == "file"} == {
        "other-1.0-py3-none-any.whl"
    }
    assert _wheels(folder) == before | {"other-1.0-py3-none-any.whl"}
    assert '<a href="native/">' in (folder / "simple" / "index.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("content", "what", "remedy"),
    [
        ('{"version": 1, "files": [', "is not a manifest", "mirror save` in alpha-one again"),
        ("[]", "is not a manifest", "mirror save` in alpha-one again"),
        ('{"version": 2}', "is from a newer poetry-tf", "Update poetry-tf here."),
    ],
)
@pytest.mark.sample(every=3)
def test_a_manifest_that_cannot_be_read_keeps_from_pruning_alone(
    offline: PoetryRunner, folder: Path, content: str, what: str, remedy: str
) -> None:
    (own,) = (folder / "manifests").glob("*.json")
    before = own.read_bytes()
    # What the other project has saved.
    assert _save(offline, folder, "--environments", "linux-x86_64,windows-amd64").ok
    other = folder / "simple" / "native" / f"native-1.0-{WINDOWS}.whl"
    pages = contents(folder / "simple")
    own.write_text("?", "utf-8")
    broken = own.with_name("alpha-one-01234567.json")
    broken.write_text(content, "utf-8")
    done = _save(offline, folder)
    assert done.ok, done.output
    assert own.read_bytes() == before
    assert contents(folder / "simple") == pages
    assert "need" not in done.stdout
    done = _save(offline, folder, "--prune")
    assert done.returncode == 1
    assert (
        "Nothing was deleted, because the files of the project alpha-one are unknown" in done.stderr
    )
    assert f"{broken} {what}" in done.stderr and remedy in done.stderr
    assert other.is_file() and broken.read_text("utf-8") == content
    broken.unlink()
    assert _save(offline, folder, "--prune").ok
    assert not other.exists()


@pytest.mark.slow
def test_prune_leaves_what_was_not_saved_and_no_empty_folder(
    offline: PoetryRunner, folder: Path
) -> None:
    assert _save(offline, folder, "--environments", "linux-x86_64,windows-amd64").ok
    pages = folder / "simple"
    foreign = [
        pages / "native" / f"native-1.0-{ARM}.whl",
        pages / "colour" / "colour-0.4+mine-py3-none-any.whl",
        pages / "mine" / "mine-1.tar.gz",
        pages / "mine" / "index.html",
    ]
    foreign[2].parent.mkdir()
    for path in foreign:
        path.write_bytes(b"mine")
    left = pages / "pure" / "pure-1.5-py3-none-any.whl.part"
    left.write_bytes(b"?")
    write_pyproject(offline.project, ["pure"], requires_python=">=3.11,<3.13")
    assert offline.call("lock").ok
    done = _save(offline, folder)
    told = re.search(r"(\d+) files \(.*\) that no project needs: --prune", done.stdout)
    # Four wheels, each with metadata; the records of three releases; what a cut left.
    assert done.ok and told is not None and int(told[1]) == 4 * 2 + 3 + 1, done.output
    done = _save(offline, folder, "--prune")
    assert done.ok and f"Deleted {told[1]} files" in done.stdout, done.output
    assert all(path.is_file() for path in foreign) and not left.exists()
    assert not (pages / "more").exists()
    assert not (pages / "colour" / "index.html").exists()
    records = folder / "manifests" / "releases"
    assert [path.name for path in records.iterdir()] == ["pure"]
    assert "no project needs" not in _save(offline, folder, "--prune").stdout


def test_a_second_run_asks_for_nothing_and_a_corrupt_file_comes_again(
    offline: PoetryRunner, shelf: LocalIndex, folder: Path
) -> None:
    before = contents(folder)
    done = _save(offline, folder)
    assert done.ok and "all saved before" in done.stdout, done.output
    assert shelf.requests == []
    assert contents(folder) == before
    wheel = folder / "simple" / "pure" / "pure-1.5-py3-none-any.whl"
    wheel.write_bytes(wheel.read_bytes()[:-1] + b"?")
    done = _save(offline, folder)
    assert done.ok, done.output
    assert f"{wheel.name} was corrupt and was downloaded again" in done.stderr
    assert contents(folder) == before


@pytest.mark.slow
def test_the_size_is_told_before_the_first_download(
    offline: PoetryRunner, shelf: LocalIndex, tmp_path: Path
) -> None:
    """Also where a source distribution is needed, which alone tells what builds it."""
    write_pyproject(offline.project, ["native", "crude"], requires_python=">=3.11,<3.12")
    assert offline.call("lock").ok
    offline.settle()
    shelf.requests.clear()
    folder, asked = tmp_path / "f", 0
    announce = _Saving._announce

    def announced(saving: _Saving, *arguments: Any) -> None:
        nonlocal asked
        asked = len([r for r in shelf.requests if r.kind == "file" and r.method == "GET"])
        announce(saving, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Saving, "_announce", announced)
        done = _save(offline, folder)
    assert done.ok and asked == 0, done.output
    known = _wheels(folder) - {"setuptools-80.0-py3-none-any.whl", "wheel-0.45-py3-none-any.whl"}
    # The wheel of poetry-tf is packed, and the source distribution comes besides.
    told = re.search(
        r"To download: (\d+) files \((.+?)\), and what building crude-1\.0\.tar\.gz needs, "
        r"which is known once that file is downloaded\nDownloading 1 file \(.*\)\n"
        r"(?:.*\n)*?Downloading \d+ files",
        done.stderr,
    )
    assert told is not None and int(told[1]) == len(known) - 1 + 1, done.stderr
    sizes = [path.stat().st_size for path in folder.glob("simple/*/*") if path.name in known]
    assert told[2] != "0 B" and sizes
    # What is there tells at once what builds it.
    (folder / "simple" / "native" / f"native-1.0-{LINUX}.whl").unlink()
    done = _save(offline, folder)
    assert done.ok and "To download" not in done.stderr, done.output
    assert "Downloading 1 file (" in done.stderr


@pytest.mark.parametrize("place", random.Random(1).sample(range(1, 44), 5))
@pytest.mark.sample(every=3)
def test_a_run_that_is_killed_anywhere_goes_on(
    offline: PoetryRunner, folder: Path, tmp_path: Path, place: int
) -> None:
    """Killed at one of the files that it puts in their place: downloads, pages, the manifest.

    Nothing is tidied up then, as after SIGKILL.
    """
    whole, again = contents(folder), tmp_path / "again"
    replaced, unlinked, count = Path.replace, Path.unlink, itertools.count(1)
    reached = place

    def killed(path: Path, target: Path) -> Path:
        if str(target).startswith(str(again)) and next(count) >= reached:
            raise _Killed
        return replaced(path, target)

    def kept(path: Path, missing_ok: bool = False) -> None:
        if not str(path).startswith(str(again)):
            unlinked(path, missing_ok=missing_ok)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        patch.setattr(Path, "unlink", kept)
        with pytest.raises(_Killed):
            _save(offline, again)
    assert [*again.rglob("*.part")]
    page = again / "simple" / "native" / "index.html"
    assert not page.is_file() or "</html>" in page.read_text("utf-8")
    done = _save(offline, again)
    assert done.ok, done.output
    assert contents(again) == whole
    assert _save(offline, again, "--prune").ok
    assert contents(again) == whole


def test_what_was_cut_goes_on(offline: PoetryRunner, shelf: LocalIndex, folder: Path) -> None:
    wheel = folder / "simple" / "native" / f"native-1.0-{LINUX}.whl"
    whole = wheel.read_bytes()
    wheel.unlink()
    part = wheel.with_name(f"{wheel.name}.part")
    part.write_bytes(whole[:50_000])
    assert _save(offline, folder).ok
    assert wheel.read_bytes() == whole and not part.exists()
    assert [r.range for r in shelf.requests if r.kind == "file" and r.method == "GET"] == [
        "bytes=50000-"
    ]
    # What a cut has left may be anything.
    for left in (b"?" * 60_000, whole + b"?", whole):
        wheel.unlink()
        part.write_bytes(left)
        assert _save(offline, folder).ok
        assert wheel.read_bytes() == whole and not part.exists()


def test_a_full_disk_is_told_with_the_file_and_what_is_there_stays(
    offline: PoetryRunner, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = folder / "simple" / "pure" / "pure-1.5-py3-none-any.whl"
    wheel.unlink()
    before = contents(folder)

    def fill(path: Path, *_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("poetry_tf.index.download.Download.copy", fill)
        done = _save(offline, folder)
    assert done.returncode == 1
    assert f"Error: {wheel}: {os.strerror(errno.ENOSPC)}; what was saved is kept" in done.stderr
    assert "Traceback" not in done.output
    left = contents(folder)
    left.pop(f"simple/pure/{wheel.name}.part", None)
    assert left == before
    usage = shutil.disk_usage(folder)._replace(free=1)
    monkeypatch.setattr("poetry_tf.actions.folder_content.shutil.disk_usage", lambda _: usage)
    done = _save(offline, folder)
    assert done.returncode == 1
    assert "but its disk has only 1 B left" in done.stderr


def test_two_runs_wait_for_each_other(
    offline: PoetryRunner, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "QUIET_SECONDS", 0.01)
    monkeypatch.setattr(state, "WAIT_SECONDS", 0.01)
    with state.write_lock(folder.resolve(), lambda _: None):
        done = _save(offline, folder)
    assert done.returncode == 1
    assert f"is writing in {folder}" in done.stderr


@pytest.mark.slow
def test_two_machines_save_in_one_folder_and_both_are_listed(
    offline: PoetryRunner, folder: Path, tmp_path: Path
) -> None:
    """Each has its own locks of the system, as on a share that carries none."""
    second = tmp_path / "second"
    second.mkdir()
    write_pyproject(second, ["other"], requires_python=">=3.11,<3.13")
    assert offline.call("lock", cwd=second).ok
    shutil.rmtree(folder)

    def save(project: Path) -> Result:
        state_folder = tmp_path / f"state of {project.name}"
        return offline.run(
            *("tf", "mirror", "save", str(folder), "--python", "3.11", "--prune"),
            cwd=project,
            environ={state.VARIABLE: str(state_folder), "POETRY_CACHE_DIR": str(state_folder)},
        )

    with ThreadPoolExecutor(2) as pool:
        results = [*pool.map(save, (offline.project, second))]
    assert all(done.ok for done in results), [done.output for done in results]
    assert "saving in" in "".join(done.stderr for done in results)  # one of them waited
    manifests = [json.loads(path.read_text()) for path in folder.glob("manifests/*.json")]
    assert len(manifests) == 2
    for entry in (entry for manifest in manifests for entry in manifest["files"]):
        page = folder / "simple" / entry["name"] / "index.html"
        assert entry["filename"] in page.read_text("utf-8")
        assert (page.parent / entry["filename"]).stat().st_size == entry["size"]
    assert not [*folder.rglob("*.part")] and not (folder / LOCK_FILE).exists()


def test_pages_list_what_another_machine_saves_meanwhile(
    offline: PoetryRunner, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where nothing has kept them apart."""
    (own,) = (folder / "manifests").glob("*.json")
    other = json.loads(own.read_text("utf-8"))
    digest = "0" * 64
    other["files"] = [
        {**entry, "filename": "native-2.0-py3-none-any.whl", "version": "2.0", "sha256": digest}
        for entry in other["files"]
        if entry["name"] == "native"
    ]
    write = write_pages

    def meanwhile(*arguments: Any) -> None:
        own.with_name("late-01234567.json").write_text(json.dumps(other), "utf-8")
        write(*arguments)

    monkeypatch.setattr("poetry_tf.actions.folder_content.write_pages", meanwhile)
    assert _save(offline, folder).ok
    page = (folder / "simple" / "native" / "index.html").read_text("utf-8")
    assert LINUX in page and "native-2.0-py3-none-any.whl" in page


@pytest.mark.slow
def test_the_lock_of_another_machine_is_waited_for_and_taken_over_if_it_stands_still(
    offline: PoetryRunner, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_lock, "WAIT_SECONDS", 0.3)
    lock, before = folder / LOCK_FILE, contents(folder)
    lock.write_text("0123 far-away\n0000000001\n", "utf-8")
    beats, ended = itertools.count(2), threading.Event()

    def beat() -> None:
        while not ended.wait(0.05):
            with lock.open("r+", encoding="utf-8") as file:
                file.write(f"0123 far-away\n{next(beats):010d}\n")

    thread = threading.Thread(target=beat)
    thread.start()
    done = _save(offline, folder)
    ended.set()
    thread.join()
    assert done.returncode == 1
    assert f"Waiting for another user or machine (far-away), which is saving in {folder}" in (
        done.stderr
    )
    assert f"(far-away) is saving in {folder}; nothing was written" in done.stderr
    assert lock.read_text("utf-8").startswith("0123 far-away")
    done = _save(offline, folder)
    assert done.ok, done.output
    assert contents(folder) == before


def test_a_lock_of_a_run_of_ours_that_was_killed_is_not_waited_for(
    offline: PoetryRunner, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = b""
    check = FolderLock.check

    def keep(held: FolderLock) -> None:
        nonlocal left
        left = left or (folder / LOCK_FILE).read_bytes()
        check(held)

    monkeypatch.setattr(FolderLock, "check", keep)
    assert _save(offline, folder).ok
    (folder / LOCK_FILE).write_bytes(left)
    done = _save(offline, folder)
    assert done.ok and "Waiting" not in done.stderr, done.output
    assert not (folder / LOCK_FILE).exists()


def test_a_run_whose_folder_was_taken_over_writes_nothing_more(
    offline: PoetryRunner, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = folder / "simple" / "pure" / "pure-1.5-py3-none-any.whl"
    wheel.unlink()
    before = contents(folder / "manifests")
    download = Downloader.download

    def taken(*arguments: Any, **more: Any) -> None:
        download(*arguments, **more)
        (folder / LOCK_FILE).write_text("0123 far-away\n0000000001\n", "utf-8")

    monkeypatch.setattr(Downloader, "download", taken)
    done = _save(offline, folder)
    assert done.returncode == 1 and "another machine is saving there now" in done.stderr
    after = contents(folder / "manifests")
    assert after.pop(LOCK_FILE.partition("/")[2]).startswith(b"0123 far-away")
    assert after == before and wheel.is_file()


def test_for_a_python_that_poetry_tf_does_not_run_on_the_rest_is_saved(
    offline: PoetryRunner, tmp_path: Path
) -> None:
    write_pyproject(offline.project, ["pure"], requires_python=">=3.9,<3.12")
    assert offline.call("lock").ok
    folder = tmp_path / "f"
    done = offline.call("tf", "mirror", "save", str(folder), "--python", "3.9")
    assert done.ok, done.output
    assert "poetry-tf does not run on Python 3.9: Poetry is not saved" in done.stderr
    assert "pip install" not in done.stdout
    assert {name.partition("-")[0] for name in _wheels(folder)} == {"pure", "poetry_tf"}


def test_what_is_no_folder_of_ours_is_left_alone(offline: PoetryRunner, tmp_path: Path) -> None:
    mirror = tmp_path / "bandersnatch"
    (mirror / "simple" / "six").mkdir(parents=True)
    done = _save(offline, mirror, "--prune")
    assert done.returncode == 1 and "exists, and was not made by" in done.stderr
    assert [path.name for path in mirror.iterdir()] == ["simple"]


@pytest.mark.parametrize("text", ["", " ", "http://server:8000/simple", "poetry.lock"])
def test_what_is_no_folder_is_refused(offline: PoetryRunner, text: str) -> None:
    before = contents(offline.project)
    done = offline.call("tf", "mirror", "save", text, "--python", "3.11")
    assert done.returncode == 1 and "is not a folder" in done.stderr
    assert contents(offline.project) == before


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (("--environments", "amiga"), "'amiga' is not a known environment"),
        (("--environments", "windows-x86_64"), 'Did you mean "windows-amd64"? Give some of'),
        (("--python", "3.9"), "The project does not allow Python 3.9"),
        (("--python", "3.12"), "native 1.0 has no file for linux-x86_64 with Python 3.12"),
    ],
)
def test_a_target_that_cannot_be_is_refused(
    offline: PoetryRunner, tmp_path: Path, options: tuple[str, ...], error: str
) -> None:
    done = offline.call("tf", "mirror", "save", str(tmp_path / "f"), "--python", "3.11", *options)
    assert done.returncode == 1 and error in done.stderr
    assert _wheels(tmp_path / "f") == set()


# Installing from it


@pytest.mark.slow
def test_alone_it_installs_locks_and_checks_without_a_request(
    offline: PoetryRunner, shelf: LocalIndex, folder: Path
) -> None:
    offline.mirror, before = str(folder), _lock(offline)
    done = offline.call("install")
    assert done.ok, done.output
    code = "import native, pure, more; print(native.__version__, more.__version__)"
    ran = subprocess.run([offline.python, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["1.0", "2.0"]
    for command in (["lock"], ["lock", "--regenerate"], ["update"], ["sync"]):
        done = offline.call(*command)
        assert done.ok, done.output
        assert _lock(offline) == before
    # A file URL is the same.
    offline.mirror = folder.as_uri()
    assert offline.call("lock").ok
    assert _lock(offline) == before
    assert shelf.requests == []


def test_a_lock_from_the_folder_is_that_of_the_index(
    offline: PoetryRunner, shelf: LocalIndex, tmp_path: Path
) -> None:
    """To the byte, also where a second lock by the index is another than the first: the lock has
    what Poetry made of requirements that differ by marker, and the folder what the index says."""
    write_pyproject(offline.project, ["split"], requires_python=">=3.11,<3.13")
    assert offline.call("lock").ok
    first = _lock(offline)
    assert _save(offline, tmp_path / "f").ok
    assert offline.call("lock").ok
    second = _lock(offline)
    offline.settle()
    shelf.requests.clear()
    offline.mirror = str(tmp_path / "f")
    restore(offline.project, {"poetry.lock": first})
    assert offline.call("lock").ok
    assert _lock(offline) == second
    record = tmp_path / "f" / "manifests" / "releases" / "split" / "1.0.json"
    said = json.loads(record.read_text("utf-8"))
    assert said["requires_dist"][1].startswith("pure (>=1.4)")
    record.write_text(json.dumps({**said, "requires_dist": ["other"]}), "utf-8")
    done = offline.call("lock")
    assert done.returncode == 1 and "other is not in poetry.lock" in done.stderr
    # Without what the index said of a release the lock is enough to go on.
    shutil.rmtree(record.parents[1])
    restore(offline.project, {"poetry.lock": first})
    assert offline.call("lock").ok
    assert shelf.requests == []


@pytest.mark.slow
def test_alone_it_keeps_what_is_locked_and_refuses_the_rest(
    offline: PoetryRunner, shelf: LocalIndex, folder: Path
) -> None:
    before = contents(offline.project)
    offline.mirror = str(folder)
    # "other" is on no page; "filelock" was saved, but isn't locked; 1.4 isn't the locked version.
    for wanted in ("other", "filelock", "pure@<1.5"):
        done = offline.call("add", wanted)
        assert done.returncode == 1
        assert "is not in poetry.lock" in done.stderr
        word = f"'{wanted}'" if "<" in wanted else wanted
        assert f"POETRY_TF_MIRROR=pypi poetry add {word}" in done.stderr
        assert f"mirror save '{folder}'" in done.stderr
        assert contents(offline.project) == before
    assert "pure (<1.5) is not in poetry.lock (locked: 1.5), and the only mirror is" in done.stderr
    done = offline.call("tf", "init", "-n", "--no-devcontainer", "--tensorflow", "2.18")
    assert done.returncode == 1 and "\\<" not in done.output
    assert " is not in poetry.lock, and the only mirror is the folder" in done.stderr
    assert contents(offline.project) == before
    done = offline.call("add", "pure@^1.5")
    assert done.ok, done.output
    done = offline.call("add", "./nowhere")
    assert done.returncode == 1 and "is not in poetry.lock" not in done.output
    assert "nowhere" in done.output
    # Its page in the folder lists one of the files; the lock has all.
    kept = _lock(offline).decode()
    offline.mirror = None
    assert offline.call("lock").ok
    assert _lock(offline).decode() == kept
    assert all(name in kept for name in (LINUX, ARM, WINDOWS))
    offline.mirror = str(folder)
    (offline.project / "poetry.lock").unlink()
    done = offline.call("lock", "--regenerate")
    assert done.returncode == 1 and "There is no poetry.lock, and the only mirror" in done.stderr
    assert "Restore poetry.lock" in done.stderr
    assert "POETRY_TF_MIRROR=pypi poetry lock --regenerate" in done.stderr


@pytest.mark.slow
def test_in_a_list_it_supplies_files_and_the_index_pages(
    offline: PoetryRunner, shelf: LocalIndex, folder: Path
) -> None:
    offline.mirror, before = f"{folder},pypi", _lock(offline)
    done = offline.call("install")
    assert done.ok, done.output
    assert {r.kind for r in shelf.requests} == {"page"}
    assert offline.call("update").ok
    assert _lock(offline) == before
    # What the folder has no more, or has otherwise, comes from the index.
    (wheel,) = folder.glob("simple/pure/*.whl")
    wheel.write_bytes(b"?")
    shutil.rmtree(offline.venv)
    shutil.rmtree(offline.home / "cache")
    offline.settle()
    shelf.requests.clear()
    assert offline.call("install").ok
    asked = {r.path.rpartition("/")[2] for r in shelf.requests if r.kind == "file"}
    assert asked == {"pure-1.5-py3-none-any.whl"}
    # Without a network the folder alone would do.
    shelf.named("pypi").page_status = 403
    shutil.rmtree(offline.home / "cache")
    done = offline.call("update")
    alone = f"POETRY_TF_MIRROR='{folder}' poetry"
    assert done.returncode == 1 and alone in done.output, done.output
    folder.rename(folder.with_name("unmounted"))
    done = offline.call("update")
    assert done.returncode == 1 and "can't be in a list" not in done.output


def test_a_folder_that_is_not_there(offline: PoetryRunner, folder: Path, shelf: LocalIndex) -> None:
    folder.rename(folder.with_name("unmounted"))
    offline.mirror = str(folder)
    done = offline.call("install")
    assert done.returncode == 1 and f"The folder {folder} does not exist" in done.output
    assert "In a container use the address of a web server" in done.output
    assert shelf.requests == []
    other = folder.with_name("other")
    offline.mirror = f"{folder},{other}"
    done = offline.call("install")
    assert done.returncode == 1
    assert f"The folders {folder} and {other} do not exist, and are the only mirrors" in done.output
    assert "no network: no files" in offline.call("tf", "mirror").stdout
    offline.mirror = f"/{'x' * 300}"
    assert "does not exist, and is the only mirror" in offline.call("install").output
    offline.mirror = f"{folder},pypi"
    done = offline.call("install")
    assert done.ok, done.output
    assert f"the folder {folder} does not exist: every file comes from the index" in done.stderr


def test_a_folder_that_cannot_be_made_is_told(offline: PoetryRunner) -> None:
    done = _save(offline, Path("x" * 300))
    assert done.returncode == 1 and "File name too long" in done.stderr


@pytest.mark.parametrize("name", ["a,b", "a b, c"])
def test_a_folder_of_any_name_is_written_as_the_setting_takes_it(
    offline: PoetryRunner, folder: Path, shelf: LocalIndex, name: str
) -> None:
    path = folder.rename(folder.with_name(name))
    done = _save(offline, path)
    assert done.ok, done.output
    found = re.search(r"POETRY_TF_MIRROR=(.*) poetry install", done.stdout)
    assert found is not None
    (offline.mirror,) = shlex.split(found[1])
    shelf.requests.clear()
    assert offline.call("install").ok
    for value in (offline.mirror, str(path)):
        offline.mirror = None
        done = offline.call("tf", "mirror", "use", value)
        assert done.ok, done.output
        assert f"the folder {path}, with" in offline.call("tf", "mirror").stdout
    assert shelf.requests == []


@pytest.mark.slow
def test_the_commands_of_a_refusal_name_the_program_and_the_project(
    offline: PoetryRunner, folder: Path, tmp_path: Path
) -> None:
    offline.mirror, place = str(folder), f"--directory {offline.project}"
    words = ("init", "--no-devcontainer", "--tensorflow", "2.18", "-n", "-C", str(offline.project))
    programs: tuple[Program, ...] = ("poetry_tf", "poetry")
    for program in programs:
        name, own = program.replace("_", "-"), ("tf",) if program == "poetry" else ()
        done = offline.run(*own, *words, program=program, cwd=tmp_path)
        first = " ".join((name, "--no-interaction", place, *own, "init --no-devcontainer"))
        assert f"POETRY_TF_MIRROR=pypi {first} --tensorflow 2.18\n" in done.stderr, done.stderr
        assert f"{' '.join((name, *own))} mirror save '{folder}' {place}\n" in done.stderr


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("place", ["variable", "project"])
def test_of_several_folders_those_that_are_there_are_used(
    offline: PoetryRunner, folder: Path, shelf: LocalIndex, *, is_first: bool, place: str
) -> None:
    there = str(folder)
    if place == "project":
        shutil.copytree(folder, offline.project / "wheels")
        there = "./wheels"
    named = ["./gone" if place == "project" else str(folder.with_name("gone")), there]
    named = named if is_first else named[::-1]
    if place == "project":
        text = f"[tf]\nmirror = {json.dumps(named)}\n"
        (offline.project / "poetry.toml").write_text(text, "utf-8")
    else:
        offline.mirror = ",".join(named)
    done = offline.call("install")
    assert done.ok, done.output
    assert done.output.count("gone does not exist: not used") == 1
    assert shelf.requests == []
    # What is to be saved again is the folder that is there.
    done = offline.call("add", "other")
    assert done.returncode == 1 and "mirror save" in done.output
    assert "gone" not in done.output.partition("mirror save")[2]


def test_a_file_that_is_not_there_fits_not_or_is_corrupt(
    offline: PoetryRunner, folder: Path
) -> None:
    offline.mirror = str(folder)
    (wheel,) = folder.glob("simple/pure/*.whl")
    content = wheel.read_bytes()
    wheel.write_bytes(b"?")
    done = offline.call("install")
    assert not done.ok and f"{wheel} is corrupt" in done.output
    wheel.unlink()
    done = offline.call("install")
    assert not done.ok and "has no file of pure 1.5" in done.output
    wheel.write_bytes(content)
    (native,) = folder.glob("simple/native/*.whl")
    native.rename(native.with_name(f"native-1.0-{WINDOWS}.whl"))
    shutil.rmtree(offline.venv)
    done = offline.call("install")
    assert not done.ok
    assert "has no file of native 1.0 for Python 3.11 on this system" in done.output
    assert f"mirror save '{folder}' --python 3.11" in done.output
    assert "Regenerate lockfile" not in done.output


@pytest.mark.slow
def test_a_build_takes_what_it_requires_from_the_folder(
    offline: PoetryRunner, folder: Path, tmp_path: Path
) -> None:
    """Although what it requires is not locked."""
    package = tmp_path / "local"
    package.mkdir()
    (package / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["filelock"]\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "local"\nversion = "1"\n',
        "utf-8",
    )
    (package / "backend.py").write_text(
        "import filelock\n"
        "def build_wheel(*_, **__): raise SystemExit(f'built with {filelock.__version__}')\n"
        "build_editable = build_wheel\n",
        "utf-8",
    )
    path = offline.project / "pyproject.toml"
    offline.mirror = f"{folder}"
    text = path.read_text("utf-8")
    path.write_text(
        text.replace("dependencies = [\n", f"dependencies = [\n    'local @ {package.as_uri()}',\n")
    )
    assert offline.call("lock").ok
    done = offline.call("install")
    assert f"built with {version('filelock')}" in done.output


def _local(folder: Path, name: str, requires: str = "filelock") -> Path:
    """A package of its own, with a backend that tells what it was built with."""
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(
        f'[build-system]\nrequires = ["{requires}"]\nbuild-backend = "backend"\n'
        f'backend-path = ["."]\n[project]\nname = "{name}"\nversion = "1"\n',
        "utf-8",
    )
    module = requires.replace("-", "_").partition(" ")[0]
    (folder / "backend.py").write_text(
        f"import {module}\n"
        f"def build_wheel(*_, **__): raise SystemExit(f'built with {{{module}.__version__}}')\n"
        "build_editable = build_wheel\n",
        "utf-8",
    )
    return folder


def _require(project: Path, *lines: str) -> None:
    """Adds a group with these lines."""
    path, table = project / "pyproject.toml", "[tool.poetry.group.own.dependencies]"
    path.write_text("\n".join([path.read_text("utf-8"), table, *lines, ""]), "utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("form", ["group", "project"])
def test_what_builds_a_package_of_the_project_is_saved(
    offline: PoetryRunner, shelf: LocalIndex, tmp_path: Path, form: str
) -> None:
    package = _local(offline.project / "libs" / "local", "local", "other >=1")
    if form == "group":
        _require(offline.project, 'local = {path = "libs/local", develop = true}')
    else:
        line = f"local @ {package.as_uri()}"
        write_pyproject(offline.project, [line], requires_python=">=3.11,<3.13")
    assert offline.call("lock").ok
    folder = tmp_path / "stick"
    done = _save(offline, folder)
    assert done.ok and "don't come from PyPI: local" in done.stderr, done.output
    assert "other-1.0-py3-none-any.whl" in _wheels(folder)
    shelf.requests.clear()
    offline.mirror = str(folder)
    done = offline.call("install")
    assert "built with 1.0" in done.output
    assert shelf.requests == []


@pytest.mark.slow
def test_what_builds_a_package_from_git_is_told_before_and_after(
    offline: PoetryRunner, shelf: LocalIndex, tmp_path: Path
) -> None:
    remote = _local(tmp_path / "remote", "remote", "other >=1")
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"]):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        subprocess.run(["git", "-C", remote, *identity, *words], check=True)
    _require(offline.project, f'remote = {{git = "{remote.as_uri()}"}}')
    assert offline.call("lock").ok
    folder = tmp_path / "stick"
    done = _save(offline, folder)
    assert done.ok, done.output
    assert "what builds remote. Add that to a group" in done.stderr
    offline.mirror = str(folder)
    done = offline.call("install")
    assert done.returncode == 1 and "Because " not in done.output
    lacks = f"The folder {folder} does not have other (>=1), which the build requires"
    assert lacks in done.output
    assert f"mirror save {folder}" in done.output
    # What is advised works.
    offline.mirror = None
    assert offline.call("add", "--lock", "--group", "build", "other").ok
    assert _save(offline, folder).ok
    offline.mirror = str(folder)
    assert "built with 1.0" in offline.call("install").output


@pytest.mark.slow
def test_a_folder_that_is_not_there_or_needs_what_no_index_has_does_not_stop_it(
    offline: PoetryRunner, tmp_path: Path
) -> None:
    _local(offline.project / "odd", "odd", "nowhere-to-be-found")
    gone = _local(offline.project / "gone", "gone")
    _require(offline.project, 'odd = {path = "odd"}', 'gone = {path = "gone"}')
    assert offline.call("lock").ok
    shutil.rmtree(gone)
    done = _save(offline, tmp_path / "stick")
    assert done.ok, done.output
    assert "Could not resolve what builds odd for these targets: it is not saved" in done.stderr
    assert "what builds gone. Add that to a group" in done.stderr


# Who may name it


@pytest.mark.parametrize("kind", ["outside", "link", "unc"])
def test_a_project_names_no_folder_outside_of_itself(
    offline: PoetryRunner, folder: Path, shelf: LocalIndex, kind: str
) -> None:
    if kind == "link":
        (offline.project / "wheels").symlink_to(folder)
    named = {"outside": str(folder), "link": "./wheels", "unc": r"\\\\server\\share"}[kind]
    (offline.project / "poetry.toml").write_text(f'[tf]\nmirror = "{named}"\n', "utf-8")
    done = offline.call("install")
    assert done.ok, done.output
    assert "poetry.toml:2: the folder" in done.stderr and ": not used" in done.stderr
    assert {r.kind for r in shelf.requests} >= {"page", "file"}


def test_a_project_may_name_a_folder_inside_of_itself(
    offline: PoetryRunner, folder: Path, shelf: LocalIndex
) -> None:
    shutil.copytree(folder, offline.project / "wheels")
    (offline.project / "poetry.toml").write_text('[tf]\nmirror = "./wheels"\n', "utf-8")
    done = offline.call("-C", str(offline.project), "install", cwd=folder)
    assert done.ok, done.output
    assert shelf.requests == []


# Containers


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "lines"),
    [
        (
            ("--gpu", "none"),
            [
                "  docker pull mcr.microsoft.com/devcontainers/python:3-3.",
                "  docker save --output image.tar mcr.microsoft.com/devcontainers/python:3-3.",
                "  there: docker load --input image.tar",
            ],
        ),
        (
            ("--gpu", "system"),
            [
                "the features ghcr.io/devcontainers/features/nvidia-cuda:3 and what they download",
                "  devcontainer build --workspace-folder . --image-name project-offline",
                "  docker save --output image.tar project-offline",
                '  there: echo \'{"image": "project-offline"}\' > offline.json',
                "  POETRY_TF_MIRROR=http://SERVER:8000/simple/ devcontainer up "
                "--workspace-folder . --override-config offline.json --remote-env PIP_INDEX_URL=",
            ],
        ),
    ],
)
def test_what_else_a_first_build_needs_is_explained_with_its_commands(
    set_up: SetUp, options: tuple[str, ...], lines: list[str]
) -> None:
    program, *command = named("offline-explain").split()
    assert program == "poetry"
    poetry = set_up("--tensorflow", "2.18", *options)
    done = poetry.call(*command)
    assert done.ok, done.output
    section = done.stdout.partition("Without a network, the first build needs\n")[2]
    for line in lines:
        assert f"\n  {line}" in f"\n{section}"
    inject = f"pipx inject poetry poetry-tf=={version('poetry-tf')} --index-url http://SERVER:8000"
    assert inject in section  # this one is no package of an index
    path = poetry.project / ".devcontainer" / "devcontainer.json"
    written = path.read_text("utf-8")
    for more, is_there in (("poetry-tf==0.1.0", False), ("git+https://a.b/c.git", True)):
        step = re.sub(
            r"(pipx install poetry==[\d.]+)", rf"\1 && pipx inject poetry {more}", written
        )
        path.write_text(step.replace(" git+", " poetry-tf@git+"), "utf-8")
        assert ("pipx inject" in poetry.call(*command).stdout) is is_there
    path.write_text(written, "utf-8")
    # The address of the image is that of the file where its registry is the machine's to name.
    assert poetry.call("tf", "devcontainer", "--registry", "r.example.com", "--engine", "podman").ok
    section = poetry.call(*command).stdout.partition("Without a network")[2]
    assert "podman save" in section and "localEnv" not in section
    assert ("podman pull r.example.com/" in section) is ("none" in options)


# Served


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served(folder: Path) -> Iterator[str]:
    """The address of the folder on a plain web server."""

    def handler(*arguments: object) -> _Quiet:
        return _Quiet(*arguments, directory=str(folder))  # type: ignore[arg-type]

    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/simple/"
        server.shutdown()


@pytest.mark.slow
def test_a_plain_web_server_serves_it_to_pip_and_to_poetry(
    offline: PoetryRunner, shelf: LocalIndex, folder: Path, served: str, tmp_path: Path
) -> None:
    (native,) = folder.glob("simple/native/*.whl")
    digest = saved_folder.hash_of(native, "sha256")
    listed = tmp_path / "requirements.txt"
    listed.write_text(f"native==1.0 --hash={digest}\n", "utf-8")
    for index in (served, (folder / "simple").as_uri()):
        command = [sys.executable, "-m", "pip", "--isolated", "download", "--no-deps", "--quiet"]
        command += ["--disable-pip-version-check", "--no-cache-dir", "--index-url", index]
        command += ["--only-binary", ":all:", "--python-version", "3.11", "--platform"]
        command += ["manylinux_2_17_x86_64", "--require-hashes", "-r", str(listed)]
        subprocess.run([*command, "-d", str(tmp_path / "got")], check=True, cwd=tmp_path)
        (tmp_path / "got" / native.name).unlink()
    # A container reaches it by its address; here PyPI has gone.
    shelf.named("pypi").page_status = 403
    offline.mirror = served
    done = offline.call("install")
    assert done.ok, done.output
    assert not [r for r in shelf.requests if r.kind == "file"]
    assert done.stderr.count("no other mirror answers") == 1


def test_a_lock_that_is_made_by_it_keeps_what_it_lacks(
    offline: PoetryRunner, shelf: LocalIndex, folder: Path, served: str
) -> None:
    write_pyproject(offline.project, ["pure"], requires_python=">=3.11,<3.12")
    assert offline.call("lock").ok
    offline.settle()
    before, source = _lock(offline), "pure-1.5.tar.gz"
    assert source in before.decode()
    shelf.named("pypi").page_status = 403
    offline.mirror = served
    for step in ("lock", "update"):
        done = offline.call(step)
        assert done.ok, done.output
        assert _lock(offline) == before
    # Another project, with the same cache, gets no hash out of this one's lock. A saved folder
    # gives only what is locked, so this is by a mirror that is none.
    for page in folder.glob("simple/*/index.html"):
        page.write_text(page.read_text("utf-8").replace(saved_folder.GENERATOR, ""), "utf-8")
    (offline.project / "poetry.lock").unlink()
    assert offline.call("lock").ok
    assert source not in _lock(offline).decode()


@pytest.mark.parametrize("lacks", ["page", "release"])
@pytest.mark.slow
def test_a_locked_package_of_which_nothing_was_saved_stays_in_the_lock(
    offline: PoetryRunner, shelf: LocalIndex, folder: Path, served: str, lacks: str
) -> None:
    """ "colour" is for Windows alone; the folder has no page of it, or one with another release."""
    page = folder / "simple" / "colour" / "index.html"
    assert not page.exists()
    if lacks == "release":
        page.parent.mkdir()
        page.write_text(f'<a href="colour-0.1-py3-none-any.whl#sha256={"0" * 64}">x</a>', "utf-8")
    before = _lock(offline)
    assert b'name = "colour"' in before
    offline.mirror = served
    # Where PyPI can be reached, it says what there is.
    done = offline.call("lock", "--regenerate")
    assert done.ok and _lock(offline) == before, done.output
    shelf.named("pypi").page_status = 403
    shutil.rmtree(offline.home / "cache")
    for command in (["lock"], ["lock", "--regenerate"], ["update"], ["install"]):
        done = offline.call(*command)
        assert done.ok, done.output
        assert _lock(offline) == before
    # What isn't locked isn't invented.
    done = offline.call("add", "other")
    assert done.returncode == 1
    assert _lock(offline) == before


@pytest.mark.slow
def test_a_served_folder_gives_no_release_that_is_not_locked(
    offline: PoetryRunner, shelf: LocalIndex, folder: Path, served: str, tmp_path: Path
) -> None:
    """Another project saved a newer one: the folder has some of its files, and a lock needs all."""
    write_pyproject(offline.project, ["pure"], requires_python=">=3.11,<3.13")
    (offline.project / "poetry.lock").unlink()
    assert offline.call("add", "pure==1.4").ok
    path = offline.project / "pyproject.toml"
    path.write_text(path.read_text("utf-8").replace("pure (==1.4)", "pure (>=1.4)"), "utf-8")
    assert offline.call("lock").ok
    before = _lock(offline)
    assert b'version = "1.4"' in before
    assert "pure-1.5-py3-none-any.whl" in _wheels(folder)
    offline.mirror = served
    # Where PyPI can be reached, it says what there is.
    assert offline.call("update", "--lock").ok
    newer = _lock(offline)
    assert b'version = "1.5"' in newer and b"pure-1.5.tar.gz" in newer
    (offline.project / "poetry.lock").write_bytes(before)
    shelf.named("pypi").page_status = 403
    for command in (["lock"], ["lock", "--regenerate"], ["update", "--lock"]):
        done = offline.call(*command)
        assert done.ok, done.output
        assert _lock(offline) == before
    for wanted in ("filelock", "pure@>1.4"):
        done = offline.call("add", wanted)
        assert done.returncode == 1 and "is not in poetry.lock" in done.stderr
        assert "the only mirror is the saved folder at 127.0.0.1" in done.stderr
        assert "POETRY_TF_MIRROR=pypi poetry add" in done.stderr
        assert "mirror save FOLDER" in done.stderr
        assert _lock(offline) == before
    (offline.project / "poetry.lock").unlink()
    done = offline.call("lock")
    assert done.returncode == 1 and "There is no poetry.lock" in done.stderr


@pytest.mark.sample
@pytest.mark.parametrize("way", ["folder", "server"])
def test_what_was_saved_for_another_system_is_told_of_the_first_file(
    offline: PoetryRunner, shelf: LocalIndex, folder: Path, served: str, way: str
) -> None:
    write_pyproject(offline.project, ["lone"], requires_python=">=3.11,<3.12")
    assert offline.call("lock").ok
    done = _save(offline, folder, "--environments", "windows-amd64")
    assert done.ok, done.output
    assert "On windows-amd64 with Python 3.11, without a network" in done.stdout
    offline.mirror = str(folder) if way == "folder" else served
    shelf.named("pypi").page_status = 403
    # As in a new process, in which no file was chosen yet.
    choose = Chooser.choose_for
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Chooser, "choose_for", getattr(choose, "__wrapped__", choose))
        done = offline.call("install")
    assert not done.ok
    assert "has no file of lone 1.0 for Python 3.11 on this system" in done.output
    shown = f"'{folder}'" if way == "folder" else "FOLDER"
    assert f"poetry tf mirror save {shown} --python 3.11" in done.output
    assert "Regenerate lockfile" not in done.output
