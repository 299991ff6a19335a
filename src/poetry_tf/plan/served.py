"""The targets in which a project's lock installs a TensorFlow that has files there."""

from __future__ import annotations

from collections.abc import Iterable

from poetry_tf.files.project import Project
from poetry_tf.plan.environments import DEFAULT_ENVIRONMENTS, MINORS, Target, make_targets
from poetry_tf.plan.installability import LockedPackages
from poetry_tf.plan.lines import Line, serves
from poetry_tf.plan.python import admitted_minors, project_pythons
from poetry_tf.plan.settings import read_settings
from poetry_tf.releases import DISTRIBUTIONS, whole


def served_targets(
    project: Project, locked: LockedPackages, lines: Iterable[Line]
) -> frozenset[Target]:
    """The targets of the project in which `poetry install` with all groups and extras gets one.

    `locked` are the packages of its lock, `lines` its requirements on TensorFlow. A release that is
    not known is taken to serve all.
    """
    releases = [
        (package, whole(package.name).get(package.parsed) if package.parsed else None)
        for package in locked.packages
        if package.name in DISTRIBUTIONS
    ]
    declared = read_settings(project)[0].environments or DEFAULT_ENVIRONMENTS
    # Where none is declared, a requirement may count in other environments only.
    environments = dict.fromkeys((*declared, *(one for line in lines for one in line.environments)))
    minors = admitted_minors(MINORS, project_pythons(project))
    return frozenset(
        target
        for target in make_targets(environments, minors)
        if any(
            (release is None or serves(release, target)) and locked.needs(package, target)
            for package, release in releases
        )
    )
