"""Everything that a build asks for, asked for at the same time, and what came of it."""

from __future__ import annotations

import functools
import re
import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from poetry_tf.doctor.host.findings import HostFinding, Remedy, State
from poetry_tf.doctor.network.apt import NoRepository, check_packages, distance, has_release
from poetry_tf.doctor.network.build_inputs import AptRequests, BuildInputs, ContainerArtifact
from poetry_tf.doctor.network.locked_files import (
    Located,
    LockAvailability,
    PackageIndex,
    UnavailableFiles,
)
from poetry_tf.doctor.network.registry import NotInRegistry, Reference, find
from poetry_tf.http.index import ReadError, SimpleIndex
from poetry_tf.http.parallel import run_parallel
from poetry_tf.http.web import Unreachable, Web, host_of
from poetry_tf.releases.filenames import distributions
from poetry_tf.text import format_count, format_list

LONGEST = 60.0
"""Seconds after which what hasn't answered is given up."""
MEASURED = 4_000_000
"""Bytes of the largest wheel that are downloaded to tell how fast; of other things half as many."""
_MEASURED_FOR = 4.0
_WORKERS = 8
_MANY = 6
_LATE = f"gave no answer within {LONGEST:.0f} s"

Kind: TypeAlias = Literal["there", "gone", "unreachable"]


@dataclass(frozen=True)
class NetworkFinding(HostFinding):
    """A finding with what was measured: ``host``, ``bytes``, ``seconds`` and the like."""

    numbers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Subject:
    """What is asked for, and how.

    Attributes:
        asked: what the container's build asks for.
        routes: the ways to PyPI, in the order in which they are tried; PyPI itself comes last.
        processors: those that the image has to be there for, by the registries' names.
        stock: looks for the lock's files; None without a lock.
    """

    asked: BuildInputs
    routes: tuple[PackageIndex, ...]
    processors: tuple[str, ...]
    stock: Callable[[Web, float], LockAvailability] | None = None
    sources: tuple[str, ...] = ()
    """What the container's own apt sources begin with, where this is the container."""
    has_password: Callable[[PackageIndex], bool] = lambda _: False
    """Whether Poetry has a password for a source of the project's own."""


@dataclass(frozen=True)
class _Answer:
    """What came of one question."""

    probe: str
    what: str
    host: str
    kind: Kind
    text: str = ""
    size: int | None = None
    needed: str = ""
    remedy: Remedy | None = None
    sample: tuple[str, Mapping[str, str]] | None = None
    """An address to measure the speed at, with headers."""
    state: State | None = None
    """Where it isn't what the kind says."""
    numbers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Question:
    probe: str
    what: str
    host: str
    ask: Callable[[], _Answer]


def survey(subject: Subject, web: Web) -> Iterator[HostFinding]:
    """Asks for everything, and tells what can be had: the image first, and the lock last."""
    until = time.monotonic() + LONGEST
    questions = [*_questions(subject, web)]
    stocks: list[Callable[[], LockAvailability | _Answer]] = []
    if subject.stock is not None:
        stocks.append(functools.partial(subject.stock, web, until))
    jobs: list[Callable[[], LockAvailability | _Answer]] = [
        *stocks,
        *(item.ask for item in questions),
    ]
    done = run_parallel(jobs, workers=_WORKERS, until=until + 1)
    answers: list[_Answer] = []
    for index, question in enumerate(questions, len(stocks)):
        late = _Answer(question.probe, question.what, question.host, "unreachable", _LATE)
        answer = done.get(index)
        answers.append(answer if isinstance(answer, _Answer) else late)
    first = done.get(0)
    stock = first if isinstance(first, LockAvailability) else None
    # One line for a server that has neither Poetry nor the packages.
    dumb = {host for host, (_, names) in stock.troubles.items() if names} if stock else set()
    folded = [item for item in answers if item.kind == "unreachable" and item.host in dumb]
    yield from _told((item for item in answers if item not in folded), web)
    if stocks:
        if stock is not None:
            yield from _told_stock(stock, [item.what for item in folded], web)
            yield from _guarded(stock, subject.has_password)
        else:
            yield NetworkFinding("locked", "error", f"the index {_LATE}")


