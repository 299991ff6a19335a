"""How ``poetry tf releases`` shows releases: a table of the series, or everything about one."""

from __future__ import annotations

from collections.abc import Iterator

from poetry_tf.commands.base import align_columns, titled_section
from poetry_tf.releases import PLATFORMS
from poetry_tf.releases.summary import Plain, span

# The two lines of the table's heading.
TABLE_HEADS: tuple[tuple[str, ...], ...] = (
    ("TensorFlow", "Python", "CUDA", "cuDNN", "driver", "Keras"),
    ("", "", "", "", "from", ""),
)
PLATFORM_HEADS: tuple[tuple[str, ...], ...] = (
    ("Linux", "Linux", "macOS", "macOS", "Windows"),
    ("x86_64", "aarch64", "x86_64", "arm64", ""),
)

BASIS_TEXTS = {
    "tensorflow": "TensorFlow requires it",
    "metadata": "it requires this TensorFlow",
    "open": "it names the least TensorFlow only",
    "code": "only its code says so",
    "extra": "only an extra says so",
    "documented": "only its makers say so",
}


def table_row(row: Plain) -> tuple[str, ...]:
    """A series as a row of the table."""
    pythons: dict[str, list[str]] = row["pythons"]
    most = max(pythons.values(), key=len, default=[])
    return (
        row["newest"],
        span(most),
        row["cuda"] or "-",
        row["cudnn"] or "-",
        row["driver"] or "-",
        row["keras"] or "-",
        # A platform with other Pythons than the Python column shows its own.
        *(
            ("x" if pythons[one] == most else span(pythons[one])) if one in pythons else "-"
            for one in PLATFORMS
        ),
    )


def describe_release(release: Plain) -> Iterator[str]:
    """Everything about a release, as lines."""
    others = [other for other in release["releases"] if other != release["version"]]
    yanked = ", yanked" if release["yanked"] else ""
    name = f"{release['distribution']} {release['version']}"
    if known := release["inferred_from"]:
        yield f"{name}, newer than the data: what follows is known of {known}"
    else:
        yield f"{name}, {release['uploaded']}{yanked}"
    if others:
        yield f"also in {release['series']}: {', '.join(others)}"
    if not release["platforms"]:
        yield "It has no wheel."
    elif not release["opened"]:
        yield "Only its wheels' names are known, not what they hold."
    yield from titled_section(
        "Wheels", align_columns([*map(_platform_row, release["platforms"].items())])
    )
    yield from titled_section("GPU", _gpu_lines(release))
    yield from titled_section("Requires, for a lock that holds everywhere", release["requires"])
    yield from titled_section("Left out, because nothing satisfies it", release["unsatisfiable"])
    yield from titled_section(
        "Newest companions that fit", align_columns([*map(_companion_row, release["companions"])])
    )


def _platform_row(item: tuple[str, Plain]) -> tuple[str, ...]:
    platform, wheels = item
    pythons = sorted(
        {minor for minors in wheels["tags"].values() for minor in minors},
        key=lambda minor: tuple(map(int, minor.split("."))),
    )
    needs = f"glibc {wheels['glibc']}" if wheels["glibc"] else ""
    needs = f"macOS {wheels['macos']}" if wheels["macos"] else needs
    built = f"CUDA {wheels['cuda']}, cuDNN {wheels['cudnn']}" if wheels["cuda"] else ""
    if wheels["kind"] == "shim":
        built = f"by way of {wheels['target']}" if wheels["target"] else "empty"
        if wheels["usable"] != pythons:
            built += f", which has {span(wheels['usable']) or 'none of these'}"
    return platform, f"Python {span(pythons)}", needs, built


def _gpu_lines(release: Plain) -> Iterator[str]:
    driver, package = release["driver"], release["cudnn_package"]
    linux = release["platforms"].get(PLATFORMS[0], {})
    if linux.get("compute"):
        yield f"compiled for {', '.join(linux['compute'])}"
    if driver:
        least = driver["linux_least"] or driver["linux"]
        yield f"NVIDIA driver {least} or later (Linux); for GPUs newer than these {driver['linux']}"
    if package:
        yield f"cuDNN as apt package: {' or '.join(package['packages'])}"
    if pair := release["container"]:
        sure = "proven" if pair["proven"] else "not proven"
        yield f"dev container: CUDA {pair['cuda']} with cuDNN {pair['cudnn']} ({sure})"
    if extra := release["and_cuda"]:
        where = [f"{span(minors)} on {one}" for one, minors in extra["pythons"].items() if minors]
        yield f"and-cuda: {'Python ' + ', '.join(where) if where else 'can be had nowhere'}"


def _companion_row(fit: Plain) -> tuple[str, ...]:
    lacks = f"no wheel for {', '.join(fit['lacks'])}" if fit["lacks"] else ""
    return fit["name"], fit["version"], BASIS_TEXTS[fit["basis"]], lacks
