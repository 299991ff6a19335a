"""What an index has that the data does not, read for `poetry tf releases --refresh`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version
from poetry.config.config import Config
from poetry.console.exceptions import PoetryRuntimeError

from poetry_tf.http.errors import ReadError
from poetry_tf.index import routing
from poetry_tf.index.config import setting_layers
from poetry_tf.index.new_releases import NewReleases, UnreadReleaseError
from poetry_tf.releases import Release, whole
from poetry_tf.releases.catalog import add_read, is_known_series
from poetry_tf.releases.model import PLATFORMS
from poetry_tf.releases.summary import span


@dataclass(frozen=True)
class NewRelease:
    """A release that the data does not have.

    Attributes:
        version: its version.
        release: what was read; None for an alpha, a beta or a release candidate.
        changes: what differs from the newest release before it, a line each.
    """

    version: Version
    release: Release | None
    changes: tuple[str, ...]


def refresh(name: str, root: Path, report: Callable[[str], None]) -> tuple[NewRelease, ...]:
    """The releases of a distribution that the index has and the data does not, ascending.

    They are known in this run from then on. Raises `ReadError`.
    """
    repository = routing.routed_repository(
        setting_layers(root),
        [],
        config=Config.create(),
        disable_cache=False,
        expected=lambda: routing.expected_files({}),
        unreported=lambda notices: notices,
        report=report,
    )
    found: list[NewRelease] = []
    try:
        reader = NewReleases(repository, report)
        known = whole(name)
        for version in reader.prereleases(name):
            found.append(NewRelease(version, None, ()))
        for version in reader.versions(name):
            release = reader.read(name, version)
            before = max(
                (*known.releases, *(item.release for item in found if item.release)),
                key=lambda one: (one.version < version, one.version),
            )
            found.append(NewRelease(version, release, tuple(_changes(before, release))))
            if is_known_series(name, version):
                add_read(name, version, reader.block(name, version))
    except (UnreadReleaseError, PoetryRuntimeError) as error:
        raise ReadError(str(error).strip().partition("\n")[0]) from error
    return tuple(sorted(found, key=lambda item: item.version))


def _changes(old: Release, new: Release) -> Iterator[str]:
    for platform in PLATFORMS:
        before, after = old.usable_on(platform), new.usable_on(platform)
        if before != after:
            yield f"Python on {platform}: {span(before) or 'none'} -> {span(after) or 'none'}"
    for what, one, other in (("CUDA", old.cuda, new.cuda), ("cuDNN", old.cudnn, new.cudnn)):
        if one != other:
            yield f"{what}: {one or 'unknown'} -> {other or 'unknown'}"
    for line in old.requires:
        if line not in new.requires:
            yield f"no longer requires: {line}"
    for line in new.requires:
        if line not in old.requires:
            yield f"now requires: {line}"
