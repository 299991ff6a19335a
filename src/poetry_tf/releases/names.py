"""The names of TensorFlow's distributions, and which misspelt name means which of them."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from poetry_tf.releases.resources import read_json

Role: TypeAlias = Literal["main", "retired", "shim", "vendor", "nightly", "companion", "other"]
"""The relation of a distribution to TensorFlow:

- `main`: TensorFlow; what a project should require.
- `retired`: formerly TensorFlow; it no longer has wheels.
- `shim`: TensorFlow for one platform, required by a main distribution only.
- `vendor`: TensorFlow, built for the devices of one vendor.
- `nightly`: a nightly build of TensorFlow.
- `companion`: works with certain releases of TensorFlow only.
- `other`: another package with a similar name.
"""

OWN_ROLES: Final[tuple[Role, ...]] = ("main", "retired", "shim", "vendor", "nightly")
"""The roles of TensorFlow itself: two such distributions overwrite each other's files."""

_LIMIT: Final = 2
_STEM: Final = "tensorflow"
_NIGHTLY_STEM: Final = "tfnightly"


def normalize(name: str) -> str:
    """The normalised name (PEP 503) of any text."""
    return re.sub(r"[-_.]+", "-", name).lower()


@functools.cache
def roles() -> Mapping[str, Role]:
    """The roles of the known distributions, by normalised name."""
    table: dict[Role, list[str]] = read_json("names.json")["roles"]
    return MappingProxyType(
        {normalize(name): role for role, names in table.items() for name in names}
    )


def role(name: str) -> Role | None:
    """The role of a distribution, in any spelling; None if unknown."""
    return roles().get(normalize(name))


@functools.cache
def named(*selected: Role) -> frozenset[str]:
    """The normalised names of the distributions with one of these roles."""
    return frozenset(name for name, role_ in roles().items() if role_ in selected)


def own() -> frozenset[str]:
    """The normalised names of the distributions that are TensorFlow itself."""
    return named(*OWN_ROLES)


def misspelling_of(name: str) -> str | None:
    """The distribution that a name probably means, if it looks like a misspelling of one.

    A command may be refused for it, so other packages must not match. Found are typos within
    `tensorflow` itself (`tersorflow`, `tenosrflow-gpu`, `tensorflo-text`), added or missing
    separators (`tensor-flow`, `tensorflowgpu`), and typos in the suffix of TensorFlow's own
    distributions (`tensorflow-gup`). Similar words (`sensorflow`, `tensorflux`) and all known
    distributions are not.

    Args:
        name: the name of a distribution, as written; any text.

    Returns:
        The normalised name of a known distribution of any role; None if it is no misspelling.
    """
    found = normalize(name)
    # The first letter is hardly ever mistyped; this is also fast.
    if not found.startswith("t") or found in roles():
        return None
    letters = _squeeze(found)
    best: tuple[int, int, str] | None = None
    for target, (target_letters, rank) in _targets().items():
        if abs(len(letters) - len(target_letters)) > _LIMIT:
            continue
        distance = _distance(letters, target_letters)
        if distance <= _LIMIT and _plausible(found, letters, target, target_letters, distance):
            candidate = (distance, rank, target)
            best = candidate if best is None else min(best, candidate)
    return best[2] if best else None


def _squeeze(name: str) -> str:
    return name.replace("-", "")


@functools.cache
def _targets() -> Mapping[str, tuple[str, int]]:
    """The names that can be meant, with their letters, and rank among equally near ones."""
    order = tuple(roles())  # the file's order: main ones first
    own_names = own()
    return {
        name: (_squeeze(name), order.index(name))
        for name in order
        if name in own_names or name.startswith(f"{_STEM}-")
    }


def _plausible(found: str, letters: str, target: str, target_letters: str, distance: int) -> bool:
    """Whether a similar name is a typo, not the name of another package."""
    if distance == 0:  # the separators alone differ
        return True
    stem = _STEM if target.startswith(_STEM) else _NIGHTLY_STEM
    if letters.startswith(stem):
        # The stem is right, so the suffix is probably meant: `tensorflow-gan` is no typo of
        # `tensorflow-gpu`. Only one typo counts, and in a short suffix no replaced letter.
        if target not in own() or distance > 1 or found.startswith(f"{target}-"):
            return False
        replaced = len(letters) == len(target_letters) and sorted(letters) != sorted(target_letters)
        suffix = letters[len(stem) :]
        return not (replaced and len(suffix) < 5) and not (
            # As in `tensorflow-c`: the separator shows that the letter is meant.
            "-" in found[len(stem) :] and len(suffix) < 3
        )
    if stem == _NIGHTLY_STEM:
        return distance == 1 and letters.startswith("tf")
    # Many names start with `tensor`; hardly any similar one ends with `flow`.
    return distance == 1 or "flow" in letters


def _distance(one: str, other: str) -> int:
    """The edit distance with transpositions (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        earlier, before, row = before, row, [i]
        for j, expected in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != expected))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == expected:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
    return row[-1]
