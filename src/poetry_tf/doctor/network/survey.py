"""Checks everything that a build needs, in parallel, with the results as findings."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from poetry_tf.doctor.host.model import Remedy, State
from poetry_tf.doctor.network.apt import NoRepository, distance, missing_packages
from poetry_tf.doctor.network.build_inputs import AptRequests, BuildInputs, ContainerArtifact
from poetry_tf.doctor.network.findings import (
    CheckResult,
    NetworkFinding,
    finding_of_index,
    finding_of_protected,
    finding_of_result,
    findings_of_lock,
    findings_of_unreachable,
    remedy_for_local,
)
from poetry_tf.doctor.network.locked_files import LockAvailability, PackageIndex
from poetry_tf.doctor.network.registry import NotInRegistry, Reference, find_artifact
from poetry_tf.http.client import Client
from poetry_tf.http.errors import BadResponse, NoResponse, ReadError, host_of
from poetry_tf.http.pages import SimpleIndex
from poetry_tf.http.parallel import run_parallel
from poetry_tf.releases.filenames import distributions
from poetry_tf.text import format_list

_TIMEOUT = 60.0
"""Seconds after which a check that has not ended is abandoned."""
_LATE = f"did not answer within {_TIMEOUT:.0f} s"
_WORKERS = 8


@dataclass(frozen=True)
class SurveySpec:
    """What is checked, and against what.

    Attributes:
        inputs: what the container's build needs.
        indexes: the mirrors of PyPI in their order, and PyPI itself last.
        architectures: those that the image has to be available for, by the registries' names.
        check_lock: checks the lock's files, by a client and until a time; None without a lock.
        has_password: whether Poetry has a password for a source of the project.
    """

    inputs: BuildInputs
    indexes: tuple[PackageIndex, ...]
    architectures: tuple[str, ...]
    check_lock: Callable[[Client, float], LockAvailability] | None = None
    has_password: Callable[[PackageIndex], bool] = lambda _: False


@dataclass(frozen=True)
class _Check:
    """A check that has not run yet, and its result if it takes too long."""

    late: CheckResult
    run: Callable[[], CheckResult]


def survey(spec: SurveySpec, client: Client) -> Iterator[NetworkFinding]:
    """Runs every check; yields the image's findings first, and the lock's last."""
    until = time.monotonic() + _TIMEOUT
    checks = [*_checks(spec, client)]
    jobs: list[Callable[[], LockAvailability | CheckResult]] = [check.run for check in checks]
    if spec.check_lock is not None:
        jobs.insert(0, partial(spec.check_lock, client, until))
    done = run_parallel(jobs, workers=_WORKERS, until=until + 1)
    results: list[CheckResult] = []
    for index, check in enumerate(checks, len(jobs) - len(checks)):
        result = done.get(index)
        results.append(result if isinstance(result, CheckResult) else check.late)
    first = done.get(0)
    lock = first if isinstance(first, LockAvailability) else None
    # One finding for a server that has neither Poetry nor the packages.
    silent = {host for host, (_, names) in lock.unreachable.items() if names} if lock else set()
    also = [item for item in results if item.kind == "unreachable" and item.host in silent]
    yield from _findings([item for item in results if item not in also])
    if lock is not None:
        yield from _lock_findings(spec, lock, [item.name for item in also])
    elif spec.check_lock is not None:
        yield NetworkFinding("locked", "error", f"the index {_LATE}")


def _findings(results: Sequence[CheckResult]) -> Iterator[NetworkFinding]:
    unreachable: dict[str, list[CheckResult]] = {}
    for result in results:
        if result.kind == "unreachable":
            unreachable.setdefault(result.host, []).append(result)
    for result in results:
        if result.kind == "unreachable":
            if group := unreachable.pop(result.host, None):
                yield from findings_of_unreachable(group)
        else:
            yield finding_of_result(result)


def _lock_findings(
    spec: SurveySpec, lock: LockAvailability, also: Sequence[str]
) -> Iterator[NetworkFinding]:
    yield from map(finding_of_index, lock.indexes)
    yield from findings_of_lock(lock, also)
    for source, (status, names) in lock.protected.items():
        has_password = source.has_password or spec.has_password(source)
        yield finding_of_protected(source, status, names, has_password=has_password)


# -- the checks -----------------------------------------------------------------------------


def _checks(spec: SurveySpec, client: Client) -> Iterator[_Check]:
    inputs = spec.inputs

    def check(probe: str, name: str, url: str, run: Callable[[CheckResult], CheckResult]) -> _Check:
        result = CheckResult(probe, name, host_of(url))
        late = _unreachable(result, BadResponse(_LATE))
        return _Check(late, partial(_run_allowed, result, url, run, client))

    for artifact in inputs.artifacts:
        run = partial(
            _check_artifact, artifact=artifact, architectures=spec.architectures, client=client
        )
        reference = artifact.locked or artifact.reference
        yield check(artifact.probe, artifact.name, reference.url, run)
    for packages in inputs.packages:
        run = partial(_check_packages, packages=packages, client=client)
        names = format_list(map(str, packages.requests))
        yield check("apt", names, packages.url, run)
    for host, feature in inputs.servers:
        run = partial(_check_server, feature=feature, client=client)
        yield check("feature", f"the downloads of {feature}", f"https://{host}/", run)
    for tool, version in inputs.tools:
        run = partial(_check_tool, tool=tool, version=version, indexes=spec.indexes, client=client)
        yield check("poetry", f"{tool} {version}", spec.indexes[-1].url, run)


def _run_allowed(
    result: CheckResult, url: str, run: Callable[[CheckResult], CheckResult], client: Client
) -> CheckResult:
    """Runs a check, unless its server is on the local network and not allowed."""
    if client.may_ask(url):
        return run(result)
    text = f"{result.name} was not checked: {result.host} is on the local network"
    return replace(result, text=text, state="note", remedy=remedy_for_local([url]))


def _unreachable(result: CheckResult, error: Exception) -> CheckResult:
    return replace(result, kind="unreachable", error=error)


def _check_artifact(
    result: CheckResult,
    artifact: ContainerArtifact,
    architectures: tuple[str, ...],
    client: Client,
) -> CheckResult:
    """An image or a feature."""
    name, is_image = artifact.name, artifact.probe == "image"
    reference = artifact.locked or artifact.reference
    result = replace(result, host=reference.registry)
    remedy = _remedy(artifact.instead) if artifact.instead else None
    try:
        found = find_artifact(reference, client, architectures if is_image else ())
    except NoResponse as error:
        result = replace(_unreachable(result, error), host=error.host, needed=artifact.problem)
        return replace(result, remedy=remedy if artifact.problem else None)
    except NotInRegistry as error:
        if artifact.locked is not None and _is_available(artifact.reference, client):
            text = f"{name} is available, but not in the version that devcontainer-lock.json pins"
            remedy = Remedy("Pin the current version", everywhere=("devcontainer upgrade",))
            return replace(result, kind="missing", text=text, remedy=remedy)
        text = f"{name} is gone: {error}"
        return replace(result, kind="missing", text=text, needed=artifact.problem, remedy=remedy)
    except ReadError as error:
        return _unreachable(result, error)
    result = replace(result, numbers={"digest": found.digest})
    lacking = format_list(found.lacking) if found.lacking else ""
    if lacking and architectures[:1] == found.lacking[:1]:
        text = f"{name} is available, but not for {lacking}"
        return replace(result, kind="missing", text=text, remedy=remedy)
    if lacking:
        return replace(result, state="warning", text=f"{name} is not available for {lacking}")
    result = replace(result, text=f"{name} is available")
    if artifact.problem:
        state: State = "error" if is_image else "warning"
        return replace(result, state=state, needed=artifact.problem, remedy=remedy)
    return result


def _is_available(reference: Reference, client: Client) -> bool:
    try:
        find_artifact(reference, client)
    except ReadError:
        return False
    return True


def _check_packages(result: CheckResult, packages: AptRequests, client: Client) -> CheckResult:
    """What the CUDA feature installs from NVIDIA's repository."""
    try:
        missing = missing_packages(packages.url, packages.requests, client)
    except NoResponse as error:
        return replace(_unreachable(result, error), host=error.host)
    except NoRepository as error:
        remedy = _remedy("Use the feature's newest version")
        return replace(result, kind="missing", text=str(error), remedy=remedy)
    except ReadError as error:
        return _unreachable(result, error)
    if not missing:
        are = "are" if len(packages.requests) > 1 else "is"
        return replace(result, text=f"{result.name} {are} available")
    names = format_list(str(request) for request, _ in missing)
    result = replace(result, kind="missing", text=f"{result.host} has no {names}")
    if near := [text for _, text in missing if text]:
        remedy = _remedy(
            f"The nearest there: {format_list(near)}. `poetry tf devcontainer` writes the versions "
            "that fit the locked TensorFlow"
        )
        return replace(result, remedy=remedy)
    return result


