"""``poetry tf doctor --network``: whether the container can still be built from here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cleo.io.outputs.output import Type

from poetry_tf.actions.lock import mirror_in_force
from poetry_tf.commands.base import plain
from poetry_tf.commands.mirror import pypi_index
from poetry_tf.devcontainer.image import container_python
from poetry_tf.devcontainer.spec import container_spec
from poetry_tf.doctor.host.findings import HostFinding, Remedy
from poetry_tf.doctor.host.machine import CachingMachine, Machine, ThisMachine
from poetry_tf.doctor.host.system import in_container
from poetry_tf.doctor.network import surroundings
from poetry_tf.doctor.network.apt import release_files
from poetry_tf.doctor.network.build_inputs import (
    BuildInputs,
    Variable,
    read_build_inputs,
    substituted,
)
from poetry_tf.doctor.network.locked_files import LockAvailability, PackageIndex, check_locked_files
from poetry_tf.doctor.network.survey import NetworkFinding, Subject, size_of, survey
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.lock import Lock
from poetry_tf.files.project import PYPROJECT, Devcontainer, Project
from poetry_tf.http.web import Web
from poetry_tf.index.config import setting_layers
from poetry_tf.index.mirrors import MirrorError, independent_of, parse_mirror, without_credentials
from poetry_tf.plan.derive import derive_plan
from poetry_tf.plan.environments import Target, required_pythons
from poetry_tf.plan.installability import LockedPackages
from poetry_tf.plan.model import Plan, PlanError
from poetry_tf.plan.settings import read_settings
from poetry_tf.releases import load
from poetry_tf.releases.images import load_images
from poetry_tf.releases.model import LINUX_AARCH64, LINUX_X86_64

if TYPE_CHECKING:
    from poetry_tf.commands.doctor import DoctorCommand

VERSION = 1
"""The version of the JSON's form."""
_PROCESSORS = {LINUX_X86_64: "amd64", LINUX_AARCH64: "arm64"}


def tell_network(command: DoctorCommand, root: Path) -> int:
    """Looks, tells, and returns the exit status: 1 where something can't be had."""
    if not (root / PYPROJECT).is_file():
        raise PlanError(
            f"No {PYPROJECT} in {root} or above it, so that nothing is asked for",
            "Run `poetry tf init` to set a project up here.",
        )
    is_text = not command.option("json")
    machine, web = CachingMachine(ThisMachine()), Web()
    if is_text:
        command.line("<info>Can the container of this project still be built from here?</>")
        command.line_error(
            "<comment>Asks each server, and downloads some megabytes to see how fast: this takes "
            "seconds, and where servers are slow a minute or so</>"
        )
    findings: list[HostFinding] = []
    for finding in look(root, machine, web):
        findings.append(finding)
        if is_text:
            command.tell(finding)
    web.close()
    if is_text:
        command.line(plain(_verdict(findings, web)))
    else:
        command.io.write_line(_as_json(findings, web), type=Type.RAW)
    return 0 if can_be_had(findings) else 1


def can_be_had(findings: Iterable[HostFinding]) -> bool:
    """Whether nothing is missing."""
    return not any(finding.state == "error" for finding in findings)


def look(root: Path, machine: Machine, web: Web) -> Iterator[HostFinding]:
    """Everything that is found: what stands in the way here, then what can be had."""
    catalog, images = load(), load_images()
    project = Project.read(root)
    plan: Plan | None = None
    try:
        plan = derive_plan(project, catalog, images)
    except PlanError as error:
        # What is asked for stands in the files all the same.
        remedy = Remedy(error.remedy) if error.remedy else None
        yield NetworkFinding("locked", "note", error.message, remedy=remedy)
    home = machine.variable("HOME") or machine.variable("USERPROFILE") or "~"
    yield from surroundings.proxy(machine, home, _container_variables(project, machine.variable))
    yield from surroundings.drive(machine, root.resolve())
    wanted = container_spec(project, plan, images, whole=plan is not None)
    asked = read_build_inputs(project, wanted, machine.variable)
    sources = _apt_sources(machine)
    yield from _unseen(project, asked, has_sources=bool(sources))
    routes = _routes(project)
    python = _python(project, plan)
    environments = read_settings(project)[0].environments or (LINUX_X86_64,)
    processors = [_PROCESSORS[name] for name in environments if name in _PROCESSORS]
    lock = project.lock
    looks = None
    if isinstance(lock, Lock):
        packages = LockedPackages.of(lock, project.pyproject)

        def looks(web: Web, until: float) -> LockAvailability:
            target = Target(LINUX_X86_64, python)
            return check_locked_files(
                lock,
                packages,
                web,
                target=target,
                systems=images.systems,
                routes=routes,
                until=until,
            )

    elif lock is None:
        yield NetworkFinding(
            "locked",
            "warning",
            "there is no poetry.lock, so that no package can be looked for",
            remedy=Remedy("Make one", everywhere=("poetry lock",)),
        )
    else:
        yield NetworkFinding("locked", "error", str(lock))
    subject = Subject(asked, routes, tuple(processors) or ("amd64",), looks, sources, _has_password)
    yield from survey(subject, web)
    hosts = tuple(urlsplit(route.url).hostname or "" for route in routes[:-1])
    if asked.packages and surroundings.seems_in_china(machine, hosts):
        url = f"{asked.packages[0].url}Packages.gz"
        yield from surroundings.download_region(
            machine, surroundings.find_download_region(url, web)
        )