def _questions(subject: Subject, web: Web) -> Iterator[_Question]:
    asked, routes = subject.asked, subject.routes
    for thing in asked.things:
        ask = functools.partial(_thing, thing, subject.processors, web)
        yield _Question(thing.probe, thing.name, thing.reference.host, ask)
    for packages in asked.packages:
        host = host_of(packages.url)
        yield _Question("apt", _names(packages), host, functools.partial(_packages, packages, web))
    for host, name in asked.servers:
        ask = functools.partial(_server, host, name, web)
        yield _Question("feature", f"what {name} downloads", host, ask)
    for url in subject.sources:
        ask = functools.partial(_source, url, web)
        yield _Question("apt", _spoken(url), host_of(url), ask)
    for name, version in asked.tools:
        ask = functools.partial(_tool, name, version, routes, web)
        yield _Question("poetry", f"{name} {version}", host_of(routes[-1].url), ask)


# -- the questions --------------------------------------------------------------------------


def _thing(thing: ContainerArtifact, processors: tuple[str, ...], web: Web) -> _Answer:
    """An image or a feature."""
    is_image = thing.probe == "image"
    wanted = thing.fixed or thing.reference
    answer = _Answer(thing.probe, thing.name, wanted.host, "there")
    remedy = _mended(thing.instead) if thing.instead else None
    try:
        artifact = find(wanted, web, processors if is_image else ())
    except Unreachable as error:
        answer = replace(answer, needed=thing.trouble, remedy=remedy if thing.trouble else None)
        return replace(answer, kind="unreachable", host=error.host, text=error.cause)
    except NotInRegistry as error:
        if thing.fixed is not None and _is_there(thing.reference, web):
            what = f"{thing.name} is there, but not as devcontainer-lock.json fixes it"
            remedy = Remedy("Fix it anew", everywhere=("devcontainer upgrade",))
            return replace(answer, kind="gone", text=what, remedy=remedy)
        text = f"{thing.name} is gone: {error}"
        return replace(answer, kind="gone", text=text, needed=thing.trouble, remedy=remedy)
    except ReadError as error:
        text = str(error).removeprefix(f"{wanted.host} ")
        return replace(answer, kind="unreachable", text=text)
    lacking = format_list(artifact.lacking) if artifact.lacking else ""
    numbers = {"digest": artifact.digest}
    answer = replace(answer, size=artifact.size, numbers=numbers, text=f"{thing.name} is there")
    if is_image:
        answer = replace(answer, sample=artifact.layer)
    if lacking and processors[:1] == artifact.lacking[:1]:
        text = f"{thing.name} is there, but not for {lacking}"
        return replace(answer, kind="gone", text=text, remedy=remedy)
    if lacking:
        return replace(answer, state="warning", text=f"{thing.name} is not there for {lacking}")
    if thing.trouble:
        state: State = "error" if is_image else "warning"
        return replace(answer, state=state, needed=f"But {thing.trouble}", remedy=remedy)
    return answer


def _is_there(reference: Reference, web: Web) -> bool:
    try:
        find(reference, web)
    except ReadError:
        return False
    return True


