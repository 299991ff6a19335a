"""The wheel tags that a target installs, in order of preference."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Final

from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms, parse_tag

from poetry_tf.plan.environments import Target
from poetry_tf.releases.images import Systems
from poetry_tf.releases.model import (
    LINUX_AARCH64,
    LINUX_X86_64,
    MACOS_ARM64,
    MACOS_X86_64,
    WINDOWS_AMD64,
    numbers,
)

# The first glibc 2.x for which wheels were made for a processor, and the platform tags that do not
# name the glibc (PEP 513, 571, 599, 600).
_FIRST_GLIBC: Final = {"x86_64": 5, "aarch64": 17}
_OLD_NAMES: Final = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}


def wheel_tag(filename: str) -> str:
    """The tag of a wheel as its file name spells it, maybe compressed; empty for other files."""
    parts = filename.removesuffix(".whl").split("-")
    return "-".join(parts[-3:]) if filename.endswith(".whl") and len(parts) >= 5 else ""


@functools.cache
def tag_rank(tag: str, target: Target, systems: Systems) -> int | None:
    """The rank of a tag in a target, 0 for the best; None where the target does not install it."""
    ranks = supported_tags(target, systems)
    return min((ranks[one] for one in _expanded(tag) if one in ranks), default=None)


@functools.cache
def _expanded(tag: str) -> frozenset[Tag]:
    """The tags that a compressed one (`py2.py3-none-any`) stands for; empty if it is malformed."""
    try:
        return frozenset(parse_tag(tag))
    except ValueError:
        return frozenset()


@functools.cache
def supported_tags(target: Target, systems: Systems) -> Mapping[Tag, int]:
    """The tags that CPython installs in a target, each with its rank.

    Those of the free-threaded build are not among them.
    """
    major, minor = numbers(target.python)
    platforms = list(_platforms(target.environment, systems))
    interpreter = f"cp{major}{minor}"
    # Before 3.8 the ABI had a mark for the memory allocator.
    abi = f"{interpreter}m" if (major, minor) < (3, 8) else interpreter
    tags = (
        *cpython_tags((major, minor), abis=[abi], platforms=platforms),
        *compatible_tags((major, minor), interpreter=interpreter, platforms=platforms),
    )
    return {tag: rank for rank, tag in reversed([*enumerate(tags)])}


def _platforms(environment: str, systems: Systems) -> Iterator[str]:
    machine = environment.partition("-")[2]
    if environment in {LINUX_X86_64, LINUX_AARCH64}:
        newest = numbers(systems.glibc)[1]
        for minor in range(newest, _FIRST_GLIBC[machine] - 1, -1):
            yield f"manylinux_2_{minor}_{machine}"
            if minor in _OLD_NAMES:
                yield f"{_OLD_NAMES[minor]}_{machine}"
        yield f"linux_{machine}"
    elif environment in {MACOS_X86_64, MACOS_ARM64}:
        major, minor = numbers(systems.macos)
        yield from mac_platforms((major, minor), machine)
    elif environment == WINDOWS_AMD64:
        yield "win_amd64"
