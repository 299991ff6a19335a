"""The changes that make a devcontainer.json fit the plan.

A new file is the same changes applied to an empty object, so writing and checking can't disagree.
Each subject is a function of the file as it is (`View`) and what the container is for
(`ContainerSpec`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeAlias

from poetry_tf.devcontainer import base, earlier, gpu, plugin, poetry, start, variables
from poetry_tf.devcontainer.image import container_python
from poetry_tf.devcontainer.spec import ContainerSpec
from poetry_tf.devcontainer.view import Change, View
from poetry_tf.files.edits import apply_until_stable
from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.releases.images import Images

Subject: TypeAlias = Callable[[View, ContainerSpec], Iterator[Change]]

# In the order in which a new file is written.
_SUBJECTS: Final[tuple[Subject, ...]] = (
    base.comment,
    base.name,
    base.image,
    base.distribution,
    base.python,
    gpu.unknown_options,
    gpu.cuda,
    gpu.cuda_path,
    base.git_lfs,
    gpu.gpu_request,
    gpu.retired_arguments,
    gpu.capabilities,
    variables.legacy_keras,
    base.moved_features,
    poetry.retired_feature,
    base.install_order,
    poetry.poetry,
    poetry.project,
    plugin.plugin,
    variables.library_path,
    start.status,
    base.extension,
)
# More changes than any file needs on one subject.
_ROUNDS: Final = 100


def find_changes(path: Path, document: JsoncDocument, spec: ContainerSpec) -> tuple[Change, ...]:
    """Every change that a devcontainer.json needs as it is.

    Their edits may concern the same place, so they don't add up: `synchronize` applies them.
    """
    view = _view(path, document, spec)
    return (
        *earlier.earlier_form(view, spec),
        *(change for subject in _SUBJECTS for change in subject(view, spec)),
    )


def synchronize(path: Path, document: JsoncDocument, spec: ContainerSpec) -> JsoncDocument:
    """The devcontainer.json with every change made, each after those before it.

    Raises `DocumentError` with the key where a value of another type is in the way.
    """
    view = _view(path, document, spec)
    for subject in (earlier.earlier_form, *_SUBJECTS):
        view = _with_changes(view, subject, spec)
    return view.document


def _with_changes(view: View, subject: Subject, spec: ContainerSpec) -> View:
    def make_one(view: View) -> View | None:
        edits = next((change.edits for change in subject(view, spec) if change.edits), ())
        after = view.with_edits(edits)
        return None if after.document.text == view.document.text else after

    return apply_until_stable(view, make_one, _ROUNDS)


def with_current_series(path: Path, document: JsoncDocument, spec: ContainerSpec) -> JsoncDocument:
    """The devcontainer.json with the current series in its name and comment from poetry-tf."""
    view = View(path, document, is_new=False)
    for subject in (base.comment, base.name):
        view = _with_changes(view, subject, spec)
    return view.document


def _view(path: Path, document: JsoncDocument, spec: ContainerSpec) -> View:
    """The file; it counts as new if it is empty and a whole container can be made."""
    return View(path, document, spec.whole and spec.plan is not None and not document.data)


# The keys whose versions are in the facts.
_WITH_VERSIONS = {"name", "image", "features"}


def container_facts(document: JsoncDocument, images: Images) -> dict[str, str]:
    """The versions that a devcontainer.json names, by the name of what has the version."""
    view = View(Path(), document, is_new=False)
    facts = {"Python": container_python(document) or ""}
    for key in view.features(images.cuda.id):
        options = view.object("features").get(key)
        if isinstance(options, dict):
            facts["CUDA"] = str(options.get("cudaVersion", ""))
            facts["cuDNN"] = str(options.get("cudnnVersion", ""))
    return {name: value for name, value in facts.items() if value}


def differences(old: JsoncDocument, new: JsoncDocument, images: Images) -> tuple[str, ...]:
    """How two devcontainer.json differ: the versions before and after, and the other keys."""
    before, after = container_facts(old, images), container_facts(new, images)
    parts = [
        f"{name} {before[name]} -> {value}" if name in before else f"{name} {value}"
        for name, value in after.items()
        if before.get(name) != value
    ]
    parts += [f"no {name}" for name in before if name not in after]
    had, has = old.data, new.data
    parts += [key for key in has if key not in _WITH_VERSIONS and had.get(key) != has[key]]
    parts += [f"no {key}" for key in had if key not in _WITH_VERSIONS and key not in has]
    return tuple(parts)
