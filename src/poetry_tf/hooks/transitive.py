"""Guards a TensorFlow that only other packages require: it stays in its locked series.

The solution is judged after Poetry has solved, before anything is installed or written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from packaging.version import Version

from poetry_tf.hooks.guards import GuardSettings, refuse
from poetry_tf.plan.requirement import primary_distributions, tensorflow_distributions
from poetry_tf.releases.model import series_of

if TYPE_CHECKING:
    from cleo.io.io import IO
    from poetry.core.packages.package import Package
    from poetry.core.packages.project_package import ProjectPackage


def judge_solution(
    root: ProjectPackage,
    solved: Iterable[Package],
    locked: Mapping[str, Version],
    *,
    io: IO,
    setting: GuardSettings,
    added: Sequence[str] = (),
) -> None:
    """Refuses another series than the locked one, or warns of it, if no requirement names it.

    `locked` are the TensorFlow distributions in the lock before the command, `added` the arguments
    of ``add``, which the remedy repeats. Raises `PoetryRuntimeError`.
    """
    if {item.name for item in root.all_requires} & tensorflow_distributions():
        return  # the project's own pin decides
    packages = list(solved)
    for name, now in primary_distributions(newest_versions(packages)).items():
        before = locked.get(name)
        if before is None or series_of(before) == series_of(now):
            continue
        parents = sorted(
            {
                package.pretty_name
                for package in packages
                if package.name not in tensorflow_distributions()
                and any(item.name == name for item in package.requires)
            }
        )
        through = f" through {', '.join(parents)} alone" if parents else ""
        moves = "would move" if setting.pin == "error" else "moves"
        also = "".join(f" {argument}" for argument in added)
        refuse(
            io,
            setting.pin,
            f"This {moves} {name} from {before} to {now}: another minor series.",
            f"To stay in the series: <c1>poetry add {name}@~{before}</>. "
            f"To move on purpose: <c1>poetry add {name}@~{now}{also}</>.",
            why=f"Nothing in pyproject.toml names it: it comes in{through}, and TensorFlow does "
            "not follow semantic versioning.",
        )


def newest_versions(packages: Iterable[Package]) -> dict[str, Version]:
    """The newest version of each TensorFlow distribution among packages."""
    found: dict[str, Version] = {}
    for package in packages:
        if package.name in tensorflow_distributions():
            try:
                version = Version(package.version.text)
            except ValueError:
                continue
            found[package.name] = max(version, found.get(package.name, version))
    return found
