"""A made-up TensorFlow: tiny wheels with the names, tags and requirements of the real releases.

Releases, Pythons, platforms and requirements come from the package's own data, and every
requirement found there has versions that satisfy it. What stands here by hand is what companions
need, and some versions of tensorflow-io-gcs-filesystem for the many there are.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from poetry_tf.http.client import Client
from poetry_tf.http.pages import SimpleIndex
from poetry_tf.releases import DISTRIBUTIONS, Release, catalog, load, whole
from poetry_tf.releases.reader.companions import COMPANIONS
from poetry_tf.releases.reader.index_reader import IndexReader, RefreshReport
from poetry_tf.releases.reader.refresh import read
from poetry_tf.releases.resources import read_json
from tests.support.index import ANY, Distribution, LocalIndex

PLATFORM_TAGS = {
    "macos-x86_64": "macosx_10_15_x86_64",
    "macos-arm64": "macosx_12_0_arm64",
    "linux-aarch64": "manylinux_2_17_aarch64.manylinux2014_aarch64",
    "linux-x86_64": "manylinux_2_17_x86_64.manylinux2014_x86_64",
    "windows-amd64": "win_amd64",
}
"""In the order in which an index page lists them: it is the first one's metadata that is read."""

SHIMS = ("tensorflow-cpu-aws", "tensorflow-macos", "tensorflow-intel")
"""The distributions that some platforms' wheels of TensorFlow hand over to."""

# What two of the dependencies need in turn, so that there is something to solve.
NESTED = {
    "keras": ["absl-py", "h5py", "ml-dtypes", "numpy", "packaging"],
    "tensorboard": [
        "grpcio (>=1.48.2)",
        "numpy (>=1.12.0)",
        "protobuf (>=3.19.6)",
        "setuptools (>=41.0.0)",
        "six (>1.9)",
    ],
}

SETUPTOOLS = ("81.0.0", "82.0.0")
"""The last one that has pkg_resources, and the first that hasn't."""

GPU_TAGS = tuple(f"py3-none-{PLATFORM_TAGS[name]}" for name in ("linux-x86_64", "linux-aarch64"))
"""What NVIDIA's wheels are for: Linux alone."""

# Version -> Requires-Python (which promises too much), the Pythons and the platforms it has.
FILESYSTEM = {
    "0.31.0": (
        ">=3.7, <3.12",
        ("3.8", "3.9", "3.10", "3.11"),
        ("linux-x86_64", "linux-aarch64", "macos-x86_64", "windows-amd64"),
    ),
    "0.34.0": (
        ">=3.7, <3.12",
        ("3.8", "3.9", "3.10", "3.11"),
        ("linux-x86_64", "linux-aarch64", "macos-x86_64", "macos-arm64"),
    ),
    "0.37.1": (
        ">=3.7, <3.13",
        ("3.9", "3.10", "3.11", "3.12"),
        ("linux-x86_64", "linux-aarch64", "macos-x86_64", "macos-arm64"),
    ),
}

# TensorFlow Probability's version for a series of TensorFlow; nothing in its metadata says so.
PROBABILITY = {
    "2.12": "0.20.0",
    "2.13": "0.21.0",
    "2.14": "0.22.0",
    "2.15": "0.23.0",
    "2.16": "0.24.0",
    "2.18": "0.25.0",
}


Beside = Iterable[tuple[str, str, tuple[str, ...], tuple[str, ...]]]
"""Releases: name, version, what it requires, and the tags of its wheels."""


def add_tensorflow(index: LocalIndex, beside: Beside = ()) -> None:
    """Adds TensorFlow, its companions, all that any release of it requires, and what is beside."""
    index.extend(distributions())
    for name, version, requires, tags in beside:
        index.add(name, version, requires=requires, tags=tags)


@functools.cache
def distributions() -> tuple[Distribution, ...]:
    """Everything `add_tensorflow` adds; made once, and its wheels when first asked for."""
    own = [*_releases(), *_companions(), *_filesystem()]
    own += [Distribution("setuptools", version) for version in SETUPTOOLS]
    lines = [line for distribution in own for line in distribution.requires]
    lines += [line for nested in NESTED.values() for line in nested]
    return (*own, *_dependencies(lines, without={distribution.key for distribution in own}))


def _releases() -> Iterator[Distribution]:
    known = load()
    for release in known.releases:
        python = f">={release.pythons_on('linux-x86_64')[0]}"
        for name in ("tensorflow", "tensorflow-cpu", *SHIMS):
            if (same := whole(name).get(release.version)) is not None:
                yield from _release(same, str(release.version), python)
    newest = known.releases[-1]
    for version in known.prereleases:
        if version > newest.version:
            yield from _release(newest, str(version), python)


