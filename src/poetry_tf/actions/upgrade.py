"""Moving a project to another series of TensorFlow.

`plan_upgrade` chooses the release and edits the requirements without a solver; `lock_upgrade` locks
the result. Nothing here writes files or uses the console.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from packaging.requirements import Requirement as Requires
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version
from poetry.core.constraints.version import parse_constraint

from poetry_tf.actions.container import with_containers
from poetry_tf.actions.fix import fix, fix_and_lock, fix_requirements
from poetry_tf.actions.init import with_requirement
from poetry_tf.actions.options import InitOptions, plan_options
from poetry_tf.checks.findings import CONTAINER_CODES, RULES, make_context
from poetry_tf.files.edits import Edit, apply
from poetry_tf.files.lock import Lock
from poetry_tf.files.project import Project
from poetry_tf.files.requirements import Requirement, required_name
from poetry_tf.files.values import KeyPath
from poetry_tf.plan.companions import (
    fitting_companions,
    series_with,
    usable_companions,
)
from poetry_tf.plan.derive import wants_container
from poetry_tf.plan.environments import MINORS
from poetry_tf.plan.main_line import (
    admitted_locked_tensorflow,
    joint_constraint,
    main_requirement,
    required_catalog,
)
from poetry_tf.plan.model import CONTAINER_PLATFORM, LEGACY_KERAS, TF_KERAS, Plan, PlanError
from poetry_tf.plan.moves import LineMove, line_moves, staying_lines
from poetry_tf.plan.python import admitted_minors, marker_pythons, project_pythons
from poetry_tf.plan.release import requested_release
from poetry_tf.plan.requirement import (
    admitted_releases,
    tensorflow_distributions,
    to_poetry_version,
)
from poetry_tf.plan.settings import SETTINGS_PATH, read_settings
from poetry_tf.pyproject.beside import pairings
from poetry_tf.pyproject.pins import companion_pin_edits, tf_keras_pin
from poetry_tf.pyproject.requirement_edits import remove_edits
from poetry_tf.releases import Catalog, Release, fits, load, role, whole
from poetry_tf.releases.breaking import Breaking, Retired, ended, keras_major, passed
from poetry_tf.releases.companions import bounds_on, companions
from poetry_tf.releases.model import numbers
from poetry_tf.text import format_list

# Its lines with markers are written for platforms.
_FILESYSTEM = canonicalize_name("tensorflow-io-gcs-filesystem")


@dataclass(frozen=True)
class CompanionMove:
    """A required companion, and its release that fits the new TensorFlow."""

    requirement: Requirement
    locked: Version | None
    fit: Version | None
    """The release to require; None if none fits or nothing is known."""
    edits: bool
    """Whether the requirement has to change."""
    series: tuple[str, ...] = ()
    """If none fits, the series of TensorFlow that have one."""
    retired: Retired | None = None

    @property
    def name(self) -> NormalizedName:
        return self.requirement.name

    @property
    def is_known(self) -> bool:
        """Whether it is known what it fits; if not, the solver decides."""
        return self.fit is not None or bool(self.series) or self.retired is not None

    @property
    def blocks(self) -> bool:
        """Whether it prevents the move."""
        return self.is_known and self.fit is None


@dataclass(frozen=True)
class Upgrade:
    """The move of a project to a release, as far as it is known without a solver."""

    before: Project
    after: Project
    """The project with the edited pyproject.toml and the old lock."""
    old: Release | None
    """The current release; None if it is not known."""
    old_plan: Plan | None
    plan: Plan
    companions: tuple[CompanionMove, ...]
    stays: tuple[LineMove, ...]
    """The requirements on TensorFlow that stay as they are."""
    passed_over: Mapping[str, str]
    """Newer series than the chosen one, each with the reason; empty if one was requested."""
    keeps_keras: bool
    """Whether Keras 2 was requested and the release has it anyway."""

    @property
    def new(self) -> Release:
        return self.plan.release

    @property
    def blocking(self) -> tuple[CompanionMove, ...]:
        """The companions without a release that fits; they prevent the move."""
        return tuple(item for item in self.companions if item.blocks)

    @property
    def is_downgrade(self) -> bool:
        return self.old is not None and self.new.version < self.old.version

    def changes(self, after: Lock | None) -> tuple[Breaking, ...]:
        """The breaking changes to look at; `after` is the new lock, if there is one."""
        if self.old is None:
            return ()
        had_legacy = self.old_plan is not None and self.old_plan.legacy_keras
        environments = read_settings(self.before)[0].environments or ()
        required = {item.name for item in self.before.pyproject.requirements}
        return tuple(
            one
            for one in passed(self.old.series, self.new.series)
            if (not one.environments or {*one.environments} & {*environments})
            and (one.package is None or self._moves(one.package, one.major, after))
            and not (one.unless_legacy_keras and (self.plan.legacy_keras or had_legacy))
            and one.unless_required not in required
            and (one.if_required is None or one.if_required in required)
            and not (one.gpu and self.plan.gpu.mode == "none")
        )

    def _moves(self, name: NormalizedName, major: int | None, after: Lock | None) -> bool:
        """Whether the locked majors of a distribution differ, and `major` is one of them."""
        found = [
            max(lock.versions[name]).major if lock is not None and name in lock.versions else None
            for lock in (self.before.valid_lock, after)
        ]
        return found[0] != found[1] and (None not in found if major is None else major in found)


def plan_upgrade(project: Project, to: str | None, *, legacy_keras: bool) -> Upgrade:
    """Plans the move of a project to a series or a release, to the newest it can move to for None.

    With `legacy_keras` Keras 2 stays where the release has another. Raises `PlanError` if the
    project has no TensorFlow, and if there is no such release or none that the project can use.
    """
    main = main_requirement(project)
    if main is None:
        raise _nothing_to_move_error(project)
    catalog = required_catalog(project, load())
    if role(main.name) not in {"main", "shim", "retired"}:
        raise PlanError(
            f"The project requires {main.name}, whose releases poetry-tf does not know",
            "Require tensorflow, or change the version by hand.",
        )
    old = _current_release(project, catalog)
    old_plan = make_context(project).plan
    before, keeps = project, False
    options = InitOptions(container=wants_container(project))
    search = _ReleaseSearch(project, catalog, options, old)
    release, passed_over = search.target(to)
    if legacy_keras:
        keeps = keras_major(release) == 2
        if not keeps:
            edit = Edit(project.pyproject.path, "set", (*SETTINGS_PATH, "keras"), "legacy")
            project = apply(project, [edit])
    # A release that the data does not have keeps its pin.
    stays = release.inferred_from is not None and old is not None and release == old
    requested = release.series if stays else str(release.version)
    options, plan = _plan_release(project, replace(options, tensorflow=requested))
    project = _without_keras_2(project, old_plan, plan)
    moves = tuple(
        companion_move(project, item, plan.release, plan.pythons)
        for item in moving_companions(project, plan.release)
    )
    upgrade = Upgrade(before, project, old, old_plan, plan, moves, (), passed_over, keeps)
    if upgrade.blocking:
        return upgrade
    project = with_requirement(project, options, plan)
    for move in moves:
        project = with_companion(project, move)
    after = fix_requirements(project, plan)
    return replace(upgrade, after=after, stays=staying_lines(after, plan.release))


def lock_upgrade(upgrade: Upgrade, relock: Callable[[Project], Lock]) -> Project:
    """The moved project with its lock and its dev containers.

    `relock` makes the lock of a project; its errors are passed on. A project that is not managed
    and has no lock is solved too, but gets none.
    """
    project = fix_and_lock(upgrade.after, RULES, relock).project
    if not project.is_locked:
        relock(project)
    if project.pyproject.is_managed:
        return with_containers(project)[0] if wants_container(project) else project
    return fix(project, codes=CONTAINER_CODES)


def _nothing_to_move_error(project: Project) -> PlanError:
    if admitted_locked_tensorflow(project) is not None:
        return PlanError(
            "pyproject.toml does not require TensorFlow; only other packages do",
            "Require it first: `poetry tf init`.",
        )
    return PlanError(
        "The project has no TensorFlow: pyproject.toml does not require it",
        "Add it with `poetry tf init`.",
    )


def _current_release(project: Project, catalog: Catalog) -> Release | None:
    """The release that a project is on: the locked one, else the one its pin would lock."""
    if (locked := admitted_locked_tensorflow(project)) is not None:
        return catalog.get(locked) or whole().get(locked)
    if (plan := make_context(project).plan) is not None:
        return plan.release
    constraint = joint_constraint(project)
    found = admitted_releases(whole(), constraint) if constraint is not None else ()
    return found[-1] if found else None


@dataclass(frozen=True)
class _ReleaseSearch:
    """The search for the release to move to."""

    project: Project
    catalog: Catalog
    options: InitOptions
    old: Release | None
    """The release that the project is on."""

    def target(self, to: str | None) -> tuple[Release, dict[str, str]]:
        """The release, and the newer series that were passed over with the reason for each."""
        old = self.old
        if to is not None:
            requested = requested_release(self.catalog, to)
            return (requested if to.count(".") > 1 else self._best(requested.series)), {}
        passed_over: dict[str, str] = {}
        for series in reversed(self.catalog.series):
            if old is not None and numbers(series) < numbers(old.series):
                break
            release = self._best(series)
            if (reason := self._obstacle(release)) is None:
                return release, passed_over
            passed_over[series] = reason
        if old is None or old.series not in self.catalog.series:
            newest = self.catalog.series[-1]
            raise PlanError(
                "No series of TensorFlow fits the project as it is. The newest: "
                f"{passed_over.get(newest, 'nothing is known')}",
                "Give the series to move to: `poetry tf upgrade 2.18` shows what has to change.",
            )
        passed_over.pop(old.series, None)
        return self._best(old.series), passed_over

    def _best(self, series: str) -> Release:
        """The newest release of a series that the project can use, else the newest."""
        releases = self.catalog.in_series(series)
        releases = tuple(release for release in releases if not release.yanked) or releases
        if self.old is not None and self.old.inferred_from and self.old.series == series:
            releases = (*releases, self.old)
        for fit in (self._obstacle, self._misfit):
            for release in reversed(releases):
                if fit(release) is None:
                    return release
        return releases[-1]

    def _obstacle(self, release: Release) -> str | None:
        """Why the project can't use a release, as a clause; None if it can."""
        if (misfit := self._misfit(release)) is not None:
            return misfit
        if release.unsatisfiable and not self.project.pyproject.is_managed:
            return f"it requires {format_list(release.unsatisfiable)}, which does not exist"
        try:
            plan_options(self.project, replace(self.options, tensorflow=str(release.version)))
        except PlanError as error:
            return error.message
        return None

    def _misfit(self, release: Release) -> str | None:
        for item in moving_companions(self.project, release):
            if companion_move(self.project, item, release, ()).blocks:
                return f"no release of {item.name} fits it"
        return None


