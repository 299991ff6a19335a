"""Release + project + choices -> plan: everything that must hold, decided here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from packaging.utils import canonicalize_name
from packaging.version import Version
from poetry.core.constraints.version import (
    EmptyConstraint,
    VersionConstraint,
    VersionRange,
    VersionRangeConstraint,
    VersionUnion,
    parse_constraint,
)
from poetry.core.constraints.version import Version as PoetryVersion

from poetry_tf.configurations import configurations
from poetry_tf.environments import concerned, next_minor
from poetry_tf.project.project import Project
from poetry_tf.project.pyproject import Requirement
from poetry_tf.releases import DISTRIBUTIONS, Catalog, Release, load, named, role
from poetry_tf.releases.breaking import keras_major
from poetry_tf.releases.images import Images
from poetry_tf.releases.model import LINUX_X86_64, numbers
from poetry_tf.settings import Choices, GpuChoice, read_choices
from poetry_tf.words import listed

GpuMode = Literal["system", "pip", "none"]

TF_KERAS = "tf-keras"
"""The distribution that is Keras 2 for a TensorFlow with another Keras."""
LEGACY_KERAS = 2

CPU = "tensorflow-cpu"
"""The distribution that is TensorFlow without the GPU code."""

# The environment that TensorFlow's GPU wheels, and so the container's facts, are for.
CONTAINER_PLATFORM = LINUX_X86_64


class PlanError(Exception):
    """No plan can be made: `message` says why, `remedy` what the user can do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message}\n{remedy}")
        self.message = message
        self.remedy = remedy


class NoContainerError(PlanError):
    """TensorFlow has wheels for the project's Pythons, but no container can be made for them."""


class ChoiceError(PlanError):
    """The GPU mode that was chosen can't be had for this TensorFlow."""


@dataclass(frozen=True)
class Gpu:
    """How TensorFlow gets its CUDA and cuDNN in the container."""

    mode: GpuMode
    why: str
    """Why this mode: a sentence for the user, without the final stop."""
    cuda: str | None = None
    """CUDA's X.Y, as the container's feature takes it; only with ``system``."""
    cudnn: str | None = None
    """cuDNN's four-part version; only with ``system``."""
    proven: bool = True


@dataclass(frozen=True)
class Plan:
    """Everything that must hold in a project for one TensorFlow release."""

    release: Release
    pythons: tuple[str, ...]
    """The Python minors, ascending, that the release, the image and the project all admit."""
    gpu: Gpu
    legacy_keras: bool = False
    """Whether `tf.keras` is to be Keras 2 though the release's own is another."""

    @property
    def python(self) -> str:
        """The Python minor of a new container, such as "3.11"."""
        return self.pythons[-1]

    @property
    def specifier(self) -> str:
        """The pin as a standard version specifier, within one minor series."""
        major, minor = self.release.version.release[:2]
        return f">={self.release.version},<{major}.{minor + 1}.0"

    @property
    def tilde(self) -> str:
        """The same pin as Poetry's own tables spell it."""
        return f"~{self.release.version}"


# -- the requirement ------------------------------------------------------------------------


def tensorflow_requirements(project: Project) -> tuple[Requirement, ...]:
    """Every requirement on TensorFlow itself, whichever of its distributions it names."""
    names = distributions()
    return tuple(item for item in project.pyproject.requirements if item.name in names)


def distributions() -> frozenset[str]:
    """The distributions that are TensorFlow and have its version numbers (nightlies don't)."""
    return named("main", "retired", "shim", "vendor")


def asks_for_cuda_wheels(project: Project) -> bool:
    """Whether a requirement on TensorFlow has the ``and-cuda`` extra."""
    return any("and-cuda" in item.extras for item in tensorflow_requirements(project))


def main_requirement(project: Project) -> Requirement | None:
    """The requirement the plan goes by: ``tensorflow`` before its variants, main before groups."""
    ranked = sorted(
        tensorflow_requirements(project),
        key=lambda item: (
            item.name != "tensorflow",
            item.optional,
            item.group != "main",
            not item.marker.is_any(),
        ),
    )
    return ranked[0] if ranked else None