def _apt_sources(machine: Machine) -> tuple[str, ...]:
    """The sources of the distribution, where this is the container that is built from them."""
    if not in_container(machine):
        return ()
    patterns = ("sources.list", "sources.list.d/*.list", "sources.list.d/*.sources")
    paths = [path for pattern in patterns for path in machine.find(f"/etc/apt/{pattern}")]
    return tuple(release_files({path: machine.read(path) or "" for path in paths}))


def _unseen(project: Project, asked: BuildInputs, *, has_sources: bool) -> Iterator[HostFinding]:
    if project.devcontainer is None:
        yield NetworkFinding(
            "image",
            "note",
            "there is no devcontainer.json, so that only packages are looked for",
            remedy=Remedy("Write one", everywhere=("poetry tf devcontainer",)),
        )
    elif isinstance(project.devcontainer, ProjectError):
        yield NetworkFinding("image", "error", str(project.devcontainer))
    for text in asked.unseen:
        probe = "feature" if text.startswith("the feature") else "image"
        yield NetworkFinding(probe, "note", f"{text}, and so not looked for")
    if asked.packages and not has_sources:
        yield NetworkFinding(
            "apt",
            "note",
            "Debian's own packages aren't looked for: from where the image takes them is known "
            "in the container alone",
        )


def _container_variables(project: Project, variable: Variable) -> dict[str, str]:
    """What devcontainer.json sets in the container."""
    devcontainer = project.devcontainer
    if not isinstance(devcontainer, Devcontainer):
        return {}
    found: dict[str, str] = {}
    for key in ("containerEnv", "remoteEnv"):
        values = devcontainer.document.get((key,))
        for name, value in values.items() if isinstance(values, dict) else ():
            if isinstance(value, str):
                found[name] = substituted(value, variable)
    return found


def _python(project: Project, plan: Plan | None) -> str:
    """The Python of the container, as far as the project says."""
    devcontainer = project.devcontainer
    if isinstance(devcontainer, Devcontainer) and (
        python := container_python(devcontainer.document)
    ):
        return python
    if plan is not None:
        return plan.python
    declared = project.pyproject.python
    pythons = required_pythons(declared.constraint) if declared else None
    return pythons[-1] if pythons else load_images().pythons[0]


def _routes(project: Project) -> tuple[PackageIndex, ...]:
    """The ways to PyPI as they are in force, with which others where they fail; PyPI comes last."""
    index = pypi_index()
    pypi = PackageIndex("PyPI", index)
    try:
        setting = parse_mirror(mirror_in_force(project))
    except MirrorError as error:
        place = next((layer.place for layer in setting_layers(project.root)), "the settings")
        raise PlanError(f"tf.mirror is not understood: {error} (in {place})", "") from None
    mirrors = setting.mirrors
    if setting.kind == "auto":
        from poetry.config.config import Config

        from poetry_tf.index.auto import choice_memory, choose_automatically

        mirrors = choose_automatically(index.rstrip("/"), choice_memory(Config.create())).mirrors
    elif mirrors and (further := independent_of(mirrors)) is not None:
        mirrors = (*mirrors, further)
    return (*(PackageIndex(item.name, without_credentials(item.url)) for item in mirrors), pypi)


def _has_password(source: PackageIndex) -> bool:
    """Whether Poetry would send a name, a password or a certificate to a source.

    A keyring is not asked, which may want its own password, or hang.
    """
    from poetry.config.config import Config
    from requests.utils import get_netrc_auth

    config = Config.create()
    keys = ("http-basic.{}.username", "http-basic.{}.password", "certificates.{}.client-cert")
    if any(config.get(key.format(source.name)) for key in keys):
        return True
    return get_netrc_auth(source.url) is not None


def _verdict(findings: Iterable[HostFinding], web: Web) -> str:
    findings = [*findings]
    cost = f"({web.requests} requests, {size_of(web.bytes)})"
    errors = [finding for finding in findings if finding.state == "error"]
    if not errors:
        total = sum(
            finding.numbers.get("bytes", 0)
            for finding in findings
            if isinstance(finding, NetworkFinding)
        )
        size = f": {size_of(total)} to download" if total else ""
        return f"All that was looked for can be had from here{size} {cost}."
    return (
        f"It can't be built from here as it is: begin with what is said of {errors[0].probe} "
        f"{cost}."
    )


def _as_json(findings: Iterable[HostFinding], web: Web) -> str:
    """One JSON document of everything that was found."""
    from poetry_tf.commands.doctor import finding_as_json

    findings = [*findings]
    told = [
        {
            **finding_as_json(finding),
            "numbers": dict(finding.numbers) if isinstance(finding, NetworkFinding) else {},
        }
        for finding in findings
    ]
    return _document(can_be_had(findings), web.requests, web.bytes, told)


def trouble_as_json(message: str, remedy: str) -> str:
    """The same document for a project that can't be looked at."""
    return _document(False, 0, 0, [], {"message": message, "remedy": remedy})


def _document(
    works: bool,
    requests: int,
    downloaded: int,
    findings: list[dict[str, Any]],
    trouble: dict[str, str] | None = None,
) -> str:
    """The document. Keys may be added to it."""
    document: dict[str, Any] = {
        "version": VERSION,
        "tool": {"name": "poetry-tf", "version": metadata.version("poetry-tf")},
        "works": works,
        "requests": requests,
        "downloaded": downloaded,
        "findings": findings,
        "trouble": trouble,
    }
    return json.dumps(document, indent=2)