def _plan_release(project: Project, options: InitOptions) -> tuple[InitOptions, Plan]:
    """The plan for the release, with the nearest Python if none of the project's own works."""
    try:
        return options, plan_options(project, options)
    except PlanError as error:
        first = error
    main = main_requirement(project)
    if main is not None and not marker_pythons(main.marker).is_any():
        raise first  # another requirement is for the other Pythons
    range_ = project_pythons(project)
    has = [numbers(minor)[1] for minor in admitted_minors(MINORS, range_)] or [0]

    def distance(minor: str) -> int:
        return min(abs(numbers(minor)[1] - number) for number in has)

    assert options.tensorflow is not None
    release = requested_release(required_catalog(project, load()), options.tensorflow)
    for minor in sorted(release.pythons_on(CONTAINER_PLATFORM), key=distance):
        other = replace(options, python=minor)
        try:
            return other, plan_options(project, other)
        except PlanError:
            continue
    raise first


# -- companions -----------------------------------------------------------------------------


def companion_requirements(project: Project) -> Iterator[Requirement]:
    """The requirements on companions of TensorFlow that come from the index."""
    for item in project.pyproject.requirements:
        if item.name == _FILESYSTEM and not item.marker.is_any():
            continue
        if role(item.name) == "companion" and item.source is None:
            yield item


