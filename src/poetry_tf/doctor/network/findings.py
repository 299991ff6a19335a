"""The findings about what a build needs: texts and remedies for people, values for programs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from poetry_tf.doctor.host.model import HostFinding, Remedy, State
from poetry_tf.doctor.network.apt import distance
from poetry_tf.doctor.network.client import format_error
from poetry_tf.doctor.network.locked_files import (
    IndexResult,
    LockAvailability,
    PackageIndex,
    UnavailableFiles,
)
from poetry_tf.http.addresses import host_entry
from poetry_tf.http.errors import Interrupted, NoResponse, host_of
from poetry_tf.text import format_count, format_list, shell_word

_MANY = 6

ResultKind: TypeAlias = Literal["available", "missing", "unreachable"]


@dataclass(frozen=True)
class NetworkFinding(HostFinding):
    """A finding with values for programs: ``host``, ``digest``, ``files`` and the like."""

    numbers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CheckResult:
    """Whether one thing is available, and from where.

    Attributes:
        name: the thing, as it is named where much is missing from one server.
        text: the finding's, where the server answers.
        error: why the server is unreachable.
        state: the finding's, where the kind does not decide it.
    """

    probe: str
    name: str
    host: str
    kind: ResultKind = "available"
    text: str = ""
    error: Exception | None = None
    needed: str = ""
    remedy: Remedy | None = None
    state: State | None = None
    numbers: Mapping[str, Any] = field(default_factory=dict)


def finding_of_result(result: CheckResult) -> NetworkFinding:
    """The finding for what a server answered."""
    state = result.state or ("error" if result.kind == "missing" else "ok")
    numbers = {"host": result.host, **result.numbers}
    return NetworkFinding(result.probe, state, result.text, result.needed, result.remedy, numbers)


def findings_of_unreachable(results: Sequence[CheckResult]) -> Iterator[NetworkFinding]:
    """One finding for an unreachable server, and the known problems of what is on it."""
    first = results[0]
    names = format_list(dict.fromkeys(result.name for result in results))
    yield NetworkFinding(
        first.probe,
        "error",
        f"{first.host} {_format_cause(first.error, first.host)}",
        f"Needed from it: {names}",
        _remedy_for_unreachable({result.probe for result in results}, first.error),
        {"host": first.host, "needed": [result.name for result in results]},
    )
    for result in results:
        if result.needed:
            yield NetworkFinding(result.probe, "warning", result.needed, remedy=result.remedy)


def _format_cause(error: Exception | None, host: str) -> str:
    return "" if error is None else format_error(error, host)


def _remedy_for_unreachable(probes: set[str], error: Exception | None) -> Remedy:
    """What to do about a server that can't be reached, by what is needed from there."""
    if isinstance(error, NoResponse | Interrupted) and error.failure.kind == "proxy":
        return Remedy("Start the proxy, or unset the variable that names it")
    if "image" in probes:
        return Remedy(
            "Make it reachable for this machine and its container engine, or use another registry "
            "with the same images, such as your own Harbor (harbor.example.com/mcr). Each machine "
            "can choose its own with the variable POETRY_TF_REGISTRY:",
            everywhere=("poetry tf devcontainer --registry <registry>",),
        )
    if "poetry" in probes or "locked" in probes:
        return Remedy("Test which mirrors work", everywhere=("poetry tf mirror test",))
    return Remedy(
        "Make it reachable for this machine and its container engine, with a proxy if necessary"
    )


def remedy_for_local(urls: Iterable[str]) -> Remedy:
    """Allows servers on the local network that only a project names."""
    hosts = " ".join(shlex.quote(host) for host in dict.fromkeys(map(host_entry, urls)))
    return Remedy(
        "Allow it if you trust it; without that, servers on the local network that only a project "
        "names are not contacted:",
        everywhere=(f"poetry tf allow {hosts}",),
    )


# -- the lock -------------------------------------------------------------------------------