def required_catalog(project: Project, catalog: Catalog) -> Catalog:
    """The releases of the distribution that a project requires; `catalog` are tensorflow's own.

    The same version of tensorflow-cpu has wheels for other platforms.
    """
    main = main_requirement(project)
    if main is None:
        lock = project.valid_lock
        names = [name for name in (lock.versions if lock else ()) if role(name) == "main"]
    else:
        names = [main.name] if role(main.name) == "main" else []
    is_known = len(names) == 1 and names[0] in DISTRIBUTIONS
    return load(names[0]) if is_known and names[0] != "tensorflow" else catalog


def joint_constraint(project: Project) -> VersionConstraint | None:
    """What all requirements on TensorFlow together admit, as far as they agree.

    Lines for different platforms are about one TensorFlow: where one of them is narrower, that is
    the one to go by. A line that contradicts those before it is left out.
    """
    main = main_requirement(project)
    if main is None:
        return None
    constraint = main.constraint
    for item in tensorflow_requirements(project):
        both = constraint.intersect(item.constraint)
        if role(item.name) != "retired" and not both.is_empty():
            constraint = both
    return constraint


def locked_tensorflow(project: Project) -> Version | None:
    """The locked version of TensorFlow, the newest if markers lock several."""
    if (lock := project.valid_lock) is None:
        return None
    for name in sorted(distributions(), key=lambda name: (name != "tensorflow", name)):
        if versions := lock.versions.get(canonicalize_name(name)):
            return max(versions)
    return None


def settled_tensorflow(project: Project) -> Version | None:
    """The locked version that a project is judged by.

    None where no requirement admits it: the pin was moved since, and the lock follows the pin.
    """
    locked, items = locked_tensorflow(project), tensorflow_requirements(project)
    if locked is None or not items:
        return locked
    # A platform's own distribution follows the others, and may be a line that was left behind.
    items = tuple(item for item in items if role(item.name) != "shim") or items
    version = as_poetrys(locked)
    return locked if any(item.constraint.allows(version) for item in items) else None


def leading(versions: Mapping[str, Version]) -> dict[str, Version]:
    """Those of TensorFlow's distributions that speak for the rest.

    The ones that serve one platform go along with the others, and are told of only where there is
    no other.
    """
    names = versions.keys() & distributions()
    own = {name for name in names if role(name) != "shim"}
    return {name: versions[name] for name in sorted(own or names)}


def series_of(constraint: VersionConstraint) -> str | None:
    """The one minor series ("2.13") that a constraint stays within; None where it doesn't.

    Judged by meaning: ``~2.13``, ``2.13.*``, ``>=2.13,<2.14`` and ``==2.13.1`` are all in 2.13.
    A range that ends below the next minor's first release candidate or below its final release
    counts alike, since both spellings are in use.
    """
    lowest = lower_bound(constraint)
    if lowest is None or lowest.minor is None:
        return None
    major, minor = lowest.major, lowest.minor
    # poetry-core's "<2.14" leaves out 2.14's prereleases too, "<2.14.0rc0" only from that one on.
    whole = parse_constraint(f">={major}.{minor}.dev0,<{major}.{minor + 1}.0rc0")
    return f"{major}.{minor}" if whole.allows_all(constraint) else None


def lower_bound(constraint: VersionConstraint) -> PoetryVersion | None:
    """The lowest version that a constraint names, None where it is open downwards."""
    if isinstance(constraint, EmptyConstraint):
        return None
    if isinstance(constraint, VersionRangeConstraint):
        return constraint.min
    ranges = getattr(constraint, "ranges", None)  # a union, in ascending order
    return lower_bound(ranges[0]) if ranges else None


def as_poetrys(version: Version) -> PoetryVersion:
    """The same version as poetry-core's constraints take it."""
    return PoetryVersion.parse(str(version))


