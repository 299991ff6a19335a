"""``poetry tf doctor --network``: whether the container can still be built from here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from poetry_tf.actions.lock import mirrors_in_force
from poetry_tf.commands.base import document_head, error_value
from poetry_tf.commands.doctor_output import finding_as_json
from poetry_tf.devcontainer.image import container_python
from poetry_tf.devcontainer.spec import container_spec
from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.model import HostFinding, Remedy
from poetry_tf.doctor.host.probes import works
from poetry_tf.doctor.network.build_inputs import (
    BuildInputs,
    Variable,
    read_build_inputs,
    substituted,
)
from poetry_tf.doctor.network.findings import NetworkFinding
from poetry_tf.doctor.network.locked_files import LockAvailability, PackageIndex, check_locked_files
from poetry_tf.doctor.network.registry import DEFAULT_HOST
from poetry_tf.doctor.network.survey import SurveySpec, survey
from poetry_tf.doctor.network.this_machine import (
    check_download_region,
    check_drive,
    check_proxy,
    seems_in_china,
)
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.lock import Lock
from poetry_tf.files.project import PYPROJECT, Devcontainer, Project
from poetry_tf.http.addresses import HostPort, host_and_port
from poetry_tf.http.client import Client
from poetry_tf.index.config import pypi_index
from poetry_tf.index.mirrors import MirrorError, independent_of, without_credentials
from poetry_tf.index.resolve import may_name, resolve
from poetry_tf.plan.derive import derive_plan
from poetry_tf.plan.environments import Target, required_pythons
from poetry_tf.plan.installability import LockedPackages
from poetry_tf.plan.model import Plan, PlanError
from poetry_tf.plan.settings import read_settings
from poetry_tf.releases import load
from poetry_tf.releases.images import load_images
from poetry_tf.releases.model import LINUX_AARCH64, LINUX_X86_64

VERSION = 1
"""The version of the JSON's form."""
_ARCHITECTURES = {LINUX_X86_64: "amd64", LINUX_AARCH64: "arm64"}


def known_hosts() -> frozenset[HostPort]:
    """The hosts of the packaged data, which no project names."""
    images = load_images()
    features = (images.cuda, images.git_lfs)
    names = {images.registry, DEFAULT_HOST, *(item.id.partition("/")[0] for item in features)}
    names.update(*(item.downloads for item in features))
    urls = [f"https://{name}/" for name in names]
    urls += [url for item in features for url in item.apt.values()]
    found = map(host_and_port, urls)
    return frozenset(item for item in found if item is not None)


def check_network(root: Path, machine: Machine, client: Client) -> Iterator[HostFinding]:
    """The findings: first the problems of this machine, then what servers have."""
    if not (root / PYPROJECT).is_file():
        raise PlanError(
            f"No {PYPROJECT} in {root} or above it",
            "Run `poetry tf init` to set a project up here.",
        )
    return _check_project(root, machine, client)


def _check_project(root: Path, machine: Machine, client: Client) -> Iterator[HostFinding]:
    catalog, images = load(), load_images()
    project = Project.read(root)
    plan: Plan | None = None
    try:
        plan = derive_plan(project, catalog, images)
    except PlanError as error:
        # The files still say what a build needs.
        remedy = Remedy(error.remedy) if error.remedy else None
        yield NetworkFinding("locked", "note", error.message, remedy=remedy)
    home = machine.variable("HOME") or machine.variable("USERPROFILE") or "~"
    yield from check_proxy(machine, home, _container_variables(project, machine.variable))
    yield from check_drive(machine, root.resolve())
    container = container_spec(project, plan, images, whole=plan is not None)
    inputs = read_build_inputs(project, container, machine.variable)
    yield from _unchecked(project, inputs)
    indexes, notices = _indexes(project)
    for line in notices:
        yield NetworkFinding("locked", "note", line)
    target = Target(LINUX_X86_64, _python(project, plan))
    environments = read_settings(project)[0].environments or (LINUX_X86_64,)
    architectures = [_ARCHITECTURES[name] for name in environments if name in _ARCHITECTURES]
    lock = project.lock
    check_lock = None
    if isinstance(lock, Lock):
        packages = LockedPackages.of(lock, project.pyproject)

        def check_lock(client: Client, until: float) -> LockAvailability:
            return check_locked_files(
                lock,
                packages,
                client,
                target=target,
                systems=images.systems,
                indexes=indexes,
                until=until,
            )

    elif lock is None:
        yield NetworkFinding(
            "locked",
            "warning",
            "there is no poetry.lock, so no packages were checked",
            remedy=Remedy("Create it", everywhere=("poetry lock",)),
        )
    else:
        yield NetworkFinding("locked", "error", str(lock))
    spec = SurveySpec(
        inputs, indexes, tuple(architectures) or ("amd64",), check_lock, _has_password
    )
    yield from survey(spec, client)
    hosts = tuple(urlsplit(index.url).hostname or "" for index in indexes[:-1])
    if inputs.packages and seems_in_china(machine, hosts):
        yield from check_download_region(machine, f"{inputs.packages[0].url}Packages.gz", client)