def moving_companions(project: Project, release: Release) -> tuple[Requirement, ...]:
    """The companions that are installed with a TensorFlow which moves to a release.

    One that is only beside a TensorFlow that stays in its series stays with it.
    """
    items = tuple(companion_requirements(project))
    stay = {move.item.path for move in line_moves(project, release) if move.release is None}
    beside: dict[KeyPath, set[KeyPath]] = {item.path: set() for item in items}
    for pair in pairings(project, release, items if stay else ()):
        beside[pair.item.path].add(pair.main.path)
    return tuple(item for item in items if not beside[item.path] or beside[item.path] - stay)


def _without_keras_2(project: Project, old: Plan | None, new: Plan) -> Project:
    """The project without the line for Keras 2, where TensorFlow's own is that again.

    Only the line that poetry-tf writes is removed, and only where no release of Keras 2 fits.
    """
    if old is None or keras_major(new.release) != LEGACY_KERAS or fits(TF_KERAS, new.release):
        return project
    written = parse_constraint(tf_keras_pin(old.release))
    items = [
        item
        for item in project.pyproject.requirements
        if item.name == TF_KERAS and item.constraint == written and item.source is None
    ]
    return apply(project, remove_edits(project, items))


def companion_move(
    project: Project, item: Requirement, release: Release, pythons: Sequence[str]
) -> CompanionMove:
    """The move of a companion to a release that fits a release of TensorFlow.

    The locked release is preferred, then the newest one that the requirement allows, then the
    newest one with wheels for the Pythons.
    """
    lock = project.valid_lock
    locked = max(lock.versions.get(item.name, ()), default=None) if lock else None
    fitting = fitting_companions(item.name, release)
    retired = ended(item.name, release.series)
    if not fitting or retired is not None:
        return CompanionMove(item, locked, None, False, series_with(item.name), retired)
    good = usable_companions(item.name, release, pythons)
    allowed = [one for one in good if item.constraint.allows(to_poetry_version(one.version))]
    edits = not allowed or _admits_misfit(item, release, {one.version for one in fitting})
    kept = next((one.version for one in allowed if one.version == locked), None)
    return CompanionMove(item, locked, kept or (allowed or good)[-1].version, edits)


