"""TF3xx: the lock, and what Poetry is told to do with the project."""

from __future__ import annotations

from collections.abc import Iterator

from poetry.core.constraints.version import Version as PoetryVersion

from poetry_tf.checks.findings import Context, Finding, rule
from poetry_tf.plan import tensorflow_requirements
from poetry_tf.project.documents import Position
from poetry_tf.project.edits import Edit
from poetry_tf.project.errors import ProjectError
from poetry_tf.project.project import LOCK


@rule("TF301")
def package_mode_without_package(context: Context) -> Iterator[Finding]:
    """Package mode is on in a project that ships no package.

    `poetry install` then tries to install the project itself and fails, or warns. Programs and
    experiments that are never published turn it off.
    """
    project = context.project.pyproject
    if not context.concerned or project.ships_package or not project.package_mode:
        return
    if not (project.is_poetrys or context.project.lock):
        return
    path = ("tool", "poetry", "package-mode")
    yield Finding(
        "TF301",
        *context.at(path if project.document.position(path) else ("tool", "poetry")),
        "package-mode is on, but the project ships no package: no packages, scripts or plugins",
        "Write package-mode = false in [tool.poetry]",
        (Edit(project.path, "set", path, False),),
    )


@rule("TF302")
def lock_missing_or_stale(context: Context) -> Iterator[Finding]:
    """poetry.lock is missing, broken, or older than what pyproject.toml asks for.

    `poetry install` refuses a stale lock, and without one each machine solves for itself.
    """
    project = context.project
    lock = project.lock
    path = project.root / LOCK
    if not context.concerned:
        return
    if isinstance(lock, ProjectError):
        yield Finding(
            "TF302",
            path,
            lock.position,
            f"the lock can't be used: {lock.message}",
            "Restore it, or delete it and run `poetry lock`",
        )
    elif lock is None:
        if project.pyproject.is_managed:
            yield Finding("TF302", path, None, "the project is not locked", "Run `poetry lock`")
    elif not project.pyproject.foreign_manager and not lock.is_fresh(project.pyproject.data):
        yield Finding(
            "TF302",
            path,
            Position(1, 1),
            "pyproject.toml has changed since the lock was made",
            "Run `poetry lock`",
        )


@rule("TF303")
def locked_outside_the_pin(context: Context) -> Iterator[Finding]:
    """The locked TensorFlow is not one that pyproject.toml admits."""
    if (lock := context.project.valid_lock) is None:
        return
    for item in tensorflow_requirements(context.project):
        # Poetry's own test of a lock doesn't find this one: Poetry 2.1 reads no
        # [dependency-groups], and for 2.2 a lock stays fresh when they change.
        if item.path[0] == "dependency-groups" and item.name not in lock.versions:
            yield Finding(
                "TF303",
                *context.at(item.path),
                f"{item.name} is asked for here, but not locked",
                "Run `poetry lock` with Poetry 2.2 or later: 2.1 does not read [dependency-groups]",
            )
        for version in lock.versions.get(item.name, ()):
            if item.marker.is_any() and not item.constraint.allows(
                PoetryVersion.parse(str(version))
            ):
                yield Finding(
                    "TF303",
                    lock.path,
                    lock.position(item.name, version),
                    f"{item.name} {version} is locked, but pyproject.toml asks for {item.written}",
                    "Run `poetry lock`",
                )