def _unchecked(project: Project, inputs: BuildInputs) -> Iterator[HostFinding]:
    if project.devcontainer is None:
        yield NetworkFinding(
            "image",
            "note",
            "there is no devcontainer.json, so only packages were checked",
            remedy=Remedy("Create it", everywhere=("poetry tf devcontainer",)),
        )
    elif isinstance(project.devcontainer, ProjectError):
        yield NetworkFinding("image", "error", str(project.devcontainer))
    for probe, text in inputs.unchecked:
        yield NetworkFinding(probe, "note", f"{text} (not checked)")


def _container_variables(project: Project, variable: Variable) -> dict[str, str]:
    """The variables that devcontainer.json sets in the container."""
    devcontainer = project.devcontainer
    if not isinstance(devcontainer, Devcontainer):
        return {}
    tables = (devcontainer.document.get((key,)) for key in ("containerEnv", "remoteEnv"))
    return {
        name: substituted(value, variable)
        for table in tables
        for name, value in (table.items() if isinstance(table, dict) else ())
        if isinstance(value, str)
    }


def _python(project: Project, plan: Plan | None) -> str:
    """The Python of the container, as far as the project decides it."""
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


def _indexes(project: Project) -> tuple[tuple[PackageIndex, ...], tuple[str, ...]]:
    """The mirrors in force, those that are used if they fail, and PyPI last; and their notices."""
    index = pypi_index()
    pypi = PackageIndex("PyPI", index)
    try:
        resolved = resolve(mirrors_in_force(project), may_name)
    except MirrorError as error:
        raise PlanError(f"tf.mirror is not valid: {error.fault}", error.remedy) from None
    setting, mirrors = resolved.setting, resolved.setting.mirrors
    if setting.kind == "auto":
        from poetry.config.config import Config

        from poetry_tf.index.auto import choice_memory, choose_automatically

        mirrors = choose_automatically(index.rstrip("/"), choice_memory(Config.create())).mirrors
    elif mirrors and (further := independent_of(mirrors)) is not None:
        mirrors = (*mirrors, further)
    indexes = (PackageIndex(item.name, without_credentials(item.url)) for item in mirrors)
    return (*indexes, pypi), resolved.notices


def _has_password(source: PackageIndex) -> bool:
    """Whether Poetry has a name, a password or a certificate for a source.

    Keyrings are not read: they may prompt for their own password, or hang.
    """
    from poetry.config.config import Config
    from requests.utils import get_netrc_auth

    config = Config.create()
    keys = ("http-basic.{}.username", "http-basic.{}.password", "certificates.{}.client-cert")
    if any(config.get(key.format(source.name)) for key in keys):
        return True
    return get_netrc_auth(source.url) is not None


def format_verdict(findings: Sequence[HostFinding]) -> str:
    """The last line: whether all is available."""
    errors = [finding for finding in findings if finding.state == "error"]
    if not errors:
        return "Everything that was checked is available from here."
    return f'The container can\'t be built from here as it is. Fix "{errors[0].probe}" first.'


def as_document(findings: Sequence[HostFinding]) -> dict[str, Any]:
    """All findings as the document for programs. Keys may be added to it."""
    return {
        **document_head(VERSION),
        "works": works(findings),
        "findings": [
            {
                **finding_as_json(finding),
                "numbers": dict(finding.numbers) if isinstance(finding, NetworkFinding) else {},
            }
            for finding in findings
        ],
        "trouble": None,
    }


def error_document(message: str, remedy: str) -> dict[str, Any]:
    """The same document if the project can't be read."""
    error = error_value(message, remedy)
    return {**document_head(VERSION), "works": False, "findings": [], "trouble": error}