def admitted(catalog: Catalog, constraint: VersionConstraint) -> tuple[Release, ...]:
    """The known releases that a constraint admits, ascending; where there is none, the inferred
    one at which it begins."""
    known = tuple(
        release for release in catalog.releases if constraint.allows(as_poetrys(release.version))
    )
    lowest = lower_bound(constraint)
    if known or lowest is None:
        return known
    first = lowest if constraint.allows(lowest) else lowest.next_patch()
    release = catalog.get(first.text) if constraint.allows(first) else None
    return (release,) if release is not None else ()


# -- Pythons --------------------------------------------------------------------------------


def python_range(minors: Iterable[str]) -> VersionConstraint:
    """The constraint that admits exactly these Python minors, given in ascending order."""
    # One range for each run: ranges that only touch would stay apart, with a gap between them,
    # since "<3.10" leaves out 3.10's prereleases as well.
    result: VersionConstraint = EmptyConstraint()
    for run in runs(minors):
        result = result.union(parse_constraint(f">={run[0]},<{next_minor(run[-1])}"))
    return result


def runs(minors: Iterable[str]) -> list[list[str]]:
    """Python minors, ascending, split where one is left out."""
    found: list[list[str]] = []
    for minor in minors:
        if found and next_minor(found[-1][-1]) == minor:
            found[-1].append(minor)
        else:
            found.append([minor])
    return found


def spoken(python: VersionConstraint | None) -> str:
    """A range of Pythons for a person: "3.14" rather than ">=3.14,<3.15"."""
    if python is None:
        return "at all"
    lowest = lower_bound(python)
    if lowest is not None and lowest.minor is not None:
        minor = f"{lowest.major}.{lowest.minor}"
        if python_range([minor]) == python:
            return minor
    return str(python)


def fitting(minors: Iterable[str], python: VersionConstraint | None) -> tuple[str, ...]:
    """Those of the Python minors of which a range admits any version."""
    if python is None:
        return tuple(minors)
    return tuple(minor for minor in minors if python.allows_any(python_range([minor])))


def narrowed(python: VersionConstraint | None, minors: Iterable[str]) -> str:
    """The widest range within `python` that admits none but these minors, as a specifier.

    Where the minors have a gap the lower part is dropped, because a union is nothing that every
    tool reads in requires-python.
    """
    whole = python_range(runs(fitting(minors, python))[-1])
    result = whole if python is None else python.intersect(whole)
    text = str(result)
    if isinstance(result, VersionUnion) and "||" in text:
        text = _last_piece(result)
    return text.replace(" ", "")


def _last_piece(union: VersionUnion) -> str:
    """The last range of a union, with those before it that are no more than a version apart.

    They may only touch it ("<3.10", ">=3.10"), or a single version that is excluded may part them,
    which the poetry-core of Poetry 2.4 and earlier writes as a union as well.
    """
    *before, last = union.ranges
    excluded: list[str] = []
    for item in reversed(before):
        if item.max is None or last.min is None or item.max.stable != last.min:
            break
        if not (item.include_max or last.include_min):
            if item.max != last.min:
                break
            excluded.insert(0, f"!={last.min}")
        last = VersionRange(item.min, last.max, item.include_min, last.include_max)
    first, *rest = str(last).split(",")
    return ",".join([first, *excluded, *rest])


def release_pythons(release: Release, environments: Sequence[str] | None = None) -> tuple[str, ...]:
    """The Python minors, ascending, on which a release can be had in every environment.

    `environments` are those that the project declares; None means the container's.
    """
    first, *others = concerned(release, environments)
    return tuple(
        minor
        for minor in release.usable_on(first)
        if all(minor in release.usable_on(other) for other in others)
    )


