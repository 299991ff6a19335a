"""CUDA from TensorFlow's own wheels, in the folders that TensorFlow itself overlooks.

TensorFlow finds the libraries of its `and-cuda` wheels by a path that is built into it. Some
releases were built with one that lacks folders, and then use the CPU: LD_LIBRARY_PATH has to name
these. Only these, because it counts for every program in the container.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from poetry_tf.devcontainer.image import container_python
from poetry_tf.devcontainer.poetry import ENVIRONMENT, environment_in_project
from poetry_tf.devcontainer.spec import ContainerSpec
from poetry_tf.devcontainer.view import Change, View
from poetry_tf.releases.nvidia import overlooked_folders
from poetry_tf.text import format_list

VARIABLE = "LD_LIBRARY_PATH"

_ENVIRONMENT = f"${{containerWorkspaceFolder}}/{ENVIRONMENT}/lib/python"
_NVIDIA = "/site-packages/nvidia/"
_OURS = re.compile(rf"{re.escape(_ENVIRONMENT)}\d+\.\d+{_NVIDIA}\w+/lib")
# What the image has there. Where it has nothing there must be something all the same: an empty item
# would stand for whatever folder a program is started in.
_IMAGES = f"${{containerEnv:{VARIABLE}:/nonexistent}}"
# A colon that isn't part of a variable.
_COLON = re.compile(r":(?![^{}]*\})")


def library_path(view: View, wanted: ContainerSpec) -> Iterator[Change]:
    """Whether the folders are named that TensorFlow overlooks, in the environment that there is."""
    plan = wanted.plan
    if plan is None or not wanted.whole:
        return
    items = _items(view, "remoteEnv")
    theirs = [item for item in items if not _OURS.fullmatch(item)]
    parts = overlooked_folders(plan.release) if plan.gpu.mode == "pip" else ()
    named = (*theirs, *_items(view, "containerEnv"))
    lacking = [part for part in parts if not _names(named, part)]
    python = container_python(view.document) if environment_in_project(view, wanted) else None
    path = ("remoteEnv", VARIABLE)
    if not lacking:
        if len(theirs) < len(items):
            rest = [item for item in theirs if item != _IMAGES]
            edit = view.set(*path, value=":".join(theirs)) if rest else view.remove_member(*path)
            yield Change(
                "TF503",
                f"{VARIABLE} names folders of NVIDIA's wheels, and TensorFlow "
                f"{plan.release.version} doesn't need that here",
                "Remove them",
                path,
                (edit,),
            )
        return
    right = [f"{_ENVIRONMENT}{python}{_NVIDIA}{part}/lib" for part in lacking]
    present = [item for item in items if item not in theirs]
    if present == right or (python is None and all(_names(present, part) for part in lacking)):
        return
    value = ":".join((*right, *(theirs or [_IMAGES])))
    folders = format_list(f"nvidia/{part}/lib" for part in lacking)
    yield Change(
        "TF503",
        f"TensorFlow {plan.release.version} doesn't look in {folders} of its own wheels, and so "
        "uses the CPU",
        f'Name the folders of the environment in {VARIABLE}, under "remoteEnv"',
        path if VARIABLE in view.object("remoteEnv") else ("remoteEnv",),
        (view.set(*path, value=value),) if python else (),
    )


def _items(view: View, key: str) -> list[str]:
    value = view.object(key).get(VARIABLE)
    return _COLON.split(value) if isinstance(value, str) and value else []


def _names(items: tuple[str, ...] | list[str], part: str) -> bool:
    return any(item.rstrip("/").endswith(f"/nvidia/{part}/lib") for item in items)
