"""How a requirement on TensorFlow is spelt: the edits that write or change one.

In ``[project]`` and ``[dependency-groups]`` a requirement is one PEP 508 string, in Poetry's own
tables a key with a string or a table. Only what must change does: extras, markers, other keys
and the user's habit of writing (with parentheses or without) stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version
from poetry.core.constraints.version import Version as PoetryVersion
from poetry.core.constraints.version import parse_constraint
from poetry.core.version.markers import parse_marker

from poetry_tf.files.edits import Edit
from poetry_tf.files.project import Project
from poetry_tf.files.requirements import PEP508, Requirement
from poetry_tf.files.toml import Inline
from poetry_tf.files.values import KeyPath
from poetry_tf.plan.model import TF_KERAS, Plan
from poetry_tf.plan.requirement import (
    constraint_series,
    lower_bound,
    main_requirement,
    tensorflow_requirements,
)
from poetry_tf.releases import role

AND_CUDA = "and-cuda"
MARKED_FOR_CUDA = 'sys_platform == "linux" and platform_machine == "x86_64"'
MARKED_FOR_OTHERS = 'sys_platform != "linux" or platform_machine != "x86_64"'

_LEGACY: KeyPath = ("tool", "poetry", "dependencies")
_LEGACY_EXTRAS: KeyPath = ("tool", "poetry", "extras")


# -- the pin --------------------------------------------------------------------------------


def pin_text(item: Requirement, plan: Plan, *, at_release: bool = False) -> str:
    """The pin on the plan's series, spelt as it is where the requirement stands.

    A constraint that is too wide but begins in that series goes on beginning where it does, so
    that narrowing it takes no release from anybody. Else, and with `at_release` (the user asked
    for this very one), the pin begins at the plan's release.
    """
    if not at_release and (text := _narrowed(item, plan)) is not None:
        return text
    return plan.specifier if item.is_pep508 else plan.tilde


def _narrowed(item: Requirement, plan: Plan) -> str | None:
    """The pin from the constraint's own lower bound on; None where that is no way to write it."""
    lowest = lower_bound(item.constraint)
    if lowest is None or lowest.minor is None or constraint_series(item.constraint) is not None:
        return None
    # "2.13.*" begins at 2.13.dev0, which is nothing that anybody wrote.
    begin = lowest.stable if lowest.is_devrelease() else lowest
    if item.is_pep508:
        # As exact as the beginning is: >=2.13,<2.14 and >=2.13.0,<2.14.0.
        end = f"{begin.major}.{lowest.minor + 1}{'' if begin.patch is None else '.0'}"
        text = f">={begin.text},<{end}"
    else:
        text = f"~{begin.text}"
    pin = parse_constraint(text)
    # Not where the bound itself or a release above it is excluded (>2.13.0, !=2.13.1), nor where
    # the plan's release is of another series or below the bound.
    fits = constraint_series(pin) == plan.release.series and item.constraint.allows_all(pin)
    return text if fits and pin.allows_all(parse_constraint(str(plan.release.version))) else None


def pin_edits(
    project: Project, item: Requirement, plan: Plan, *, at_release: bool = False
) -> tuple[Edit, ...]:
    """Changes the version of a requirement to the pin that `pin_text` gives.

    A retired distribution has no releases in any series that a plan is made for: it is renamed
    first.
    """
    if role(item.name) == "retired":
        return ()
    own = replace(item, path=item.enriched_at or item.path)
    return constraint_edits(
        project,
        item,
        pin_text(item, plan, at_release=at_release),
        in_own_table=pin_text(own, plan, at_release=at_release),
    )


def constraint_edits(
    project: Project, item: Requirement, text: str, *, in_own_table: str | None = None
) -> tuple[Edit, ...]:
    """Changes the version of a requirement to `text`.

    `in_own_table` is how to write it into the entry of Poetry's table that enriches it, if any.
    """
    file = project.pyproject.path
    if not item.is_pep508:
        return (Edit(file, "set", item.constraint_path, text),)
    text = _standard(text)
    edits = (Edit(file, "set", item.path, _pinned(_match(project, item), text)),)
    if item.enriched_at is None:
        return edits
    # Poetry takes both together, so what its own table says must not forbid the pin.
    entry = project.pyproject.document.get(item.enriched_at)
    place = (*item.enriched_at, "version") if isinstance(entry, dict) else item.enriched_at
    written = project.pyproject.document.get(place)
    if written is None or parse_constraint(written).allows_all(parse_constraint(text)):
        return edits
    return (*edits, Edit(file, "set", place, in_own_table or text))


