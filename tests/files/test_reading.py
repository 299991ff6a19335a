"""What is read from a project: regular files of a bounded size, and nothing else."""

from __future__ import annotations

import os
import socket
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from poetry_tf.files.errors import ProjectError
from poetry_tf.files.reading import MAX_BYTES, MAX_JSON_BYTES, MAX_LOCK_BYTES, read_file
from poetry_tf.migration.decoding import MAX_BYTES as MAX_LIST_BYTES
from poetry_tf.migration.decoding import read_list_file

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no pipes and devices as files")

KINDS = {
    "folder": "Is a directory",
    "pipe": "Is a pipe, not a file",
    "socket": "Is a socket, not a file",
    "device": "Is a device, not a file",
    "link to a device": "Is a device, not a file",
    "huge": "Has more than 1 MiB",
}


def make(path: Path, kind: str) -> None:
    """Puts something at a path that is no file to read."""
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        # The name of a socket is limited to 100 characters.
        with socket.socket(socket.AF_UNIX) as server:
            here = Path.cwd()
            os.chdir(path.parent)
            server.bind(path.name)
            os.chdir(here)
    elif kind == "huge":
        with path.open("wb") as file:
            file.truncate(40 << 20)
    else:
        path.symlink_to("/dev/zero" if kind == "link to a device" else "/dev/null")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, kind: str):
    path = tmp_path / "file.toml"
    make(path, kind)
    with pytest.raises(OSError) as caught:
        read_file(path)
    assert (caught.value.strerror, caught.value.filename) == (KINDS[kind], str(path))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "folder"])
def test_what_is_no_regular_file_is_no_list(tmp_path: Path, kind: str):
    make(tmp_path / "list.txt", kind)
    with pytest.raises(ProjectError, match=KINDS[kind].replace("1 MiB", "4 MiB")):
        read_list_file(tmp_path / "list.txt")


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("pyproject.toml", MAX_BYTES),
        ("devcontainer.json", MAX_JSON_BYTES),
        ("poetry.lock", MAX_LOCK_BYTES),
    ],
)
def test_a_file_is_read_up_to_its_limit(tmp_path: Path, name: str, limit: int):
    path = tmp_path / name
    path.write_bytes(b"#" * limit)
    assert len(read_file(path)) == limit
    path.write_bytes(b"#" * (limit + 1))
    with pytest.raises(OSError, match="Has more than"):
        read_file(path)


def test_a_list_is_read_up_to_its_limit(tmp_path: Path):
    path = tmp_path / "requirements.txt"
    path.write_bytes(b"#" * MAX_LIST_BYTES)
    assert len(read_list_file(path)) == MAX_LIST_BYTES


def test_a_file_of_ten_gigabytes_is_not_read(tmp_path: Path):
    with (tmp_path / "poetry.lock").open("wb") as file:
        file.truncate(10 << 30)
    with pytest.raises(OSError, match="Has more than 32 MiB"):
        read_file(tmp_path / "poetry.lock")


def test_a_link_to_a_file_is_read(tmp_path: Path):
    (tmp_path / "real").write_bytes(b"content")
    (tmp_path / "link").symlink_to("real")
    assert read_file(tmp_path / "link") == b"content"


@pytest.fixture
def swapped(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is looked at is a file; by the time it is opened it is what it really is."""
    regular = Path(__file__).stat()
    monkeypatch.setattr(Path, "stat", lambda self, **_: regular)
    yield


@pytest.mark.usefixtures("swapped")
def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    found: list[str | None] = []

    def read() -> None:
        try:
            read_file(tmp_path / "pipe")
        except OSError as error:
            found.append(error.strerror)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(10)
    assert found == ["Is a pipe, not a file"]


def test_a_file_that_grows_while_it_is_read_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "file.toml"
    path.write_bytes(b"")
    small = path.stat()
    assert stat.S_ISREG(small.st_mode)
    path.write_bytes(b"#" * (2 * MAX_BYTES))
    monkeypatch.setattr(os, "fstat", lambda _: small)
    with pytest.raises(OSError, match="Has more than 1 MiB"):
        read_file(path)