def container_pythons(
    release: Release,
    images: Images,
    choice: GpuChoice,
    python: VersionConstraint | None,
    environments: Sequence[str] | None = None,
) -> tuple[str, ...]:
    """The Python minors that the release, the image and the project's range all admit.

    Raises `PlanError` saying which of the three leaves nothing.
    """
    everywhere = release_pythons(release, environments)
    wheels = tuple(item for item in release.pythons_on(CONTAINER_PLATFORM) if item in everywhere)
    whose = f"TensorFlow {release.version}"
    if not wheels:
        names = concerned(release, environments)
        lacks = [item for item in names if not release.usable_on(item)]
        raise PlanError(
            f"{whose} can't be installed on {listed(lacks or names)}",
            "Take another series (`poetry tf init --tensorflow`), or fewer environments in "
            "[tool.poetry-tf].",
        )
    if choice == "pip" and release.and_cuda is not None:
        wheels = tuple(minor for minor in wheels if minor in release.and_cuda.pythons)
        whose = f"The and-cuda extra of TensorFlow {release.version}"
    admits = fitting(wheels, python)
    if not wheels:
        raise ChoiceError(f"{whose} can't be installed", 'Use gpu = "system" or "auto".')
    if not admits:
        raise PlanError(
            f"{whose} has no wheel for Python {spoken(python)}",
            f"It has wheels for Python {listed(wheels)}: take one of these with `poetry tf init "
            "--python`, or another series with `poetry tf init --tensorflow`.",
        )
    usable = tuple(minor for minor in admits if minor in images.pythons)
    if not usable:
        could = [minor for minor in wheels if minor in images.pythons]
        raise NoContainerError(
            f"No dev container can be made for Python {listed(admits)}: the images that still "
            f"work, and the Poetry that can lock a project, begin at Python {images.pythons[0]}",
            f"TensorFlow {release.version} runs on Python {could[-1]}: take that "
            f"(--python {could[-1]})."
            if could
            else f"TensorFlow {release.version} has no wheel for a newer Python: move to a newer "
            "series (--tensorflow).",
        )
    return usable


# -- the release ----------------------------------------------------------------------------


def wanted_release(catalog: Catalog, wanted: str) -> Release:
    """The release that ``--tensorflow 2.13`` (newest of a series) or ``2.13.1`` asks for.

    Raises `PlanError` where there is none, naming what there is.
    """
    try:
        version = Version(wanted)
    except ValueError:
        raise PlanError(
            f"{wanted!r} is no version of TensorFlow",
            f"Give a series such as {catalog.series[-1]}, or a release such as "
            f"{catalog.releases[-1].version}.",
        ) from None
    if len(version.release) == 1:
        raise PlanError(
            f"{wanted} is no series of TensorFlow", f"Give one such as {catalog.series[-1]}."
        )
    if len(version.release) == 2 and not version.is_prerelease:
        series = f"{version.major}.{version.minor}"
        if (release := catalog.newest(series)) is not None:
            return release
    elif (release := catalog.get(version)) is not None:
        return release
    first, last = catalog.releases[0].version, catalog.releases[-1].version
    known = f"poetry-tf knows the final releases from {first} to {last}."
    if catalog.standing(version) == "older":
        own = f"tensorflow/tensorflow:{wanted if len(version.release) > 2 else f'{wanted}.0'}-gpu"
        raise PlanError(
            f"TensorFlow {wanted} is older than what poetry-tf knows",
            f"{known} Who must stay on it has TensorFlow's own image, {own}.",
        )
    if version.is_prerelease:
        raise PlanError(f"TensorFlow {wanted} is a prerelease", known)
    if catalog.standing(version) == "newer":
        raise newer_than_data(catalog, f"TensorFlow {wanted}")
    raise PlanError(
        f"There is no TensorFlow {wanted}",
        f"The series are {listed(catalog.series)}; the newest release is {last}.",
    )


def newer_than_data(catalog: Catalog, what: str) -> PlanError:
    """The error for a series that came, or may come, after the data was made."""
    return PlanError(
        f"{what} is newer than the data of this poetry-tf ({catalog.data_version}), which ends "
        f"with the series {catalog.series[-1]}",
        "Update poetry-tf: poetry self update poetry-tf",
    )