def _standard(text: str) -> str:
    """A constraint as the standard spells it; Poetry's own words are in nobody else's language."""
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        return str(parse_constraint(text)).replace(" ", "")
    return text


def _pinned(match: re.Match[str], text: str) -> str:
    """The requirement string with another version, in parentheses unless the user leaves them."""
    bare = match["version"] and not match["version"].startswith("(")
    space = match["space"] if match["version"] else " "
    version = text if bare else f"({text})"
    return f"{match['name']}{match['extras'] or ''}{space}{version}{match['rest']}"


# -- the name -------------------------------------------------------------------------------


def rename_edits(project: Project, item: Requirement, name: str) -> tuple[Edit, ...]:
    """Changes the distribution that a requirement names, wherever the same list or table does.

    Nothing where that list or table has the other name already: which of the two stays, and with
    which version, is the user's to say.
    """
    document, file = project.pyproject.document, project.pyproject.path
    if not item.is_pep508:
        return _renamed_key(project, item.path, name)
    place = item.path[:-1]
    named = {
        index: match
        for index, text in enumerate(document.get(place))
        if isinstance(text, str) and (match := PEP508.match(text))
    }
    names = {index: canonicalize_name(match["name"].strip()) for index, match in named.items()}
    if canonicalize_name(name) in names.values():
        return ()
    edits = [
        Edit(file, "set", (*place, index), name + match.string[match.end("name") :])
        for index, match in named.items()
        if names[index] == item.name
    ]
    if item.enriched_at is not None:
        edits += _renamed_key(project, item.enriched_at, name)
    return tuple(edits)


def _renamed_key(project: Project, path: KeyPath, name: str) -> tuple[Edit, ...]:
    """Renames a requirement of Poetry's own tables, and in the extras that it belongs to."""
    document, file = project.pyproject.document, project.pyproject.path
    # The key: the last part of the path, or the one before an index in an array of tables.
    key = path[:-1] if isinstance(path[-1], int) else path
    target, old = canonicalize_name(name), canonicalize_name(str(key[-1]))
    if target in map(canonicalize_name, document.get(key[:-1])):
        return ()
    edits = [Edit(file, "rename", key, name)]
    extras = document.get(_LEGACY_EXTRAS)
    if key[:-1] == _LEGACY and isinstance(extras, dict):
        for extra, members in extras.items():
            if not isinstance(members, list) or not all(isinstance(item, str) for item in members):
                continue
            changed = [name if canonicalize_name(item) == old else item for item in members]
            if changed != members:
                changed = list(dict.fromkeys(changed))
                edits.append(Edit(file, "set", (*_LEGACY_EXTRAS, extra), changed))
    return tuple(edits)


# -- a new requirement ----------------------------------------------------------------------


def new_requirement_edits(project: Project, plan: Plan) -> tuple[Edit, ...]:
    """Adds the requirement on TensorFlow to the place where the project has its dependencies."""
    file = project.pyproject.path
    if project.pyproject.uses_poetry_tables:
        value = _legacy_pair({"version": plan.tilde}) if plan.gpu.mode == "pip" else plan.tilde
        return (Edit(file, "set", (*_LEGACY, plan.release.distribution), value),)
    place: KeyPath = ("project", "dependencies")
    return tuple(Edit(file, "append", place, text) for text in requirement_texts(plan))


def requirement_texts(plan: Plan) -> tuple[str, ...]:
    """The PEP 508 requirements on TensorFlow: two complementary ones where CUDA comes by pip.

    The ``and-cuda`` extra has no markers of its own and its wheels exist for Linux only.
    """
    if plan.gpu.mode != "pip":
        return (f"{plan.release.distribution} ({plan.specifier})",)
    return (
        f"tensorflow[{AND_CUDA}] ({plan.specifier}) ; {MARKED_FOR_CUDA}",
        f"tensorflow ({plan.specifier}) ; {MARKED_FOR_OTHERS}",
    )


