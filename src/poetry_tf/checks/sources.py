"""TF4xx: the mirrors through which packages come, and what of them ends up in the lock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from poetry_tf.checks.findings import Context, Finding, rule
from poetry_tf.mirrors import MIRRORS, is_plain_http, mirror_at, without_credentials
from poetry_tf.project.documents import KeyPath
from poetry_tf.project.edits import Edit
from poetry_tf.project.project import POETRY_TOML

_SETTING: KeyPath = ("tf", "mirror")


@rule("TF401")
def bound_to_a_mirror(context: Context) -> Iterator[Finding]:
    """A mirror of PyPI stands in PyPI's place, and so in the lock.

    Poetry then writes the mirror's address to every locked package. Who can't reach it, or for whom
    it is far away, can't install, and to change or drop it makes the lock stale. A mirror that is
    asked in addition to PyPI, or only for packages that name it, is no finding until a locked
    package comes from it.

    The setting `mirror` in `poetry.toml` uses a mirror without leaving a trace: remove the source,
    write the setting, and lock anew. `poetry tf init --write-source` is the choice to have it this
    way, and says so in `ignore`.
    """
    if not context.concerned:
        return
    project = context.project
    for source in project.pyproject.sources:
        if source.precedes_pypi and (mirror := mirror_at(source.url)) is not None:
            wish = next((name for name, known in MIRRORS.items() if known == mirror.today), "auto")
            yield Finding(
                "TF401",
                *context.at(source.path),
                f"the source {source.name} puts the mirror {mirror.host} in PyPI's place, which "
                "binds the lock to it",
                f'Remove the source, write mirror = "{wish}" under [tf] in {POETRY_TOML}, and run '
                "`poetry lock`",
            )
    if (lock := project.valid_lock) is None:
        return
    urls = [url for url in map(_url_of, lock.data.get("package", [])) if url and mirror_at(url)]
    if urls:
        hosts = dict.fromkeys(known.host for url in urls if (known := mirror_at(url)))
        count = f"{len(urls)} locked packages come" if len(urls) > 1 else "a locked package comes"
        yield Finding(
            "TF401",
            lock.path,
            lock.position_of(f'url = "{urls[0]}"'),
            f"{count} from {', '.join(hosts)}, and from nowhere else",
            "Run `poetry lock` once no source is a mirror any more",
        )


def _url_of(package: Any) -> str | None:
    """The index that a locked package comes from, where it isn't PyPI."""
    source = package.get("source")
    url = source.get("url") if isinstance(source, dict) and source.get("type") == "legacy" else None
    return url if isinstance(url, str) else None


@rule("TF402", fixable=True)
def unfit_mirror(context: Context) -> Iterator[Finding]:
    """A mirror is used that is retired, or over plain http.

    A retired mirror leads nowhere, or to files that nobody keeps up. Over plain http whoever sits
    between can put other files in place of those that are asked for when the lock is made. In the
    setting `mirror` of `poetry.toml` the first is mended by `auto`, the second by the mirror's own
    https address; a source in pyproject.toml is for a person to change, as the lock depends on it.
    Addresses within one's own network are left alone.
    """
    if not context.concerned:
        return
    for source in context.project.pyproject.sources:
        mirror = mirror_at(source.url)
        if mirror is not None and mirror.retired:
            yield Finding(
                "TF402",
                *context.at((*source.path, "url")),
                f"the source {source.name} is the mirror {mirror.host}, which is retired",
                f'Remove the source, and write mirror = "auto" under [tf] in {POETRY_TOML}',
            )
        elif is_plain_http(source.url):
            yield Finding(
                "TF402",
                *context.at((*source.path, "url")),
                f"the source {source.name} is read over plain http",
                "Use its https address",
            )
    yield from _in_setting(context)


def _in_setting(context: Context) -> Iterator[Finding]:
    document = context.project.poetry_toml
    if document is None:
        return
    path = context.project.root / POETRY_TOML
    value = document.get(_SETTING)
    listed = isinstance(value, list)
    for index, wish in enumerate(value if listed else [value]):
        if not isinstance(wish, str):
            continue
        place: KeyPath = (*_SETTING, index) if listed else _SETTING
        mirror = mirror_at(wish)
        if mirror is not None and mirror.retired:
            yield Finding(
                "TF402",
                path,
                document.nearest(place),
                f"the mirror {mirror.host} is retired",
                'Write "auto"',
                (Edit(path, "set", place, "auto"),),
            )
        elif is_plain_http(wish):
            https = mirror.today.url if mirror is not None and mirror.today is not None else None
            yield Finding(
                "TF402",
                path,
                document.nearest(place),
                f"the mirror {without_credentials(wish)} is read over plain http",
                f'Write "{https}"' if https else "Use its https address",
                (Edit(path, "set", place, https),) if https else (),
            )
