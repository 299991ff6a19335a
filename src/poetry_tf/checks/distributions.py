"""TF104: distributions of TensorFlow with the same files that are installed together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Final

from packaging.utils import NormalizedName

from poetry_tf.checks.findings import Context, Finding, rule
from poetry_tf.files.project import Project
from poetry_tf.files.requirements import Requirement
from poetry_tf.plan.alternatives import Alternative, all_groups, alternatives
from poetry_tf.plan.environments import ENVIRONMENTS, MINORS, Target, make_targets
from poetry_tf.plan.python import admitted_minors, project_pythons
from poetry_tf.plan.settings import read_settings
from poetry_tf.pyproject.platforms import admitted_release, redundant_requirements, wheel_kind
from poetry_tf.releases import named, own, role

NIGHTLY: Final = "tf-nightly"


@rule("TF104", fixable=True)
def two_distributions(context: Context) -> Iterator[Finding]:
    """Two distributions of TensorFlow are required in one environment.

    They hold the same files, so the one that was installed last is imported, and removing one
    breaks the other. A nightly build and a vendor's build are distributions too. Keep one, or give
    them markers that exclude each other. Two that are never installed together are fine, by their
    markers or because each belongs to an extra of its own. Two in optional groups are a warning:
    `poetry install --all-groups` installs both.

    A distribution that holds the files of a single platform is fine where TensorFlow's own wheel
    only requires it. TensorFlow has its own files since 2.16 on Linux aarch64, 2.15.1 on macOS
    arm64 and 2.18.1 on Windows. `tensorflow-macos` 2.15.1 and later hold no files in turn:
    requiring them is a warning. `--fix` removes the line of such a distribution where poetry-tf
    wrote it and another requirement on TensorFlow counts in the same places.
    """
    yield from _same_files(context)
    if context.plan is not None:
        for issue in redundant_requirements(context.project, context.plan):
            yield Finding(
                *context.at(issue.item.path),
                issue.message,
                issue.remedy,
                issue.edits,
                name=issue.item.name,
                level=issue.severity,
            )


def _same_files(context: Context) -> Iterator[Finding]:
    """The pairs of distributions that are installed together and hold the same files."""
    project = context.project
    pairs = _possible_pairs(project)
    if not pairs:
        return
    targets = make_targets(
        read_settings(project)[0].environments or tuple(ENVIRONMENTS),
        admitted_minors(MINORS, project_pythons(project)),
    )
    seen: set[frozenset[NormalizedName]] = set()
    for alternative in alternatives(project.pyproject):
        for first, second in pairs:
            pair = frozenset((first.name, second.name))
            if pair not in seen and _meet(project, alternative, targets, first, second):
                seen.add(pair)
                yield Finding(
                    *context.at(second.path),
                    f"{first.name} and {second.name} hold the same files and can't both be "
                    "installed",
                    "Keep one of them, or give them markers that exclude each other",
                    name=second.name,
                )
    every = all_groups(project.pyproject)
    for first, second in pairs:
        pair = frozenset((first.name, second.name))
        if pair not in seen and _meet(project, every, targets, first, second):
            seen.add(pair)
            yield Finding(
                *context.at(second.path),
                f"{first.name} in the group {first.group} and {second.name} in the group "
                f"{second.group} hold the same files, and `poetry install --all-groups` installs "
                "both",
                "Keep one of them, or move them to extras and install one at a time",
                name=second.name,
                level="warning",
            )


def _possible_pairs(project: Project) -> list[tuple[Requirement, Requirement]]:
    """The requirements on two distributions with the same files, if no marker keeps them apart."""
    names = own()
    items = [item for item in project.pyproject.requirements if item.name in names]
    markers = {item.path: item.marker.without_extras() for item in items}
    return [
        (first, second)
        for first, second in combinations(items, 2)
        if first.name != second.name
        and not _hands_over(first.name, second.name)
        and not markers[first.path].intersect(markers[second.path]).is_empty()
    ]


def _hands_over(first: str, second: str) -> bool:
    """Whether one of two distributions may be nothing but a requirement on the other.

    `redundant_requirements` judges those of releases, by their wheels. Nothing is known of the
    wheels of nightly builds.
    """
    roles = {role(first), role(second)}
    if "shim" in roles:
        return roles.isdisjoint({"vendor", "nightly"})
    nightlies = {name.replace("tensorflow", NIGHTLY) for name in named("shim")}
    return roles == {"nightly"} and not {first, second}.isdisjoint(nightlies)


def _meet(
    project: Project,
    alternative: Alternative,
    targets: Iterable[Target],
    first: Requirement,
    second: Requirement,
) -> bool:
    """Whether an alternative installs the files of two distributions in one target."""
    if not (alternative.installs(first) and alternative.installs(second)):
        return False
    shims = [
        admitted_release(project, item) for item in (first, second) if role(item.name) == "shim"
    ]
    return any(
        alternative.counts(first, target)
        and alternative.counts(second, target)
        and all(wheel_kind(release, target) == "real" for release in shims)
        for target in targets
    )
