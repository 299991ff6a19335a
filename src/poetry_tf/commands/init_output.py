"""How ``poetry tf init`` shows what it decided, did and leaves to the user."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import Version

import poetry_tf
from poetry_tf.actions.init import added_for_environments
from poetry_tf.actions.options import InitOptions
from poetry_tf.commands.base import plain
from poetry_tf.commands.devcontainer_output import missing_plugin_notes, up_command
from poetry_tf.commands.init_here import any_of, python_ways, steps_here
from poetry_tf.files.project import LOCK, Project, readable_configurations
from poetry_tf.index.config import setting_layers
from poetry_tf.index.mirrors import MirrorError, is_in_china
from poetry_tf.index.resolve import parse_layer
from poetry_tf.migration.classify import Classification, DropReason
from poetry_tf.migration.entries import PackageList
from poetry_tf.migration.names import is_assumed
from poetry_tf.migration.required import RequiredEntry
from poetry_tf.plan.derive import OTHER_LOCKS
from poetry_tf.plan.environments import DEFAULT_ENVIRONMENTS
from poetry_tf.plan.here import Here
from poetry_tf.plan.main_line import joint_constraint, main_requirement
from poetry_tf.plan.model import Plan
from poetry_tf.plan.moves import staying_lines
from poetry_tf.plan.python import admitted_minors, project_pythons
from poetry_tf.plan.requirement import (
    constraint_series,
    locked_tensorflow,
    lower_bound,
    to_poetry_version,
)
from poetry_tf.plan.settings import read_settings
from poetry_tf.poetry_internals.pythons import refused_environment
from poetry_tf.releases.model import (
    LINUX_AARCH64,
    LINUX_X86_64,
    MACOS_ARM64,
    MACOS_X86_64,
    WINDOWS_AMD64,
)
from poetry_tf.text import format_count, format_list

_SHOWN = 6
"""Names in a line, unless all are shown."""

_ENVIRONMENT_LABELS = {
    LINUX_X86_64: "x86-64 Linux",
    LINUX_AARCH64: "ARM Linux",
    MACOS_X86_64: "Intel Macs",
    MACOS_ARM64: "Apple silicon Macs",
    WINDOWS_AMD64: "Windows",
}

_DROP_TEXTS: dict[DropReason, str] = {
    "main": "The requirement on TensorFlow",
    "tensorflow": "Installed by TensorFlow",
    "needed": "Installed by the others, and in the lock file",
    "unneeded": "Not needed by any locked package",
    "container": "Left to the container, which has what this TensorFlow needs",
    "builds": "Intel's builds for Conda; wheels from PyPI replace them",
    "system": "Not Python packages; wheels contain the libraries that they need",
    "tools": "Conda's tools and installers, which Poetry replaces",
    "python": "Now part of Python, or done by Poetry",
    "elsewhere": "For other systems or Pythons only",
    "present": "Already required by the project",
    "constraint": "Constraints on what the others bring, followed in the lock file",
    "unfollowed": "Constraints on what the others bring, which only locking follows",
}


def added_lines(before: Project, after: Project) -> Iterator[str]:
    """The distributions that are newly required, with the environments that only need them."""
    everywhere = read_settings(after)[0].environments or DEFAULT_ENVIRONMENTS
    for name, environments in added_for_environments(before, after).items():
        labels = format_list(_ENVIRONMENT_LABELS[item] for item in environments)
        yield (
            f"Added {name}" if {*environments} == {*everywhere} else f"Added {name} ({labels} only)"
        )


def cuda_origin(plan: Plan, *, container: bool) -> str:
    """What replaces the CUDA and cuDNN of a list."""
    if plan.gpu.mode == "none":
        return "Not needed, because TensorFlow runs on the CPU"
    if plan.gpu.mode == "pip":
        return "Replaced by the CUDA wheels that TensorFlow requires"
    if container:
        return _DROP_TEXTS["container"]
    return f"Left to this machine, which needs CUDA {plan.gpu.cuda} and cuDNN {plan.gpu.cudnn}"


def migration_lines(
    listing: PackageList,
    found: Classification,
    sentences: Iterable[str],
    cuda: str,
    *,
    whole: bool = False,
) -> Iterator[str]:
    """What became of a list: `sentences` first, then its packages; `whole` names every one.

    `cuda` is the `cuda_origin`.
    """
    is_built = any(item.build for item in listing.entries)
    kind = "an export of an environment, " if listing.is_export else ""
    if kind and not is_built:  # a list of pip's may have been written by hand
        kind = f"read as {kind}"
    count = format_count(len(listing.entries), "package")
    if listing.constraints:
        count += f" and {format_count(len(listing.constraints), 'constraint')}"
    yield f"From {listing.file}, {kind}{count}:"
    for sentence in sentences:
        yield f"  {sentence}"
    as_written = [item.name for item in found.required if not item.reason]
    if as_written:
        yield f"  Required ({len({*as_written})}): {_format_names(as_written, whole=whole)}"
    other = [item for item in found.required if item.reason]
    if other:
        yield f"  Required with other versions ({len(other)}):"
    for item in other:
        yield f"    {_format_change(item)}"
    excluded: dict[tuple[str, ...], list[str]] = {}
    for item in found.required:
        excluded.setdefault(item.excluded, []).append(item.name)
    for where, names in excluded.items():
        if where:
            text = _format_names(names, whole=whole)
            yield f"  Left out on {format_list(where)}, because it has no files there: {text}"
    renamed = [item for item in found.required if canonicalize_name(item.name) != item.entry.key]
    if renamed:
        pairs = ", ".join(f"{item.entry.name} is {item.name}" for item in renamed)
        yield f"  Names on PyPI: {pairs}"
    assumed = [item.entry.name for item in found.required if is_assumed(item.entry)]
    if assumed:
        text = _format_names(assumed, whole=whole)
        yield f"  Assumed to have the same name on PyPI ({len({*assumed})}): {text}"
    for reason, text in {**_DROP_TEXTS, "container": cuda}.items():
        names = [item.entry.name for item in found.dropped if item.reason == reason]
        if names:
            yield f"  {text} ({len({*names})}): {_format_names(names, whole=whole)}"
    if whole:
        for line in found.skipped:
            if not line.actionable:
                yield f"  {line.written}: {line.reason}"


def staying_notes(project: Project, options: InitOptions, plan: Plan) -> Iterator[str]:
    """The requirements on TensorFlow that a move to another series leaves as they are."""
    for one in staying_lines(project, plan.release) if options.tensorflow is not None else ():
        yield f"Not changed: {one.item.name} {one.item.written}: {one.reason}"


def series_notes(project: Project, options: InitOptions, plan: Plan) -> Iterator[str]:
    """Which series an open pin becomes, because the user did not choose it."""
    item, constraint = main_requirement(project), joint_constraint(project)
    if (
        options.tensorflow is not None
        or item is None
        or constraint is None
        or constraint_series(constraint) is not None
    ):
        return
    written = f"{item.name} {item.written}".strip()
    if options.keeps_pin:
        yield (
            f'"{written}" was kept, because the project publishes a package (pin = "warn" in '
            "[tool.poetry-tf]). To narrow it, give --tensorflow."
        )
        return
    lowest = lower_bound(constraint)
    if locked_tensorflow(project) is not None:
        why = "is locked"
    elif lowest is None:
        why = "is the newest that fits"
    elif plan.release.version.release[:2] == (lowest.major, lowest.minor):
        why = f'is the lowest in "{written}"'
    else:
        why = f'is the lowest in "{written}" that fits'
    yield f"TensorFlow {plan.release.series} {why}. For another series, give --tensorflow."
    if project.pyproject.ships_package:
        yield ("This project publishes a package: its metadata gets the narrower requirements too.")


def newer_release_note(project: Project, options: InitOptions, plan: Plan) -> str | None:
    """That a newer release was taken than the user named, and how to have that one alone."""
    given, release = options.tensorflow, plan.release
    if given is None or not options.names_release or Version(given) >= release.version:
        return None
    constraint = joint_constraint(project)
    if constraint is not None and not constraint.allows(to_poetry_version(Version(given))):
        return f"TensorFlow {release.version} was taken: {given} can't be set up in this way"
    return (
        f"TensorFlow {given} is the lowest that is taken: {release.version} is the newest of "
        f"{release.series}. For {given} alone, write =={given} in pyproject.toml, then run "
        "`poetry lock`"
    )


def lock_summary(path: Path, text: str) -> str:
    """A summary of a lock file, instead of its long diff."""
    count = text.count("\n[[package]]\n")
    return f"{path.name}: {count} packages (full diff with -v)"


def untaken_note(lists: Sequence[str]) -> str:
    """That the lists of packages in the folder of a new project are not taken over."""
    return (
        f"Nothing is taken from {format_list(lists)}: `{poetry_tf.program} init --from {lists[0]}` "
        "takes its packages and its TensorFlow"
    )


def next_steps(
    project: Project, plan: Plan, options: InitOptions, here: Here, lists: Iterable[str] = ()
) -> Iterator[str]:
    """What the user can do next, with style tags.

    `lists` are the lists of packages beside a new project, which were not taken over.
    """
    minors = admitted_minors(plan.pythons, project_pythons(project))
    for name in lists:
        yield (
            f"Add the packages of {name} (the project's TensorFlow stays): "
            f"<c1>{poetry_tf.program} init --from {name}</>"
        )
    for name in OTHER_LOCKS.values():
        if (project.root / name).is_file():
            yield f"Delete <c1>{name}</>: Poetry locks in <c1>{LOCK}</>, and does not read it"
    if project.lock is None:
        yield f"Lock the project: <c1>{poetry_tf.program} init</> or <c1>poetry lock</>"
    if options.container:
        yield (
            "Open the folder in VS Code and choose <c1>Reopen in Container</>, or run "
            f"<c1>{plain(up_command(project))}</>"
        )
        if any("nvidia-cuda" in item.document.text for item in readable_configurations(project)):
            yield (
                "The first start downloads 2 to 3 GiB. For the GPU the host needs an NVIDIA "
                "driver and, on Linux, the NVIDIA Container Toolkit. Without them, it runs "
                "on the CPU"
            )
            if plan.release.and_cuda is not None and _downloads_from_china(project):
                yield (
                    "Where ghcr.io or NVIDIA's package source is slow or blocked: <c1>"
                    f"{poetry_tf.program} init --gpu pip</> needs neither: CUDA comes from the "
                    "PyPI mirror"
                )
        if (found := refused_environment(project.root, minors)) is not None:
            doctor = f"<c1>{poetry_tf.program} doctor</>"
            yield (
                f"Poetry has no Python {any_of(minors)} here, and without it <c1>poetry add</> and "
                "its other commands work in the container only. To get it: "
                f"{python_ways(here, minors) if found.kind == 'none' else doctor}"
            )
        yield from (plain(why.removesuffix(".")) for why in missing_plugin_notes(project, plan))
    else:
        yield from steps_here(plan, here, minors)
    yield f"In CI and before commits: <c1>{poetry_tf.program} check</>"


def _downloads_from_china(project: Project) -> bool:
    """Whether the mirror in force is one in China."""
    layers = setting_layers(project.root, project.poetry_toml)
    try:
        return bool(layers) and is_in_china(parse_layer(layers[0]))
    except MirrorError:
        return False


def _format_change(item: RequiredEntry) -> str:
    return f"{item.name} {item.specifier or 'of any version'}: {item.reason} ({item.entry.written})"


def _format_names(names: list[str], *, whole: bool) -> str:
    names = list(dict.fromkeys(names))
    if whole or len(names) <= _SHOWN + 1:
        return ", ".join(names)
    return f"{', '.join(names[:_SHOWN])} and {len(names) - _SHOWN} more (all with -v)"
