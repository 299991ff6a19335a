"""What the container of a project is for."""

from __future__ import annotations

import functools
import re
from dataclasses import asdict, dataclass, field
from importlib import metadata
from typing import Any

from packaging.requirements import Requirement as Requires
from packaging.version import Version

from poetry_tf.devcontainer.image import with_registry_variable
from poetry_tf.devcontainer.origin import Origin, running_origin
from poetry_tf.files.project import Project
from poetry_tf.files.pyproject import Pyproject
from poetry_tf.files.requirements import MAIN, Requirement, required_name
from poetry_tf.files.values import as_texts
from poetry_tf.plan.environments import ENVIRONMENTS
from poetry_tf.plan.model import CONTAINER_PLATFORM, Plan
from poetry_tf.plan.requirement import tensorflow_requirements
from poetry_tf.plan.settings import Settings, read_settings
from poetry_tf.releases.images import Images
from poetry_tf.text import shell_word, visible

INSTALL = "poetry install"
# The values of markers in the container on a PC, whatever its Python.
_CONTAINER = asdict(ENVIRONMENTS[CONTAINER_PLATFORM])


@dataclass(frozen=True)
class ContainerSpec:
    """What a container is for."""

    name: str
    """The name of a new container."""
    plan: Plan | None
    """None where no container can be made: then only what is retired is reported."""
    images: Images
    poetry: Version
    """The Poetry to install: the one that wrote the lock, if it is suitable."""
    poetry_tf: Origin
    """The origin of the running poetry-tf."""
    git_lfs: bool
    whole: bool
    """Whether the container has to have all it needs; else only what is there is judged."""
    wrote_lock: bool = True
    """Whether `poetry` is the one that wrote the lock; else it is the one that runs now."""
    install: str = INSTALL
    """The command that installs the project with its TensorFlow."""
    settings: Settings = field(default_factory=Settings)
    """The project's settings for its container: the engine, the GPU, the registry."""

    def image(self, python: str) -> str:
        """The image for a Python minor."""
        image = self.images.image(python)
        registry = self.settings.registry
        return image if registry is None else with_registry_variable(image, registry)

    @property
    def why_poetry(self) -> str:
        """Why this Poetry, to follow its name."""
        return "wrote the lock file" if self.wrote_lock else "runs here"

    def accepts_poetry(self, written: str) -> bool:
        """Whether a requested version of Poetry is suitable.

        Where it is only the one that runs here, any is that poetry-tf runs with: else two people
        would undo each other's container.
        """
        try:
            version = Version(written)
        except ValueError:
            return False
        return version == self.poetry or (not self.wrote_lock and runs_with(version))


def container_spec(
    project: Project, plan: Plan | None, images: Images, *, whole: bool
) -> ContainerSpec:
    """The specification of a project's container.

    Poetry is the one that wrote the lock, because another may judge the lock out of date; if that
    is no release, or too old for poetry-tf, it is the one that runs now.
    """
    lock = project.valid_lock
    wrote = lock.poetry_version if lock else None
    usable = wrote is not None and not wrote.is_prerelease and not wrote.local and runs_with(wrote)
    name = project.pyproject.name or project.root.resolve().name
    name = visible(name).replace("${", "{")  # which devcontainer.json would substitute
    return ContainerSpec(
        name=generated_name(name, plan) if plan else name,
        plan=plan,
        images=images,
        poetry=wrote if wrote and usable else Version(metadata.version("poetry")),
        poetry_tf=running_origin(),
        git_lfs=project.uses_git_lfs,
        whole=whole,
        wrote_lock=usable,
        install=install_command(project, plan),
        settings=read_settings(project)[0],
    )


def runs_with(poetry: Version) -> bool:
    """Whether poetry-tf runs with a version of Poetry, by its own metadata."""
    return all(need.specifier.contains(poetry) for need in _needs() if need.name == "poetry")


@functools.cache
def _needs() -> tuple[Requires, ...]:
    """What poetry-tf requires; read once, as a container is made more than once in a command."""
    return tuple(map(Requires, metadata.requires("poetry-tf") or ()))


def generated_name(name: str, plan: Plan) -> str:
    return f"{name} (TensorFlow {plan.release.series})"


_GENERATED_NAME = re.compile(r"(?P<name>.*) \(TensorFlow \d+\.\d+\)", re.DOTALL)


def name_before_series(name: Any) -> str | None:
    """The part before the series in a name from `generated_name`; None for another name."""
    match = _GENERATED_NAME.fullmatch(name) if isinstance(name, str) else None
    return match["name"] if match else None


def install_command(project: Project, plan: Plan | None) -> str:
    """The command that installs the project with its TensorFlow.

    It names an extra or an optional group if TensorFlow is only there.
    """
    items = [item for item in tensorflow_requirements(project) if item.marker.validate(_CONTAINER)]
    if plan is not None and plan.gpu.mode == "pip":
        items = [item for item in items if "and-cuda" in item.extras] or items
    # The plan goes by `tensorflow` rather than by one of its variants, if there is a choice.
    items.sort(key=lambda item: item.name != "tensorflow")
    options = [_install_option(project.pyproject, item) for item in items]
    if not options or None in options:
        return INSTALL
    return f"{INSTALL} {options[0]}".rstrip()


def _install_option(pyproject: Pyproject, item: Requirement) -> str | None:
    """The option that installs a requirement, "" if unknown; None if it needs none."""
    if item.group != MAIN:
        group = pyproject.table("tool", "poetry", "group").get(item.group)
        optional = isinstance(group, dict) and group.get("optional") is True
        return _selecting("--with", item.group, "--all-groups") if optional else None
    if not item.optional:
        return None
    if item.extra is not None:
        return _selecting("--extras", item.extra, "--all-extras")
    extras = pyproject.table("tool", "poetry", "extras").items()
    for extra, members in extras:
        if item.name in map(required_name, as_texts(members)):
            return _selecting("--extras", extra, "--all-extras")
    return ""


def _selecting(option: str, name: str, everything: str) -> str:
    """The option with a group or an extra, or the one for all where the name can't be passed.

    Poetry splits the value at commas, and of extras also at blanks. The command is shown on any
    system as well.
    """
    separator = r"[,\s]" if option == "--extras" else ","
    word = None if re.search(separator, name) else shell_word(name, posix=False)
    return everything if word is None else f"{option} {word}"