def finding_of_index(index: IndexResult) -> NetworkFinding:
    """What one index has of the lock."""
    files, packages = format_count(index.files, "file"), format_count(index.packages, "package")
    return NetworkFinding(
        "locked",
        "ok",
        f"{index.name} has {files} of {packages}, as locked",
        numbers={"host": index.host, "packages": index.packages, "files": index.files},
    )


def findings_of_lock(lock: LockAvailability, also: Sequence[str]) -> Iterator[NetworkFinding]:
    """What is not available as locked; `also` is what else needs the same servers."""
    if lock.skipped:
        seen = "; ".join(_few(lock.skipped, "more such"))
        needed = "If one index lacks a file, the next is searched"
        yield NetworkFinding("locked", "note", seen, needed, numbers={"passed": len(lock.skipped)})
    for files in lock.unavailable:
        yield _finding_of_unavailable(files)
    for host, (error, names) in lock.unreachable.items():
        needed = "The next index was searched instead"
        if names:
            needed = f"Not found elsewhere: {format_list(_few((*also, *names)))}"
        yield NetworkFinding(
            "locked",
            "error" if names else "warning",
            f"{host} {_format_cause(error, host)}",
            needed,
            _remedy_for_unreachable({"locked"}, error),
            {"host": host, "packages": len(names)},
        )
    for index, names in lock.local.items():
        yield NetworkFinding(
            "locked",
            "note",
            f"{_not_checked(names, index)}: {host_of(index.url)} is on the local network",
            remedy=remedy_for_local([index.url]),
            numbers={"host": host_of(index.url), "packages": len(names)},
        )
    for text in lock.unchecked:
        yield NetworkFinding("locked", "note", f"{text} (not checked)")


def finding_of_protected(
    index: PackageIndex, status: int, packages: Sequence[str], *, has_password: bool
) -> NetworkFinding:
    """A source that was not read, because no password is sent."""
    host = host_of(index.url)
    numbers = {"host": host, "packages": len(packages)}
    seen = f"{host} requires a password ({status})"
    if has_password:
        name = re.sub(r"[^A-Z0-9]", "_", index.name.upper())
        return NetworkFinding(
            "locked",
            "note",
            f"{seen}: {_not_checked(packages, index)}",
            "Poetry has it, but this command does not send it. The container needs it too: "
            f"set POETRY_HTTP_BASIC_{name}_USERNAME and POETRY_HTTP_BASIC_{name}_PASSWORD",
            numbers=numbers,
        )
    command = f"poetry config http-basic.{shlex.quote(index.name)} <username>"
    return NetworkFinding(
        "locked",
        "error",
        f"{seen}, and Poetry has none for {index.name}",
        f"Needed from it: {format_list(_few(packages))}",
        Remedy(
            "Store the user name in Poetry, which asks for the password:", everywhere=(command,)
        ),
        numbers,
    )


def _not_checked(packages: Sequence[str], index: PackageIndex) -> str:
    were = "was" if len(packages) == 1 else "were"
    return f"{format_count(len(packages), 'package')} from {index.name} {were} not checked"


def _finding_of_unavailable(files: UnavailableFiles) -> NetworkFinding:
    name, _, version = files.package.rpartition(" ")
    remedy = None
    if near := min(files.versions, key=lambda known: distance(known, version), default=""):
        what = f"The nearest version there is {name} {near}. Lock a version that is available"
        if near == version:
            what = "Check what changed, and lock the files that are there now"
        word = shell_word(name)
        remedy = Remedy(what, everywhere=(f"poetry update {word}",) if word else ())
    are = "is" if len(files.files) == 1 else "are"
    needed = f"The index {files.reason}"
    if not files.is_needed:
        needed += "; the container doesn't need it"
    return NetworkFinding(
        "locked",
        "error" if files.is_needed else "warning",
        f"{files.package}: {format_list(_few(files.files))} {are} not available as locked",
        needed,
        remedy,
        {"files": list(files.files), "container": files.is_needed},
    )


def _few(names: Sequence[str], more: str = "more") -> list[str]:
    """The first names, and how many more there are."""
    rest = len(names) - _MANY
    return [*names[:_MANY], *([f"{rest} {more}"] if rest > 0 else [])]
