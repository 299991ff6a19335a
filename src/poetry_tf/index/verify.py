"""Compares a lock with PyPI itself, because a mirror could have supplied wrong hashes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
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
"""The most connections to PyPI at the same time."""


@dataclass(frozen=True)
class Difference:
    """A locked file that is different on PyPI, or missing there."""

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
    unknown: Mapping[str, tuple[str, ...]]
    """What could not be compared, by the reason."""
    left_out: int
    """Packages that come from elsewhere than PyPI."""


def verify(lock: Lock, index: str, on_answer: Callable[[int, int], None]) -> Verification:
    """Compares every hash of a lock with the simple index at an address.

    `on_answer` gets how many distributions were answered for, and of how many. Raises `NoResponse`
    where the index answers for none.
    """
    packages: list[Mapping[str, Any]] = [*lock.data.get("package", [])]
    from_pypi = [package for package in packages if "source" not in package]
    # Markers can tell several versions of one distribution apart.
    names = sorted({canonicalize_name(package["name"]) for package in from_pypi})
    unanswered: list[NoResponse] = []

    def read_page(client: Client, name: str) -> Sequence[IndexFile] | ReadError:
        if len(unanswered) > 1:  # no use in waiting for the rest
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
        on_answer(0, len(jobs))
        answers = run_parallel(
            jobs,
            workers=CONNECTIONS,
            on_result=lambda results: on_answer(len(results), len(jobs)),
        )
    pages = dict(zip(names, answers.values(), strict=True))
    if unanswered and all(isinstance(page, NoResponse) for page in pages.values()):
        raise unanswered[0]
    differences: list[Difference] = []
    unknown: dict[str, list[str]] = defaultdict(list)
    count = 0
    for package in from_pypi:
        title = f"{package['name']} {package['version']}"
        page = pages[canonicalize_name(package["name"])]
        if isinstance(page, ReadError):
            unknown[str(page)].append(title)
            continue
        hashes = {file.filename: file.sha256 for file in page}
        for name, locked in lock.hashes(package):
            if name not in hashes:
                differences.append(Difference(title, name, locked, None))
            elif not locked.startswith("sha256:"):
                unknown[f"locked with {locked.partition(':')[0]} only"].append(name)
            elif (digest := hashes[name]) is None:
                unknown["PyPI gives no SHA-256"].append(name)
            else:
                count += 1
                if locked != f"sha256:{digest}":
                    differences.append(Difference(title, name, locked, f"sha256:{digest}"))
        if not lock.hashes(package):
            unknown["the lock file has no file of it"].append(title)
    left_out = len(packages) - len(from_pypi)
    reasons = {reason: tuple(what) for reason, what in unknown.items()}
    return Verification(len(from_pypi), count, tuple(differences), reasons, left_out)
