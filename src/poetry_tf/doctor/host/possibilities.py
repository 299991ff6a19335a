"""Which TensorFlow a machine can run if no project requires one: in a container, and without.

Each answer is the newest series for which no probe reports an error. So it follows from the same
facts as the rest of doctor's output: system, processor, driver, GPU and engine.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

from poetry.core.constraints.version import VersionConstraint

from poetry_tf.doctor.host.child_programs import read_glibc
from poetry_tf.doctor.host.cluster import find_scheduler, login_node
from poetry_tf.doctor.host.driver import driver_version, gpus, has_gpu
from poetry_tf.doctor.host.engine import RUNS_CONTAINER, engine, query_engine
from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.model import HostFinding, HostSpec, Remedy
from poetry_tf.doctor.host.probes import run_probes
from poetry_tf.doctor.host.series import own_platform
from poetry_tf.doctor.host.system import ContainerKind, container_kind, os_release, wsl
from poetry_tf.plan.derive import make_plan, without_image_limits
from poetry_tf.plan.environments import DEFAULT_ENVIRONMENTS
from poetry_tf.plan.model import Plan, PlanError
from poetry_tf.plan.python import python_range
from poetry_tf.plan.settings import GpuChoice, Settings
from poetry_tf.releases import Release, load
from poetry_tf.releases.images import load_images
from poetry_tf.releases.model import numbers

Place = Literal["container", "here"]
EngineName = Literal["docker", "podman"]
_ENGINES: tuple[EngineName, ...] = ("docker", "podman")
# Their findings are about a project's environment, or about where else to look.
_NOT_OF_MACHINE = {"cluster", "tensorflow"}


Plans = Callable[[Release, GpuChoice], Plan]
"""Makes the plan for a release in one place; raises `PlanError` where there is none."""


@dataclass(frozen=True)
class Possibility:
    """What a machine can run in one place.

    Attributes:
        plan: the newest TensorFlow that it can run, with its Python; None if it can run none.
        engine: what runs the container; None without one.
        lacks_python: whether no Python that Poetry finds here fits.
        cause: why it is not the newest TensorFlow on a GPU; None if it is.
        commands: what makes such a project.
    """

    place: Place
    plan: Plan | None = None
    engine: EngineName | None = None
    lacks_python: bool = False
    cause: HostFinding | None = None
    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class MachineFacts:
    """The facts of a machine that decide what it can run.

    Attributes:
        system: its name, with the version.
        glibc, driver: their versions; None where there is none.
        container: what started the container that it is; None if it is none.
        scheduler: of the cluster that it is a node of.
        gpus: the names of the NVIDIA GPUs that its driver reports.
        has_gpu: whether it has an NVIDIA GPU, with or without a driver.
        engine: the container engine that is running.
        pythons: the minors that Poetry finds.
    """

    system: str
    architecture: str
    wsl: int
    glibc: str | None
    container: ContainerKind | None
    scheduler: str | None
    is_login_node: bool
    gpus: tuple[str, ...]
    has_gpu: bool
    driver: str | None
    engine: EngineName | None
    pythons: tuple[str, ...]


def read_facts(machine: Machine, pythons: Collection[str]) -> MachineFacts:
    """The facts of a machine, with the Python minors that Poetry finds on it."""
    names = {"Darwin": "macOS"}
    system = names.get(machine.system, machine.system)
    scheduler = find_scheduler(machine)
    is_linux = machine.system == "Linux"
    return MachineFacts(
        os_release(machine).get("PRETTY_NAME", system) if is_linux else system,
        machine.architecture,
        wsl(machine),
        read_glibc(machine) if is_linux else None,
        container_kind(machine),
        scheduler.name if scheduler else None,
        login_node(machine) is not None,
        tuple(gpu.name for gpu in gpus(machine)),
        has_gpu(machine),
        driver_version(machine),
        None if container_kind(machine) else _engine(machine),
        tuple(pythons),
    )


@dataclass(frozen=True)
class Possibilities:
    """What a machine can run, and what would let it run more.

    Attributes:
        items: by place; without the container where the machine is one.
        notes: the findings whose remedies help, as notes.
    """

    items: tuple[Possibility, ...]
    notes: tuple[HostFinding, ...]

    @property
    def runnable(self) -> tuple[Possibility, ...]:
        """Those with a TensorFlow."""
        return tuple(item for item in self.items if item.plan is not None)


def find_possibilities(
    machine: Machine, pythons: Collection[str], admitted: VersionConstraint | None = None
) -> Possibilities:
    """What a machine can run.

    `pythons` are the minors that Poetry finds on it, empty if that is not known; `admitted` is the
    range of a project without TensorFlow.
    """
    here = _here(machine, pythons, admitted)
    items = (here,) if container_kind(machine) else (_in_container(machine, admitted), here)
    notes: list[HostFinding] = []
    for finding in (*_cluster(machine), *(item.cause for item in items if item.cause)):
        note = replace(finding, state="note", remedy=_without_project(finding.remedy))
        if note.probe == "engine" and note.needed in {"", RUNS_CONTAINER}:
            note = replace(note, needed="only needed to work in a container")
        if _concerns(machine, note) and note not in notes:
            notes.append(note)
    return Possibilities(items, tuple(notes))


def without_commands(found: Possibilities) -> Possibilities:
    """The same where none of the commands applies: in a project that Poetry does not manage."""
    return replace(found, items=tuple(replace(item, commands=()) for item in found.items))


def _without_project(remedy: Remedy | None) -> Remedy | None:
    """A remedy that can be applied where there is no project yet."""
    commands = remedy.everywhere if remedy is not None else ()
    of_project = (
        one for one in commands if one.startswith("poetry ") and one != "poetry tf doctor"
    )
    return remedy if not any(of_project) else None


def _concerns(machine: Machine, note: HostFinding) -> bool:
    """Whether a note is about something that this machine has, and its user can change."""
    if note.probe in {"driver", "devices"}:
        return has_gpu(machine) or machine.read("/proc/driver/nvidia/version") is not None
    return note.probe != "engine" or find_scheduler(machine) is None


def _newest() -> HostSpec:
    """The newest TensorFlow without a container, with its own CUDA."""
    return HostSpec(load().releases[-1], "pip")


def _cluster(machine: Machine) -> Iterator[HostFinding]:
    return (item for item in run_probes(machine, _newest()) if item.probe == "cluster")


def _choose(
    machine: Machine, spec: HostSpec, gpu: GpuChoice, plan_for: Plans
) -> tuple[Plan | None, HostFinding | None]:
    """The newest plan without an error, on a GPU if there is one; and the first error on the way.

    `spec` has the place; what the plan decides in it is replaced.
    """
    cause: HostFinding | None = None
    for choice in (gpu, "none"):
        for plan in _plans(choice, plan_for):
            if choice != "none" and plan.gpu.mode == "none":
                continue
            error = _first_error(machine, replace(spec, release=plan.release, mode=plan.gpu.mode))
            if error is None:
                return plan, cause
            cause = cause or error
    return None, cause


def _plans(gpu: GpuChoice, plan_for: Plans) -> Iterator[Plan]:
    """The plans for the newest release of each series, from the newest down."""
    for series in reversed(load().series):
        release = load().newest(series)
        if release is not None:
            with suppress(PlanError):
                yield plan_for(release, gpu)


def _first_error(machine: Machine, spec: HostSpec) -> HostFinding | None:
    errors = (item for item in run_probes(machine, spec) if item.state == "error")
    return next((item for item in errors if item.probe not in _NOT_OF_MACHINE), None)


def _series_option(plan: Plan) -> list[str]:
    newest = load().series[-1]
    return [] if plan.release.series == newest else ["--tensorflow", plan.release.series]


# -- in a container ---------------------------------------------------------------------------


def _in_container(machine: Machine, admitted: VersionConstraint | None) -> Possibility:
    name = _engine(machine)
    spec = _with_engine(name or _installed(machine))
    if name is None:
        return Possibility("container", cause=next(iter(engine(machine, spec)), None))

    def plan_for(release: Release, gpu: GpuChoice) -> Plan:
        return make_plan(load(), load_images(), release, Settings(gpu=gpu), admitted)

    plan, cause = _choose(machine, spec, "auto", plan_for)
    if plan is None:
        return Possibility("container", engine=name, cause=cause)
    options = [] if plan.gpu.mode != "none" else ["--gpu", "none"]
    commands = [" ".join(["poetry tf init", *options, *_series_option(plan)])]
    if name == "podman":
        commands.append("poetry tf devcontainer --engine podman")
    return Possibility("container", plan, name, cause=cause, commands=tuple(commands))


def _engine(machine: Machine) -> EngineName | None:
    return next((one for one in _ENGINES if _answers(machine, one)), None)


def _answers(machine: Machine, name: EngineName) -> bool:
    info = query_engine(machine, _with_engine(name))
    return info.answers and (name == "podman" or not info.is_podman)


def _installed(machine: Machine) -> EngineName:
    """The engine whose failure is reported."""
    is_there = (query_engine(machine, _with_engine(one)).result.trouble for one in _ENGINES)
    pairs = zip(_ENGINES, is_there, strict=True)
    return next((name for name, trouble in pairs if trouble != "missing"), "docker")


def _with_engine(name: EngineName) -> HostSpec:
    return replace(_newest(), engine=name, config=".devcontainer/devcontainer.json")


# -- without one ------------------------------------------------------------------------------


def _here(
    machine: Machine, pythons: Collection[str], admitted: VersionConstraint | None
) -> Possibility:
    found = admitted
    if pythons:
        found = python_range(sorted(set(pythons), key=numbers))
        found = found if admitted is None else found.intersect(admitted)
    plan, cause = _choose(machine, _newest(), "pip", _plans_here(machine, found))
    lacks = False
    if pythons and (plan is None or (plan.gpu.mode == "none" and cause is None)):
        # With these Pythons there is none, or none on a GPU.
        other, why = _choose(machine, _newest(), "pip", _plans_here(machine, admitted))
        if other is not None and (plan is None or other.gpu.mode != "none"):
            plan, cause, lacks = other, why, True
    if plan is None:
        return Possibility("here", cause=cause)
    options = ["--no-devcontainer", "--gpu", plan.gpu.mode, *_series_option(plan)]
    if plan.python != _plans_here(machine, admitted)(plan.release, plan.gpu.mode).python:
        options += ["--python", plan.python]
    if (environment := own_platform(machine)) not in DEFAULT_ENVIRONMENTS:
        options += ["--environments", environment]
    commands = [f"poetry python install {plan.python}"] if lacks else []
    commands.append(" ".join(["poetry tf init", *options]))
    return Possibility("here", plan, lacks_python=lacks, cause=cause, commands=tuple(commands))


def _plans_here(machine: Machine, python: VersionConstraint | None) -> Plans:
    """The plans without a container, for the releases that have wheels for this system."""
    environment = own_platform(machine)
    environments = None if environment in DEFAULT_ENVIRONMENTS else (environment,)
    images = without_image_limits(load_images(), load())
    glibc = read_glibc(machine) if machine.system == "Linux" else None

    def plan_for(release: Release, gpu: GpuChoice) -> Plan:
        wheels = release.wheels.get(environment)
        least = wheels.glibc if wheels is not None else None
        if wheels is None or (glibc and least and numbers(glibc) < numbers(least)):
            raise PlanError(f"TensorFlow {release.version} has no wheel for this system", "")
        settings = Settings(gpu=gpu, environments=environments)
        return make_plan(load(), images, release, settings, python)

    return plan_for
