"""TF1xx: the requirements on TensorFlow in the project, and what is made for its releases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from packaging.utils import canonicalize_name

from poetry_tf.checks.findings import Context, Finding, rule
from poetry_tf.files.edits import Edit
from poetry_tf.files.project import Project
from poetry_tf.files.requirements import Requirement
from poetry_tf.plan.alternatives import alternatives
from poetry_tf.plan.lines import Line, releases_by_pythons
from poetry_tf.plan.model import TF_KERAS
from poetry_tf.plan.requirement import (
    constraint_series,
    has_own_index,
    lower_bound,
    tensorflow_requirements,
    unavailable_versions,
)
from poetry_tf.plan.settings import read_settings, requirement_pin_severity
from poetry_tf.pyproject.beside import may_write, pairings
from poetry_tf.pyproject.keras2 import missing_keras_2
from poetry_tf.pyproject.pins import pin_edits, pin_text, shim_pin_edits
from poetry_tf.pyproject.places import covers, is_installed_with
from poetry_tf.pyproject.platform_alone import platform_alone_fix
from poetry_tf.pyproject.requirement_edits import rename_edits, replace_edits
from poetry_tf.releases import (
    DISTRIBUTIONS,
    load,
    misspelling_of,
    role,
)
from poetry_tf.text import format_list


@rule("TF101", fixable=True)
def pin_wider_than_a_series(context: Context) -> Iterator[Finding]:
    """The constraint on TensorFlow admits more than one minor series.

    TensorFlow does not follow semantic versioning: Keras, Pythons, CUDA and parts of the API change
    in minor releases. With `^2.13`, `>=2.13`, `~2`, `~=2.13` or `*` the next `poetry update` may
    move the project to another series, and the container no longer fits.

    These stay within one series: `~2.13.1`, `2.13.*`, `~=2.13.0`, `>=2.13.1,<2.14` and `==2.13.1`.
    The meaning of a constraint counts, not its spelling. `--fix` narrows it to the locked series.
    Without a lock file it takes the series that the constraint begins with, because the project was
    written for that one.

    A published package may have to support several series. That is for its author to decide: in a
    project without `[tool.poetry-tf]` it is a warning, as it is with `pin = "warn"` there, and
    `--fix` leaves it. `pin = "off"` turns the rule off.
    """
    releases = context.narrowed
    lines = {line.item.path: line for line in context.lines}
    for item in tensorflow_requirements(context.project):
        if item.constraint.is_empty() or constraint_series(item.constraint) is not None:
            continue
        severity = requirement_pin_severity(context.project, item)
        if severity == "off":
            continue
        written = f"{item.name} {item.written or 'without a version'}"
        remedy = _series_to_choose(lines[item.path]) if item.path in lines else PIN
        edits: tuple[Edit, ...] = ()
        if (release := releases.get(item.path)) is not None:
            make_edits = shim_pin_edits if role(item.name) == "shim" else pin_edits
            edits = make_edits(context.project, item, release)
            if edits:
                pin = pin_text(item, release)
                remedy = f'Write "{pin}" to stay with TensorFlow {release.series}'
        if severity == "warn":
            remedy += ", unless the package has to support several"
        yield Finding(
            *context.at(item.constraint_path),
            f"{written} admits more than one minor series of TensorFlow, which does not follow "
            "semantic versioning",
            remedy,
            edits if severity == "error" else (),
            name=item.name,
            level="error" if severity == "error" else "warning",
        )


PIN = "Pin it to one minor series"


def _series_to_choose(line: Line) -> str:
    """The remedy where no series serves all Pythons of a requirement: one for each part of them."""
    parts = releases_by_pythons(line)
    if len(parts) < 2:
        return PIN
    series = format_list(
        f"{release.series} for Python {' to '.join(dict.fromkeys((pythons[0], pythons[-1])))}"
        for release, pythons in parts
    )
    return (
        f"No series has wheels for all these Pythons: require {series}, with markers such as "
        f"'python_version < \"{parts[1][1][0]}\"'"
    )


@rule("TF102", fixable=True)
def no_such_release(context: Context) -> Iterator[Finding]:
    """A version of TensorFlow is required or locked that was never released, or is empty.

    A pin such as `~2.15.7`, where 2.15 ends with 2.15.1, admits nothing that could be installed. A
    lock file with such a version was changed by hand, or in a merge. The rule also finds a pin
    whose releases were all yanked, because no solver chooses one of these by itself.

    The newest release that a pin admits may hold no TensorFlow, as `tensorflow-macos` 2.15.1 does:
    it installs, and TensorFlow can't be imported. `--fix` ends the pin before it.

    The rule does not check releases that are newer than poetry-tf's data, such as a later patch
    release of a recent series or one that is locked. It does not check a project with an index of
    its own.
    """
    project = context.project
    if has_own_index(project):
        return
    for item in tensorflow_requirements(project):
        if role(item.name) == "retired":
            continue  # TF103 finds it
        if (admits := unavailable_versions(project, item)) is not None:
            yield Finding(
                *context.at(item.constraint_path),
                f"{item.name} {item.written} admits {admits}",
                _nearest(item),
                name=item.name,
            )
    yield from _empty_releases(context)
    if (lock := project.valid_lock) is None:
        return
    for name in sorted(lock.versions.keys() & {*map(canonicalize_name, DISTRIBUTIONS)}):
        for version in lock.versions[name]:
            # A local version ("2.13.0+nv23.5") is a build of a release by somebody else.
            if version.local is not None or lock.has_source(name, version):
                continue
            if load(name).standing(version) == "missing":
                yield Finding(
                    lock.path,
                    lock.position(name, version),
                    f"{name} {version} is locked, but there is no such release",
                    "Run `poetry lock`, and find out what changed the lock file",
                    name=name,
                )


def _empty_releases(context: Context) -> Iterator[Finding]:
    """The pins of which a solver takes a release that installs nothing."""
    main = [line.item for line in context.lines if role(line.item.name) == "main"]
    others = {item.path for item in _not_to_name(context, main)}  # TF103 finds them
    for line in context.lines:
        if not line.admitted or not (newest := line.admitted[-1]).is_empty:
            continue
        full = next((one for one in reversed(line.admitted) if not one.is_empty), None)
        if line.item.path in others | context.narrowed.keys():  # TF101 finds the latter
            continue
        remedy = "Require another release, or tensorflow itself there"
        edits: tuple[Edit, ...] = ()
        if full is not None:
            remedy = f"Take {full.version}: end the pin before {newest.version}"
            edits = shim_pin_edits(context.project, line.item, full)
        yield Finding(
            *context.at(line.item.constraint_path),
            f"{line.item.name} {line.item.written} admits {newest.version}, which installs nothing",
            remedy,
            edits if may_write(context.project, line.item) else (),
            name=line.item.name,
        )


def _nearest(item: Requirement) -> str:
    """The remedy that names the newest release of the constraint's first series, else of all."""
    catalog, lowest = load(item.name), lower_bound(item.constraint)
    series = f"{lowest.major}.{lowest.minor}" if lowest is not None else ""
    if (release := catalog.newest(series)) is not None:
        return f"The newest release of {series} is {release.version}"
    newest = catalog.newest()
    return f"The newest release is {newest.version}" if newest else "Require another distribution"


