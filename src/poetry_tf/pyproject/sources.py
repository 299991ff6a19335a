"""From a mirror that is written as a source to one that is only a way to PyPI.

As a source it stands in the lock, beside every package; as a setting it leaves no trace. Changing
from one to the other moves no version, so no index has to be asked.
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
from poetry_tf.files.values import KeyPath
from poetry_tf.index.mirrors import mirror_at, mirror_key
from poetry_tf.plan.derive import mirror_setting

SETTING: KeyPath = ("tf", "mirror")


@dataclass(frozen=True)
class SourceRemoval:
    """The edits that do it, or why they can't be made."""

    edits: tuple[Edit, ...]
    obstacle: str | None = None


def mirror_setting_for(url: str) -> str:
    """What to set as ``tf.mirror`` in place of a mirror's address."""
    known = mirror_at(url)
    return (mirror_key(known.today) if known is not None and known.today else None) or "auto"


def remove_mirror_sources(project: Project, sources: Sequence[Source]) -> SourceRemoval:
    """Takes mirrors of PyPI out of the sources, and their packages in the lock back to PyPI.

    With no sources, only packages of mirrors that are no source any more. The setting in
    poetry.toml is left as it is where there is one.
    """
    file = project.pyproject.path
    gone = {source.path for source in sources}
    rest = [source for source in project.pyproject.sources if source.path not in gone]
    pypi = next((source for source in rest if source.name.lower() == "pypi"), None)
    if sources and pypi is not None and all(source.is_explicit for source in rest):
        return SourceRemoval((), "PyPI itself is an explicit source, so that nothing would be left")
    edits = [edit for source in sources for edit in _unreferenced(project, source)]
    # Where another source remains that is asked first, PyPI is only asked if it is named.
    stands_in = pypi is None and any(source.precedes_pypi for source in rest)
    for source in sorted(sources, key=lambda source: source.path[-1], reverse=True):
        if stands_in and source.precedes_pypi:
            stands_in = False
            edits.append(Edit(file, "set", (*source.path, "name"), "PyPI"))
            edits.append(Edit(file, "remove", (*source.path, "url")))
        else:
            edits.append(Edit(file, "remove-with-comments", source.path))
    urls = [source.url for source in sources] or [index.url for index in _bound_to(project, ())]
    if urls and mirror_setting(project) is None:
        edits.append(Edit(project.root / POETRY_TOML, "set", SETTING, mirror_setting_for(urls[0])))
    if (lock := project.valid_lock) is not None:
        changes = dict.fromkeys(_bound_to(project, sources))
        # Also where none is bound: the hash covers the sources.
        edits.append(Edit(lock.path, "bind", (), changes))
    return _possible(project, edits)


def replace_source_url(project: Project, source: Source, url: str) -> SourceRemoval:
    """Gives a source another address of the same index, in the lock too."""
    edits = [Edit(project.pyproject.path, "set", (*source.path, "url"), url)]
    if (lock := project.valid_lock) is not None:
        # Poetry writes addresses without a slash at the end.
        indexes = _bound_to(project, [source])
        edits.append(Edit(lock.path, "bind", (), dict.fromkeys(indexes, url.rstrip("/"))))
    return _possible(project, edits)


def _possible(project: Project, edits: Sequence[Edit]) -> SourceRemoval:
    try:
        apply(project, edits)
    except ProjectError as error:
        return SourceRemoval((), str(error))
    return SourceRemoval(tuple(edits))


def mirror_sources(project: Project) -> tuple[Source, ...]:
    """The sources that are mirrors and that locked packages come from."""
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
    mine = {source.name.lower() for source in sources}
    others = {source.name.lower() for source in project.pyproject.sources} - mine
    return [
        index
        for index in (lock.indexes if lock is not None else ())
        if index.reference.lower() in mine
        or (index.reference.lower() not in others and mirror_at(index.url) is not None)
    ]


def _unreferenced(project: Project, source: Source) -> Iterator[Edit]:
    """The edits after which no dependency names a source."""
    if source.name.lower() == "pypi":
        return  # a name that stays right
    file = project.pyproject.path
    for path, entry in _entries(project.pyproject.data):
        if str(entry.get("source", "")).lower() != source.name.lower():
            continue
        # What only names a source adds nothing else to the requirement in [project].
        alone = len(entry) == 1 and not isinstance(path[-1], int)
        yield Edit(file, "remove", path if alone else (*path, "source"))


def _entries(data: Mapping[str, Any]) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    """The dependencies in Poetry's own tables that are tables, and where they stand."""
    poetry = _table(_table(data, "tool"), "poetry")
    places: list[KeyPath] = [("dependencies",), ("dev-dependencies",)]
    places += [("group", name, "dependencies") for name in _table(poetry, "group")]
    for place in places:
        dependencies: Mapping[str, Any] = poetry
        for key in place:
            dependencies = _table(dependencies, str(key))
        for name, value in dependencies.items():
            path: KeyPath = ("tool", "poetry", *place, name)
            for index, item in enumerate(value if isinstance(value, list) else [value]):
                if isinstance(item, dict):
                    yield ((*path, index) if isinstance(value, list) else path), item


def _table(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    return value if isinstance(value, dict) else {}
