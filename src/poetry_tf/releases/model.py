"""The facts of a TensorFlow release, as immutable values.

`poetry_tf.releases.catalog` makes them from the packaged data, which
`poetry_tf.releases.reader.refresh` reads from the wheels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from packaging.version import Version

LINUX_X86_64: Final = "linux-x86_64"
LINUX_AARCH64: Final = "linux-aarch64"
MACOS_X86_64: Final = "macos-x86_64"
MACOS_ARM64: Final = "macos-arm64"
WINDOWS_AMD64: Final = "windows-amd64"

PLATFORMS: Final = (LINUX_X86_64, LINUX_AARCH64, MACOS_X86_64, MACOS_ARM64, WINDOWS_AMD64)
"""The platforms that TensorFlow has wheels for, as named throughout poetry-tf."""


Origin: TypeAlias = Literal["packaged", "read", "locked", "inferred"]
"""Where what is known of a release comes from:

- `packaged`: the data of this poetry-tf.
- `read`: its wheels, read from an index on this machine.
- `locked`: the project's lock file: file names and requirements, but not what the wheels contain.
- `inferred`: the release of its series that the data has.
"""

Kind: TypeAlias = Literal["real", "shim"]
"""Whether a wheel contains TensorFlow, or only a requirement on another distribution."""

_GLIBC: Final = {"manylinux1": "2.5", "manylinux2010": "2.12", "manylinux2014": "2.17"}
"""The glibc of the platform tags without a version (PEP 513, 571, 599)."""


def series_of(version: Version) -> str:
    """The minor series a version belongs to: `2.15` for `2.15.0.post1`."""
    return f"{version.major}.{version.minor}"


@dataclass(frozen=True, slots=True)
class AndCuda:
    """The `and-cuda` extra of a release: CUDA and cuDNN as wheels.

    Attributes:
        requires: the extra's requirements as PEP 508 strings, without the `extra == …` marker that
            selects them. Mostly exact pins (`nvidia-cudnn-cu12==8.9.4.25`), ranges from 2.20 on.
        pythons: the minors (`"3.11"`) of the release itself for which each of those requirements
            has a file for Linux x86_64. Empty if one of them is not available.
        elsewhere: by platform such minors, for other platforms that have any. The extra's
            requirements have no platform markers: on the rest it can be locked, but not
            installed.
    """

    requires: tuple[str, ...]
    pythons: tuple[str, ...]
    elsewhere: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    def pythons_on(self, platform: str) -> tuple[str, ...]:
        """The minors for which the extra can be installed on a platform."""
        return self.pythons if platform == LINUX_X86_64 else self.elsewhere.get(platform, ())


@dataclass(frozen=True, slots=True)
class Wheels:
    """The wheels of one release for one platform.

    All file names are read; the contents are read from one wheel, that of the oldest Python, and
    the requirements from that of each Python where they may differ.

    Attributes:
        tags: by platform tag, as in the file names, the CPython minors that have a wheel with that
            tag, ascending. More than one tag if a release was built on different machines.
        kind: `real`, or `shim` for a wheel with nothing but requirements; None if the wheels were
            not opened (before 2.5).
        target: the distribution that a shim requires, in the same version; None if it requires
            none, so that nothing is installed (tensorflow-macos 2.15.1).
        usable: the minors on which installing it gives a TensorFlow: those of the wheels; of a shim
            those for which its target has wheels too.
        cuda, cudnn: those of the build; as in `Release`.
        compute: the GPU architectures compiled in, as the build names them: `sm_70` is machine code
            for that one, `compute_80` is PTX, which newer GPUs' drivers compile at first use, `90`
            is either or both. None if the build has CUDA and does not name them, or if what the
            wheel is built with was not read.
        requires: the Requires-Dist, extras included, as the wheel spells them.
        requires_by_python: those of the Python minors whose wheels require something else.
        looks_in: the folders of NVIDIA's wheels (`cublas` for `nvidia/cublas/lib`) in which the
            library that opens CUDA's looks, by its RUNPATH. None if unknown, as for each wheel
            without the extra `and-cuda`.
    """

    # A mapping is not hashable; the release's version is enough.
    tags: Mapping[str, tuple[str, ...]] = field(hash=False)
    kind: Kind | None = None
    target: str | None = None
    usable: tuple[str, ...] = ()
    cuda: str | None = None
    cudnn: str | None = None
    compute: tuple[str, ...] | None = ()
    requires: tuple[str, ...] = ()
    requires_by_python: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    looks_in: tuple[str, ...] | None = None

    @property
    def glibc(self) -> str | None:
        """The oldest glibc that all of these wheels run on; None except on Linux."""
        return _strictest(_glibc(tag) for tag in self.tags)

    @property
    def macos(self) -> str | None:
        """The oldest macOS in the tags of all of these wheels; None except on macOS."""
        return _strictest(_macos(tag) for tag in self.tags)


@dataclass(frozen=True, slots=True)
class Release:
    """A final release of a TensorFlow distribution, as its wheels describe it.

    Attributes:
        version: its version; post releases are releases of their own.
        uploaded: the day (UTC, `YYYY-MM-DD`) its first file was uploaded; None if the index of
            the data does not have it.
        yanked: whether all its files are yanked.
        pythons: by platform (of `PLATFORMS`) the CPython minors it has wheels for, ascending. A
            platform without wheels is missing; see `pythons_on`. From the wheels' tags, because
            Requires-Python has no upper bound and so admits Pythons without a wheel. A shim's
            target may have none: see `usable_on`.
        cuda: the CUDA that its Linux x86_64 wheels are built with, as exactly as known (`"11.8"`,
            `"12.5.1"`); None if they are built without, or it is unknown.
        cudnn: the cuDNN likewise: the whole version (`"9.3.0"`) if the wheel contains the header
            that proves it, else the major alone (`"8"`), else None.
        requires: the requirements that a lock needs so that the release works on each of its
            platforms: the union of its wheels' Requires-Dist, each line as a wheel spells it (Linux
            x86_64's first), with a marker if it is not for all of them, or not for each of their
            Pythons. Left out are those in
            `unsatisfiable`, lines for platforms whose own wheel lacks them, and what a shim's
            target requires in turn.
        unsatisfiable: the Requires-Dist of its wheels on a version of a TensorFlow distribution
            that the index does not have.
        and_cuda: the extra `and-cuda`; None if the release has none.
        distribution: the normalised name of its distribution.
        wheels: by platform the facts of its wheels, in the order of `PLATFORMS`. Empty if there is
            no wheel (tensorflow-gpu 2.12.0).
        inferred_from: the release of its series whose facts these are, if the data lacks the
            release itself; else None. They serve containers and advice: what reaches a lock is read
            from the index.
        origin: where these facts come from.
    """

    version: Version
    uploaded: str | None
    yanked: bool
    # A mapping is not hashable; a catalog has each version once.
    pythons: Mapping[str, tuple[str, ...]] = field(hash=False)
    cuda: str | None
    cudnn: str | None
    requires: tuple[str, ...]
    unsatisfiable: tuple[str, ...]
    and_cuda: AndCuda | None
    distribution: str = "tensorflow"
    wheels: Mapping[str, Wheels] = field(default_factory=dict, hash=False)
    inferred_from: Version | None = None
    origin: Origin = "packaged"

    @property
    def series(self) -> str:
        """Its minor series, `"2.13"`, within which TensorFlow keeps its API."""
        return series_of(self.version)

    @property
    def is_opened(self) -> bool:
        """Whether its wheels were opened. If not, CUDA and requirements are unknown, not absent."""
        return any(wheels.kind is not None for wheels in self.wheels.values())

    @property
    def is_empty(self) -> bool:
        """Whether its wheels hold no TensorFlow and bring none (tensorflow-macos 2.15.1)."""
        wheels = self.wheels.values()
        return bool(wheels) and all(one.kind == "shim" and not one.usable for one in wheels)

    @property
    def is_build_known(self) -> bool:
        """Whether it is known if, and with which CUDA, its Linux x86_64 wheels are built."""
        linux = self.wheels.get(LINUX_X86_64)
        return linux is None or linux.cuda is not None or linux.compute is not None

    def pythons_on(self, platform: str) -> tuple[str, ...]:
        """The CPython minors it has wheels for on a platform; empty for an unknown platform."""
        return self.pythons.get(platform, ())

    def usable_on(self, platform: str) -> tuple[str, ...]:
        """The CPython minors on which it can be installed on a platform, shims resolved."""
        wheels = self.wheels.get(platform)
        return wheels.usable if wheels else ()


@dataclass(frozen=True, slots=True)
class ContainerPair:
    """CUDA and cuDNN for a dev container's `nvidia-cuda` feature, for a release.

    Attributes:
        cuda: the feature's `cudaVersion`: major and minor, `"11.8"`.
        cudnn: the feature's `cudnnVersion`: four parts without a suffix, `"8.6.0.163"`.
        proven: whether the two are known to work with the release *together*; if not, the pair must
            never be chosen by default.
        note: what a user should know about it, in one or two sentences; may be empty.
    """

    cuda: str
    cudnn: str
    proven: bool
    source: str
    note: str


def numbers(version: str) -> tuple[int, ...]:
    """A dotted version as comparable numbers: `"3.10"` comes after `"3.9"`."""
    return tuple(int(part) for part in version.split("."))


def major_minor(version: str) -> tuple[int, int]:
    """The first two numbers of a dotted version; the second is 0 if there is none."""
    major, minor = (*numbers(version), 0)[:2]
    return major, minor


def _glibc(tag: str) -> str | None:
    """The oldest glibc of a compressed set of tags; any of them is enough."""
    found = [
        f"{spelled[1]}.{spelled[2]}"
        if (spelled := re.match(r"manylinux_(\d+)_(\d+)_", part))
        else _GLIBC.get(part.partition("_")[0])
        for part in tag.split(".")
    ]
    return min((one for one in found if one), key=numbers, default=None)


def _macos(tag: str) -> str | None:
    found = [match for part in tag.split(".") if (match := re.match(r"macosx_(\d+)_(\d+)_", part))]
    return min((f"{one[1]}.{one[2]}" for one in found), key=numbers, default=None)


def _strictest(versions: Iterable[str | None]) -> str | None:
    return max((one for one in versions if one), key=numbers, default=None)
