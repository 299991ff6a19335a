"""Package lists as a user has them, and what becomes of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from poetry_tf.migration import read_list
from poetry_tf.migration.classify import Classification, classify_entries
from poetry_tf.migration.entries import PackageList
from poetry_tf.migration.required import requirement_text
from poetry_tf.releases import Release, load


def release(series: str) -> Release:
    found = load().newest(series)
    assert found is not None
    return found


def conda(*entries: str) -> PackageList:
    lines = "".join(f"  - {entry}\n" for entry in entries)
    return read_list(f"dependencies:\n{lines}".encode(), Path("environment.yml"))


def pip(*lines: str) -> PackageList:
    return read_list("\n".join(lines).encode(), Path("requirements.txt"))


def classify(
    found: PackageList, series: str = "2.12", present: tuple[str, ...] = ()
) -> Classification:
    """What becomes of a list with the series' newest release on Python 3.10."""
    return classify_entries(found, release(series), ["3.10"], present)


def classified(
    *entries: str, series: str = "2.12", present: tuple[str, ...] = ()
) -> Classification:
    """`classify` for an environment.yml."""
    return classify(conda(*entries), series, present)


def classified_pip(*lines: str) -> Classification:
    """`classify` for a requirements.txt."""
    return classify(pip(*lines))


def texts(found: Classification) -> list[str]:
    return [requirement_text(item) for item in found.required]


def reasons(found: Classification) -> dict[str, str]:
    return {item.entry.name: item.reason for item in found.dropped}


def constrained(lines: list[str], *constraints: str) -> PackageList:
    """A requirements.txt with the constraints of another file."""
    bounds = replace(pip(*constraints), file="constraints.txt").entries
    return replace(pip(*lines), constraints=bounds)
