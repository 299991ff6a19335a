"""TF3xx: the lock file, and what Poetry installs from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from packaging.version import Version
from poetry.core.constraints.version import VersionRange, parse_constraint

from poetry_tf.checks.findings import Context, Finding, locked_release, rule
from poetry_tf.devcontainer.image import container_python
from poetry_tf.devcontainer.poetry import container_poetrys
from poetry_tf.devcontainer.view import Change
from poetry_tf.files.bounds import bounded
from poetry_tf.files.edits import Edit
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.lock import Lock
from poetry_tf.files.positions import Position
from poetry_tf.files.project import LOCK, Devcontainer
from poetry_tf.files.values import KeyPath
from poetry_tf.plan.environments import (
    DEFAULT_ENVIRONMENTS,
    ENVIRONMENTS,
    Target,
    format_targets,
    make_targets,
    required_environments,
    required_pythons,
)
from poetry_tf.plan.installability import LockedPackages, Obstacle
from poetry_tf.plan.lock_entries import admits_python
from poetry_tf.plan.requirement import (
    locked_tensorflow,
    tensorflow_distributions,
    tensorflow_requirements,
    to_poetry_version,
)
from poetry_tf.plan.served import served_targets
from poetry_tf.plan.settings import read_settings
from poetry_tf.pyproject.bounds import missing_bounds
from poetry_tf.pyproject.platforms import missing_requirements, unlocked_requirements
from poetry_tf.releases import fits, named
from poetry_tf.releases.images import load_images
from poetry_tf.releases.model import numbers
from poetry_tf.text import format_list


@rule("TF301", fixable=True)
def package_mode_without_package(context: Context) -> Iterator[Finding]:
    """Package mode is on in a project that ships no package.

    `poetry install` then tries to install the project itself, finds nothing to install, and fails.
    Programs and experiments that are never published turn package mode off. A project ships a
    package where it names packages, scripts or plugins, or has a module of its own name.
    """
    project = context.project.pyproject
    if not context.involves_tensorflow or project.ships_package or not project.package_mode:
        return
    if not (project.is_poetrys or context.project.lock):
        return
    path = ("tool", "poetry", "package-mode")
    yield Finding(
        *context.at(path if project.document.position(path) else ("tool", "poetry")),
        "package-mode is on, but the project ships no package: no packages, scripts or plugins",
        "Write package-mode = false in [tool.poetry]",
        (Edit(project.path, "set", path, False),),
    )


@rule("TF302", fixable=True)
def lock_missing_or_stale(context: Context) -> Iterator[Finding]:
    """poetry.lock is missing, broken, or out of date with pyproject.toml.

    `poetry install` refuses an outdated lock file, and without one each machine solves for itself.
    A project that poetry-tf does not manage may be without a lock file.

    `--fix` locks again, and keeps every locked version that is still admitted. It leaves a lock
    file that it can't read, for example after a merge: restore it, or delete it.
    """
    project = context.project
    lock = project.lock
    path = project.root / LOCK
    if not context.involves_tensorflow:
        return
    if isinstance(lock, ProjectError):
        yield Finding(
            path,
            lock.position,
            f"could not read the lock file: {lock.message}",
            lock.remedy or "Restore it, or delete it and run `poetry lock`",
        )
    elif lock is None:
        if project.pyproject.is_managed:
            yield Finding(
                path,
                None,
                "the project has no lock file",
                "Run `poetry lock`",
                locks=not project.pyproject.foreign_manager,
            )
    elif not project.pyproject.foreign_manager and not lock.is_fresh(project.pyproject.data):
        yield Finding(
            path,
            Position(1, 1),
            "pyproject.toml has changed since the lock file was made",
            "Run `poetry lock`",
            locks=True,
        )


@rule("TF303", fixable=True)
def locked_outside_the_pin(context: Context) -> Iterator[Finding]:
    """The locked TensorFlow is not one that pyproject.toml admits.

    One of the two files was changed without the other, by hand or in a merge. Locking again follows
    pyproject.toml.
    """
    if (lock := context.project.valid_lock) is None:
        return
    for item in tensorflow_requirements(context.project):
        # Poetry's own check of a lock misses this: Poetry 2.1 does not read [dependency-groups],
        # and for 2.2 a lock stays fresh when they change.
        if item.path[0] == "dependency-groups" and item.name not in lock.versions:
            yield Finding(
                *context.at(item.path),
                f"{item.name} is required here, but not locked",
                "Run `poetry lock` with Poetry 2.2 or later: 2.1 does not read [dependency-groups]",
            )
        for version in lock.versions.get(item.name, ()):
            if item.marker.is_any() and not item.constraint.allows(to_poetry_version(version)):
                yield Finding(
                    lock.path,
                    lock.position(item.name, version),
                    f"{item.name} {version} is locked, but pyproject.toml requires {item.written}",
                    "Run `poetry lock`",
                    locks=not context.project.pyproject.foreign_manager,
                )


@rule("TF304")
def no_file_for_an_environment(context: Context) -> Iterator[Finding]:
    """A locked package has no file for an environment in which it is needed.

    Poetry locks one release of a package for all environments, and looks neither at the platforms
    nor at the Pythons that its wheels are for: locking succeeds, and `poetry install` fails where
    no wheel fits. The environments are those in `[tool.poetry-tf]`, by default the container's on
    x86-64 and on ARM. A package that can be built from source counts as installable. ARM Linux is a
    warning in a project that does not declare its environments: to leave it out, write
    `environments = ["linux-x86_64"]` in `[tool.poetry-tf]`.

    The rule also finds TensorFlow itself, where another release that the requirement admits has
    wheels. Where no release has any for a Python that the project admits, TF201 says so. A lock
    file is judged for the Pythons that it was made for; if pyproject.toml admits others since then,
    it is out of date (TF302).
    """
    if (lock := context.project.valid_lock) is None or context.project.pyproject.foreign_manager:
        return
    locked = LockedPackages.of(lock, context.project.pyproject)
    yield from _unserved_lines(context, lock, locked)
    judged = _judged_targets(context, lock, locked)
    managed = context.project.pyproject.is_managed
    for item in locked.obstacles(judged, load_images().systems):
        package, where = item.package, format_targets(item.targets, judged)
        if package.optional and not managed and _is_for_elsewhere(item, judged):
            continue
        if item.reason == "file":
            message = f"{package.name} {package.version} has no file for {where}"
            remedy = _remedy(context, locked, item, judged)
        else:
            message = (
                f"{package.name} {package.version} is needed on {where}, but admits Python "
                f"{package.pythons} only"
            )
            remedy = "Run `poetry lock`; if that changes nothing, require another version of it"
        place = lock.position(package.name, package.parsed)
        if is_unasked := _is_unasked(context, item.targets):
            remedy = f"{_LEAVE_OUT}. Otherwise: {remedy[0].lower()}{remedy[1:]}"
        yield Finding(lock.path, place, message, remedy, level="warning" if is_unasked else None)


_LEAVE_OUT = (
    f'To leave it out, write environments = ["{DEFAULT_ENVIRONMENTS[0]}"] in [tool.poetry-tf]'
)


def _is_unasked(context: Context, targets: Iterable[Target]) -> bool:
    """Whether all targets are environments that count by default, besides the first."""
    return read_settings(context.project)[0].environments is None and all(
        target.environment in DEFAULT_ENVIRONMENTS[1:] for target in targets
    )


def _unserved_lines(context: Context, lock: Lock, locked: LockedPackages) -> Iterator[Finding]:
    """The findings where the lock has no wheels for a Python, and another release has."""
    narrowed = context.narrowed  # what TF101 narrows is locked again
    lines = [line for line in context.lines if line.locked and line.item.path not in narrowed]
    lines = [line for line in lines if not line.locked[-1].is_empty]  # TF102 finds it
    if not lines or not context.project.is_locked:
        return
    served = served_targets(context.project, locked, lines)
    is_declared = context.project.pyproject.is_managed or lines[0].declared is not None
    judged = ENVIRONMENTS if is_declared else DEFAULT_ENVIRONMENTS[:1]
    for line in lines:
        unserved = [
            target
            for target in line.servable
            if target not in served
            and target.environment in judged
            and admits_python(lock.pythons, target.python)
        ]
        if unserved:
            versions = format_list(str(release.version) for release in line.locked)
            is_unasked = line.item.marker.is_any() and _is_unasked(context, unserved)
            yield Finding(
                lock.path,
                lock.position(line.item.name, line.locked[-1].version),
                f"{line.item.name} {versions} is locked, which has no wheel for "
                f"{format_targets(unserved, line.servable)}",
                (f"{_LEAVE_OUT}. Otherwise: run" if is_unasked else "Run")
                + " `poetry lock`; if that changes nothing, require a series for each range of "
                "Pythons, with markers",
                level="warning" if is_unasked else None,
            )


def _judged_targets(context: Context, lock: Lock, locked: LockedPackages) -> tuple[Target, ...]:
    """The targets of the lock in which it has to be installable and its TensorFlow is usable.

    A project that poetry-tf does not manage declares no environments. It is checked in the first
    default one, and only for targets that need TensorFlow.
    """
    pyproject = context.project.pyproject
    pythons = required_pythons(pyproject.python.constraint) if pyproject.python else None
    version = locked_tensorflow(context.project)
    if not pythons or version is None:
        return ()
    names = tensorflow_distributions() - named("shim")
    tensorflows = [package for package in locked.packages if package.name in names]
    declared = read_settings(context.project)[0].environments
    release = locked_release("tensorflow", version)
    if declared is not None or release is None or not pyproject.is_managed:
        environments = declared or DEFAULT_ENVIRONMENTS[:1]
    else:
        environments = required_environments(release, None)

    def is_judged(target: Target) -> bool:
        needed = [package for package in tensorflows if locked.needs(package, target)]
        releases = [locked_release(item.name, item.parsed) for item in needed]
        usable = all(
            release is None or target.python in release.usable_on(target.environment)
            for release in releases
        )
        return usable and (bool(needed) or pyproject.is_managed)

    locked_for = [python for python in pythons if admits_python(lock.pythons, python)]
    return tuple(target for target in make_targets(environments, locked_for) if is_judged(target))


def _is_for_elsewhere(item: Obstacle, judged: Sequence[Target]) -> bool:
    """Whether a package lacks a file for whole environments, with every Python.

    Then it may be a package of an optional extra that is for another platform only.
    """
    without = {target.environment for target in item.targets}
    return set(item.targets) == {target for target in judged if target.environment in without}


def _remedy(
    context: Context, locked: LockedPackages, item: Obstacle, judged: Sequence[Target]
) -> str:
    package, where = item.package, format_targets(item.targets, judged)
    pyproject = context.project.pyproject
    if (other := _release_with_files(context, locked, item)) is not None:
        return (
            f"{other} has one: require {package.name} {other} there and {package.version} "
            "elsewhere, with markers"
        )
    remedies = ["Require another version of it there"]
    if _is_for_elsewhere(item, judged):
        if any(one.name == package.name for one in pyproject.requirements):
            remedies.append(f"give it a marker that leaves {where} out")
        declared = read_settings(context.project)[0].environments
        if declared is not None and {*item.targets} != {*judged}:
            remedies.append(f"take {where} out of environments in [tool.poetry-tf]")
    else:
        remedies.append(f"narrow {'.'.join(map(str, pyproject.python_path))}")
    return ", or ".join(remedies)


def _release_with_files(context: Context, locked: LockedPackages, item: Obstacle) -> Version | None:
    """The newest release of a companion that would remove the obstacle; None if none is known.

    It has files for all targets of the obstacle, fits the TensorFlow, and satisfies the constraints
    on it there.
    """
    name, version = item.package.name, locked_tensorflow(context.project)
    release = locked_release("tensorflow", version)
    constraints = [one for target in item.targets for one in locked.constraints_on(name, target)]
    fit = [
        one.companion.version
        for one in (fits(name, release) if release is not None else ())
        if not one.companion.yanked
        and all(
            target.python in one.companion.pythons.get(target.environment, ())
            for target in item.targets
        )
        and all(bound.allows(to_poetry_version(one.companion.version)) for bound in constraints)
    ]
    return fit[-1] if fit else None


@rule("TF305", fixable=True)
def lacking_for_an_environment(context: Context) -> Iterator[Finding]:
    """The lock file lacks what TensorFlow needs in one of the project's environments.

    On some platforms TensorFlow's wheel holds nothing but a requirement on another distribution
    (`tensorflow-cpu-aws`, `tensorflow-intel`, `tensorflow-macos`), and the newest version of
    `tensorflow-io-gcs-filesystem` has no wheel for Windows. Poetry reads the metadata of one wheel
    for all platforms, so pyproject.toml has to require what the others need, with markers.

    Some versions also admit a dependency that was released later and that they fail with. Old
    releases of TensorFlow fail with NumPy 2 or a newer protobuf, which is an error. TensorBoard
    before 2.21 doesn't start with setuptools 82, which removed pkg_resources; training still works,
    so this is a warning. In a project that poetry-tf manages, pyproject.toml has to require an
    older version, such as `setuptools (<82)`. Other projects are checked by their lock file, if
    they have one, and are not changed. `--fix` does not change what a package publishes either: a
    line in a dependency group holds the lock file and is not published.
    """
    project, plan = context.project, context.plan
    is_planned = plan is not None and project.pyproject.is_managed
    issues = (
        *(missing_requirements(project, plan) if plan is not None and is_planned else ()),
        *(missing_bounds(project) if context.involves_tensorflow else ()),
    )
    for issue in issues:
        yield Finding(
            *context.at(issue.item.path),
            issue.message,
            issue.remedy,
            issue.edits,
            level=issue.severity,
        )
    lock = project.valid_lock
    # A lock that is older than the requirements is stale, which TF302 finds.
    if plan is None or not is_planned or issues or lock is None:
        return
    if not lock.is_fresh(project.pyproject.data):
        return
    for item, name in unlocked_requirements(project, plan):
        yield Finding(
            lock.path,
            lock.position(item.name),
            f"pyproject.toml requires {name}, but the lock file doesn't have the one that "
            f"{item.name} needs",
            "Run `poetry lock`",
        )


# -- the Poetry that reads it ---------------------------------------------------------------

# For lock formats from the first on: the first Poetry that reads them, and the first Python for
# that Poetry. Every Poetry reads the formats of 1.1 and before. Poetry 1.2.2 to 1.8 also start to
# read the format of Poetry 2, but warn about it and do not support [project].
_READERS = (
    (Version("2.1"), Version("2.0"), "3.9"),
    (Version("2.0"), Version("1.2.2"), "3.7"),
)
_UNKNOWN_FORMAT = Version("3.dev0")
"""The first format that no known Poetry reads."""


@rule("TF306", fixable=True)
def lock_that_the_container_cannot_read(context: Context) -> Iterator[Finding]:
    """The lock file has a format that the container's Poetry can't read.

    Poetry 2 writes lock files that Poetry 1 doesn't understand, or only in part, and those of
    Poetry 1.3 and later can't be read by Poetry before 1.2.2: the container then fails to install
    the project. `--fix` gives the container the Poetry that wrote the lock file, where that runs on
    its Python. Where no Poetry for its Python reads the lock file, the image has to change.
    """
    lock = context.project.valid_lock
    if lock is None or lock.format is None or not context.involves_tensorflow:
        return
    if lock.format >= _UNKNOWN_FORMAT:
        yield Finding(
            lock.path,
            lock.position_of("lock-version"),
            f"the lock file has the format {lock.format}, which no Poetry that poetry-tf knows can "
            "read",
            "Update poetry-tf: poetry self update poetry-tf",
        )
        return
    reader = next((item for item in _READERS if lock.format >= item[0]), None)
    if reader is None:
        return
    for found, changes in context.containers:
        yield from _unread(lock, found, changes, reader)


def _unread(
    lock: Lock, found: Devcontainer, changes: Iterable[Change], reader: tuple[Version, Version, str]
) -> Iterator[Finding]:
    """The findings for a container whose Poetry or Python can't read the lock."""
    _, poetry, first = reader
    python = container_python(found.document)
    if python is not None and numbers(python) < numbers(first):
        if any(change.code == "TF502" for change in changes):
            return  # TF502 fixes it as well
        yield Finding(
            found.path,
            found.document.nearest(("image",)),
            f"the lock file has the format {lock.format}. It needs Poetry {poetry} or later, which "
            f"runs on Python {first} or later, but the image has Python {python}",
            "Use an image with a newer Python",
        )
        return
    edits: dict[KeyPath, list[Edit]] = {}
    for change in changes:
        if change.code == "TF506":
            edits.setdefault(change.path, []).extend(change.edits)
    for written, path in container_poetrys(found.path, found.document, load_images()):
        if not _admits(written, poetry):
            yield Finding(
                found.path,
                found.document.nearest(path),
                f"Poetry {written} can't read the lock file, which has the format {lock.format}",
                f"Install Poetry {lock.poetry_version or poetry}",
                tuple(
                    edit for length in range(len(path) + 1) for edit in edits.get(path[:length], ())
                ),
            )


def _admits(written: str, first: Version) -> bool:
    """Whether a constraint on Poetry admits `first` or later; a word such as "latest" does."""
    try:
        with bounded(written):
            constraint = parse_constraint(written or "*")
    except ValueError:
        return True
    return constraint.allows_any(VersionRange(to_poetry_version(first), None, include_min=True))
