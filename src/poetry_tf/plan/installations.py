"""What is installed together: the locked packages in each target, by what a project requires."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from poetry_tf.files.project import Project
from poetry_tf.plan.alternatives import Alternative, alternatives
from poetry_tf.plan.environments import DEFAULT_ENVIRONMENTS, MINORS, Target, make_targets
from poetry_tf.plan.installability import LockedPackages
from poetry_tf.plan.lock_entries import DependencyEdge, LockedPackage, read_packages
from poetry_tf.plan.python import admitted_minors, project_pythons
from poetry_tf.plan.requirement import tensorflow_distributions
from poetry_tf.plan.settings import read_settings
from poetry_tf.releases import DISTRIBUTIONS, Release, load, whole


@dataclass(frozen=True)
class LockedInstallation:
    """The locked packages that an alternative of a project installs in a target."""

    target: Target
    packages: frozenset[LockedPackage]

    @property
    def tensorflow(self) -> Release | None:
        """The release of TensorFlow with files for the target; None where none is known."""
        names = tensorflow_distributions() & {*DISTRIBUTIONS}
        for package in sorted(self.packages, key=lambda one: one.name):
            if package.name not in names or package.parsed is None:
                continue
            version = package.parsed
            release = load(package.name).get(version) or whole(package.name).get(version)
            if release is not None and self.target.environment in release.wheels:
                return release
        return None


def installations(
    project: Project,
    installed: Sequence[Alternative] | None = None,
    environments: Sequence[str] | None = None,
) -> Iterator[LockedInstallation]:
    """The installations of a project, each set of packages once; none without a valid lock.

    Args:
        installed: the alternatives; None for all of the project.
        environments: where, as far as the project declares them; None for all that it declares,
            and without a declaration the container's.
    """
    lock = project.valid_lock
    if lock is None:
        return
    declared = read_settings(project)[0].environments
    names = environments or declared or DEFAULT_ENVIRONMENTS
    targets = make_targets(
        [name for name in names if declared is None or name in declared],
        admitted_minors(MINORS, project_pythons(project)),
    )
    packages = tuple(read_packages(lock.data))
    seen: set[frozenset[LockedPackage]] = set()
    for alternative in installed or alternatives(project.pyproject):
        for target in targets:
            roots = _roots(project, alternative, target)
            found = LockedPackages(packages, roots).installed(target)
            if found not in seen:
                seen.add(found)
                yield LockedInstallation(target, found)


def _roots(project: Project, alternative: Alternative, target: Target) -> Iterator[DependencyEdge]:
    for item in project.pyproject.declared_requirements:
        if alternative.counts(item, target):
            extras = frozenset(map(canonicalize_name, item.extras))
            yield DependencyEdge(item.name, str(item.constraint), "", extras)
