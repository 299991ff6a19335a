"""Comparing a lock with PyPI itself: a mirror could give other hashes while a lock is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

from packaging.utils import canonicalize_name

from poetry_tf.files.lock import Lock
from poetry_tf.http.client import Client
from poetry_tf.http.errors import NoResponse, ReadError
from poetry_tf.http.pages import IndexFile, SimpleIndex
from poetry_tf.http.parallel import run_parallel

CONNECTIONS = 8
"""At most so many to PyPI at the same time."""


@dataclass(frozen=True)
class Difference:
    """A locked file that PyPI has otherwise, or not at all."""

    package: str
    file: str
    locked: str
    pypi: str | None
    """None where PyPI has no such file."""


@dataclass(frozen=True)
class Verification:
    """The result of comparing a lock with PyPI."""

    packages: int
    """How many were compared."""
    files: int
    differences: tuple[Difference, ...]
    unknown: tuple[str, ...]
    """What could not be compared, and why."""
    left_out: int
    """Packages that come from elsewhere than PyPI."""


def verify(lock: Lock, index: str) -> Verification:
    """Compares every hash of a lock with the simple index at an address."""
    packages: list[Mapping[str, Any]] = [*lock.data.get("package", [])]
    from_pypi = [package for package in packages if "source" not in package]
    # Markers can tell several versions of one distribution apart.
    names = sorted({canonicalize_name(package["name"]) for package in from_pypi})
    unanswered: list[NoResponse] = []

    def read_page(client: Client, name: str) -> Sequence[IndexFile] | ReadError:
        if len(unanswered) > 1:  # nobody waits for the rest of a hundred packages
            return unanswered[0]
        try:
            return SimpleIndex(index, client).files(name)
        except NoResponse as error:
            unanswered.append(error)
            return error
        except ReadError as error:
            return error

    with closing(Client()) as client:
        jobs = [partial(read_page, client, name) for name in names]
        answers = run_parallel(jobs, workers=CONNECTIONS)
    pages = dict(zip(names, answers.values(), strict=True))
    differences: list[Difference] = []
    unknown: list[str] = []
    count = 0
    for package in from_pypi:
        title = f"{package['name']} {package['version']}"
        page = pages[canonicalize_name(package["name"])]
        if isinstance(page, ReadError):
            unknown.append(f"{title}: {page}")
            continue
        hashes = {file.filename: file.sha256 for file in page}
        for name, locked in lock.hashes(package):
            if name not in hashes:
                differences.append(Difference(title, name, locked, None))
            elif not locked.startswith("sha256:"):
                unknown.append(f"{title}: {name} is locked by {locked.partition(':')[0]} alone")
            elif (digest := hashes[name]) is None:
                unknown.append(f"{title}: PyPI gives no SHA-256 of {name}")
            else:
                count += 1
                if locked != f"sha256:{digest}":
                    differences.append(Difference(title, name, locked, f"sha256:{digest}"))
        if not lock.hashes(package):
            unknown.append(f"{title}: the lock holds no file of it")
    left_out = len(packages) - len(from_pypi)
    return Verification(len(from_pypi), count, tuple(differences), tuple(unknown), left_out)