def choose_release(
    catalog: Catalog,
    images: Images,
    *,
    constraint: VersionConstraint | None = None,
    locked: Version | None = None,
    python: VersionConstraint | None = None,
    choice: GpuChoice = "auto",
    environments: Sequence[str] | None = None,
) -> Release:
    """The release a project is on, or should be on, when nobody names one.

    What is locked stays. Otherwise a constraint within one series means the newest release of it
    that fits; a wider one means the nearest series to its lower end that fits, because that is
    what the project was written for; without any, the newest series that fits is taken.

    Raises `PlanError` where nothing fits.
    """
    if locked is not None:
        release = catalog.get(locked)
        if release is None:
            if catalog.standing(locked) == "newer" and not locked.is_prerelease:
                raise newer_than_data(catalog, f"The locked TensorFlow {locked}")
            first, last = catalog.releases[0].version, catalog.releases[-1].version
            raise PlanError(
                f"poetry-tf knows nothing of the locked TensorFlow {locked}, only of the final "
                f"releases from {first} to {last}",
                f"Move the project to one of them with `poetry tf init --tensorflow "
                f"{catalog.series[0]}`. Who must stay on it has TensorFlow's own image, "
                f"tensorflow/tensorflow:{locked}-gpu."
                if locked < first
                else "A newer poetry-tf may know more.",
            )
        return release
    allowed = catalog.releases if constraint is None else admitted(catalog, constraint)
    allowed = tuple(release for release in allowed if not release.yanked) or allowed
    if not allowed:
        lowest = lower_bound(constraint) if constraint is not None else None
        if lowest is not None and catalog.standing(lowest.text) == "newer":
            raise newer_than_data(catalog, f"TensorFlow {constraint}")
        raise PlanError(
            f"No TensorFlow release that poetry-tf knows satisfies {constraint}",
            f"It knows the series {listed(catalog.series)}: move the project to one of them with "
            "`poetry tf init --tensorflow`.",
        )
    fits = [
        item
        for item in allowed
        if (choice != "system" or catalog.container_pair(item) is not None)
        and _fits(item, images, choice, python, environments)
    ]
    if not fits:
        # Said by the one function that knows why, for the release that comes nearest.
        near = [item for item in allowed if fitting(release_pythons(item, environments), python)]
        nearest = (near or list(allowed))[-1]
        plan_gpu(catalog, nearest, choice)
        container_pythons(nearest, images, choice, python, environments)
    open_below = constraint is None or lower_bound(constraint) is None
    series = fits[-1].series if open_below else fits[0].series
    return [release for release in fits if release.series == series][-1]


def _fits(
    release: Release,
    images: Images,
    choice: GpuChoice,
    python: VersionConstraint | None,
    environments: Sequence[str] | None,
) -> bool:
    if choice == "pip" and release.and_cuda is None:
        return False
    try:
        container_pythons(release, images, choice, python, environments)
    except PlanError:
        return False
    return True


# -- the GPU --------------------------------------------------------------------------------


