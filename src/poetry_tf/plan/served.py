"""The targets in which a project's lock installs a TensorFlow that has files there."""

from __future__ import annotations

from poetry_tf.files.project import Project
from poetry_tf.plan.environments import DEFAULT_ENVIRONMENTS, MINORS, Target, make_targets
from poetry_tf.plan.installability import LockedPackages
from poetry_tf.plan.lines import serves
from poetry_tf.plan.python import admitted_minors, project_pythons
from poetry_tf.plan.settings import read_settings
from poetry_tf.releases import DISTRIBUTIONS, whole


def served_targets(project: Project, locked: LockedPackages) -> frozenset[Target]:
    """The targets of the project in which `poetry install` with all groups and extras gets one.

    `locked` are the packages of its lock. A release that is not known is taken to serve all.
    """
    releases = [
        (package, whole(package.name).get(package.parsed) if package.parsed else None)
        for package in locked.packages
        if package.name in DISTRIBUTIONS
    ]
    environments = read_settings(project)[0].environments or DEFAULT_ENVIRONMENTS
    minors = admitted_minors(MINORS, project_pythons(project))
    return frozenset(
        target
        for target in make_targets(environments, minors)
        if any(
            (release is None or serves(release, target)) and locked.needs(package, target)
            for package, release in releases
        )
    )
