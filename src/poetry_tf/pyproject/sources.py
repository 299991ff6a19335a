"""The edits that turn a mirror that is a source into the setting ``tf.mirror``.

A source is in the lock, beside every package; the setting leaves no trace there. The change moves
no version, so it needs no request to an index.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from poetry_tf.files.edits import Edit, apply
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.lock import IndexSource
from poetry_tf.files.project import POETRY_TOML, Project
from poetry_tf.files.pyproject import Source
from poetry_tf.files.toml import TomlDocument
from poetry_tf.files.values import KeyPath, as_table
from poetry_tf.index.config import SETTING, mirror_setting
from poetry_tf.index.mirrors import mirror_at, mirror_key


@dataclass(frozen=True)
class SourceRemoval:
    """The edits that remove sources, or the obstacle to that."""

    edits: tuple[Edit, ...]
    obstacle: str | None = None


def mirror_setting_for(url: str) -> str:
    """The value of ``tf.mirror`` for a mirror's URL: its key, or ``auto`` for an unknown one."""
    known = mirror_at(url)
    return (mirror_key(known.today) if known is not None and known.today else None) or "auto"


def remove_mirror_sources(project: Project, sources: Sequence[Source]) -> SourceRemoval:
    """Removes mirrors of PyPI from the sources, and from their packages in the lock.

    Packages of mirrors that are no longer a source change as well; without `sources`, only they
    do. A setting that poetry.toml has already stays.
    """
    file = project.pyproject.path
    removed = {source.path for source in sources}
    rest = [source for source in project.pyproject.sources if source.path not in removed]
    pypi = next((source for source in rest if source.name.lower() == "pypi"), None)
    if sources and pypi is not None and all(source.is_explicit for source in rest):
        return SourceRemoval((), "PyPI itself is an explicit source, so no source would be left")
    edits = [edit for source in sources for edit in _unreferenced(project, source)]
    # If another source precedes PyPI, Poetry uses PyPI only where it is a source as well.
    needs_pypi = pypi is None and any(source.precedes_pypi for source in rest)
    for source in sorted(sources, key=lambda source: source.path[-1], reverse=True):
        if needs_pypi and source.precedes_pypi:
            needs_pypi = False
            edits.append(Edit(file, "set", (*source.path, "name"), "PyPI"))
            edits.append(Edit(file, "remove", (*source.path, "url")))
        else:
            edits.append(Edit(file, "remove-with-comments", source.path))
    urls = [source.url for source in sources] or [index.url for index in _bound_to(project, ())]
    if urls and mirror_setting(project) is None:
        edits.append(Edit(project.root / POETRY_TOML, "set", SETTING, mirror_setting_for(urls[0])))
    if (lock := project.valid_lock) is not None:
        changes = dict.fromkeys(_bound_to(project, sources))
        # Also without a locked package of theirs: the content hash covers the sources.
        edits.append(Edit(lock.path, "bind", (), changes))
    return _checked(project, edits)


def replace_source_url(project: Project, source: Source, url: str) -> SourceRemoval:
    """Changes the URL of a source to another of the same index, also in the lock."""
    edits = [Edit(project.pyproject.path, "set", (*source.path, "url"), url)]
    if (lock := project.valid_lock) is not None:
        # Poetry writes URLs without a trailing slash.
        indexes = _bound_to(project, [source])
        edits.append(Edit(lock.path, "bind", (), dict.fromkeys(indexes, url.rstrip("/"))))
    return _checked(project, edits)


def _checked(project: Project, edits: Sequence[Edit]) -> SourceRemoval:
    """The edits, or the error with which they fail."""
    try:
        apply(project, edits)
    except ProjectError as error:
        return SourceRemoval((), str(error))
    return SourceRemoval(tuple(edits))


def mirror_sources(project: Project) -> tuple[Source, ...]:
    """The sources that are mirrors and have locked packages."""
    lock = project.valid_lock
    names = {index.reference.lower() for index in lock.indexes} if lock is not None else set()
    return tuple(
        source
        for source in project.pyproject.sources
        if source.name.lower() in names and mirror_at(source.url) is not None
    )


def _bound_to(project: Project, sources: Sequence[Source]) -> list[IndexSource]:
    """The indexes in the lock that are one of these sources, or a mirror that is no source."""
    lock = project.valid_lock
    names = {source.name.lower() for source in sources}
    others = {source.name.lower() for source in project.pyproject.sources} - names
    return [
        index
        for index in (lock.indexes if lock is not None else ())
        if index.reference.lower() in names
        or (index.reference.lower() not in others and mirror_at(index.url) is not None)
    ]


def _unreferenced(project: Project, source: Source) -> Iterator[Edit]:
    """The edits that remove a source from the dependencies that name it."""
    if source.name.lower() == "pypi":
        return  # the name stays valid
    file = project.pyproject.path
    for path, entry in _entries(project.pyproject.document):
        if str(entry.get("source", "")).lower() != source.name.lower():
            continue
        # An entry with nothing but a source only enriches a requirement in [project].
        alone = len(entry) == 1 and not isinstance(path[-1], int)
        yield Edit(file, "remove", path if alone else (*path, "source"))


def _entries(document: TomlDocument) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    """The dependencies in Poetry's own tables that are tables, with their paths."""
    poetry: KeyPath = ("tool", "poetry")
    places = [(*poetry, "dependencies"), (*poetry, "dev-dependencies")]
    groups = as_table(document.get((*poetry, "group")))
    places += [(*poetry, "group", name, "dependencies") for name in groups]
    for place in places:
        for name, value in as_table(document.get(place)).items():
            path = (*place, name)
            for index, item in enumerate(value if isinstance(value, list) else [value]):
                if isinstance(item, dict):
                    yield ((*path, index) if isinstance(value, list) else path), item
