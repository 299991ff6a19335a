"""What to write where a project requires the distribution of one platform, without its marker."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from packaging.utils import canonicalize_name
from poetry.core.version.markers import AnyMarker, BaseMarker, parse_marker

from poetry_tf.files.edits import Edit, apply
from poetry_tf.files.project import Project
from poetry_tf.files.requirements import Requirement
from poetry_tf.plan.environments import (
    DEFAULT_ENVIRONMENTS,
    ENVIRONMENTS,
    MINORS,
    Target,
    make_targets,
    required_environments,
)
from poetry_tf.plan.lines import Line, can_be_locked, serves, tensorflow_lines
from poetry_tf.plan.moves import has_files
from poetry_tf.plan.python import admitted_minors
from poetry_tf.plan.requirement import to_poetry_version
from poetry_tf.plan.settings import SETTINGS_PATH, read_settings
from poetry_tf.pyproject.pins import pin_edits, pin_text, shim_pin_edits
from poetry_tf.pyproject.places import is_installed_with
from poetry_tf.pyproject.platform_lines import union_markers
from poetry_tf.pyproject.requirement_edits import (
    MarkedRequirement,
    add_edits,
    marker_edits,
    names_beside,
    remove_edits,
    rename_edits,
)
from poetry_tf.releases import Release, role, whole

_TENSORFLOW = canonicalize_name("tensorflow")

Fix = tuple[str, tuple[Edit, ...]]
"""A remedy, and the edits that apply it; none where a person has to decide."""


def platform_alone_fix(project: Project, item: Requirement, narrowed: Release | None) -> Fix:
    """The fix for a requirement on the distribution of one platform.

    `narrowed` is the release whose series pins it, None where it isn't too wide.
    TensorFlow itself takes its place where its wheels for the platform have files of their own.
    Elsewhere both are required, with markers that exclude each other.
    """
    lines = tensorflow_lines(project)
    line = next((one for one in lines if one.item == item), None)
    if line is None or not line.admitted:
        return "Require tensorflow instead", ()
    newest = narrowed or (line.locked or line.admitted)[-1]
    targets = [
        target
        for target in make_targets(ENVIRONMENTS, admitted_minors(MINORS, line.python))
        if target.admits(item.marker) and serves(newest, target)
    ]
    beside = [
        one for one in lines if one is not line and is_installed_with(project, one.item, item)
    ]
    mains = [one for one in beside if role(one.item.name) != "shim"]
    if mains:
        return _beside_tensorflow(project, item, mains, targets)
    release = _tensorflow_for(project, line, newest)
    if release is None:
        return "Require tensorflow instead", ()
    needed = _environments(target for target in targets if not has_files(release, target))
    if not needed:
        edits = () if beside else _renamed(project, line, release)
        return "Require tensorflow instead", edits
    if _is_left_over(project, item):
        return "Remove it", remove_edits(project, [item])
    if {*filter(line.counts_in, ENVIRONMENTS)} <= {target.environment for target in targets}:
        return "Require tensorflow for the other platforms, or remove it", ()
    where = _marker(needed)
    rest = where.invert()
    if not item.marker.is_any():
        where, rest = item.marker.intersect(where), item.marker.intersect(rest)
    remedy = f"Give it the marker {where}, and require tensorflow with {rest}"
    is_clear = not beside and item.enriched_at is None
    if not is_clear or _TENSORFLOW in names_beside(project, item):
        return remedy, ()
    pinned = shim_pin_edits(project, item, newest) if line.is_wide else ()
    marked = marker_edits(apply(project, pinned), item, str(where))
    pin = pin_text(item, release) if line.is_wide else item.written
    if not marked:
        return remedy, ()
    return remedy, (
        *pinned,
        *marked,
        *add_edits(project, item, [MarkedRequirement(_TENSORFLOW, pin, str(rest))]),
        *_declaring(project, release, needed),
    )


def _is_left_over(project: Project, item: Requirement) -> bool:
    """Whether poetry-tf wrote a requirement unasked, beside a tensorflow that is gone since."""
    return (
        project.pyproject.is_managed
        and read_settings(project)[0].environments is None
        and any(
            item.marker == parse_marker(ENVIRONMENTS[name].marker) for name in DEFAULT_ENVIRONMENTS
        )
    )


def _beside_tensorflow(
    project: Project, item: Requirement, mains: Sequence[Line], targets: Sequence[Target]
) -> Fix:
    """The fix where TensorFlow itself is installed whenever the requirement is."""
    needed = _environments(
        target
        for target in targets
        if not any(
            target.admits(main.item.marker) and has_files(release, target)
            for main in mains
            for release in (main.locked or main.admitted)[-1:]
        )
    )
    if not needed:
        return f"Remove it: {mains[0].item.name} is enough", ()
    marker = str(_marker(needed))
    return f"Give it the marker {marker}", marker_edits(project, item, marker)


def _tensorflow_for(project: Project, line: Line, newest: Release) -> Release | None:
    """The release of tensorflow that a solver takes for a requirement, in the series of another."""
    admitted = (
        release
        for release in reversed(whole().in_series(newest.series))
        if not release.yanked
        and can_be_locked(project, release, AnyMarker())
        and line.item.constraint.allows(to_poetry_version(release.version))
    )
    return next(admitted, None)


def _renamed(project: Project, line: Line, release: Release) -> tuple[Edit, ...]:
    """Renames a requirement; one that is too wide stays in the series that it has."""
    renamed = rename_edits(project, line.item, _TENSORFLOW)
    if not renamed or not line.is_wide:
        return renamed
    pinned = pin_edits(project, line.item, release)
    return (*pinned, *rename_edits(apply(project, pinned), line.item, _TENSORFLOW))


def _environments(targets: Iterable[Target]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(target.environment for target in targets))


def _marker(environments: Iterable[str]) -> BaseMarker:
    return union_markers(parse_marker(ENVIRONMENTS[name].marker) for name in environments)


def _declaring(project: Project, release: Release, needed: Sequence[str]) -> tuple[Edit, ...]:
    """Declares environments in a managed project, beside those that it has."""
    declared = read_settings(project)[0].environments
    present = required_environments(release, declared)
    names = [*present, *(name for name in needed if name not in present)]
    if not project.pyproject.is_managed or len(names) == len(present):
        return ()
    return (Edit(project.pyproject.path, "set", (*SETTINGS_PATH, "environments"), names),)
