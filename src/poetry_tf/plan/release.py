"""The choice of the TensorFlow release for a project, and of the source of its CUDA."""

from __future__ import annotations

from packaging.version import Version
from poetry.core.constraints.version import VersionConstraint

from poetry_tf.plan.model import CPU, GpuMode, GpuModeError, GpuPlan, Plan, PlanError
from poetry_tf.plan.python import admitted_minors, container_pythons, release_pythons
from poetry_tf.plan.requirement import admitted_releases, lower_bound
from poetry_tf.plan.settings import GpuChoice, Settings
from poetry_tf.releases import Catalog, Release
from poetry_tf.releases.images import Images, load_images
from poetry_tf.releases.model import numbers, series_of
from poetry_tf.text import format_list

_DEFAULT_SETTINGS = Settings()


def requested_release(catalog: Catalog, text: str) -> Release:
    """The release for ``--tensorflow 2.13`` (the newest of a series) or ``--tensorflow 2.13.1``.

    Raises `PlanError`, with the known releases, for one that is not known.
    """
    try:
        version = Version(text)
    except ValueError:
        raise PlanError(
            f"{text!r} is not a version of TensorFlow",
            f"Give a series such as {catalog.series[-1]}, or a release such as "
            f"{catalog.releases[-1].version}.",
        ) from None
    if len(version.release) == 1:
        raise PlanError(
            f"{text} is not a series of TensorFlow", f"Give one such as {catalog.series[-1]}."
        )
    if len(version.release) == 2 and not version.is_prerelease:
        series = f"{version.major}.{version.minor}"
        if (release := catalog.newest(series)) is not None:
            return release
    elif (release := catalog.get(version)) is not None:
        return release
    first, last = catalog.releases[0].version, catalog.releases[-1].version
    known = f"poetry-tf supports the final releases from {first} to {last}."
    if catalog.standing(version) == "older":
        own = f"tensorflow/tensorflow:{text if len(version.release) > 2 else f'{text}.0'}-gpu"
        raise PlanError(
            f"TensorFlow {text} is older than the releases that poetry-tf supports",
            f"{known} For it, use the image {own}.",
        )
    if version.is_prerelease:
        raise PlanError(f"TensorFlow {text} is {prerelease_kind(version)}", known)
    if catalog.standing(version) == "newer":
        raise newer_than_data(catalog, f"TensorFlow {text}")
    raise PlanError(
        f"There is no TensorFlow {text}",
        f"The series are {format_list(catalog.series)}; the newest release is {last}.",
    )


def prerelease_kind(version: Version) -> str:
    """What a prerelease is, with its article."""
    kinds = {"a": "an alpha", "b": "a beta", "rc": "a release candidate"}
    return kinds[version.pre[0]] if version.pre else "a development release"


def newer_than_data(
    catalog: Catalog, what: str, remedy: str = "Update poetry-tf: poetry self update poetry-tf"
) -> PlanError:
    """The error for a series that is newer than the data."""
    return PlanError(
        f"Unknown {what}; the newest known is {catalog.series[-1]} (data of "
        f"{catalog.data_version})",
        remedy,
    )