# -- the and-cuda extra ---------------------------------------------------------------------


def wheel_edits(project: Project, plan: Plan) -> tuple[Edit, ...]:
    """Makes the ``and-cuda`` extra stand where the plan takes it, and nowhere else.

    Only a single requirement on ``tensorflow`` without markers of its own is split in two; what a
    user has spread over several is the user's to change.
    """
    items = [item for item in tensorflow_requirements(project) if role(item.name) != "shim"]
    has = [item for item in items if AND_CUDA in item.extras]
    if plan.gpu.mode != "pip":
        return _without_wheels(project, items) if has else ()
    if has or len(items) != 1 or items[0].name != "tensorflow" or not items[0].marker.is_any():
        return ()
    return _with_wheels(project, items[0], plan)


def _with_wheels(project: Project, item: Requirement, plan: Plan) -> tuple[Edit, ...]:
    """Splits a requirement in two; its pin stays if it is one."""
    file = project.pyproject.path
    is_pinned = constraint_series(item.constraint) is not None
    if item.is_pep508:
        match = _match(project, item)
        if not is_pinned:
            match = _parsed(_pinned(match, pin_text(item, plan)))
        texts = (
            _spelt(match, _with_extra(match["extras"]), MARKED_FOR_CUDA),
            _spelt(match, match["extras"] or "", MARKED_FOR_OTHERS),
        )
        return (
            Edit(file, "set", item.path, texts[0]),
            Edit(file, "append", item.path[:-1], texts[1]),
        )
    written = project.pyproject.document.get(item.path)
    others = written if isinstance(written, dict) else {}
    pair = _legacy_pair({**others, "version": item.written if is_pinned else pin_text(item, plan)})
    if isinstance(item.path[-1], int):  # the only table in an array of them
        return (
            Edit(file, "set", item.path, pair[0]),
            Edit(file, "append", item.path[:-1], pair[1]),
        )
    return (Edit(file, "set", item.path, pair),)


