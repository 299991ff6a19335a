"""What is known of one TensorFlow release, as plain immutable values.

Nothing in here reads a file or the network: `poetry_tf.releases.catalog` makes these values from
the shipped data, and `poetry_tf.releases.reader.refresh` is what reads that data out of the wheels.
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
"""Every platform that TensorFlow has wheels for, by the names used throughout poetry-tf."""


Kind: TypeAlias = Literal["real", "shim"]
"""Whether a wheel holds TensorFlow, or nothing but a requirement on who does."""

_GLIBC: Final = {"manylinux1": "2.5", "manylinux2010": "2.12", "manylinux2014": "2.17"}
"""The glibc of the platform tags that don't spell it (PEP 513, 571, 599)."""


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
            has a file that fits Linux x86_64. Empty where one of them can't be had at all.
        elsewhere: platform to such minors, for the other platforms where there are any. The extra's
            requirements carry no platform markers: everywhere else it can be locked, and fails
            when it is installed.
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

    Their names are all looked at; what stands inside is read from one of them, the oldest Python's,
    for all (of the 1,490 wheels of 2.5 to 2.21 no two of one release and platform differ).

    Attributes:
        tags: platform tag, as the files' names spell it, to the CPython minors that have a wheel of
            that tag, ascending. More than one tag where a release was built on different machines.
        kind: `real`, or `shim` for a wheel with nothing in it but requirements; None where the
            wheels weren't opened (before 2.5).
        target: the distribution that a shim hands over to, at the same version; None where it names
            none, so that nothing is installed (tensorflow-macos 2.15.1).
        usable: the minors on which installing it gives a TensorFlow: those of the wheels
            themselves, as far as a shim's target has wheels for them.
        cuda, cudnn: what they are built with; as in `Release`.
        compute: the GPU architectures compiled in, as the build names them: `sm_70` is machine code
            for that one, `compute_80` is PTX, which newer GPUs' drivers compile at first use.
        requires: the Requires-Dist, extras included, as the wheel spells them.
        looks_in: the folders of NVIDIA's wheels (`cublas` for `nvidia/cublas/lib`) in which the
            library that opens CUDA's looks by itself, by its RUNPATH. None where that isn't known,
            which is so of every wheel without the extra `and-cuda`.
    """

    # Out of the hash, being a mapping; the release's version stands for it.
    tags: Mapping[str, tuple[str, ...]] = field(hash=False)
    kind: Kind | None = None
    target: str | None = None
    usable: tuple[str, ...] = ()
    cuda: str | None = None
    cudnn: str | None = None
    compute: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    looks_in: tuple[str, ...] | None = None

    @property
    def glibc(self) -> str | None:
        """The oldest glibc that every one of these wheels runs on; None off Linux."""
        return _strictest(_glibc(tag) for tag in self.tags)

    @property
    def macos(self) -> str | None:
        """The oldest macOS that every one of these wheels says it runs on; None elsewhere."""
        return _strictest(_macos(tag) for tag in self.tags)


@dataclass(frozen=True, slots=True)
class Release:
    """One final release of a distribution of TensorFlow, as its wheels describe it.

    Attributes:
        version: its version; post releases are releases of their own.
        uploaded: the day (UTC, `YYYY-MM-DD`) its first file was uploaded; None where the index
            that the data was read from doesn't tell.
        yanked: whether every one of its files has been yanked.
        pythons: platform (one of `PLATFORMS`) to the CPython minors it has wheels for, ascending.
            A platform without wheels is no key; `pythons_on` spares asking. Taken from the wheels'
            tags, because Requires-Python has no upper bound and so promises Pythons that no wheel
            fits. A wheel may be a shim whose target has none: `usable_on` tells.
        cuda: the CUDA its Linux x86_64 wheels are built with, as exactly as they say (`"11.8"`,
            `"12.5.1"`); None where they are built without or don't say.
        cudnn: the cuDNN likewise: the whole version (`"9.3.0"`) where the wheel carries the
            header that proves it, else the major alone (`"8"`), else None.
        requires: what a lock must hold so that the release works on each of its platforms: the
            union of its wheels' Requires-Dist, each line as a wheel spells it (Linux x86_64's
            first), with a marker where it is not for all of them. Left out are those in
            `unsatisfiable`, and lines that no platform which they are for has in its own wheel.
            What a shim's target requires in turn is not repeated.
        unsatisfiable: the Requires-Dist of any of its wheels that name a version of one of
            TensorFlow's own distributions which the index doesn't have, so that nothing can ever
            satisfy them.
        and_cuda: the extra `and-cuda`; None where the release has none.
        distribution: the distribution it is a release of, by its normalised name.
        wheels: platform to what is known of its wheels there, in the order of `PLATFORMS`. Empty
            where there is no wheel at all (tensorflow-gpu 2.12.0).
        inferred_from: the release of its series whose facts these are, where the data doesn't have
            the release itself; None where they were read from its own wheels. They are good for a
            container and for advice: what reaches a lock is read from the index.
    """

    version: Version
    uploaded: str | None
    yanked: bool
    # Out of the hash, being a mapping; two releases of one version are never in one catalog.
    pythons: Mapping[str, tuple[str, ...]] = field(hash=False)
    cuda: str | None
    cudnn: str | None
    requires: tuple[str, ...]
    unsatisfiable: tuple[str, ...]
    and_cuda: AndCuda | None
    distribution: str = "tensorflow"
    wheels: Mapping[str, Wheels] = field(default_factory=dict, hash=False)
    inferred_from: Version | None = None

    @property
    def series(self) -> str:
        """Its minor series, `"2.13"`: the span within which TensorFlow keeps its API."""
        return series_of(self.version)

    @property
    def is_opened(self) -> bool:
        """Whether its wheels were opened. If not, CUDA and requirements are unknown, not absent."""
        return any(wheels.kind is not None for wheels in self.wheels.values())

    def pythons_on(self, platform: str) -> tuple[str, ...]:
        """The CPython minors it has wheels for on a platform; empty for an unknown platform."""
        return self.pythons.get(platform, ())

    def usable_on(self, platform: str) -> tuple[str, ...]:
        """The CPython minors on which it can be had on a platform, shims followed."""
        wheels = self.wheels.get(platform)
        return wheels.usable if wheels else ()


@dataclass(frozen=True, slots=True)
class ContainerPair:
    """CUDA and cuDNN to name in a dev container's `nvidia-cuda` feature for a release.

    Attributes:
        cuda: the feature's `cudaVersion`: major and minor, `"11.8"`.
        cudnn: the feature's `cudnnVersion`: four parts without a suffix, `"8.6.0.163"`.
        proven: whether the two are known to work with the release *together*; a pair that isn't
            must never be chosen by default.
        source: where the pair was found.
        note: what a user should know about it, in one or two sentences; may be empty.
    """

    cuda: str
    cudnn: str
    proven: bool
    source: str
    note: str


def numbers(version: str) -> tuple[int, ...]:
    """A dotted version as numbers, to be compared: `"3.10"` comes after `"3.9"`."""
    return tuple(int(part) for part in version.split("."))


def _glibc(tag: str) -> str | None:
    """The oldest glibc of a compressed set of tags, each of which is enough."""
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
