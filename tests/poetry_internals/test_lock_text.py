"""A lock is the same, to the byte, whoever writes its files."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import tomlkit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.utils import canonicalize_name
from poetry.core.packages.package import Package
from poetry.core.packages.project_package import ProjectPackage
from poetry.core.version.markers import AnyMarker
from poetry.packages.locker import Locker
from poetry.packages.transitive_package_info import TransitivePackageInfo

from poetry_tf.poetry_internals import lock_text


@pytest.fixture
def own() -> Iterator[Any]:
    """Poetry's own method; the class has ours within the test."""
    own = inspect.unwrap(Locker._compute_lock_data)
    with mock.patch.object(Locker, "_compute_lock_data", own):
        lock_text.write_files_at_once()
        assert Locker._compute_lock_data is not own
        yield own


def _packages(files: list[list[dict[str, str]]]) -> dict[Package, TransitivePackageInfo]:
    made, group = {}, canonicalize_name("main")
    for number, of_package in enumerate(files):
        package = Package(f"p{number}", "1.0")
        package.files = list(of_package)  # type: ignore[arg-type]
        made[package] = TransitivePackageInfo(0, {group}, {group: AnyMarker()})
    return made


def _write(folder: Path, packages: Any, *, own: Any = None) -> tuple[str, Any]:
    path = folder / "poetry.lock"
    path.unlink(missing_ok=True)
    locker, root = Locker(path, {}), ProjectPackage("root", "1.0")
    with mock.patch.object(Locker, "_compute_lock_data", own or Locker._compute_lock_data):
        assert locker.set_lock_data(root, packages)
        again = Locker(path, {})
        assert not again.set_lock_data(root, packages), "the lock is as it was"
    return path.read_text("utf-8"), Locker(path, {}).lock_data


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
FILE = st.fixed_dictionaries({"file": TEXT, "hash": TEXT})


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(files=st.lists(st.lists(FILE, max_size=4), max_size=5))
def test_the_lock_is_the_one_that_poetry_writes(
    own: Any, tmp_path: Path, files: list[list[dict[str, str]]]
) -> None:
    assert _write(tmp_path, _packages(files)) == _write(tmp_path, _packages(files), own=own)


WHEELS = [[{"file": f"p{n}-1.0-{m}.whl", "hash": f"sha256:{n}{m}"} for m in "ab"] for n in range(4)]


def test_only_the_first_package_s_files_are_made_by_poetry(own: Any, tmp_path: Path) -> None:
    from poetry.packages import locker

    with mock.patch.object(locker, "inline_table", wraps=tomlkit.inline_table) as made:
        _write(tmp_path, _packages(WHEELS))
    assert made.call_count == 2 * len(WHEELS[0])  # the lock was written, and compared


def test_another_form_of_poetry_s_is_kept(own: Any, tmp_path: Path) -> None:
    """As of a Poetry or tomlkit that writes the files in another way."""
    with mock.patch.object(lock_text._Files, "as_string", lambda _: "[]"):
        assert _write(tmp_path, _packages(WHEELS)) == _write(tmp_path, _packages(WHEELS), own=own)


def test_a_poetry_that_has_moved_it_writes_by_itself(
    own: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(Locker, "_compute_lock_data")
    lock_text.write_files_at_once()
    assert not hasattr(Locker, "_compute_lock_data")
