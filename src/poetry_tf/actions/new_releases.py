"""The releases of TensorFlow that the data does not know and an action may choose, read first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import Version
from poetry.console.exceptions import PoetryRuntimeError

from poetry_tf.actions.lock import LockingError, mirrors_in_force, open_poetry
from poetry_tf.actions.mirror import source_edits
from poetry_tf.actions.options import InitOptions
from poetry_tf.files.edits import apply
from poetry_tf.files.project import Project
from poetry_tf.http.errors import ReadError
from poetry_tf.index.config import option_layer
from poetry_tf.index.new_releases import NewReleases, UnreadReleaseError, new_releases
from poetry_tf.plan.main_line import (
    admitted_locked_tensorflow,
    joint_constraint,
    main_requirement,
)
from poetry_tf.plan.model import CPU, PlanError
from poetry_tf.plan.release import prerelease_kind
from poetry_tf.plan.requirement import constraint_series, lower_bound
from poetry_tf.plan.settings import read_settings
from poetry_tf.poetry_internals.notices import write_notice
from poetry_tf.releases import DISTRIBUTIONS, load, whole
from poetry_tf.releases.model import series_of
from poetry_tf.text import escape_markup

if TYPE_CHECKING:
    from cleo.io.io import IO


def chooses_new_series(project: Project, options: InitOptions) -> bool:
    """Whether `init` may choose a release of a series that the data does not know."""
    if options.tensorflow is not None:
        return _is_unknown(options.tensorflow)
    if admitted_locked_tensorflow(project) is not None:
        return False  # it stays
    constraint = joint_constraint(project)
    if constraint is None or constraint_series(constraint) is None:
        return True
    lowest = lower_bound(constraint)
    return lowest is not None and _is_unknown(lowest.text)


def read_new_series(
    project: Project, options: InitOptions, io: IO, *, default: str | None = None
) -> None:
    """Reads the newest release of each series that the index has and the data does not know.

    If the options name one, only that. What can't be read is told, and the newest series that is
    known serves instead; raises `PlanError` if the options name it. `default` is the mirror where
    none is set yet.
    """
    if options.write_source:
        project = apply(project, source_edits(project, options.mirror))
    error_io = type(io)(io.input, io.error_output, io.error_output)
    mirrors = mirrors_in_force(project, options.mirror)
    if default is not None and not mirrors:
        mirrors = (option_layer(default),)
    wanted = options.tensorflow

    def tell(line: str) -> None:
        write_notice(io, f"poetry-tf: {escape_markup(line)}")

    try:
        with open_poetry(project, mirrors, error_io) as poetry:
            reader = new_releases(poetry.pool, tell)
            if reader is None:
                return
            for name in _names(project, options):
                versions = _choice(reader, name, wanted)
                if wanted is not None and not versions and name != CPU:
                    raise _missing(reader, name, wanted)
                for version in versions:
                    reader.read(name, version)
    except (UnreadReleaseError, ReadError, LockingError, PoetryRuntimeError) as error:
        lines = str(error).strip().splitlines()
        message = lines[0] if lines else type(error).__name__
        if wanted is not None:
            raise PlanError(
                message, "Try again, use another mirror (--mirror), or use a known series."
            ) from error
        if isinstance(error, UnreadReleaseError):
            tell(f"{message}. Using the newest known series: {load().series[-1]}")


def _names(project: Project, options: InitOptions) -> tuple[str, ...]:
    main = main_requirement(project)
    name = main.name if main is not None and main.name in DISTRIBUTIONS else "tensorflow"
    gpu = options.gpu or read_settings(project)[0].gpu
    return (name, CPU) if gpu == "none" and name != CPU else (name,)


def _choice(reader: NewReleases, name: str, wanted: str | None) -> list[Version]:
    """The newest release of each series that the data does not know, or the one that is wanted."""
    new = [
        version
        for version in reader.versions(name)
        if whole(name).newest(series_of(version)) is None
    ]
    newest = {series_of(version): version for version in new}
    if wanted is None:
        return [*newest.values()]
    if wanted in newest:
        return [newest[wanted]]
    return [version for version in new if version == Version(wanted)]


def _missing(reader: NewReleases, name: str, wanted: str) -> PlanError:
    known = (*whole(name).prereleases, *reader.prereleases(name))
    early = [version for version in known if wanted in {series_of(version), version.base_version}]
    newest = max((whole(name).releases[-1].version, *reader.versions(name)))
    title = "TensorFlow" if name == "tensorflow" else name
    message = f"Unknown {title} {wanted}; the newest on the index is {newest}"
    if early:
        return PlanError(message, f"The index has only {early[-1]}, {prerelease_kind(early[-1])}.")
    return PlanError(message, "The known series: `poetry tf releases`")


def _is_unknown(text: str) -> bool:
    """Whether a series or a version is of a series that the data may not know yet."""
    try:
        version = Version(text)
    except ValueError:
        return False
    if len(version.release) == 1:
        return False  # no series, whatever there is
    catalog = load()
    is_new = catalog.newest(series_of(version)) is None and catalog.standing(version) == "newer"
    return is_new and not version.is_prerelease
