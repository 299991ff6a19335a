"""What is known of one TensorFlow release, as plain immutable values.

Nothing in here reads a file or the network: `poetry_tf.releases.catalog` makes these values from
the shipped data, and `poetry_tf.releases.refresh` is what reads that data out of the wheels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from packaging.version import Version

LINUX_X86_64: Final = "linux-x86_64"
LINUX_AARCH64: Final = "linux-aarch64"
MACOS_X86_64: Final = "macos-x86_64"
MACOS_ARM64: Final = "macos-arm64"
WINDOWS_AMD64: Final = "windows-amd64"

PLATFORMS: Final = (LINUX_X86_64, LINUX_AARCH64, MACOS_X86_64, MACOS_ARM64, WINDOWS_AMD64)
"""Every platform that TensorFlow has wheels for, by the names used throughout poetry-tf."""


def series_of(version: Version) -> str:
    """The minor series a version belongs to: `2.15` for `2.15.0.post1`."""
    return f"{version.major}.{version.minor}"


@dataclass(frozen=True, slots=True)
class AndCuda:
    """The `and-cuda` extra of a release: CUDA and cuDNN as wheels, on Linux x86_64.

    Attributes:
        requires: the extra's requirements as PEP 508 strings, without the `extra == …` marker that
            selects them. Mostly exact pins (`nvidia-cudnn-cu12==8.9.4.25`), ranges from 2.20 on.
        pythons: the minors (`"3.11"`) of the release itself for which each of those requirements
            has a file that fits Linux x86_64. Empty where one of them can't be had at all.
    """

    requires: tuple[str, ...]
    pythons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Release:
    """One final release of the distribution `tensorflow`, as its wheels describe it.

    Attributes:
        version: its version; post releases are releases of their own.
        uploaded: the day (UTC, `YYYY-MM-DD`) its first wheel was uploaded; None where the index
            that the data was read from doesn't tell.
        yanked: whether every one of its files has been yanked.
        pythons: platform (one of `PLATFORMS`) to the CPython minors it has wheels for, ascending.
            A platform without wheels is no key; `pythons_on` spares asking. Taken from the wheels'
            tags, because Requires-Python has no upper bound and so promises Pythons that no wheel
            fits. A wheel may be a shim: `requires` speaks of Linux x86_64 alone.
        cuda: the CUDA its Linux x86_64 wheels are built with, as exactly as they say (`"11.8"`,
            `"12.5.1"`); None where they are built without or don't say.
        cudnn: the cuDNN likewise: the whole version (`"9.3.0"`) where the wheel carries the
            header that proves it, else the major alone (`"8"`), else None.
        requires: the Requires-Dist of its Linux x86_64 wheel, extras included, as the wheel spells
            them, without those in `unsatisfiable`.
        unsatisfiable: the Requires-Dist that name a version of one of TensorFlow's own
            distributions which the index doesn't have, so that nothing can ever satisfy them.
        and_cuda: the extra `and-cuda`; None where the release has none.
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

    @property
    def series(self) -> str:
        """Its minor series, `"2.13"`: the span within which TensorFlow keeps its API."""
        return series_of(self.version)

    def pythons_on(self, platform: str) -> tuple[str, ...]:
        """The CPython minors it has wheels for on a platform; empty for an unknown platform."""
        return self.pythons.get(platform, ())


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
