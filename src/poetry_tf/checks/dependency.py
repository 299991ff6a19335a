"""TF1xx: how the project names and pins TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from packaging.utils import NormalizedName
from poetry.core.constraints.version import Version as PoetryVersion
from poetry.core.version.markers import parse_marker

from poetry_tf.checks.findings import Context, Finding, rule
from poetry_tf.environments import ENVIRONMENTS
from poetry_tf.pins import pin_edits, pin_text, removed_edits, rename_edits
from poetry_tf.plan import series_of, tensorflow_requirements
from poetry_tf.platforms import superfluous
from poetry_tf.project.edits import Edit
from poetry_tf.project.pyproject import Requirement
from poetry_tf.releases import misspelling_of, role


@rule("TF101", fixable=True)
def pin_wider_than_a_series(context: Context) -> Iterator[Finding]:
    """The constraint on TensorFlow admits more than one minor series.

    TensorFlow does not follow semantic versioning: Keras, Pythons, CUDA and parts of the API change
    in minor releases. With `^2.13`, `>=2.13`, `~2`, `~=2.13` or `*` the next `poetry update` may
    move the project to another series, and the container no longer fits.

    Within one series are `~2.13.1`, `2.13.*`, `~=2.13.0`, `>=2.13.1,<2.14` and `==2.13.1`: what
    counts is what a constraint means, not how it is spelled. The constraint is narrowed to the
    series that is locked; without a lock to the one it begins with, which the project was written
    for.
    """
    for item in tensorflow_requirements(context.project):
        if item.constraint.is_empty() or series_of(item.constraint) is not None:
            continue
        written = (
            f"{item.name} {item.written}" if item.written else f"{item.name} without a version"
        )
        remedy = "Pin it to one minor series"
        edits: tuple[Edit, ...] = ()
        plan = context.plan
        if plan is not None and item.constraint.allows(
            PoetryVersion.parse(str(plan.release.version))
        ):
            edits = pin_edits(context.project, item, plan)
            if edits:
                pin = pin_text(item, plan)
                remedy = f'Write "{pin}" to stay with TensorFlow {plan.release.series}'
        yield Finding(
            "TF101",
            *context.at(item.constraint_path),
            f"{written} admits more than one minor series of TensorFlow, which does not follow "
            "semantic versioning",
            remedy,
            edits,
            name=item.name,
        )


@rule("TF103", fixable=True)
def not_the_distribution_to_name(context: Context) -> Iterator[Finding]:
    """A distribution is named that is retired, or that serves one platform only.

    `tensorflow-gpu` ended with 2.12; `tensorflow` itself has had the GPU code since 2.1.
    `tensorflow-intel`, `tensorflow-macos` and `tensorflow-cpu-aws` hold the files of one platform,
    and `tensorflow` draws them in where they are needed: named alone, they make a project that
    installs there and nowhere else. Beside a requirement on `tensorflow`, and with a marker for
    their platform, they may stand.
    """
    items = tensorflow_requirements(context.project)
    main = [item for item in items if role(item.name) == "main"]
    for item in items:
        kind = role(item.name)
        if kind not in {"retired", "shim"} or (
            kind == "shim" and main and not item.marker.is_any()
        ):
            continue
        reason = "is retired" if kind == "retired" else "serves one platform only"
        remedy = "Name tensorflow instead"
        edits: tuple[Edit, ...] = ()
        if main:
            remedy = f"Remove it: {main[0].name} is enough"
        elif kind == "shim" and _is_left_behind(item):
            # As it is written beside tensorflow, which has been removed since.
            remedy, edits = "Remove it", removed_edits(context.project, [item])
        elif len(items) == 1:
            edits = rename_edits(context.project, item, "tensorflow")
        yield Finding("TF103", *context.at(item.path), f"{item.name} {reason}", remedy, edits)


def _is_left_behind(item: Requirement) -> bool:
    return any(item.marker == parse_marker(known.marker) for known in ENVIRONMENTS.values())


@rule("TF104")
def two_distributions(context: Context) -> Iterator[Finding]:
    """Two distributions of TensorFlow are required in one environment.

    They hold the same files, so which of them is imported depends on which was installed last, and
    removing one breaks the other. Keep one, or give them markers that exclude each other. Two that
    never meet are fine, by markers or because each belongs to an extra of its own, and so is one
    that holds the files of a single platform, as long as TensorFlow's own wheel for it doesn't:
    since 2.16 on Linux aarch64, 2.15.1 on macOS arm64 and 2.18.1 on Windows it does.
    """
    items = [
        item
        for item in tensorflow_requirements(context.project)
        if role(item.name) != "shim" or item.marker.is_any()
    ]
    seen: set[frozenset[NormalizedName]] = set()
    for first, second in combinations(items, 2):
        pair = frozenset((first.name, second.name))
        if len(pair) == 1 or pair in seen or not _meet(first, second):
            continue
        seen.add(pair)
        yield Finding(
            "TF104",
            *context.at(second.path),
            f"{first.name} and {second.name} hold the same files and cannot both be installed",
            "Keep one of them, or give them markers that exclude each other",
        )
    if context.plan is not None:
        for need in superfluous(context.project, context.plan):
            yield Finding(
                "TF104", *context.at(need.item.path), need.message, need.remedy, need.edits
            )


def _meet(first: Requirement, second: Requirement) -> bool:
    # Each in an extra of its own is a choice. Which legacy extras list them is not looked at.
    same_list = first.is_pep508 and first.path[:-1] == second.path[:-1]
    if first.optional and second.optional and not same_list:
        return False
    return not first.marker.intersect(second.marker).is_empty()


@rule("TF106", fixable=True)
def misspelt(context: Context) -> Iterator[Finding]:
    """A dependency has nearly the name of a TensorFlow distribution.

    Names one slip away from a popular one are what malicious packages are published under. Where
    the name is right all the same, an entry of `ignore` in the settings with that `name` lets it
    be.
    """
    for item in context.project.pyproject.requirements:
        if (meant := misspelling_of(item.name)) is not None:
            yield Finding(
                "TF106",
                *context.at(item.path),
                f"{item.name} looks like a misspelling of {meant}",
                f"Write {meant}",
                rename_edits(context.project, item, meant),
                name=item.name,
            )
