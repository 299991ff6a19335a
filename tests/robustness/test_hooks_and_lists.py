"""Broken lists, and broken projects under the hook that follows a new lock: no traceback, in time,
and no byte lost."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest
from cleo.io.buffered_io import BufferedIO
from packaging.version import Version

from poetry_tf.files.errors import ProjectError
from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.hooks.events import locked_tensorflow
from poetry_tf.hooks.guards import GuardSettings
from poetry_tf.hooks.sync import sync_containers
from poetry_tf.migration import read_list
from poetry_tf.plan.settings import Settings
from tests.files.oracle import comments, is_subsequence
from tests.robustness.mutations import mutated, mutated_bytes
from tests.robustness.seeds import LISTS, SEEDS
from tests.robustness.test_mutations import SECONDS, contents, limited

CONTAINERS = (".devcontainer/devcontainer.json", ".devcontainer.json")
BEFORE = {"tensorflow": Version("2.14.1")}


def read_mutated_list(number: int, folder: Path) -> None:
    random = Random(number)
    name, text = random.choice(list(LISTS.items()))
    data = mutated_bytes(random, text.encode())
    (folder / "more.txt").write_bytes(data)
    with limited(SECONDS):
        try:
            listing = read_list(data, folder / name)
        except ProjectError as error:
            assert len(str(error)) < 10_000
            return
    # What is told of a line names a line that there is.
    assert listing.entries or listing.skipped
    lines = data.count(b"\n") + data.count(b"\r") + 1
    places = [item.location.line for item in listing.entries]
    places += [item.location.line for item in listing.skipped]
    assert all(1 <= line <= lines for line in places)


def follow_mutated_project(number: int, folder: Path) -> None:
    files = mutated(number)
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    io = BufferedIO()
    setting = GuardSettings(managed=True, settings=Settings())
    # Deriving the fixes takes ten times as long as checking.
    with limited(10 * SECONDS):
        sync_containers(folder, BEFORE, locked_tensorflow(folder), io, setting)
    assert io.fetch_output() == ""
    after = contents(folder)
    assert after.keys() == files.keys(), "no other file is made, and none is left behind"
    for name, content in files.items():
        if name not in CONTAINERS:
            assert after[name] == content
        elif after[name] != content:
            # What could be read is changed to what can be read, and keeps its comments.
            document = JsoncDocument.parse(after[name].decode())
            written = "".join(comments(content.decode()))
            assert is_subsequence(written, "".join(comments(document.text)))


FEW, MANY = range(60), range(60, 4_000)


def test_some_mutated_lists_are_read_or_refused(tmp_path: Path):
    for number in FEW:
        read_mutated_list(number, tmp_path)


@pytest.mark.slow
def test_mutated_lists_are_read_or_refused(tmp_path: Path):
    for number in MANY:
        read_mutated_list(number, tmp_path)


@pytest.mark.parametrize("numbers", [range(8), pytest.param(range(8, 600), marks=pytest.mark.slow)])
def test_a_mutated_project_is_followed_or_left_alone(numbers: range, tmp_path: Path):
    for number in numbers:
        folder = tmp_path / str(number)
        folder.mkdir()
        follow_mutated_project(number, folder)


@pytest.mark.sample
@pytest.mark.skipif(os.name == "nt", reason="links need rights")
@pytest.mark.parametrize("linked", [".devcontainer", CONTAINERS[0]])
def test_a_container_outside_the_project_is_not_followed(tmp_path: Path, linked: str):
    root, outside = tmp_path / "project", tmp_path / "outside"
    for name, text in SEEDS[0].items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")
    (root / linked).rename(outside)
    (root / linked).symlink_to(outside)
    before = contents(root), contents(tmp_path)
    io = BufferedIO()
    setting = GuardSettings(managed=True, settings=Settings())
    sync_containers(root, BEFORE, locked_tensorflow(root), io, setting)
    assert (contents(root), contents(tmp_path)) == before
    assert "could not be written" in io.fetch_error()
