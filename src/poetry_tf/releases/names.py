"""The names of TensorFlow's distributions, and which misspelt name means which of them."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from poetry_tf.releases.resources import read_json

Role: TypeAlias = Literal["main", "retired", "shim", "vendor", "nightly", "companion", "other"]
"""What a distribution is to TensorFlow:

- `main`: it is TensorFlow; what a project should ask for.
- `retired`: it was, and has no wheel any more.
- `shim`: one platform's TensorFlow, meant to be required by a main distribution only.
- `vendor`: it is TensorFlow, built for one maker's devices.
- `nightly`: it is TensorFlow as it was one night.
- `companion`: built for, or bound to, certain releases of TensorFlow.
- `other`: merely a name that resembles one of these, of a real package that is none.
"""

OWN_ROLES: Final[tuple[Role, ...]] = ("main", "retired", "shim", "vendor", "nightly")
"""The roles of what is itself TensorFlow: two of these at once overwrite each other's files."""

_LIMIT: Final = 2
_STEM: Final = "tensorflow"
_NIGHTLY_STEM: Final = "tfnightly"


def normalize(name: str) -> str:
    """The one spelling under which an index knows a name (PEP 503), for any text at all."""
    return re.sub(r"[-_.]+", "-", name).lower()


@functools.cache
def roles() -> Mapping[str, Role]:
    """Every known distribution, by its normalised name, with its role."""
    table: dict[Role, list[str]] = read_json("names.json")["roles"]
    return MappingProxyType(
        {normalize(name): role for role, names in table.items() for name in names}
    )


def role(name: str) -> Role | None:
    """The role of a distribution; None for a name that isn't known. Any spelling will do."""
    return roles().get(normalize(name))


@functools.cache
def named(*wanted: Role) -> frozenset[str]:
    """The normalised names of every distribution in one of these roles."""
    return frozenset(name for name, role_ in roles().items() if role_ in wanted)


def own() -> frozenset[str]:
    """The normalised names of every distribution that is itself TensorFlow."""
    return named(*OWN_ROLES)


def misspelling_of(name: str) -> str | None:
    """The distribution that a name most likely means, if the name looks like a misspelling of it.

    A refusal may follow from the answer, so that a stranger's package must not be caught: what is
    found are slips within `tensorflow` itself (`tersorflow`, `tenosrflow-gpu`, `tensorflo-text`),
    separators that are too many or too few (`tensor-flow`, `tensorflowgpu`), and slips in the
    suffix of TensorFlow's own distributions (`tensorflow-gup`). Neighbours of that name which are
    words of their own (`sensorflow`, `tensorflux`) and every known distribution are let be.

    Args:
        name: a distribution's name as somebody wrote it; any text at all.

    Returns:
        A known distribution's normalised name, of whatever role; None where there is no suspicion.
    """
    found = normalize(name)
    # The first letter is the one that is hardly ever mistyped; this also makes it cheap.
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
    """What a misspelt name can mean: its letters, and its rank among equally near ones."""
    order = tuple(roles())  # the file's order: main ones first
    own_names = own()
    return {
        name: (_squeeze(name), order.index(name))
        for name in order
        if name in own_names or name.startswith(f"{_STEM}-")
    }


def _plausible(found: str, letters: str, target: str, target_letters: str, distance: int) -> bool:
    """Whether a near name is a slip of the hand rather than a name of its own."""
    if distance == 0:  # the separators alone differ
        return True
    stem = _STEM if target.startswith(_STEM) else _NIGHTLY_STEM
    if letters.startswith(stem):
        # The stem is right, so the suffix is somebody's choice: `tensorflow-gan` is no slip of
        # `tensorflow-gpu`. Only one slip is believed, and in a short suffix no other letter.
        if target not in own() or distance > 1 or found.startswith(f"{target}-"):
            return False
        replaced = len(letters) == len(target_letters) and sorted(letters) != sorted(target_letters)
        suffix = letters[len(stem) :]
        return not (replaced and len(suffix) < 5) and not (
            # `tensorflow-c` and the like: the separator says that the letter is meant.
            "-" in found[len(stem) :] and len(suffix) < 3
        )
    if stem == _NIGHTLY_STEM:
        return distance == 1 and letters.startswith("tf")
    # `tensor…` begins many a name, `…flow` after something like it hardly any.
    return distance == 1 or "flow" in letters


def _distance(one: str, other: str) -> int:
    """The edit distance in which swapping two neighbours counts once (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        earlier, before, row = before, row, [i]
        for j, wanted in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
    return row[-1]
