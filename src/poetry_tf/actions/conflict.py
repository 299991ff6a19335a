"""Why a distribution conflicts with what a project requires, from the failure of a solver."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from packaging.version import Version
from poetry.core.constraints.version import (
    VersionConstraint,
    VersionRange,
    VersionRangeConstraint,
    VersionUnion,
    parse_constraint,
)

from poetry_tf.releases import role
from poetry_tf.releases.model import series_of
from poetry_tf.releases.names import own as own_names

if TYPE_CHECKING:
    from packaging.utils import NormalizedName
    from poetry.core.packages.dependency import Dependency

PYTHON = "Python"


@dataclass(frozen=True)
class Conflict:
    """Two requirements on one distribution that no version of it satisfies.

    Attributes:
        name: what is added.
        version: the version of it that is tried.
        through: the packages, with versions, by which it has its requirement.
        on: the distribution that both are on, or `PYTHON`; what is added itself, if the project's
            new requirement is one of the two.
        needed: the versions of that which it needs.
        owner: the package that has the other requirement, of one version; None for the project.
        admitted: the versions which that one admits.
    """

    name: NormalizedName
    version: str
    through: tuple[str, ...]
    on: str
    needed: VersionConstraint
    owner: Dependency | None
    admitted: VersionConstraint

    @property
    def text(self) -> str:
        """The clause after the name: "3.1.1 needs numpy >=2.0.2, TensorFlow 2.15 numpy <2"."""
        if self.on == self.name:
            return f"{_format_owner(self.owner)} needs {self.on} {_short(self.admitted)}"
        chain = "".join(f"{item}, which needs " for item in self.through)
        if self.on == PYTHON:
            needed, admitted = _short(self.needed), _short(self.admitted)
        else:
            needed, admitted = _facing(self.needed, self.admitted)
        other = f"{_format_owner(self.owner)} {self.on} {admitted}"
        return f"{self.version} needs {chain}{self.on} {needed}, {other}"

    @property
    def is_with_tensorflow(self) -> bool:
        """Whether the other requirement is TensorFlow's own."""
        return self.owner is not None and self.owner.name in own_names()

    @property
    def sentence(self) -> str:
        """The same as a sentence without its stop."""
        return self.text if self.on == self.name else f"{self.name} {self.text}"


def find_conflict(
    name: NormalizedName,
    causes: Iterable[Sequence[Dependency]],
    pythons: Iterable[tuple[Dependency, str, str]],
) -> Conflict | None:
    """The conflict that is the fewest requirements away from a distribution; None without one.

    `causes` and `pythons` are those of a failure, by `reads.failure_causes` and
    `reads.python_causes`.
    """
    edges = [(cause[0], cause[1]) for cause in causes if len(cause) == 2]
    found = (*_python_conflicts(name, edges, pythons), *_version_conflicts(name, edges))
    return min(found, key=lambda conflict: len(conflict.through), default=None)


Edges: TypeAlias = Sequence[tuple["Dependency", "Dependency"]]
"""Packages of one version, each with a requirement of it."""


def _python_conflicts(
    name: NormalizedName, edges: Edges, pythons: Iterable[tuple[Dependency, str, str]]
) -> Iterator[Conflict]:
    for dependency, needed, admitted in sorted(pythons, key=lambda item: _rank(item[0])):
        if (chain := _chain(name, edges, dependency)) is not None:
            ranges = parse_constraint(needed), parse_constraint(admitted)
            yield _conflict(chain, PYTHON, ranges[0], None, ranges[1])