def _check_server(result: CheckResult, feature: str, client: Client) -> CheckResult:
    try:
        with client.request("HEAD", f"https://{result.host}/", {}, follow=False):
            text = f"{result.host} answers ({feature} downloads from it)"
            return replace(result, text=text)
    except NoResponse as error:
        return _unreachable(result, error)


def _check_tool(
    result: CheckResult, tool: str, version: str, indexes: Sequence[PackageIndex], client: Client
) -> CheckResult:
    """Poetry, or poetry-tf, which the container installs without a lock."""
    versions: list[str] = []
    trouble: ReadError | None = None
    for index in indexes:
        try:
            found = distributions(SimpleIndex(index.url, client).files(tool))
        except NoResponse as error:
            trouble = error
            continue
        except (ReadError, ValueError):
            trouble = BadResponse("sends a page that can't be read")
            continue
        trouble = None
        versions = [str(known) for known in sorted(found) if not known.is_prerelease]
        if version in map(str, found):
            return replace(
                result,
                host=host_of(index.url),
                text=f"{tool} {version} is available",
                numbers={"version": version},
            )
    if trouble is not None:
        return _unreachable(result, trouble)
    text = f"{tool} {version} is gone" if versions else f"{indexes[-1].name} has no {tool}"
    near = min(versions, key=lambda known: distance(known, version), default="")
    remedy = Remedy(f"The nearest version there is {tool} {near}") if near else None
    result = replace(result, kind="missing", text=text, remedy=remedy)
    if tool == "poetry-tf":  # the container also starts without it
        needed = "The container will start without poetry-tf, with Poetry only"
        return replace(result, state="warning", needed=needed)
    return result


def _remedy(instead: str) -> Remedy:
    return Remedy(instead, everywhere=("poetry tf devcontainer",))