def _admits_misfit(item: Requirement, release: Release, versions: set[Version]) -> bool:
    """Whether a requirement admits releases that don't fit and that no solver would exclude."""
    if bounds_on(item.name, release) is not None:
        return False
    return any(
        one.version not in versions
        and not one.yanked
        and one.basis != "metadata"
        and item.constraint.allows(to_poetry_version(one.version))
        for one in companions().get(item.name, ())
    )


def with_companion(project: Project, move: CompanionMove) -> Project:
    """The project with a companion's requirement changed as its move says."""
    if not move.edits or move.fit is None:
        return project
    return apply(project, companion_pin_edits(project, move.requirement, move.fit))


def find_blockers(upgrade: Upgrade, involved: Collection[str]) -> list[tuple[Requirement, str]]:
    """The project's requirements among the distributions that a solver's failure involves.

    Each with TensorFlow's own specifier for the distribution, empty if it has none. Only those that
    contradict TensorFlow's own requirements, if there are any.
    """
    found = [
        (item, required_specifier(upgrade.new, item.name))
        for item in upgrade.after.pyproject.requirements
        if item.name in involved and item.name not in tensorflow_distributions()
    ]
    against = [
        (item, specifier)
        for item, specifier in found
        if specifier and not item.constraint.allows_any(parse_constraint(specifier))
    ]
    return against or found


def required_specifier(release: Release, name: str) -> str:
    """A release's own specifier for a distribution, without extras; empty if it has none."""
    for text in release.requires:
        if required_name(text) == name:
            requirement = Requires(text)
            if "extra ==" not in str(requirement.marker or ""):
                return str(requirement.specifier)
    return ""
