"""Environment variables that TensorFlow needs in a container: for its Keras, for its CUDA."""

from __future__ import annotations

import re
from collections.abc import Iterator

from poetry_tf.devcontainer.image import container_python
from poetry_tf.devcontainer.poetry import ENVIRONMENT, environment_in_project, gets_plugin
from poetry_tf.devcontainer.spec import ContainerSpec
from poetry_tf.devcontainer.view import Change, View
from poetry_tf.releases.model import LINUX_X86_64
from poetry_tf.releases.nvidia import overlooked_folders
from poetry_tf.text import format_list

_LEGACY_KERAS = "TF_USE_LEGACY_KERAS"
# The values that TensorFlow takes as true.
_TRUE = frozenset({"1", "true", "True"})

LIBRARY_PATH = "LD_LIBRARY_PATH"
# TensorFlow finds the libraries of its and-cuda wheels by a path that is built into it. In some
# releases the path lacks folders, so that they use the CPU. poetry-tf links the libraries when the
# project is installed. In a container without it LD_LIBRARY_PATH has to name those folders, and
# only those, because it applies to every program in the container.
_ENVIRONMENT = f"${{containerWorkspaceFolder}}/{ENVIRONMENT}/lib/python"
_NVIDIA = "/site-packages/nvidia/"
_OURS = re.compile(rf"{re.escape(_ENVIRONMENT)}\d+\.\d+{_NVIDIA}\w+/lib")
# The value in the image. The default is needed: an empty item would mean the current folder.
_IMAGES = f"${{containerEnv:{LIBRARY_PATH}:/nonexistent}}"


def legacy_keras(view: View, spec: ContainerSpec) -> Iterator[Change]:
    """The variable that selects Keras 2, where the project chose it."""
    if spec.plan is None or not (spec.whole and spec.plan.legacy_keras):
        return
    # containerEnv applies also where no editor is attached.
    present = view.object("containerEnv").get(_LEGACY_KERAS)
    if present in _TRUE:
        return
    seen = f"has {_LEGACY_KERAS} {present!r}" if present is not None else f"lacks {_LEGACY_KERAS}"
    yield Change(
        "TF507",
        f"the container {seen}, so tf.keras is not the Keras 2 that the project chose",
        f'Write "containerEnv": {{"{_LEGACY_KERAS}": "1"}}',
        ("containerEnv", _LEGACY_KERAS),
        (view.set("containerEnv", _LEGACY_KERAS, value="1"),),
    )


def library_path(view: View, spec: ContainerSpec) -> Iterator[Change]:
    """Whether the folders that TensorFlow overlooks are named, in a container without poetry-tf."""
    plan = spec.plan
    if plan is None or not spec.whole:
        return
    items = _items(view, "remoteEnv")
    theirs = [item for item in items if not _OURS.fullmatch(item)]
    parts = overlooked_folders(plan.release) if plan.gpu.mode == "pip" else ()
    if gets_plugin(view, spec):
        parts = ()
    named = (*theirs, *_items(view, "containerEnv"))
    lacking = [part for part in parts if not _names(named, part)]
    python = container_python(view.document) if environment_in_project(view, spec) else None
    path = ("remoteEnv", LIBRARY_PATH)
    linux = plan.release.wheels.get(LINUX_X86_64)
    is_new = plan.release.origin in {"read", "locked"}
    if plan.gpu.mode == "pip" and is_new and linux is not None and linux.looks_in is None:
        return  # where it looks is unknown
    if not lacking:
        if len(theirs) < len(items):
            rest = [item for item in theirs if item != _IMAGES]
            edit = view.set(*path, value=":".join(theirs)) if rest else view.remove_member(*path)
            yield Change(
                "TF503",
                f"{LIBRARY_PATH} names folders of NVIDIA's wheels, and TensorFlow "
                f"{plan.release.version} does not need that here",
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
        f"TensorFlow {plan.release.version} doesn't look in {folders} of its own wheels, so it "
        "uses the CPU",
        f'Name the folders of the environment in {LIBRARY_PATH}, under "remoteEnv"',
        path if LIBRARY_PATH in view.object("remoteEnv") else ("remoteEnv",),
        (view.set(*path, value=value),) if python else (),
    )


def _items(view: View, key: str) -> list[str]:
    value = view.object(key).get(LIBRARY_PATH)
    if not isinstance(value, str) or not value:
        return []
    items: list[list[str]] = [[]]
    for part in re.findall(r"[^{}]*[{}]?", value):
        # A colon before "}" is part of a variable.
        first, *others = [part] if part.endswith("}") else part.split(":")
        items[-1].append(first)
        items += [[item] for item in others]
    return ["".join(item) for item in items]


def _names(items: tuple[str, ...] | list[str], part: str) -> bool:
    return any(item.rstrip("/").endswith(f"/nvidia/{part}/lib") for item in items)
