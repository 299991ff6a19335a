"""The options of `init`, parsed and validated."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import get_args

from poetry.core.constraints.version import VersionConstraint

from poetry_tf.plan.environments import ENVIRONMENTS
from poetry_tf.plan.model import PlanError
from poetry_tf.plan.python import python_range
from poetry_tf.plan.settings import GpuChoice


@dataclass(frozen=True)
class InitOptions:
    """The options of `init`; None where one was not given."""

    tensorflow: str | None = None
    """A series or a release."""
    python: str | None = None
    """A Python minor."""
    gpu: GpuChoice | None = None
    environments: tuple[str, ...] | None = None
    """The environments that the lock has to be installable in."""
    mirror: str | None = None
    write_source: bool = False
    """Write the mirror as a source into pyproject.toml instead of as a setting."""
    container: bool = True
    """Write a devcontainer.json."""

    @property
    def names_release(self) -> bool:
        """Whether `tensorflow` is a release (2.18.1) rather than a series (2.18)."""
        return self.tensorflow is not None and self.tensorflow.count(".") > 1


def parse_python(text: str) -> VersionConstraint:
    """The range that ``--python 3.11`` means; raises `PlanError` for anything but a minor."""
    if re.fullmatch(r"3\.[0-9]{1,2}", text) is None:
        raise PlanError(f"{text!r} is no Python version", "Give a minor version such as 3.11.")
    return python_range([text])


def parse_gpu(text: str) -> GpuChoice:
    """The GPU mode that ``--gpu`` names; raises `PlanError` for any other word."""
    for choice in get_args(GpuChoice):
        if choice == text:
            return choice  # type: ignore[no-any-return]
    raise PlanError(f"{text!r} is no GPU mode", f"Give one of {', '.join(get_args(GpuChoice))}.")


def parse_environments(options: Iterable[str]) -> tuple[str, ...]:
    """The environments of ``--environments``, separated by commas or repeated, each once.

    Raises `PlanError` for an unknown one, and if there is none.
    """
    names = [name.strip() for option in options for name in option.split(",") if name.strip()]
    known = f"Give some of {', '.join(ENVIRONMENTS)}."
    for name in names:
        if name not in ENVIRONMENTS:
            raise PlanError(f"{name!r} is no environment that poetry-tf knows", known)
    if not names:
        raise PlanError("--environments names no environment", known)
    return tuple(dict.fromkeys(names))
