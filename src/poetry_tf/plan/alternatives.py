"""The alternatives of a project: what one installation takes together.

That is main with the groups that are not optional, and at most one optional group or extra. A group
that includes others, and an extra that names others of the project, bring these with them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from packaging.utils import NormalizedName, canonicalize_name

from poetry_tf.files.project import Devcontainer, Project
from poetry_tf.files.pyproject import Pyproject
from poetry_tf.files.requirements import MAIN, Requirement, requested_extras, required_name
from poetry_tf.files.values import as_table, as_texts
from poetry_tf.plan.environments import Target

_MAIN: Final = canonicalize_name(MAIN)


@dataclass(frozen=True)
class Alternative:
    """Groups and extras that are installed together."""

    groups: frozenset[NormalizedName]
    extras: frozenset[NormalizedName] = frozenset()
    members: frozenset[NormalizedName] = frozenset()
    """The distributions that the extras of Poetry's own table bring."""
    group: str | None = None
    """The optional group that it is for."""
    extra: str | None = None
    """The extra that it is for."""

    def installs(self, item: Requirement) -> bool:
        """Whether a requirement is in one of the groups or extras."""
        if canonicalize_name(item.group) != _MAIN:
            return canonicalize_name(item.group) in self.groups
        if item.extra is not None:
            return canonicalize_name(item.extra) in self.extras
        return not item.optional or item.name in self.members

    def counts(self, item: Requirement, target: Target) -> bool:
        """Whether a requirement is installed in a target."""
        return self.installs(item) and target.admits(item.marker, self.extras)


def default_alternative(pyproject: Pyproject) -> Alternative:
    """What ``poetry install`` takes without options."""
    includes, optional = _included_groups(pyproject), _optional_groups(pyproject)
    always = (name for name in (_MAIN, *includes) if name not in optional)
    return Alternative(_closure(always, includes))


def alternatives(pyproject: Pyproject) -> tuple[Alternative, ...]:
    """The default alternative, and one for each optional group and each extra."""
    default, includes = default_alternative(pyproject), _included_groups(pyproject)
    return (
        default,
        *(
            Alternative(default.groups | _closure([name], includes), group=name)
            for name in sorted(_optional_groups(pyproject) - default.groups)
        ),
        *_extra_alternatives(pyproject, default),
    )


def container_alternative(project: Project) -> Alternative:
    """What the dev container's own ``poetry install`` takes; without one the default."""
    default, found = default_alternative(project.pyproject), project.devcontainer
    if not isinstance(found, Devcontainer):
        return default
    named = {
        (option, canonicalize_name(name))
        for command in _install_commands(found.document.data)
        for option, name in _named_options(command)
    }
    chosen = [
        one
        for one in alternatives(project.pyproject)
        if ("with", canonicalize_name(one.group or "")) in named
        or ("extras", canonicalize_name(one.extra or "")) in named
    ]
    return Alternative(
        default.groups.union(*(one.groups for one in chosen)),
        default.extras.union(*(one.extras for one in chosen)),
        default.members.union(*(one.members for one in chosen)),
    )


def _install_commands(value: object) -> Iterator[str]:
    """The commands in the lifecycle hooks of a devcontainer.json that install the project."""
    hooks = [item for key, item in as_table(value).items() if key.endswith("Command")]
    while hooks:
        item = hooks.pop()
        if isinstance(item, str):
            yield from (match[1] for match in _INSTALL.finditer(item))
        elif isinstance(item, list) and as_texts(item) == item:
            hooks.append(" ".join(item))
        elif isinstance(item, dict):
            hooks += item.values()


_INSTALL: Final = re.compile(r"\bpoetry\s+(?:install|sync)\b([^&|;\n]*)")
_NAMING: Final = re.compile(r"(?<!\S)(--with|--extras|-E)[=\s]\s*(\"[^\"]*\"|'[^']*'|\S+)")


def _named_options(options: str) -> Iterator[tuple[str, str]]:
    """The groups ("with") and extras ("extras") that options of ``poetry install`` name."""
    for match in _NAMING.finditer(options):
        kind = "with" if match[1] == "--with" else "extras"
        for name in re.split(r"[,\s]+", match[2].strip("\"'")):
            yield kind, name


def all_groups(pyproject: Pyproject) -> Alternative:
    """What ``poetry install --all-groups`` takes."""
    return Alternative(frozenset({_MAIN, *_included_groups(pyproject)}))


def main_alternative(pyproject: Pyproject, main: Requirement) -> Alternative:
    """The first of the alternatives that installs the main requirement."""
    found = alternatives(pyproject)
    return next((one for one in found if one.installs(main)), found[0])


def _optional_groups(pyproject: Pyproject) -> frozenset[NormalizedName]:
    groups = pyproject.table("tool", "poetry", "group")
    return frozenset(
        canonicalize_name(name)
        for name, value in groups.items()
        if as_table(value).get("optional") is True
    )


def _included_groups(pyproject: Pyproject) -> Mapping[NormalizedName, set[NormalizedName]]:
    """Every group with the groups that it includes."""
    found: dict[NormalizedName, set[NormalizedName]] = {canonicalize_name("dev"): set()}
    for name, value in pyproject.table("tool", "poetry", "group").items():
        included = as_texts(as_table(value).get("include-groups"))
        found.setdefault(canonicalize_name(name), set()).update(map(canonicalize_name, included))
    for name, value in pyproject.table("dependency-groups").items():
        items = value if isinstance(value, list) else []
        included = as_texts([as_table(item).get("include-group") for item in items])
        found.setdefault(canonicalize_name(name), set()).update(map(canonicalize_name, included))
    return found


def _extra_alternatives(pyproject: Pyproject, default: Alternative) -> Iterator[Alternative]:
    own = canonicalize_name(pyproject.name or "")
    standard = pyproject.table("project").get("optional-dependencies")
    legacy = as_table(pyproject.table("tool", "poetry").get("extras"))
    includes: dict[NormalizedName, set[NormalizedName]] = {}
    for name, lines in as_table(standard).items():
        named = includes.setdefault(canonicalize_name(name), set())
        for text in as_texts(lines):
            if own and required_name(text) == own:
                named.update(requested_extras(text))
    members: dict[NormalizedName, set[NormalizedName]] = {}
    for name, names in legacy.items():
        includes.setdefault(canonicalize_name(name), set())
        members[canonicalize_name(name)] = set(map(required_name, as_texts(names)))
    for name in includes:
        extras = _closure([name], includes)
        brought = frozenset(one for extra in extras for one in members.get(extra, ()))
        yield Alternative(default.groups, extras, brought, extra=name)


def _closure(
    names: Iterable[NormalizedName], includes: Mapping[NormalizedName, set[NormalizedName]]
) -> frozenset[NormalizedName]:
    found: set[NormalizedName] = set()
    queue = [*names]
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            queue += includes.get(name, ())
    return frozenset(found)
