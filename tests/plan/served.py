"""What serves TensorFlow where, worked out from a project alone: the measure for its fixes."""

from __future__ import annotations

from dataclasses import dataclass

from poetry_tf.files.project import Project
from poetry_tf.files.requirements import Requirement
from poetry_tf.plan.alternatives import Alternative, alternatives
from poetry_tf.plan.environments import Target, make_targets, required_pythons
from poetry_tf.plan.python import admitted_minors, marker_pythons, project_pythons
from poetry_tf.plan.requirement import tensorflow_requirements, to_poetry_version
from poetry_tf.plan.settings import read_settings
from poetry_tf.releases import DISTRIBUTIONS, Release, whole
from poetry_tf.releases.model import numbers

PYTHONS = tuple(f"3.{minor}" for minor in range(7, 16))


@dataclass(frozen=True)
class Served:
    """A target in which an installation gets TensorFlow, by the group or extra it is made with."""

    option: str
    target: Target


def served(project: Project) -> set[Served]:
    """By what is locked; without a lock by what plain Poetry would lock."""
    # Of an open range the lowest Python counts.
    pythons = required_pythons(project_pythons(project)) or ()
    environments = read_settings(project)[0].environments or ("linux-x86_64",)
    items = [item for item in tensorflow_requirements(project) if item.name in DISTRIBUTIONS]
    releases = {item.path: _locked(project, item) or plain(project, item) for item in items}
    return {
        Served(_option(alternative), target)
        for alternative in alternatives(project.pyproject)
        for target in make_targets(environments, pythons)
        for item in items
        if alternative.counts(item, target)
        and (release := releases[item.path]) is not None
        and target.python in release.usable_on(target.environment)
    }


def _option(alternative: Alternative) -> str:
    return alternative.group or alternative.extra or ""


def _locked(project: Project, item: Requirement) -> Release | None:
    lock = project.valid_lock
    versions = lock.versions.get(item.name, ()) if lock is not None else ()
    admitted = [one for one in versions if item.constraint.allows(to_poetry_version(one))]
    return whole(item.name).get(max(admitted)) if admitted else None


def plain(project: Project, item: Requirement) -> Release | None:
    """The release that Poetry would lock for a requirement.

    It takes none whose Requires-Python excludes a Python that the requirement is for.
    """
    range_ = project_pythons(project).intersect(marker_pythons(item.marker))
    lowest = min(admitted_minors(PYTHONS, range_), key=numbers, default=None)
    fit = [
        release
        for release in whole(item.name).releases
        if item.constraint.allows(to_poetry_version(release.version))
        and not release.yanked
        and lowest is not None
        and numbers(lowest) >= min(map(numbers, _pythons(release)))
    ]
    return fit[-1] if fit else None


def _pythons(release: Release) -> set[str]:
    return {minor for minors in release.pythons.values() for minor in minors} or {"3.0"}