def _release(release: Release, version: str, python: str) -> Iterator[Distribution]:
    """One version of `tensorflow`, `tensorflow-cpu` or a platform's own distribution."""
    full = tuple(line for line in release.requires if _name(line) not in SHIMS)
    for platform in PLATFORM_TAGS:
        tags = wheel_tags(release.pythons_on(platform), [platform])
        wheels = release.wheels.get(platform)
        requires, hour, hollow = full, "01", False
        if platform == "linux-x86_64":
            # PyPI's API speaks by the file that was uploaded first, a page by the one listed first.
            requires, hour = (*release.requires, *release.unsatisfiable), "00"
        elif wheels is not None and wheels.kind == "shim":
            requires = (f"{wheels.target} (=={version})",) if wheels.target else ()
            hollow = True
        if tags:
            path = "tensorflow/python/platform/build_info.py"
            main = release.distribution == "tensorflow"
            yield Distribution(
                release.distribution,
                version=version,
                requires=requires,
                requires_python=python,
                tags=tags,
                uploaded=f"{release.uploaded or '2024-01-01'}T{hour}:00:00.000000Z",
                members={path: _build_info(release, platform)} if main and not hollow else {},
                hollow=hollow,
            )


def patch_release(release: Release, version: str, *more: str) -> Iterator[Distribution]:
    """A later patch release as the index will have it: the wheels of one, requiring `more`."""
    python = f">={release.pythons_on('linux-x86_64')[0]}"
    for name in ("tensorflow", "tensorflow-cpu", *SHIMS):
        for same in whole(name).releases:
            if same.version == release.version:
                for one in _release(same, version, python):
                    old, new = f"=={release.version}", f"=={version}"
                    own = [line.replace(old, new) for line in one.requires]
                    yield replace(one, requires=(*own, *more))


NEW_H5PY = {"3.13": "h5py<3.15.0,>=3.11.0", "3.14": "h5py~=3.15.1"}
"""What a series that the data doesn't know requires, by the last Python of each group."""


def next_series(release: Release, version: str, *, cu13: bool = False) -> Iterator[Distribution]:
    """A release of a later series, made as 2.22.0rc0 is: a Python more, with another h5py for it,
    and CUDA that `build_info.py` doesn't name; and what it requires besides."""
    cudnn = "nvidia-cudnn-cu13 (<10.0,>=9.12)" if cu13 else "nvidia-cudnn-cu12 (<10.0,>=9.10.2.21)"
    own = [line for line in release.requires if _name(line) != "h5py"]
    if cu13:
        own = [line for line in own if not line.startswith("nvidia-")]
        own.append('nvidia-cublas (<14,>=13.0) ; extra == "and-cuda"')
    own = [line for line in own if _name(line) != "nvidia-cudnn-cu12"]
    own.append(f'{cudnn} ; extra == "and-cuda"')
    groups = {"3.13": release.pythons_on("linux-x86_64"), "3.14": ("3.14",)}
    for name in ("tensorflow", "tensorflow-cpu"):
        for platform in PLATFORM_TAGS:
            if not release.pythons_on(platform):
                continue
            has_cuda = name == "tensorflow" and platform == "linux-x86_64"
            info = f"build_info = dict([('is_cuda_build', {has_cuda})])\n".replace("dict(", "O(")
            members = {"tensorflow/python/platform/build_info.py": info.encode()}
            if has_cuda:
                path = "tensorflow/include/external/cuda_cudnn/include/cudnn_version.h"
                parts = zip(("MAJOR", "MINOR", "PATCHLEVEL"), (9, 10, 0), strict=True)
                members[path] = "".join(f"#define CUDNN_{a} {b}\n" for a, b in parts).encode()
            for last, minors in groups.items():
                yield Distribution(
                    name,
                    version,
                    (*own, NEW_H5PY[last]),
                    requires_python=f">={groups['3.13'][0]}",
                    tags=wheel_tags(minors, [platform]),
                    uploaded="2026-12-01T00:00:00.000000Z",
                    members=members,
                )
    yield Distribution("h5py", "3.15.1")
    if cu13:
        yield Distribution("nvidia-cudnn-cu13", "9.12.0", tags=GPU_TAGS)
        yield Distribution("nvidia-cublas", "13.0.1", tags=GPU_TAGS)
    else:
        yield Distribution("nvidia-cudnn-cu12", "9.10.2.21", tags=GPU_TAGS)