def choose_release(
    catalog: Catalog,
    images: Images,
    settings: Settings = _DEFAULT_SETTINGS,
    *,
    constraint: VersionConstraint | None = None,
    locked: Version | None = None,
    python: VersionConstraint | None = None,
    narrowed: Release | None = None,
    newest: bool = False,
    given: str = "",
) -> Release:
    """The release that a project is on, or should be on, if the user names none.

    That is the locked release. Without one, a constraint within one series gives the newest release
    of the series that fits. A wider one gives the lowest series that fits, for which the project
    was written, or `narrowed` where that fits: the release by which `plan.lines` pins it. Without a
    constraint, or with `newest` because the constraint stays, the newest series that fits is taken.

    Raises `PlanError` where nothing fits. The commands that it suggests repeat the options `given`.
    """
    if locked is not None:
        release = catalog.get(locked)
        if release is None:
            if catalog.standing(locked) == "newer" and not locked.is_prerelease:
                raise newer_than_data(catalog, f"TensorFlow {locked} in poetry.lock")
            first, last = catalog.releases[0].version, catalog.releases[-1].version
            if locked.is_prerelease:
                raise PlanError(
                    f"The locked TensorFlow {locked} is {prerelease_kind(locked)}",
                    f"poetry-tf plans for the final releases from {first} to {last}.",
                )
            remedy = "A newer poetry-tf may know it: poetry self update poetry-tf"
            if locked < first:
                move = _moves(catalog, images, settings, python, near=locked, given=given)
                image = f"tensorflow/tensorflow:{locked}-gpu"
                remedy = f"{move} To stay on it, use the image {image}."
            raise PlanError(
                f"Unknown TensorFlow {locked} in poetry.lock; poetry-tf knows the final releases "
                f"from {first} to {last}",
                remedy,
            )
        return release
    allowed = catalog.releases if constraint is None else admitted_releases(catalog, constraint)
    allowed = tuple(release for release in allowed if not release.yanked) or allowed
    if not allowed:
        lowest = lower_bound(constraint) if constraint is not None else None
        if lowest is not None and catalog.standing(lowest.text) == "newer":
            remedy = "Lock it; that reads the release from the index: poetry lock"
            raise newer_than_data(catalog, f"TensorFlow {constraint}", remedy)
        start = Version(lowest.text) if lowest is not None else catalog.releases[0].version
        raise PlanError(
            f"No TensorFlow release that poetry-tf knows satisfies {constraint}",
            f"It knows the series {format_list(catalog.series)}. "
            + _moves(catalog, images, settings, python, near=start, rewrites_pin=True, given=given),
        )
    fits = [item for item in allowed if _fits(catalog, item, images, settings, python)]
    if not fits:
        # One of these raises the error that says why, for the release that is nearest.
        near = [
            item
            for item in allowed
            if admitted_minors(release_pythons(item, settings.environments), python)
        ]
        nearest = (near or list(allowed))[-1]
        _mode(catalog, nearest, settings)
        planned_pythons(
            catalog, images, nearest, settings, mode=settings.gpu, python=python, given=given
        )
    if narrowed in fits and not newest:
        return narrowed
    open_below = newest or constraint is None or lower_bound(constraint) is None
    series = fits[-1].series if open_below else fits[0].series
    return [release for release in fits if release.series == series][-1]


def fitting_release(
    catalog: Catalog,
    release: Release,
    images: Images,
    settings: Settings,
    python: VersionConstraint | None,
) -> Release:
    """A release, or where it does not fit, the newest later one of its series that does.

    A pin from the release on admits that one as well, and a solver takes it.
    """
    later = (one for one in catalog.in_series(release.series) if one.version > release.version)
    newest_first = sorted(later, key=lambda one: (not one.yanked, one.version), reverse=True)
    return next(
        (one for one in (release, *newest_first) if _fits(catalog, one, images, settings, python)),
        release,
    )


def _fits(
    catalog: Catalog,
    release: Release,
    images: Images,
    settings: Settings,
    python: VersionConstraint | None,
) -> bool:
    """Whether a container can be made for a release with these settings."""
    try:
        mode = _mode(catalog, release, settings)
        container_pythons(release, images, mode, python, settings.environments)
    except PlanError:
        return False
    return True


def _mode(catalog: Catalog, release: Release, settings: Settings) -> GpuMode:
    container = settings.devcontainer != "off"
    return plan_gpu(catalog, release, settings.gpu, container=container).mode


def planned_pythons(
    catalog: Catalog,
    images: Images,
    release: Release,
    settings: Settings,
    *,
    mode: GpuChoice,
    python: VersionConstraint | None,
    given: str = "",
) -> tuple[str, ...]:
    """As `container_pythons`, but the error's remedy names the commands that help."""
    try:
        return container_pythons(release, images, mode, python, settings.environments)
    except GpuModeError:
        raise
    except PlanError as error:
        moves = _moves(catalog, images, settings, python, near=release.version, given=given)
        raise type(error)(error.message, f"{error.remedy} {moves}".strip()) from None


def _moves(
    catalog: Catalog,
    images: Images,
    settings: Settings,
    python: VersionConstraint | None,
    *,
    near: Version,
    rewrites_pin: bool = False,
    given: str = "",
) -> str:
    """The commands that move a project to the nearest TensorFlow or Python that fit together.

    `init` keeps a pin in the series that it is given: with `rewrites_pin` the release is named.
    It makes a container, also where the project has none, unless the settings say otherwise.
    """
    if settings.devcontainer != "off":
        images = load_images()
    releases = [release for release in catalog.releases if not release.yanked]
    later = [release for release in releases if release.version >= near]
    ordered = [*later, *(release for release in reversed(releases) if release.version < near)]

    def first(python: VersionConstraint | None, series: str | None = None) -> Release | None:
        candidates = (one for one in ordered if series in {None, one.series})
        fitting = (one for one in candidates if _fits(catalog, one, images, settings, python))
        return next(fitting, None)

    def command(release: Release, minor: str | None = None) -> str:
        option = f" --python {minor}" if minor else ""
        what = release.version if rewrites_pin else release.series
        return f"`poetry tf init --tensorflow {what}{option}{given}`"

    def with_python(release: Release) -> str:
        mode = _mode(catalog, release, settings)
        minors = container_pythons(release, images, mode, None, settings.environments)
        return command(release, minors[-1])

    same, other = first(None, series_of(near)), first(python)
    commands = [with_python(same)] if same is not None else []
    if other is not None:
        commands.append(command(other))
    if not commands and (both := first(None)) is not None:
        commands.append(with_python(both))
    return f"Run {', or '.join(commands)}." if commands else ""