@rule("TF103", fixable=True)
def not_the_distribution_to_name(context: Context) -> Iterator[Finding]:
    """A requirement names a distribution that is retired, or that is for one platform only.

    `tensorflow-gpu` ended with 2.12; `tensorflow` itself has had the GPU code since 2.1.
    `tensorflow-intel`, `tensorflow-macos` and `tensorflow-cpu-aws` hold the files of one platform:
    alone, they make a project that can be installed there and nowhere else. They may stand beside a
    requirement on `tensorflow`, with a marker for their platform, and in an optional group or an
    extra that is an alternative to another one with `tensorflow`.

    `--fix` requires `tensorflow` instead where its own wheel for the platform holds the files.
    Where it does not, `--fix` requires both, with markers that exclude each other.
    """
    items = tensorflow_requirements(context.project)
    main = [item for item in items if role(item.name) == "main"]
    for item in _not_to_name(context, main):
        kind = role(item.name)
        reason = "is retired" if kind == "retired" else "is for one platform only"
        remedy = "Require tensorflow instead"
        edits: tuple[Edit, ...] = ()
        if kind == "shim":
            remedy, edits = platform_alone_fix(
                context.project, item, context.narrowed.get(item.path)
            )
        elif (enough := _covering(context.project, item, main)) is not None:
            remedy = f"Remove it: {enough.name} is enough"
        elif len(items) == 1:
            edits = rename_edits(context.project, item, _TENSORFLOW)
        else:
            edits = replace_edits(context.project, item, _TENSORFLOW)
        yield Finding(*context.at(item.path), f"{item.name} {reason}", remedy, edits)