def _version_conflicts(name: NormalizedName, edges: Edges) -> Iterator[Conflict]:
    own = next((item for parent, item in edges if parent.is_root and item.name == name), None)
    for parent, other in edges:
        is_other = own is not None and other.name == name and not parent.is_root
        if own is not None and is_other and not other.constraint.allows_any(own.constraint):
            yield _conflict((own,), own.name, own.constraint, parent, other.constraint)
    for parent, required in sorted(edges, key=lambda edge: _rank(edge[0])):
        against = [
            (owner, other)
            for owner, other in edges
            if other.name == required.name
            and owner.name != name
            and not other.constraint.allows_any(required.constraint)
        ]
        if not against or (chain := _chain(name, edges, parent)) is None:
            continue
        inside = {item.name for item in chain}
        for owner, other in against:
            if owner.name not in inside:
                needed, admitted = required.constraint, other.constraint
                yield _conflict(chain, required.pretty_name, needed, owner, admitted)


def _chain(name: NormalizedName, edges: Edges, end: Dependency) -> tuple[Dependency, ...] | None:
    """The packages by which a distribution requires the package `end`, the shortest way.

    The first is the newest version of the distribution that was tried.
    """
    if end.name == name:
        return (end,)
    starts = sorted((one for one, _ in edges if one.name == name), key=_rank)
    queue: list[tuple[Dependency, ...]] = [(one,) for one in starts]
    seen = {name}
    while queue:
        chain = queue.pop(0)
        for parent, child in edges:
            if parent != chain[-1] or child.name in seen:
                continue
            if child.name == end.name and child.constraint.allows_any(end.constraint):
                return (*chain, end)
            seen.add(child.name)
            queue += [(*chain, one) for one, _ in edges if one.name == child.name]
    return None


def _conflict(
    chain: Sequence[Dependency],
    on: str,
    needed: VersionConstraint,
    owner: Dependency | None,
    admitted: VersionConstraint,
) -> Conflict:
    first, *through = chain
    texts = tuple(f"{item.pretty_name} {_version(item)}" for item in through)
    owner = None if owner is None or owner.is_root else owner
    return Conflict(first.name, _version(first), texts, on, needed, owner, admitted)


def _rank(dependency: Dependency) -> tuple[int, ...]:
    """Sorts what was tried from the newest version on."""
    return tuple(-int(number) for number in re.findall(r"\d+", _version(dependency)))


def _version(dependency: Dependency) -> str:
    return str(dependency.constraint)


def _format_owner(owner: Dependency | None) -> str:
    """ "TensorFlow 2.15", "scipy 1.11.4" or "the project"."""
    if owner is None:
        return "the project"
    version = _version(owner)
    is_final = re.fullmatch(r"[\d.]+", version) is not None
    if is_final and owner.name in own_names() and role(owner.name) != "nightly":
        return f"TensorFlow {series_of(Version(version))}"
    return f"{owner.pretty_name} {version}"


def _facing(one: VersionConstraint, other: VersionConstraint) -> tuple[str, str]:
    """Two constraints without a common version, as the bounds that face each other."""
    a, b = _hull(one), _hull(other)
    if isinstance(a, VersionRangeConstraint) and isinstance(b, VersionRangeConstraint):
        if a.min and b.max and not VersionRange(min=a.min).allows_any(b):
            return _lower(a), _upper(b)
        if a.max and b.min and not VersionRange(max=a.max).allows_any(b):
            return _upper(a), _lower(b)
    return _short(one), _short(other)


def _hull(item: VersionConstraint) -> VersionConstraint:
    """The range from the lowest to the highest version of a constraint with gaps."""
    if not isinstance(item, VersionUnion):
        return item
    first, last = item.ranges[0], item.ranges[-1]
    return VersionRange(first.min, last.max, first.include_min, last.include_max)


def _lower(item: VersionRangeConstraint) -> str:
    if item.min == item.max:
        return f"=={item.min}"
    return f">{'=' if item.include_min else ''}{item.min}"


def _upper(item: VersionRangeConstraint) -> str:
    if item.min == item.max:
        return f"=={item.max}"
    end = re.sub(r"(\.0)+$", "", str(item.max).removesuffix(".dev0"))
    return f"<{'=' if item.include_max else ''}{end}"


def _short(constraint: VersionConstraint) -> str:
    """A constraint without the `.dev0` that Poetry writes at the end of some ranges."""
    return str(constraint).replace(".dev0", "")