def _legacy_pair(entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The two complementary entries of one that says everything but extra and markers."""
    others = {key: value for key, value in entry.items() if key not in {"extras", "markers"}}
    extras = list(entry.get("extras", ()))
    second = {**others, "extras": extras} if extras else others
    return [
        {**others, "extras": [*extras, AND_CUDA], "markers": MARKED_FOR_CUDA},
        {**second, "markers": MARKED_FOR_OTHERS},
    ]


def _without_wheels(project: Project, items: Sequence[Requirement]) -> tuple[Edit, ...]:
    """Takes back what `wheel_edits` writes; requirements of any other form lose only the extra."""
    file = project.pyproject.path
    edits: list[Edit] = []
    superfluous: list[KeyPath] = []
    for item in items:
        if AND_CUDA not in item.extras:
            continue
        left = (other for other in items if other.path not in superfluous)
        other = next((other for other in left if _complement(project, item, other)), None)
        if item.is_pep508:
            match = _match(project, item)
            extras = _without_extra(match["extras"])
            if other is not None:
                superfluous.append(other.path)
                text = _spelt(match, extras)
            else:
                text = f"{match['name']}{extras}{match.string[match.end('extras') :]}"
            edits.append(Edit(file, "set", item.path, text))
        elif other is not None:
            entry = project.pyproject.document.get(item.path)
            edits.append(Edit(file, "set", item.path[:-1], _collapsed(entry)))
        else:
            edits.append(_extra_edit(project, item))
    # Last, and from the end, since what is removed moves what follows it.
    edits += [Edit(file, "remove", path) for path in sorted(superfluous, key=_index, reverse=True)]
    return tuple(edits)


def _index(path: KeyPath) -> int:
    return int(path[-1])


def _complement(project: Project, item: Requirement, other: Requirement) -> bool:
    """Whether the two are what `wheel_edits` makes of one: nothing is lost if they become it."""
    if item.path[:-1] != other.path[:-1] or item.name != other.name or item.path == other.path:
        return False
    if item.marker != parse_marker(MARKED_FOR_CUDA) or other.marker != parse_marker(
        MARKED_FOR_OTHERS
    ):
        return False
    if item.extras - {AND_CUDA} != other.extras or item.constraint != other.constraint:
        return False
    if item.is_pep508:
        return True
    document = project.pyproject.document
    array = document.get(item.path[:-1])
    return len(array) == 2 and _rest(document.get(item.path)) == _rest(document.get(other.path))


def _rest(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in {"extras", "markers"}}


def _collapsed(entry: Mapping[str, Any]) -> str | dict[str, Any]:
    """An entry without the extra and its marker, as short as it can be written."""
    extras = [item for item in entry["extras"] if canonicalize_name(item) != AND_CUDA]
    kept = {**_rest(entry), "extras": extras} if extras else _rest(entry)
    return kept["version"] if kept.keys() == {"version"} else kept


def _extra_edit(project: Project, item: Requirement) -> Edit:
    path = (*item.path, "extras")
    extras = project.pyproject.document.get(path)
    kept = [extra for extra in extras if canonicalize_name(extra) != AND_CUDA]
    if kept:
        return Edit(project.pyproject.path, "set", path, kept)
    return Edit(project.pyproject.path, "remove", path)


# -- requirements beside it -----------------------------------------------------------------


def same_list(project: Project, item: Requirement, other: Requirement) -> bool:
    """Whether a requirement is installed whenever another is, by standing where that one does."""
    if _list(item) != _list(other) or item.optional != other.optional:
        return False
    if item.is_pep508 or not item.optional:
        return True
    return {*_extras(project, other)} <= {*_extras(project, item)}


def _list(item: Requirement) -> KeyPath:
    """The list or the table in which a requirement stands."""
    is_in_array = not item.is_pep508 and isinstance(item.path[-1], int)
    return item.path[: -2 if is_in_array else -1]


def _key(item: Requirement) -> str:
    """The key of a requirement in a table of Poetry's own."""
    return str(item.path[-2 if isinstance(item.path[-1], int) else -1])


def _extras(project: Project, item: Requirement) -> list[str]:
    """The extras of Poetry's own table that a requirement of Poetry's own table belongs to."""
    extras = project.pyproject.document.get(_LEGACY_EXTRAS)
    if _list(item) != _LEGACY or not isinstance(extras, dict):
        return []
    return [
        extra
        for extra, members in extras.items()
        if isinstance(members, list) and item.name in map(canonicalize_name, map(str, members))
    ]


def names_beside(project: Project, item: Requirement) -> frozenset[str]:
    """Every distribution that the list of a requirement names, wherever it is to come from."""
    beside = project.pyproject.document.get(_list(item))
    if isinstance(beside, dict):
        return frozenset(map(canonicalize_name, beside))
    matches = [PEP508.match(text) for text in beside if isinstance(text, str)]
    return frozenset(canonicalize_name(match["name"].strip()) for match in matches if match)


def added_edits(
    project: Project, item: Requirement, name: str, lines: Sequence[tuple[str, str]]
) -> tuple[Edit, ...]:
    """Adds requirements on one distribution where another requirement stands.

    `lines` has the constraint and the marker of each; they are written as `item` is.
    """
    file = project.pyproject.path
    if item.is_pep508:
        match = _match(project, item)
        bare = match["version"] and not match["version"].startswith("(")
        space = match["space"] if match["version"] else " "
        return tuple(
            Edit(
                file,
                "append",
                item.path[:-1],
                f"{name}{space}{constraint if bare else f'({constraint})'}"
                + (f" ; {marker}" if marker else ""),
            )
            for constraint, marker in lines
        )
    entries = [
        {"version": constraint}
        | ({"markers": marker} if marker else {})
        | ({"optional": True} if item.optional else {})
        for constraint, marker in lines
    ]
    value: Any = entries if len(entries) > 1 else Inline(entries[0])
    if len(entries) == 1 and entries[0].keys() == {"version"}:
        value = entries[0]["version"]
    return (
        Edit(file, "set", (*_list(item), name), value),
        *(Edit(file, "append", (*_LEGACY_EXTRAS, extra), name) for extra in _extras(project, item)),
    )


def removed_edits(project: Project, items: Sequence[Requirement]) -> tuple[Edit, ...]:
    """Takes requirements out, and out of the extras that nothing of their name is left for."""
    document, file = project.pyproject.document, project.pyproject.path
    paths: list[KeyPath] = []
    names: list[tuple[KeyPath, str]] = []
    for item in items:
        if item.is_pep508:
            paths.append(item.path)
            if item.enriched_at is not None:
                paths.append(item.enriched_at)
            continue
        key = (*_list(item), _key(item))
        array = document.get(key)
        gone = sum(other.path[:-1] == key for other in items)
        if isinstance(array, list) and len(array) > gone:
            paths.append(item.path)
            continue
        paths.append(key)
        names += [((*_LEGACY_EXTRAS, extra), item.name) for extra in _extras(project, item)]
    edits = [
        Edit(file, "set", path, [item for item in document.get(path) if item_name(item) != name])
        for path, name in dict.fromkeys(names)
    ]
    # From the end, since what is removed from a list moves what follows it.
    ordered = sorted(dict.fromkeys(paths), key=_last_index, reverse=True)
    return (*edits, *(Edit(file, "remove", path) for path in ordered))


def item_name(text: object) -> str:
    return canonicalize_name(str(text))


def _last_index(path: KeyPath) -> int:
    return path[-1] if isinstance(path[-1], int) else -1


# -- companions -----------------------------------------------------------------------------


def series_pin(plan: Plan) -> str:
    """The series of the plan's TensorFlow, as those of tf-keras are counted alike."""
    major, minor = plan.release.version.release[:2]
    return f">={major}.{minor},<{major}.{minor + 1}"


def legacy_keras_edits(project: Project, plan: Plan) -> tuple[Edit, ...] | None:
    """What makes the project require Keras 2 beside TensorFlow; None where it does."""
    found = [item for item in project.pyproject.requirements if item.name == TF_KERAS]
    main = main_requirement(project)
    if main is None or TF_KERAS in names_beside(project, main) - {item.name for item in found}:
        return None  # from a path or a repository of the project's own
    if not found:
        return added_edits(project, main, TF_KERAS, [(series_pin(plan), "")])
    pin = parse_constraint(series_pin(plan))
    if any(item.constraint.allows_any(pin) for item in found):
        return None
    return constraint_edits(project, found[0], series_pin(plan))


def companion_pin_text(item: Requirement, version: Version, misfits: Iterable[Version]) -> str:
    """The pin of a companion on a release, spelt as it is where the requirement stands.

    It is the release's own minor series, unless that holds one of `misfits`, or the requirement
    was on a single release already.
    """
    exact = f"=={version}"
    if isinstance(item.constraint, PoetryVersion):
        return exact if item.is_pep508 or item.written.startswith("=") else str(version)
    major, minor = (*version.release, 0)[:2]
    text = f">={version},<{major}.{minor + 1}.0" if item.is_pep508 else f"~{version}"
    pin = parse_constraint(text)
    if any(pin.allows(PoetryVersion.parse(str(other))) for other in misfits):
        return exact
    return text


# -- spelling -------------------------------------------------------------------------------


def _spelt(match: re.Match[str], extras: str, marker: str = "") -> str:
    """The requirement string with other extras, and this marker in place of its own."""
    text = f"{match['name']}{extras}{match['space']}{match['version']}".rstrip()
    return f"{text} ; {marker}" if marker else text


def _with_extra(written: str | None) -> str:
    if written is None or not (inner := written.strip()[1:-1].strip()):
        return f"[{AND_CUDA}]"
    return f"{written[: written.index('[')]}[{inner}{', ' if ', ' in inner else ','}{AND_CUDA}]"


def _without_extra(written: str) -> str:
    inner = written.strip()[1:-1]
    kept = [item for item in inner.split(",") if canonicalize_name(item.strip()) != AND_CUDA]
    if not kept:
        return ""
    return f"{written[: written.index('[')]}[{','.join(kept).strip()}]"


def _match(project: Project, item: Requirement) -> re.Match[str]:
    return _parsed(str(project.pyproject.document.get(item.path)))


def _parsed(text: str) -> re.Match[str]:
    match = PEP508.match(text)
    assert match is not None, "a requirement that poetry-core has parsed"
    return match