def _packages(packages: AptRequests, web: Web) -> _Answer:
    """What the CUDA feature installs from NVIDIA's repository."""
    host = host_of(packages.url)
    answer = _Answer("apt", _names(packages), host, "there")
    try:
        found = check_packages(packages.url, packages.requests, web)
    except Unreachable as error:
        return replace(answer, kind="unreachable", host=error.host, text=error.cause)
    except NoRepository as error:
        remedy = _mended("Use the feature's newest version")
        return replace(answer, kind="gone", text=str(error), remedy=remedy)
    except ReadError as error:
        return replace(answer, kind="unreachable", text=str(error).removeprefix(f"{host} "))
    if found.lacking:
        names = format_list(str(wish) for wish, _ in found.lacking)
        near = [text for _, text in found.lacking if text]
        nearest: Remedy | None = None
        if near:
            nearest = Remedy(
                f"What comes nearest there: {format_list(near)}. `poetry tf devcontainer` writes "
                "the "
                "versions that go with the locked TensorFlow",
                everywhere=("poetry tf devcontainer",),
            )
        return replace(answer, kind="gone", text=f"{host} has no {names}", remedy=nearest)
    return replace(
        answer,
        text=f"{_names(packages)} are there, with {found.files} packages in all",
        size=found.size,
        sample=(found.largest, {}) if found.largest else None,
        numbers={"files": found.files},
    )


def _source(url: str, web: Web) -> _Answer:
    """One of the container's own apt sources."""
    answer = _Answer("apt", _spoken(url), host_of(url), "there", text=f"{_spoken(url)} is there")
    try:
        if has_release(url, web):
            return answer
    except Unreachable as error:
        return replace(answer, kind="unreachable", host=error.host, text=error.cause)
    except ReadError as error:
        text = str(error).removeprefix(f"{answer.host} ")
        return replace(answer, kind="unreachable", text=text)
    remedy = Remedy(
        "It was moved to its archive, or is no more: use an image of a newer distribution",
        everywhere=("poetry tf devcontainer",),
    )
    return replace(answer, kind="gone", text=f"{_spoken(url)} is gone", remedy=remedy)


def _spoken(url: str) -> str:
    return url.partition("://")[2].removesuffix("InRelease").rstrip("/")


def _names(packages: AptRequests) -> str:
    return format_list(str(wish) for wish in packages.requests)


def _server(host: str, name: str, web: Web) -> _Answer:
    answer = _Answer("feature", f"what {name} downloads", host, "there")
    try:
        with web.ask("HEAD", f"https://{host}/", {}, follow=False):
            return replace(answer, text=f"{host} answers, from which {name} downloads")
    except Unreachable as error:
        return replace(answer, kind="unreachable", text=error.cause)


def _tool(name: str, version: str, routes: Sequence[PackageIndex], web: Web) -> _Answer:
    """Poetry, or poetry-tf, which the container installs before it has any lock to go by."""
    host = host_of(routes[-1].url)
    answer = _Answer("poetry", f"{name} {version}", host, "there")
    versions: list[str] = []
    cause = ""
    for route in routes:
        try:
            found = distributions(SimpleIndex(route.url, web).files(name))
        except Unreachable as error:
            cause = error.cause
            continue
        except (ReadError, ValueError):
            cause = "sends pages that can't be read"
            continue
        cause = ""
        versions = [str(known) for known in sorted(found) if not known.is_prerelease]
        if version in map(str, found):
            return replace(
                answer,
                host=host_of(route.url),
                text=f"{name} {version} is there",
                numbers={"version": version},
            )
    if cause:
        return replace(answer, kind="unreachable", text=cause)
    text = f"{name} {version} is gone" if versions else f"there is no {name} on {routes[-1].name}"
    remedy = None
    if near := min(versions, key=lambda known: distance(known, version), default=""):
        remedy = Remedy(f"What comes nearest there: {name} {near}")
    if name == "poetry-tf":  # without it the container comes up all the same
        needed = "The container will come up with Poetry alone"
        return replace(
            answer, kind="gone", state="warning", text=text, needed=needed, remedy=remedy
        )
    return replace(answer, kind="gone", text=text, remedy=remedy)


def _mended(instead: str) -> Remedy:
    return Remedy(instead, everywhere=("poetry tf devcontainer",))


# -- what is told ---------------------------------------------------------------------------


