"""Whether Poetry can create an environment for the project, or can use the one that it finds."""

from __future__ import annotations

from collections.abc import Iterator

from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.model import HostFinding, HostSpec, Remedy, Subject, UnusablePython
from poetry_tf.text import format_list

_PYTHON = Subject("python")


def python(machine: Machine, spec: HostSpec) -> Iterator[HostFinding]:
    """A Python that the project does not allow, with which every Poetry command fails."""
    if (unusable := spec.unusable) is None:
        return
    if unusable.kind == "gone":
        yield _PYTHON.error(
            f"{unusable.variable} names a folder that does not exist ({unusable.path})",
            "Poetry would use it as the project's environment",
            _unset(machine, unusable),
        )
    else:
        needed = f"the project requires Python {unusable.required}, and Poetry refuses any other"
        yield _PYTHON.error(_seen(unusable), needed, _remedy(unusable, spec))


def _unset(machine: Machine, unusable: UnusablePython) -> Remedy:
    unset = "Remove-Item Env:" if machine.system == "Windows" else "unset "
    what = "Unset it, so that Poetry uses its own environment:"
    return Remedy(what, everywhere=(f"{unset}{unusable.variable}",))


def _seen(unusable: UnusablePython) -> str:
    has = format_list(unusable.found)
    if unusable.kind == "missing":
        return f"Poetry finds no Python for the project, only {has}"
    if unusable.kind == "system":
        return f"Poetry creates no environment (virtualenvs.create), and its own Python is {has}"
    which = "active environment" if unusable.kind == "active" else "project's environment"
    return f"the {which} ({unusable.path}) has Python {has}"


def _remedy(unusable: UnusablePython, spec: HostSpec) -> Remedy:
    minor = unusable.suggested
    use = f"poetry env use {minor}"
    commands = [] if unusable.has_suggested else [f"poetry python install {minor}"]
    if unusable.kind == "system":
        what = "Let Poetry create an environment, and install the project"
        commands.append("poetry config --local virtualenvs.create true")
    elif unusable.kind == "active":
        # While it is active, `env use` chooses none in the project's folder.
        use = "conda deactivate" if unusable.variable == "CONDA_PREFIX" else "deactivate"
        what = f"Deactivate that environment, and use one with Python {minor}"
        what += ", which is installed" * unusable.has_suggested
    elif unusable.has_suggested:
        what = f"Use Python {minor}, which is installed, and install the project"
    else:
        what = f"Install Python {minor}, and the project with it"
    return Remedy(f"{what}:", everywhere=(*commands, use, spec.install))