# -- how TensorFlow gets CUDA and cuDNN in the container -------------------------------------


def plan_gpu(
    catalog: Catalog,
    release: Release,
    choice: GpuChoice,
    *,
    has_wheels: bool = False,
    container: bool = True,
) -> GpuPlan:
    """The source of CUDA and cuDNN for a release; raises `PlanError` for a choice it can't have.

    ``auto`` takes the and-cuda wheels where the project requires them already (`has_wheels`), and
    never a pair that is not proven. Without a container, ``system`` needs no packages to be known:
    what the release is built with is installed on the machine.
    """
    pair = catalog.container_pair(release)
    wheels = release.and_cuda is not None
    if choice == "none":
        return GpuPlan("none", "the project requests no GPU")
    if release.distribution == CPU:
        if choice == "auto":
            return GpuPlan("none", f"{CPU} is built without CUDA")
        raise GpuModeError(
            f'{CPU} is built without CUDA, so gpu can\'t be "{choice}"',
            f'Require tensorflow instead (`poetry tf init --gpu {choice}`), or use gpu = "none".',
        )
    if choice == "system":
        if pair is None and not container and release.cuda and release.cudnn:
            return GpuPlan("system", "as configured", release.cuda, release.cudnn)
        if pair is None:
            raise GpuModeError(
                f"No CUDA and cuDNN packages are known to work with TensorFlow {release.version}",
                f'Use gpu = "pip", "none" or "auto".{_newer(release)}'
                if wheels
                else _own_image(release),
            )
        why = "as configured" if pair.proven else "as configured; not proven for this TensorFlow"
        return GpuPlan("system", why, pair.cuda, pair.cudnn, pair.proven)
    if choice == "pip":
        if not wheels:
            first = next((item for item in catalog.releases if item.and_cuda is not None), None)
            since = f"; these begin with TensorFlow {first.version}" if first else ""
            raise GpuModeError(
                f"TensorFlow {release.version} has no and-cuda wheels{since}",
                'Use gpu = "system" or "auto".' if pair is not None else _own_image(release),
            )
        return GpuPlan("pip", "as configured")
    if pair is not None and pair.proven and not (wheels and has_wheels):
        return GpuPlan("system", "a pair proven for this TensorFlow", pair.cuda, pair.cudnn)
    if wheels and pair is not None and pair.proven:
        return GpuPlan("pip", "the project requires them")
    if wheels:
        return GpuPlan("pip", "no pair of CUDA and cuDNN packages is proven for this TensorFlow")
    return GpuPlan("none", "no CUDA and cuDNN are known to work with this TensorFlow")


def first_gpu_series(catalog: Catalog, release: Release, *, container: bool) -> str | None:
    """The first series with a GPU mode, if that of a release is before it; else None.

    Without a container that is the first whose own wheels bring CUDA.
    """
    newest = filter(None, map(catalog.newest, catalog.series))
    first = next(
        (
            one
            for one in newest
            if one.and_cuda is not None
            or (container and plan_gpu(catalog, one, "auto").mode != "none")
        ),
        None,
    )
    if first is None or numbers(release.series) >= numbers(first.series):
        return None
    return first.series


def no_gpu_reason(
    catalog: Catalog, plan: Plan, choice: GpuChoice, *, container: bool = True
) -> str | None:
    """Why a plan has no GPU although one was admitted, with the series that begins with one."""
    if plan.gpu.mode != "none" or choice == "none" or plan.release.distribution == CPU:
        return None
    first = first_gpu_series(catalog, plan.release, container=container)
    return f"{plan.gpu.why}; {first} is the first series with a GPU" if first else plan.gpu.why


def _newer(release: Release) -> str:
    if release.origin == "packaged":
        return ""
    return " A newer poetry-tf may know them: poetry self update poetry-tf"


def _own_image(release: Release) -> str:
    """The remedy where neither CUDA packages nor wheels are known for a release."""
    image = f"tensorflow/tensorflow:{release.version}-gpu"
    text = f'Use gpu = "none" or "auto", or the image {image}.'
    if release.cuda is None or release.cudnn is None:
        return text
    return (
        f"It is built with CUDA {release.cuda} and cuDNN {release.cudnn}. {text} Where these "
        "versions are installed on this machine: `poetry tf init --gpu system --no-devcontainer`."
    )
