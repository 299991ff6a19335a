"""Without a container: what this machine has decides which Python and TensorFlow fit."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from poetry_tf.plan.environments import DEFAULT_ENVIRONMENTS
from poetry_tf.poetry_internals.pythons import FoundPython
from poetry_tf.releases import Catalog, Release
from poetry_tf.releases.model import LINUX_X86_64, numbers
from poetry_tf.releases.pythons import PythonPackages, python_packages


@dataclass(frozen=True)
class Here:
    """The machine that poetry-tf runs on, as far as a project without a container depends on it."""

    environment: str | None
    """Its name in `plan.environments`; None for another system or processor."""
    systems: frozenset[str]
    """The names by which `releases.pythons` knows its system."""
    has_modules: bool
    """Whether software is loaded by ``module load``, as on a cluster."""
    runs_containers: bool
    """Whether a container engine is on PATH, or this is a container of a devcontainer.json, which
    another machine makes again."""
    is_container: bool = False
    lacks_gpu: bool = False
    """Whether it is known to have no NVIDIA GPU, and to be no node of a cluster."""
    oldest: tuple[int, ...] = ()
    """The oldest Python that Poetry creates an environment with here; empty if not known."""
    pythons: tuple[FoundPython, ...] = ()
    """Its Pythons, in the order in which Poetry tries them; empty if not known."""

    @property
    def is_activated(self) -> bool:
        """Whether Poetry installs into an environment that is activated."""
        return any(one.origin == "environment" for one in self.pythons)

    @property
    def own(self) -> FoundPython | None:
        """The Python of the environment that the project has; None if it has none."""
        return next((one for one in self.pythons if one.origin == "project"), None)

    def has_fitting_environment(self, minors: Collection[str]) -> bool:
        """Whether the project's environment, if it has one, is of one of these minors."""
        return self.own is None or (self.own.minor in minors and not self.own.unfit)


def environments_here(here: Here) -> tuple[str, ...] | None:
    """The environments of a new project, where the default ones lack this machine; else None.

    Linux on x86-64 is one of them, for CI and for a machine with a GPU.
    """
    if here.environment is None or here.environment in DEFAULT_ENVIRONMENTS:
        return None
    return LINUX_X86_64, here.environment


def choosable_minors(here: Here) -> tuple[tuple[str, ...], ...]:
    """The Python minors, ascending: that of the project's environment, those that this machine
    has, and those that its system has packages for; none if its Pythons are not known.

    On a cluster nobody installs a package.
    """
    if not here.pythons:
        return ()
    own = (here.own.minor,) if here.own is not None and not here.own.unfit else ()
    usable = sorted({one.minor for one in here.pythons if not one.unfit}, key=numbers)
    packages = _packages(here)
    installable = packages.pythons if packages is not None else ()
    return own, tuple(usable), tuple(one for one in installable if numbers(one) >= here.oldest)


def python_here(here: Here, minors: Collection[str]) -> FoundPython | None:
    """The Python of this machine for some minors.

    That of the project's environment, else the newest, and of that the first found.
    """
    if here.own is not None and here.has_fitting_environment(minors):
        return here.own
    fitting = [one for one in here.pythons if one.minor in minors and not one.unfit]
    return max(fitting, key=lambda one: numbers(one.minor), default=None)


def lacks_python(here: Here, minors: Collection[str]) -> bool:
    """Whether this machine is known to have no Python for some minors."""
    return bool(here.pythons and minors) and python_here(here, minors) is None


def is_too_old(here: Here, minors: Collection[str]) -> bool:
    """Whether Poetry makes no environment of these minors here, and the project has none."""
    return python_here(here, minors) is None and all(numbers(one) < here.oldest for one in minors)


def nearest_for_here(
    catalog: Catalog, release: Release, here: Here, *, needs_cuda_wheels: bool = False
) -> tuple[Release, FoundPython] | None:
    """The nearest series with wheels for a Python of this machine, the later before the earlier.

    That is the release itself if it has some.
    """
    newest = [one for one in map(catalog.newest, catalog.series) if one is not None]
    later = [one for one in newest if one.version > release.version]
    earlier = [one for one in reversed(newest) if one.version < release.version]
    for one in (release, *later, *earlier):
        minors = one.usable_on(here.environment or LINUX_X86_64)
        if needs_cuda_wheels:
            with_cuda = one.and_cuda.pythons if one.and_cuda is not None else ()
            minors = tuple(minor for minor in minors if minor in with_cuda)
        if (found := python_here(here, minors)) is not None:
            return one, found
    return None


def unchosen_python(here: Here, minors: Collection[str]) -> FoundPython | None:
    """The Python to give to Poetry; None if Poetry chooses one that fits by itself.

    It takes the environment that the project has, or the first Python with such a minor, whatever
    else is wrong with that.
    """
    if here.own is not None:
        return None if here.has_fitting_environment(minors) else python_here(here, minors)
    first = next((one for one in here.pythons if one.minor in minors), None)
    return python_here(here, minors) if first is not None and first.unfit else None


def package_command(here: Here, minor: str) -> str | None:
    """The command that installs the system's package of a Python; None if there is none."""
    packages = _packages(here)
    if packages is None or minor not in packages.pythons:
        return None
    return packages.command.format(minor=minor)


def _packages(here: Here) -> PythonPackages | None:
    if here.has_modules:
        return None
    return next((one for one in python_packages() if one.system in here.systems), None)
