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


@rule("TF301", fixable=True)
def package_mode_without_package(context: Context) -> Iterator[Finding]:
    """Package mode is on in a project that ships no package.

    `poetry install` then tries to install the project itself, finds nothing to install, and fails.
    Programs and experiments that are never published turn package mode off. A project ships a
    package where it names packages, scripts or plugins, or has a module of its own name.
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


@rule("TF302", fixable=True)
def lock_missing_or_stale(context: Context) -> Iterator[Finding]:
    """poetry.lock is missing, broken, or older than what pyproject.toml asks for.

    `poetry install` refuses a stale lock, and without one each machine solves for itself. A project
    that poetry-tf does not manage may be without a lock.

    Locking anew mends it, with every locked version as it is where that is still admitted. A lock
    that can't be read, after a merge say, is left as it is: restore it, or delete it.
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
            yield Finding(
                "TF302",
                path,
                None,
                "the project is not locked",
                "Run `poetry lock`",
                locks=not project.pyproject.foreign_manager,
            )
    elif not project.pyproject.foreign_manager and not lock.is_fresh(project.pyproject.data):
        yield Finding(
            "TF302",
            path,
            Position(1, 1),
            "pyproject.toml has changed since the lock was made",
            "Run `poetry lock`",
            locks=True,
        )


@rule("TF303", fixable=True)
def locked_outside_the_pin(context: Context) -> Iterator[Finding]:
    """The locked TensorFlow is not one that pyproject.toml admits.

    One of them was changed without the other, by hand or in a merge. Locking anew goes by
    pyproject.toml.
    """
    if (lock := context.project.valid_lock) is None:
        return
    for item in tensorflow_requirements(context.project):
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
                    locks=not context.project.pyproject.foreign_manager,
                )