@contextmanager
def packaged(index: LocalIndex, version: str) -> Iterator[None]:
    """The data as it is packaged once it was read from an index that has this version."""
    others = {*DISTRIBUTIONS, *COMPANIONS}
    with LocalIndex() as small:  # the older releases are packaged already
        small.extend(
            one
            for one in index.distributions
            if one.key not in others or (one.key in DISTRIBUTIONS and one.version == version)
        )
        client = Client()
        reader = IndexReader(SimpleIndex(small.url, client), client, None, RefreshReport())
        files = read(reader)
        client.close()

    @functools.cache
    def data(name: str) -> dict[str, Any]:
        content = read_json(name)
        if name in files and "releases" in content:
            content["releases"].update(files[name].content["releases"])
        return content

    # The packaged catalogs stay the objects that they are: other tests hold them.
    with (
        mock.patch.object(catalog, "_data", data),
        mock.patch.object(catalog, "_packaged", functools.cache(catalog._make_catalog)),
    ):
        yield


def _build_info(release: Release, platform: str) -> bytes:
    entries: list[tuple[str, object]] = [("is_cuda_build", False)]
    if platform == "linux-x86_64" and release.cuda and release.cudnn:
        cudnn = release.cudnn.partition(".")[0]
        entries = [
            ("is_cuda_build", True),
            ("cuda_version", release.cuda),
            ("cudnn_version", cudnn),
        ]
    return f"import collections\n\nbuild_info = collections.OrderedDict({entries!r})\n".encode()


def _companions() -> Iterator[Distribution]:
    known = load()
    # Its import fails with setuptools 82, which it does not require.
    yield Distribution("tensorflow-hub", "0.16.1", ("numpy (>=1.12.0)", "tf-keras (>=2.14.1)"))
    for series in known.series:
        release = known.in_series(series)[0]
        fits = f"tensorflow (~={series}.0)"
        tags = wheel_tags(release.pythons_on("linux-x86_64"), ["linux-x86_64", "macos-arm64"])
        yield Distribution("tensorflow-text", f"{series}.0", (fits,), tags=tags)
        if release.version >= Version("2.15"):
            # 2.15.0 does not say which TensorFlow it is for.
            keras = "2.15.1" if series == "2.15" else f"{series}.0"
            yield Distribution("tf-keras", keras, (fits,))
        if series in PROBABILITY:
            extra = ('tensorflow (>=2.12) ; extra == "tf"', 'tf-keras ; extra == "tf"')
            needs = ("absl-py", "six (>=1.10.0)", "numpy (>=1.13.3)", *extra)
            yield Distribution("tensorflow-probability", PROBABILITY[series], needs)


def _filesystem() -> Iterator[Distribution]:
    for version, (python, minors, platforms) in FILESYSTEM.items():
        tags = wheel_tags(minors, platforms)
        name = "tensorflow-io-gcs-filesystem"
        yield Distribution(name, version, requires_python=python, tags=tags)


def _dependencies(lines: Iterable[str], without: set[str]) -> Iterator[Distribution]:
    """Distributions for which each of these requirements has versions that satisfy it.

    Where a specifier begins, the version itself and the one after it exist; where it ends or leaves
    one out, the version that is just not admitted, so that a bound that is ignored shows.
    """
    versions: dict[str, set[Version]] = {}
    for line in lines:
        requirement = Requirement(line)
        known = versions.setdefault(canonicalize_name(requirement.name), set())
        for bound in requirement.specifier:
            version = Version(Version(bound.version.removesuffix(".*")).base_version)
            known.add(version)
            if bound.operator in {">=", "~=", ">"}:
                release = (*version.release, 0, 0)[: max(3, len(version.release))]
                known.add(Version(".".join(map(str, (*release[:-1], release[-1] + 1)))))
            if bound.operator == "==" and version != Version(bound.version):
                known.add(Version(bound.version))
    for name in sorted(set(versions) - without):
        tags = GPU_TAGS if name.startswith(("nvidia-", "tensorrt")) else (ANY,)
        for version in sorted(versions[name] or {Version("1.0"), Version("1.1")}):
            yield Distribution(name, str(version), tuple(NESTED.get(name, ())), tags=tags)


def _name(line: str) -> str:
    return canonicalize_name(Requirement(line).name)


def wheel_tags(
    minors: Iterable[str], platforms: Iterable[str] = tuple(PLATFORM_TAGS)
) -> tuple[str, ...]:
    """The tags of a wheel for each of these Pythons and platforms."""
    pythons = [f"cp{minor.replace('.', '')}" for minor in minors]
    return tuple(f"{cp}-{cp}-{PLATFORM_TAGS[name]}" for cp in pythons for name in platforms)
