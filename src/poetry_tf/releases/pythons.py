"""Where an operating system has Pythons besides its own: its packages, kept by hand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from poetry_tf.releases.resources import read_entries


@dataclass(frozen=True)
class PythonPackages:
    """The packages of Python that a system has."""

    system: str
    """The name of the system: `platform.system`, or of os-release(5) the ID, the PLATFORM_ID or a
    codename."""
    pythons: tuple[str, ...]
    """Their minors, ascending, as far as a series of TensorFlow that is known runs on them."""
    command: str
    """What installs one, with ``{minor}`` in it."""
    source: str


@cache
def python_packages() -> tuple[PythonPackages, ...]:
    return read_entries(PythonPackages, "pythons.json", "packages")
