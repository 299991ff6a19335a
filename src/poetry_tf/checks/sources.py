"""TF4xx: the mirrors through which packages come, and what of them ends up in the lock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from poetry_tf.checks.findings import Context, Finding, rule
from poetry_tf.files.edits import Edit
from poetry_tf.files.positions import Position
from poetry_tf.files.project import POETRY_TOML
from poetry_tf.files.values import KeyPath
from poetry_tf.index.config import SETTING
from poetry_tf.index.mirrors import is_plain_http, mirror_at, without_credentials
from poetry_tf.plan.settings import read_settings
from poetry_tf.pyproject.sources import (
    SourceRemoval,
    mirror_setting_for,
    mirror_sources,
    remove_mirror_sources,
    replace_source_url,
)


@rule("TF401", fixable=True)
def bound_to_a_mirror(context: Context) -> Iterator[Finding]:
    """A mirror of PyPI replaces PyPI as a source, and so in the lock file.

    Poetry then writes the mirror's address to every locked package. Anyone who can't reach the
    mirror, or is far from it, can't install, and to change or remove it makes the lock file
    outdated. A mirror beside PyPI, or only for packages that name it, is not reported until a
    locked package comes from it.

    The setting `mirror` in `poetry.toml` uses a mirror and leaves no trace in the lock file.
    `--fix` removes the source and what names it, writes the setting unless there is one, and takes
    the source out of the lock file. No version and no hash of a file changes, and no index is
    asked. `poetry tf init --write-source` chooses a source on purpose, and writes that to `ignore`.
    """
    if not context.involves_tensorflow:
        return
    project = context.project
    for source in project.pyproject.sources:
        if source.precedes_pypi and (mirror := mirror_at(source.url)) is not None:
            yield _source_finding(
                context.at(source.path),
                f"the source {source.name} replaces PyPI by the mirror {mirror.host}, which "
                "binds the lock file to it",
                f'Remove the source, write mirror = "{mirror_setting_for(source.url)}" under [tf] '
                f"in {POETRY_TOML}, and remove the source from the lock file",
                remove_mirror_sources(project, [source]),
            )
    if (lock := project.valid_lock) is None:
        return
    counts = {index: count for index, count in lock.indexes.items() if mirror_at(index.url)}
    if counts:
        hosts = dict.fromkeys(known.host for item in counts if (known := mirror_at(item.url)))
        total = sum(counts.values())
        count = f"{total} locked packages come" if total > 1 else "a locked package comes"
        yield _source_finding(
            (lock.path, lock.position_of(f'url = "{next(iter(counts)).url}"')),
            f"{count} only from {', '.join(hosts)}",
            "Remove the source from the lock file, and from pyproject.toml if it is there",
            remove_mirror_sources(project, mirror_sources(project)),
        )


def _source_finding(
    place: tuple[Path, Position | None], message: str, remedy: str, removal: SourceRemoval
) -> Finding:
    """A finding with the edits that fix it, or the obstacle to them in its remedy."""
    if removal.obstacle is not None:
        remedy += f". poetry-tf leaves that to you: {removal.obstacle}"
    return Finding(*place, message, remedy, removal.edits)


@rule("TF402", fixable=True)
def unfit_mirror(context: Context) -> Iterator[Finding]:
    """A mirror is retired, or is used over plain http.

    A retired mirror leads nowhere, or to files that nobody maintains. Over plain http, somebody in
    between can replace files while the lock file is made. In the setting `mirror` of `poetry.toml`,
    `--fix` replaces a retired mirror by `auto`, and plain http by the mirror's https address. A
    source in pyproject.toml that is a mirror of PyPI becomes such a setting, as for TF401; where
    `ignore` has that rule, it stays a source, with its https address. Other indexes are yours to
    change, and addresses in your own network are left alone.
    """
    if not context.involves_tensorflow:
        return
    project = context.project
    accepted = read_settings(project)[0].ignores("TF401")
    for source in project.pyproject.sources:
        place = context.at((*source.path, "url"))
        mirror = mirror_at(source.url)
        setting = f'mirror = "{mirror_setting_for(source.url)}" under [tf] in {POETRY_TOML}'
        if mirror is not None and mirror.retired:
            yield _source_finding(
                place,
                f"the source {source.name} is the mirror {mirror.host}, which is retired",
                f"Remove the source, and write {setting}",
                remove_mirror_sources(project, [source]),
            )
        elif is_plain_http(source.url):
            message = f"the source {source.name} is read over plain http"
            if mirror is not None and not accepted:
                remedy = f"Remove the source, and write {setting}"
                yield _source_finding(
                    place, message, remedy, remove_mirror_sources(project, [source])
                )
            elif mirror is None or mirror.today is None:
                yield Finding(*place, message, "Use its https address")
            else:
                https = mirror.today.url
                change = replace_source_url(project, source, https)
                yield _source_finding(place, message, f'Write "{https}"', change)
    yield from _unfit_setting(context)


def _unfit_setting(context: Context) -> Iterator[Finding]:
    """The mirrors in poetry.toml's ``tf.mirror`` that are retired or over plain http."""
    document = context.project.poetry_toml
    if document is None:
        return
    path = context.project.root / POETRY_TOML
    value = document.get(SETTING)
    is_list = isinstance(value, list)
    mirrors = value if is_list else value.split(",") if isinstance(value, str) else []
    for index, text in enumerate(mirrors):
        if not isinstance(text, str):
            continue
        place: KeyPath = (*SETTING, index) if is_list else SETTING

        def replaced(new: str | None, index: int = index, place: KeyPath = place) -> Edit:
            """The edit that replaces this mirror by another, or removes it."""
            if is_list:
                return Edit(path, "set", place, new) if new else Edit(path, "remove", place)
            parts = [part.strip() for part in mirrors]
            parts[index : index + 1] = [new] if new else []
            return Edit(path, "set", place, ", ".join(parts))

        mirror = mirror_at(text)
        if mirror is not None and mirror.retired:
            # Among others it can only be removed: "auto" is valid alone.
            alone = len(mirrors) == 1
            yield Finding(
                path,
                document.nearest(place),
                f"the mirror {mirror.host} is retired",
                'Write "auto"' if alone else "Remove it",
                (replaced("auto" if alone else None),),
            )
        elif is_plain_http(text):
            https = mirror.today.url if mirror is not None and mirror.today is not None else None
            yield Finding(
                path,
                document.nearest(place),
                f"the mirror {without_credentials(text.strip())} is read over plain http",
                f'Write "{https}"' if https else "Use its https address",
                (replaced(https),) if https else (),
            )