_TENSORFLOW = canonicalize_name("tensorflow")


def _not_to_name(context: Context, main: Sequence[Requirement]) -> Iterator[Requirement]:
    """The requirements on what is retired, or is for one platform and stands alone."""
    for item in tensorflow_requirements(context.project):
        kind = role(item.name)
        is_beside = bool(main) and not (item.marker.is_any() and _meets(context, item, main))
        if kind == "retired" or (kind == "shim" and not is_beside):
            yield item


def _meets(context: Context, item: Requirement, others: Sequence[Requirement]) -> bool:
    """Whether a requirement is installed together with one of others."""
    return any(
        one.installs(item) and any(map(one.installs, others))
        for one in alternatives(context.project.pyproject)
    )


def _covering(
    project: Project, item: Requirement, mains: Sequence[Requirement]
) -> Requirement | None:
    """The requirement that is installed wherever another is, and counts there."""
    return next(
        (
            main
            for main in mains
            if is_installed_with(project, main, item) and covers(project, main.marker, item)
        ),
        None,
    )


@rule("TF106", fixable=True)
def misspelt(context: Context) -> Iterator[Finding]:
    """A dependency has nearly the name of a TensorFlow distribution.

    Malicious packages are published under names that differ from a popular one by a letter. If the
    name is right, add an entry with that `name` to `ignore` in the settings.
    """
    for item in context.project.pyproject.requirements:
        if (meant := misspelling_of(item.name)) is not None:
            yield Finding(
                *context.at(item.path),
                f"{item.name} looks like a misspelling of {meant}",
                f"Write {meant}",
                rename_edits(context.project, item, meant),
                name=item.name,
            )


@rule("TF107", fixable=True)
def keras_2_not_required(context: Context) -> Iterator[Finding]:
    """The project chose Keras 2, but doesn't require it for its TensorFlow.

    From 2.16 on `tf.keras` is Keras 3, and Keras 2 is the distribution `tf-keras`, with one series
    for each of TensorFlow's. With `keras = "legacy"` in `[tool.poetry-tf]` the project has to
    require it in the same series as TensorFlow: without it the import of TensorFlow's Keras fails.
    """
    plan, project = context.plan, context.project
    if plan is None or read_settings(project)[0].keras != "legacy":
        return
    mains = tensorflow_requirements(project)
    is_required = any(item.name == TF_KERAS for item in project.pyproject.requirements)
    for missing in missing_keras_2(project, pairings(project, plan.release, mains)):
        item, series = missing.item, missing.release.series
        message = f'keras is "legacy" in [tool.poetry-tf], but {TF_KERAS} is not required'
        if missing.is_wrong:
            message = f"{TF_KERAS} {item.written} has no release for TensorFlow {series}"
        elif is_required:
            message += f" wherever TensorFlow {series} is"
        yield Finding(
            *context.at(item.constraint_path if missing.is_wrong else item.path),
            message,
            f"Require {missing.text}, or remove keras from [tool.poetry-tf]",
            missing.edits,
            name=TF_KERAS,
        )
