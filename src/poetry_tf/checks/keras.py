"""TF109: packages that need Keras 2 beside a TensorFlow with another Keras."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from poetry.core.constraints.version import VersionConstraint, parse_constraint

from poetry_tf.checks.findings import Context, Finding, rule
from poetry_tf.files.requirements import Requirement
from poetry_tf.plan.companions import refusing
from poetry_tf.plan.installations import installations
from poetry_tf.plan.lock_entries import read_packages
from poetry_tf.plan.main_line import admitted_locked_tensorflow, main_requirement
from poetry_tf.plan.model import LEGACY_KERAS, TF_KERAS, needs_keras_2
from poetry_tf.plan.requirement import to_poetry_version
from poetry_tf.plan.settings import read_settings
from poetry_tf.pyproject.beside import may_write, pairings, requirements_leading_to
from poetry_tf.pyproject.keras2 import missing_keras_2
from poetry_tf.releases import Release
from poetry_tf.releases.breaking import ended, keras_major
from poetry_tf.releases.keras2 import NeedsKeras2, need_keras_2


@rule("TF109", fixable=True)
def keras_2_needed(context: Context) -> Iterator[Finding]:
    """A package needs Keras 2 beside TensorFlow 2.16 or later, and does not get it.

    From 2.16 on `tf.keras` is Keras 3, and Keras 2 is the distribution `tf-keras`. TensorFlow
    Probability, the models of transformers 4 and others import `tf-keras` but do not require it, so
    they fail at import or at first use. `--fix` requires `tf-keras` in the series of TensorFlow; in
    a published package that is for its author to decide. The rule checks locked packages in each
    environment and with each optional group and extra.

    TensorFlow Recommenders and others need `tf.keras` itself to be Keras 2. That is a warning, as
    `TF_USE_LEGACY_KERAS=1` can be set in many places. `keras = "legacy"` in `[tool.poetry-tf]` sets
    it in the dev container and requires `tf-keras`. Your own code then uses Keras 2 as well, so
    that is for you to decide.

    Keras Tuner takes no models of Keras 2: with `keras = "legacy"` that is a warning.

    Older releases of tensorflow-hub, tensorflow-model-optimization and tensorflow-lattice do not
    work with TensorFlow 2.16 or later, whichever Keras is installed: require a later release.

    The rule does not look at `tf.keras` in the project's own code: for that, see `keras` in
    `[tool.poetry-tf]`.
    """
    plan, project = context.plan, context.project
    main = main_requirement(project)
    if plan is None or main is None:
        return
    is_legacy = read_settings(project)[0].keras == "legacy"
    for need in _needs(context, plan.release):
        place = context.at((need.item or main).path)
        version, known = need.release.version, need.known
        if known.later:
            yield Finding(
                *place,
                f"{need.what} does not work with TensorFlow {version}: {known.why}",
                _remedy(context, known, need.release),
                name=known.name,
            )
        elif known.refuses or is_legacy:
            if known.refuses and is_legacy:
                yield Finding(
                    *place,
                    f'{need.what} does not work with keras = "legacy": {known.why}',
                    "Remove it, or remove keras from [tool.poetry-tf]",
                    name=known.name,
                    level="warning",
                )
        elif known.as_tf_keras:
            yield Finding(
                *place,
                f"{need.what} needs tf.keras to be Keras 2, but with TensorFlow {version} it is "
                f"Keras {keras_major(need.release)}: {known.why}",
                'Set keras = "legacy" in [tool.poetry-tf], or TF_USE_LEGACY_KERAS=1 with '
                f"{TF_KERAS} wherever it runs; or {_STAY}",
                name=known.name,
                level="warning",
            )
        elif missing := [
            *missing_keras_2(project, pairings(project, plan.release, need.brought_by or [main]))
        ]:
            texts = dict.fromkeys(line.text for one in missing for line in one.lines)
            writes = project.pyproject.is_managed and all(
                one.edits and may_write(project, one.item) for one in missing
            )
            yield Finding(
                *place,
                f"{need.what} needs Keras 2 with TensorFlow {version}, but {TF_KERAS} is "
                f"not required: {known.why}",
                f"Require {' and '.join(texts)}",
                tuple(edit for one in missing for edit in one.edits) if writes else (),
                name=known.name,
            )


_STAY = f"stay with a TensorFlow whose own Keras is {LEGACY_KERAS}"


def _remedy(context: Context, known: NeedsKeras2, release: Release) -> str:
    """The advice to take a later release, or what locked package does not admit one."""
    later = parse_constraint(f">={known.later}")
    refused = refusing(context.project.valid_lock, known.name, later.allows_any)
    if refused is None:
        return f"Require {known.name} {known.later} or later, or {_STAY}"
    name, text = refused
    if (gone := ended(name, release.series)) is not None:
        return f"{text}, and no other release of {name} works: {gone.why}. {gone.instead}"
    return f"{text}: require another version of it, remove it, or {_STAY}"


@dataclass(frozen=True)
class _Need:
    known: NeedsKeras2
    item: Requirement | None
    """The project's own requirement on it."""
    what: str
    release: Release
    """The TensorFlow beside it."""
    brought_by: tuple[Requirement, ...]
    """The project's requirements that lead to it."""