def _told(answers: Iterable[_Answer], web: Web) -> Iterator[HostFinding]:
    silent: dict[str, list[_Answer]] = {}
    answers = [*answers]
    for answer in answers:
        if answer.kind == "unreachable":
            silent.setdefault(answer.host, []).append(answer)
    for answer in answers:
        if answer.kind == "unreachable":
            if (group := silent.pop(answer.host, None)) is not None:
                yield _silent(group)
                # What is known against a thing holds whether it can be asked for or not.
                for item in group:
                    if item.needed:
                        yield NetworkFinding(item.probe, "warning", item.needed, remedy=item.remedy)
            continue
        numbers: dict[str, Any] = {"host": answer.host, **answer.numbers}
        text = answer.text
        if answer.size:
            text += f", {size_of(answer.size)}"
            numbers["bytes"] = answer.size
        if answer.sample is not None:
            rate, measured = _rate(answer.sample, web, MEASURED // 2)
            text += rate
            numbers |= measured
        state = answer.state or ("error" if answer.kind == "gone" else "ok")
        yield NetworkFinding(answer.probe, state, text, answer.needed, answer.remedy, numbers)


def _silent(answers: Sequence[_Answer]) -> NetworkFinding:
    """A server that can't be asked, once for all that is needed from there."""
    first = answers[0]
    names = format_list(dict.fromkeys(item.what for item in answers))
    return NetworkFinding(
        first.probe,
        "error",
        f"{first.host} {first.text}",
        f"Needed from there: {names}",
        _reach({item.probe for item in answers}, first.text),
        {"host": first.host, "needed": [item.what for item in answers]},
    )


def _reach(probes: set[str], cause: str) -> Remedy:
    """What to do about a server that can't be reached, by what is needed from there."""
    if "through the proxy" in cause:
        return Remedy(
            "See to the proxy that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names, or take them away "
            "where the network goes without"
        )
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


def _told_stock(stock: LockAvailability, also: Sequence[str], web: Web) -> Iterator[HostFinding]:
    for found in stock.indexes:
        numbers: dict[str, Any] = {
            "host": found.host,
            "packages": found.packages,
            "files": found.files,
        }
        text = (
            f"{format_count(found.files, 'file')} of {format_count(found.packages, 'package')} "
            f"from "
            f"{found.name}, as locked"
        )
        if found.ours:
            sizes = _sizes(found.ours, web)
            known = [size for size in sizes if size is not None]
            least = "at least " if len(known) < len(sizes) else ""
            text += f"; for this container {least}{size_of(sum(known))}"
            largest = max(zip(sizes, found.ours, strict=True), key=lambda pair: pair[0] or 0)[1]
            rate, measured = _rate((largest.url, {}), web, MEASURED)
            text += rate
            numbers |= {"container_files": len(sizes), "bytes": sum(known), **measured}
        yield NetworkFinding("locked", "ok", text, numbers=numbers)
    if stock.passed:
        more = len(stock.passed) - _MANY
        told = [*stock.passed[:_MANY], *([f"{more} more such"] if more > 0 else [])]
        seen = "; ".join(told)
        needed = "What one way lacks the next is asked for"
        yield NetworkFinding("locked", "note", seen, needed, numbers={"passed": len(stock.passed)})
    for lost in stock.lost:
        yield _lost(lost)
    for host, (cause, names) in stock.troubles.items():
        remedy = _reach({"locked"}, cause)
        numbers = {"host": host, "packages": len(names)}
        seen = f"{host} {cause}"
        needed = "What was to come from there was asked of the next way"
        if names:
            missing = (*also, *names)
            few = [*missing[:_MANY]]
            few += [f"{len(missing) - _MANY} more"] if len(missing) > _MANY else []
            needed = f"Not found without it: {format_list(few)}"
        state: State = "error" if names else "warning"
        yield NetworkFinding("locked", state, seen, needed, remedy, numbers)
    for text in stock.unseen:
        yield NetworkFinding("locked", "note", f"{text}: not looked for")


def _guarded(
    stock: LockAvailability, has_password: Callable[[PackageIndex], bool]
) -> Iterator[HostFinding]:
    """Sources that can't be looked into, because no password is sent."""
    for route, (status, names) in stock.guarded.items():
        host = host_of(route.url)
        count = format_count(len(names), "package")
        numbers = {"host": host, "packages": len(names)}
        seen = f"{host} answers {status} to who gives no password"
        if route.has_password or has_password(route):
            name = re.sub(r"[^A-Z0-9]", "_", route.name.upper())
            yield NetworkFinding(
                "locked",
                "note",
                f"{seen}: {count} from {route.name} not looked for",
                f"Poetry has one, which is not sent here; it needs it in the container too, as "
                f"POETRY_HTTP_BASIC_{name}_USERNAME and POETRY_HTTP_BASIC_{name}_PASSWORD",
                numbers=numbers,
            )
            continue
        few = [*names[:_MANY]]
        few += [f"{len(names) - _MANY} more"] if len(names) > _MANY else []
        command = f"poetry config http-basic.{shlex.quote(route.name)} <username>"
        yield NetworkFinding(
            "locked",
            "error",
            f"{seen}, and Poetry has none for {route.name}",
            f"Needed from there: {format_list(few)}",
            Remedy("Tell Poetry, which asks for the password:", everywhere=(command,)),
            numbers,
        )


def _lost(lost: UnavailableFiles) -> NetworkFinding:
    few = [*lost.files[:_MANY]]
    if len(lost.files) > _MANY:
        few.append(f"{len(lost.files) - _MANY} more")
    name, _, version = lost.package.rpartition(" ")
    remedy = None
    if near := min(lost.other, key=lambda known: distance(known, version), default=""):
        what = f"What comes nearest there: {name} {near}. Lock anew what can be had"
        if near == version:
            what = "Lock anew what is there now, after a look at what changed"
        remedy = Remedy(what, everywhere=(f"poetry update {name}",))
    needed = f"The index {lost.why}"
    if not lost.needed:
        needed += "; the container does without"
    return NetworkFinding(
        "locked",
        "error" if lost.needed else "warning",
        f"{lost.package}: {format_list(few)} can't be had as locked",
        needed,
        remedy,
        {"files": list(lost.files), "container": lost.needed},
    )


def _sizes(files: Sequence[Located], web: Web) -> list[int | None]:
    """How large each file is; servers are asked where the index doesn't say."""

    def size(file: Located) -> int | None:
        try:
            return web.length(file.url)
        except (ReadError, ValueError):
            return None

    unknown = [file for file in files if file.size is None]
    jobs = [functools.partial(size, file) for file in unknown]
    sizes = run_parallel(jobs, workers=_WORKERS, until=time.monotonic() + LONGEST / 3)
    by_url = {file.url: sizes.get(index) for index, file in enumerate(unknown)}
    return [by_url[file.url] if file.size is None else file.size for file in files]


def _rate(
    where: tuple[str, Mapping[str, str]], web: Web, most: int
) -> tuple[str, Mapping[str, Any]]:
    """How fast a file comes, for people and for programs."""
    sample = web.sample(*where, most, _MEASURED_FOR)
    if sample is None:
        return ", but no byte of it came", {"bytes_per_second": None}
    numbers = {
        "measured_bytes": sample.bytes,
        "measured_seconds": round(sample.seconds, 3),
        "bytes_per_second": round(sample.rate),
    }
    # Of little that came at once nothing can be said but that it came.
    if sample.bytes < 100_000:
        return "", numbers
    return f", {size_of(round(sample.rate))}/s", numbers


def size_of(count: int) -> str:
    """Bytes for a person: "1.9 GB"."""
    for unit, size in (("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)):
        if count >= size:
            value = count / size
            return f"{value:.0f} {unit}" if value >= 10 else f"{value:.1f} {unit}"
    return f"{count} B"
