"""The findings about what a build needs: texts and remedies for people, numbers for programs."""

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
    """One finding for a server that can't be reached, and what is known of the things anyway."""
    first = results[0]
    names = format_list(dict.fromkeys(result.name for result in results))
    yield NetworkFinding(
        first.probe,
        "error",
        f"{first.host} {_format_cause(first.error, first.host)}",
        f"Needed from there: {names}",
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
            "Let this machine, and what runs its containers, reach it. Or name a registry that you "
            "can reach and that has the same images; each machine may put another in its place "
            "with the variable POETRY_TF_REGISTRY:",
            everywhere=("poetry tf devcontainer --registry <registry>",),
        )
    if "poetry" in probes or "locked" in probes:
        return Remedy("See which mirrors answer", everywhere=("poetry tf mirror test",))
    return Remedy("Let this machine, and what runs its containers, reach it, by a proxy if need be")


def remedy_for_local(urls: Iterable[str]) -> Remedy:
    """How to have servers on the local network asked, which a project only names."""
    hosts = " ".join(shlex.quote(host) for host in dict.fromkeys(map(host_entry, urls)))
    return Remedy(
        "Allow it, if you know it: what a project names there is not asked unasked",
        everywhere=(f"poetry tf allow {hosts}",),
    )


# -- the lock -------------------------------------------------------------------------------


def finding_of_index(index: IndexResult) -> NetworkFinding:
    """What one index has of the lock."""
    files, packages = format_count(index.files, "file"), format_count(index.packages, "package")
    return NetworkFinding(
        "locked",
        "ok",
        f"{files} of {packages} from {index.name}, as locked",
        numbers={"host": index.host, "packages": index.packages, "files": index.files},
    )


def findings_of_lock(lock: LockAvailability, also: Sequence[str]) -> Iterator[NetworkFinding]:
    """What is not available as locked; `also` is what else is missing from the same servers."""
    if lock.skipped:
        seen = "; ".join(_few(lock.skipped, "more such"))
        needed = "What one way lacks the next is asked for"
        yield NetworkFinding("locked", "note", seen, needed, numbers={"passed": len(lock.skipped)})
    for files in lock.unavailable:
        yield _finding_of_unavailable(files)
    for host, (error, names) in lock.unreachable.items():
        needed = "What was to come from there was asked of the next way"
        if names:
            needed = f"Not found without it: {format_list(_few((*also, *names)))}"
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
            f"{format_count(len(names), 'package')} from {index.name} not looked for: "
            f"{host_of(index.url)} is on the local network",
            remedy=remedy_for_local([index.url]),
            numbers={"host": host_of(index.url), "packages": len(names)},
        )
    for text in lock.unchecked:
        yield NetworkFinding("locked", "note", f"{text}: not looked for")


def finding_of_protected(
    index: PackageIndex, status: int, packages: Sequence[str], *, has_password: bool
) -> NetworkFinding:
    """A source that was not read, because no password is sent."""
    host = host_of(index.url)
    numbers = {"host": host, "packages": len(packages)}
    seen = f"{host} answers {status} to who gives no password"
    if has_password:
        name = re.sub(r"[^A-Z0-9]", "_", index.name.upper())
        count = format_count(len(packages), "package")
        return NetworkFinding(
            "locked",
            "note",
            f"{seen}: {count} from {index.name} not looked for",
            f"Poetry has one, which is not sent here; it needs it in the container too, as "
            f"POETRY_HTTP_BASIC_{name}_USERNAME and POETRY_HTTP_BASIC_{name}_PASSWORD",
            numbers=numbers,
        )
    command = f"poetry config http-basic.{shlex.quote(index.name)} <username>"
    return NetworkFinding(
        "locked",
        "error",
        f"{seen}, and Poetry has none for {index.name}",
        f"Needed from there: {format_list(_few(packages))}",
        Remedy("Tell Poetry, which asks for the password:", everywhere=(command,)),
        numbers,
    )


def _finding_of_unavailable(files: UnavailableFiles) -> NetworkFinding:
    name, _, version = files.package.rpartition(" ")
    remedy = None
    if near := min(files.versions, key=lambda known: distance(known, version), default=""):
        what = f"What comes nearest there: {name} {near}. Lock anew what can be had"
        if near == version:
            what = "Lock anew what is there now, after a look at what changed"
        word = shell_word(name)
        remedy = Remedy(what, everywhere=(f"poetry update {word}",) if word else ())
    needed = f"The index {files.reason}"
    if not files.is_needed:
        needed += "; the container does without"
    return NetworkFinding(
        "locked",
        "error" if files.is_needed else "warning",
        f"{files.package}: {format_list(_few(files.files))} can't be had as locked",
        needed,
        remedy,
        {"files": list(files.files), "container": files.is_needed},
    )


def _few(names: Sequence[str], more: str = "more") -> list[str]:
    """The first names, and how many more there are."""
    rest = len(names) - _MANY
    return [*names[:_MANY], *([f"{rest} {more}"] if rest > 0 else [])]
