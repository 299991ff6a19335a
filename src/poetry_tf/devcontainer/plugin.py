"""poetry-tf beside Poetry in a container: the same one as here, or none.

It is requested by its name alone only once the project is on PyPI: whoever takes that name there
would run code in every container. An origin that is in the file stays, so that two people with
different ones do not undo each other.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from packaging.version import Version

from poetry_tf.devcontainer.lifecycle import MOST_INSTALLATIONS
from poetry_tf.devcontainer.origin import NAME, Origin
from poetry_tf.devcontainer.spec import ContainerSpec
from poetry_tf.devcontainer.start_line import start_line, start_tasks
from poetry_tf.devcontainer.view import Change, View
from poetry_tf.files.edits import Edit
from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.files.values import KeyPath

INSTALLS_POETRY = "onCreateCommand"
INSTALLS_PLUGIN = "updateContentCommand"
# In a hook of its own, or after the command that installs Poetry.
_REQUIREMENT = r"(?P<requirement>'[^']*'|[^\s'|]+)"
_ALONE = re.compile(rf"pipx inject poetry {_REQUIREMENT} \|\| true")
_CHAINED = re.compile(rf" && \({_ALONE.pattern}\)")
_POETRY_ALONE = re.compile(r"(?:^|(?<=&& ))pipx install poetry==[\w.+!-]+(?= && |\Z)")
# A requirement without an address, as pip and Poetry take it.
_BY_NAME = re.compile(
    r"poetry[-_.]tf\s*(?:\[[^\]]*\]\s*)?(?:(?:@\s*)?[~=!<>^*\d].*|@\s*latest)?\Z",
    re.IGNORECASE | re.DOTALL,
)
# What names poetry-tf: a requirement, a repository, a file.
_NAMED = re.compile(r"(?:^|/)poetry[-_.]tf(?:\.git)?(?=[@#\[=~!<>^\s]|-\d|\Z)", re.IGNORECASE)


def install_command(requirement: str) -> str:
    """The shell text that installs poetry-tf, and also succeeds where it can't be installed."""
    return f"pipx inject poetry {shlex.quote(requirement)} || true"


def chained_step(requirement: str | None) -> str:
    """The same, to follow the command that installs Poetry; empty if there is none."""
    return "" if requirement is None else f" && ({install_command(requirement)})"


def has_own_hook(view: View) -> bool:
    """Whether poetry-tf is installed by a command of its own, after the one that installs Poetry.

    Not where another command of those hooks may use Poetry, which comes after poetry-tf.
    """
    return not any(
        task.may_use_poetry and not _POETRY_ALONE.search(task.script[1])
        for task in view.tasks
        if task.hook in (INSTALLS_POETRY, INSTALLS_PLUGIN)
    )


def names_no_address(requirement: str) -> bool:
    """Whether a requirement has no address, so that an index decides what is installed."""
    return _BY_NAME.match(requirement) is not None


def plugin_requirement(view: View) -> str | None:
    """The requirement of poetry-tf that a container installs."""
    words = (word.text for task in view.tasks for word in task.plugins)
    return next((text for text in words if _NAMED.search(text)), None)


def plugin(view: View, spec: ContainerSpec) -> Iterator[Change]:
    """Whether poetry-tf comes from where it should."""
    origin = spec.poetry_tf
    steps = tuple(_steps(view))
    for found in steps:
        edit = found.replaced(view, origin)
        if names_no_address(found.requirement) and origin.source != "index":
            # Its removal leaves a start that lists TensorFlow's devices.
            starts = start_tasks(view) if origin.requirement is None else ()
            others = (Edit(view.path, "set", item.path, start_line(view, None)) for item in starts)
            yield _by_name_change(origin, found.requirement, found.path, (edit, *others))
        elif _is_older(found.requirement, origin):
            yield Change.convenience(edit)
    if origin.source == "index":
        return
    at: dict[KeyPath, list[_Step]] = {}
    for found in steps:
        at.setdefault(found.path, []).append(found)
    for task in view.tasks:
        for word in task.plugins:
            ours = any(item.start <= word.start < item.end for item in at.get(word.path, ()))
            if names_no_address(word.text) and not ours:
                yield _by_name_change(origin, word.text, word.path, ())


def add_plugin(view: View, origin: Origin) -> Edit | None:
    """The edit that installs poetry-tf where only Poetry is installed; None if there is none."""
    if origin.requirement is None:
        return None
    for task in view.tasks:
        for path, text in task.texts:
            match = _POETRY_ALONE.search(text)
            if match is None or not _is_outside_quotes(text[: match.start()]):
                continue
            if task.hook == INSTALLS_POETRY and match.end() == len(text) and has_own_hook(view):
                return view.add_command(INSTALLS_PLUGIN, install_command(origin.requirement))
            new = f"{text[: match.end()]}{chained_step(origin.requirement)}{text[match.end() :]}"
            return Edit(view.path, "set", path, new)
    return None


def missing_plugin(path: Path, document: JsoncDocument, spec: ContainerSpec) -> str | None:
    """Why a container that poetry-tf has prepared does not install it, and what to do."""
    view, origin = View(path, document, is_new=False), spec.poetry_tf
    if origin.requirement is not None or view.own_base or plugin_requirement(view) is not None:
        return None
    return f"{why_no_plugin(origin)}."


def why_no_plugin(origin: Origin) -> str:
    """Why no container gets poetry-tf, and what to do."""
    return (
        f"The container has no {NAME}, as it can't get it from "
        f"{origin.url or 'where it was installed from'}; `poetry install` works without it. To "
        "have it there: `poetry self add git+https://github.com/OWNER/poetry-tf`, then "
        "`poetry tf devcontainer`"
    )


@dataclass(frozen=True)
class _Step:
    """A step as poetry-tf writes it, in a string of devcontainer.json."""

    path: KeyPath
    text: str
    start: int
    end: int
    requirement: str

    def replaced(self, view: View, origin: Origin) -> Edit:
        """The edit that installs it from another origin, or no more."""
        before, after = self.text[: self.start], self.text[self.end :]
        if before or after:
            return Edit(
                view.path, "set", self.path, f"{before}{chained_step(origin.requirement)}{after}"
            )
        if origin.requirement is not None:
            return Edit(view.path, "set", self.path, install_command(origin.requirement))
        hook, *entry = map(str, self.path)
        return view.remove_member(hook, entry[0]) if entry else view.remove(hook)


def _steps(view: View) -> Iterator[_Step]:
    for task in view.tasks:
        for path, text in task.texts:
            alone = _ALONE.fullmatch(text)
            matches = [alone] if alone else _CHAINED.finditer(text)
            for match in islice(matches, MOST_INSTALLATIONS):
                requirement = match["requirement"].strip("'")
                if _NAMED.search(requirement):
                    yield _Step(path, text, *match.span(), requirement)


def _by_name_change(origin: Origin, written: str, path: KeyPath, edits: tuple[Edit, ...]) -> Change:
    return Change(
        "TF508",
        f"{written} is installed by its name, which anybody may take on PyPI",
        f"Install {origin.requirement}"
        if origin.requirement
        else "Remove it: Poetry installs from the lock file without poetry-tf",
        path,
        edits,
    )


def _is_older(requirement: str, origin: Origin) -> bool:
    """Whether it is an earlier version by name. A later one stays, as that of another person."""
    _, is_exact, version = requirement.partition("==")
    try:
        return bool(is_exact) and origin.source == "index" and Version(version) < origin.version
    except ValueError:
        return False


def _is_outside_quotes(before: str) -> bool:
    try:
        shlex.split(before)
    except ValueError:
        return False
    return True