def plan_gpu(
    catalog: Catalog, release: Release, choice: GpuChoice, *, has_wheels: bool = False
) -> Gpu:
    """CUDA and cuDNN for a release; raises `PlanError` where the choice can't be had.

    ``auto`` takes the and-cuda wheels where the project asks for them already (`has_wheels`), and
    never a pair that is not proven.
    """
    pair = catalog.container_pair(release)
    wheels = release.and_cuda is not None
    if choice == "none":
        return Gpu("none", "no GPU was asked for")
    if release.distribution == CPU:
        if choice == "auto":
            return Gpu("none", f"{CPU} is built without CUDA")
        raise ChoiceError(
            f'{CPU} is built without CUDA, so gpu can\'t be "{choice}"',
            f'Require tensorflow instead (`poetry tf init --gpu {choice}`), or use gpu = "none".',
        )
    if choice == "system":
        if pair is None:
            raise ChoiceError(
                f"No CUDA and cuDNN packages are known that TensorFlow {release.version} runs with",
                'Use gpu = "pip", "none" or "auto".' if wheels else _own_image(release),
            )
        why = "as asked for" if pair.proven else "as asked for; not proven for this TensorFlow"
        return Gpu("system", why, pair.cuda, pair.cudnn, pair.proven)
    if choice == "pip":
        if not wheels:
            first = next((item for item in catalog.releases if item.and_cuda is not None), None)
            begin = f"; these begin with TensorFlow {first.version}" if first else ""
            raise ChoiceError(
                f"TensorFlow {release.version} has no and-cuda wheels{begin}",
                'Use gpu = "system" or "auto".' if pair is not None else _own_image(release),
            )
        return Gpu("pip", "as asked for")
    if pair is not None and pair.proven and not (wheels and has_wheels):
        return Gpu("system", "a pair proven for this TensorFlow", pair.cuda, pair.cudnn)
    if wheels and pair is not None and pair.proven:
        return Gpu("pip", "the project asks for them")
    if wheels:
        return Gpu("pip", "no pair of CUDA and cuDNN packages is proven for this TensorFlow")
    return Gpu("none", "no CUDA and cuDNN are known that this TensorFlow runs with")


def _own_image(release: Release) -> str:
    """What is left where no container of ours can have the CUDA of a release."""
    return (
        'Use gpu = "none" or "auto", which go without CUDA, or TensorFlow\'s own GPU image, '
        f"tensorflow/tensorflow:{release.version}-gpu, in place of this container."
    )


# -- the whole ------------------------------------------------------------------------------


def make_plan(
    catalog: Catalog,
    images: Images,
    release: Release,
    choices: Choices,
    python: VersionConstraint | None,
    *,
    has_wheels: bool = False,
) -> Plan:
    """The plan for a release; raises `PlanError` where the choices or the Pythons forbid it."""
    gpu = plan_gpu(catalog, release, choices.gpu, has_wheels=has_wheels)
    pythons = container_pythons(release, images, gpu.mode, python, choices.environments)
    return Plan(release, pythons, gpu, keeps_legacy_keras(release, choices))


def keeps_legacy_keras(release: Release, choices: Choices) -> bool:
    """Whether Keras 2 has to be brought in for a release, by tf-keras."""
    return choices.keras == "legacy" and keras_major(release) not in {None, LEGACY_KERAS}


def wants_container(project: Project) -> bool:
    """Whether a project has a dev container or is to have one."""
    return bool(configurations(project)) or read_choices(project)[0].devcontainer != "off"


def unlimited(images: Images, catalog: Catalog) -> Images:
    """Where there is no container there is no image to look at: any Python with wheels will do."""
    every = {minor for item in catalog.releases for minor in item.pythons_on(CONTAINER_PLATFORM)}
    return replace(images, pythons=tuple(sorted(every, key=numbers)))


def derive(project: Project, catalog: Catalog, images: Images) -> Plan | None:
    """The plan for a project as it is; None where it has nothing to do with TensorFlow.

    Raises `PlanError` where no plan can be made.
    """
    locked = settled_tensorflow(project)
    constraint = joint_constraint(project)
    if constraint is None and locked is None:
        return None
    catalog = required_catalog(project, catalog)
    if not wants_container(project):
        images = unlimited(images, catalog)
    choices, _ = read_choices(project)
    python = project.pyproject.python
    range_ = python.constraint if python else None
    release = choose_release(
        catalog,
        images,
        constraint=constraint,
        locked=locked,
        python=range_,
        choice=choices.gpu,
        environments=choices.environments,
    )
    return make_plan(
        catalog, images, release, choices, range_, has_wheels=asks_for_cuda_wheels(project)
    )


def mirror_setting(project: Project) -> Any:
    """``tf.mirror`` of the project's poetry.toml, None where it isn't set."""
    document = project.poetry_toml
    table: Mapping[str, Any] = document.data.get("tf", {}) if document else {}
    return table.get("mirror") if isinstance(table, dict) else None