def _needs(context: Context, release: Release) -> Iterator[_Need]:
    """What needs Keras 2: by what is locked, else by what its requirement admits.

    `release` is the TensorFlow that is planned for.
    """
    project = context.project
    locked = {one.known: one for one in _locked_needs(context, release)}
    yield from locked.values()
    lock = project.valid_lock if admitted_locked_tensorflow(project) is not None else None
    for known in need_keras_2():
        if lock and TF_KERAS in lock.versions and not (known.later or known.refuses):
            continue
        versions = lock.versions.get(known.name, ()) if lock else ()
        for item in project.pyproject.requirements:
            if item.name != known.name or known in locked or known.extra in item.extras:
                continue
            if any(item.constraint.allows(to_poetry_version(one)) for one in versions):
                continue  # the locked one does not need it
            if not _is_newest(known, item.constraint):  # which a solver takes
                continue
            beside = (pair.release for pair in pairings(project, release, [item]))
            if (tensorflow := next(filter(needs_keras_2, beside), None)) is not None:
                what = f"{known.name} {item.written}".strip()
                yield _Need(known, item, what, tensorflow, (item,))


def _is_newest(known: NeedsKeras2, constraint: VersionConstraint) -> bool:
    """Whether the newest version that a constraint admits is one of those that need it."""
    above = (one.version for one in known.versions if one.operator == "<")
    return constraint.allows_any(parse_constraint(str(known.versions))) and not any(
        constraint.allows_any(parse_constraint(f">={version}")) for version in above
    )


def _locked_needs(context: Context, release: Release) -> Iterator[_Need]:
    """What is locked and needs Keras 2 beside the TensorFlow that it is installed with.

    What no requirement leads to goes with `release`.
    """
    project, lock = context.project, context.project.valid_lock
    if lock is None or admitted_locked_tensorflow(project) is None:
        return
    found = {
        (known.name, version): known
        for known in need_keras_2()
        for version in lock.versions.get(known.name, ())
        if known.versions.contains(version)
    }
    if not found:
        return
    everywhere = [*installations(project)]
    reached = {package.name for one in everywhere for package in one.packages}
    # What no requirement leads to counts as installed everywhere.
    stray = TF_KERAS in lock.versions.keys() - reached
    for (name, version), known in found.items():
        beside = [
            (one.tensorflow, TF_KERAS in {package.name for package in one.packages} or stray)
            for one in everywhere
            if (name, version) in {(package.name, package.parsed) for package in one.packages}
        ]
        if name not in reached:
            beside = [(release, TF_KERAS in lock.versions)]
        lacking = (
            tensorflow
            for tensorflow, has_keras_2 in beside
            if tensorflow is not None and needs_keras_2(tensorflow)
            if known.as_tf_keras or known.refuses or known.later or not has_keras_2
        )
        if (tensorflow := next(lacking, None)) is not None:
            packages = (one for one in read_packages(lock.data) if one.name == name)
            leading = requirements_leading_to(
                project, [one for one in packages if one.parsed == version]
            )
            items = [item for item in project.pyproject.requirements if item.name == name]
            what = f"{name} {version}" if items else f"{name} {version}, which is locked,"
            yield _Need(known, next(iter(items), None), what, tensorflow, leading)
