"""Which of a project's dev containers are checked, and how much is expected of each.

A project may have several: the default one, and others that a person chooses by their folder's
name. The others may have nothing to do with TensorFlow (one for the documentation, on Node.js), so
they are checked only if what they install or run concerns it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from poetry_tf.files.errors import ProjectError
from poetry_tf.files.project import Devcontainer, Project

# Commands, variables and volumes that poetry-tf writes.
_OURS = re.compile(r"poetry-tf|poetry tf |POETRY_TF_")
# Poetry, which installs the project with its TensorFlow, and CUDA.
_CONCERNED = re.compile(r"poetry|/nvidia-cuda\b", re.IGNORECASE)
_PARTS = {"features", "mounts", "containerEnv", "remoteEnv"}
_ON_THE_HOST = "initializeCommand"


def configurations(project: Project) -> tuple[Devcontainer | ProjectError, ...]:
    """The dev containers that are checked, the default one first.

    The default one always is, and so is one that can't be read, because its content is unknown. Of
    the others those are that use Poetry or install CUDA.
    """
    return tuple(
        item
        for item in project.devcontainers
        if item is project.devcontainer
        or isinstance(item, ProjectError)
        or _mentions(item, _CONCERNED)
    )


def readable_configurations(project: Project) -> tuple[Devcontainer, ...]:
    """The configurations that can be read."""
    return tuple(item for item in configurations(project) if isinstance(item, Devcontainer))


def is_fully_managed(project: Project, devcontainer: Devcontainer) -> bool:
    """Whether a dev container has to have all that the project's TensorFlow needs.

    A managed project's default one has, and each that poetry-tf has written into. In another only
    what is there is judged: it may do without CUDA or Poetry.
    """
    default = project.devcontainer
    is_default = isinstance(default, Devcontainer) and default.path == devcontainer.path
    return project.pyproject.is_managed and (is_default or _mentions(devcontainer, _OURS))


def _mentions(devcontainer: Devcontainer, words: re.Pattern[str]) -> bool:
    return any(words.search(text) for text in _texts(devcontainer.document.data))


def _texts(data: dict[str, Any]) -> Iterator[str]:
    """The parts of a devcontainer.json that install or run something."""
    for key, value in data.items():
        if key in _PARTS or (key.endswith("Command") and key != _ON_THE_HOST):
            yield json.dumps(value)
