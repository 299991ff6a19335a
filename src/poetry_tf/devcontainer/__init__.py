"""devcontainer.json as the plan wants it, told as the changes that lead there.

A new file is the same changes applied to an empty object, so writing and checking can't disagree.
The subjects that are looked at stand in `base`, `gpu`, `keras`, `poetry`, `plugin`, `wheels` and
`start`, one function each; `view` is the file they look at, `wanted` what they compare it with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, TypeAlias

from poetry_tf.devcontainer import base, gpu, keras, library_path, plugin, poetry, start
from poetry_tf.devcontainer.image import container_python, has_own_base
from poetry_tf.devcontainer.origin import Origin
from poetry_tf.devcontainer.parts import ContainerPart, container_parts
from poetry_tf.devcontainer.poetry import (
    CACHE_FOLDER,
    CACHE_VOLUME,
    ENVIRONMENT,
    ENVIRONMENT_VOLUME,
)
from poetry_tf.devcontainer.spec import ContainerSpec, container_spec
from poetry_tf.devcontainer.view import Change, View, feature_id
from poetry_tf.files.edits import Edit, apply_until_stable
from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.files.values import KeyPath
from poetry_tf.releases import Catalog
from poetry_tf.releases.images import Images

__all__ = [
    "CACHE_FOLDER",
    "CACHE_VOLUME",
    "ENVIRONMENT",
    "ENVIRONMENT_VOLUME",
    "Change",
    "ContainerPart",
    "ContainerSpec",
    "Origin",
    "brings_cuda",
    "container_facts",
    "container_poetrys",
    "container_python",
    "container_spec",
    "differences",
    "find_changes",
    "has_own_base",
    "list_parts",
    "missing_plugin",
    "synchronize",
    "with_current_series",
]

Subject: TypeAlias = Callable[[View, ContainerSpec], Iterator[Change]]

# In the order in which a new file is written.
_SUBJECTS: Final[tuple[Subject, ...]] = (
    base.name,
    base.image,
    gpu.unknown_options,
    gpu.cuda,
    gpu.path,
    base.git_lfs,
    gpu.gpu,
    gpu.retired_arguments,
    gpu.capabilities,
    keras.legacy_keras,
    poetry.retired_feature,
    poetry.poetry,
    poetry.project,
    plugin.plugin,
    library_path.library_path,
    start.status,
    base.extension,
)
# More changes than any file needs on one subject.
_ROUNDS = 100


def find_changes(path: Path, document: JsoncDocument, wanted: ContainerSpec) -> tuple[Change, ...]:
    """Everything to change in a devcontainer.json as it is.

    Their edits may concern the same place, so they don't add up: `bring_in_step` applies them.
    """
    view = View(path, document, _is_new(document, wanted))
    return tuple(change for subject in _SUBJECTS for change in subject(view, wanted))


def container_poetrys(
    path: Path, document: JsoncDocument, images: Images
) -> tuple[tuple[str, KeyPath], ...]:
    """Each version of Poetry that a devcontainer.json asks for, and where it stands."""
    return tuple(poetry.asked_for(View(path, document, is_new=False), images))


def list_parts(
    path: Path, document: JsoncDocument, wanted: ContainerSpec, catalog: Catalog
) -> tuple[ContainerPart, ...]:
    """What a devcontainer.json fixes of its container, and where each value comes from."""
    return tuple(container_parts(View(path, document, is_new=False), wanted, catalog))


def synchronize(path: Path, document: JsoncDocument, wanted: ContainerSpec) -> JsoncDocument:
    """The devcontainer.json with every change made, each after those before it.

    Raises `DocumentError`, naming the key, where something else stands in a place than may.
    """
    is_new = _is_new(document, wanted)
    for subject in _SUBJECTS:

        def make_change(
            document: JsoncDocument, subject: Subject = subject
        ) -> JsoncDocument | None:
            """The document after the first change that has edits; None where they do nothing."""
            changes = subject(View(path, document, is_new), wanted)
            edits = next((change.edits for change in changes if change.edits), ())
            edited = _apply(document, edits)
            return None if edited.text == document.text else edited

        document = apply_until_stable(document, make_change, _ROUNDS)
    return document


def with_current_series(
    path: Path, document: JsoncDocument, wanted: ContainerSpec
) -> JsoncDocument:
    """The devcontainer.json with the series in its name right, if poetry-tf has put one there."""
    for change in base.name(View(path, document, is_new=False), wanted):
        document = _apply(document, change.edits)
    return document


def container_facts(document: JsoncDocument, images: Images) -> dict[str, str]:
    """The versions that a devcontainer.json names, by what they are of."""
    view = View(Path(), document, is_new=False)
    facts = {"Python": container_python(document) or ""}
    for key in view.features(images.cuda.id):
        options = view.object("features").get(key)
        if isinstance(options, dict):
            facts["CUDA"] = str(options.get("cudaVersion", ""))
            facts["cuDNN"] = str(options.get("cudnnVersion", ""))
    return {name: value for name, value in facts.items() if value}


# Parts of the file that are told by the versions in them.
_TOLD = {"name", "image", "features"}


def differences(old: JsoncDocument, new: JsoncDocument, images: Images) -> tuple[str, ...]:
    """How one devcontainer.json differs from another: versions as they were and are, of the rest
    the names."""
    before, after = container_facts(old, images), container_facts(new, images)
    parts = [
        f"{name} {before[name]} -> {value}" if name in before else f"{name} {value}"
        for name, value in after.items()
        if before.get(name) != value
    ]
    parts += [f"no {name}" for name in before if name not in after]
    had, has = old.data, new.data
    parts += [key for key in has if key not in _TOLD and had.get(key) != has[key]]
    parts += [f"no {key}" for key in had if key not in _TOLD and key not in has]
    return tuple(parts)


def _is_new(document: JsoncDocument, wanted: ContainerSpec) -> bool:
    """Whether the document is a container that is only now being made."""
    return wanted.whole and wanted.plan is not None and not document.data


def missing_plugin(path: Path, document: JsoncDocument, wanted: ContainerSpec) -> str | None:
    """Why a container that poetry-tf has prepared does without it, and what to do about that."""
    view, origin = View(path, document, is_new=False), wanted.poetry_tf
    if (
        origin.requirement is not None
        or view.own_base
        or plugin.plugin_requirement(view) is not None
    ):
        return None
    return f"{plugin.why_no_plugin(origin)}."


def brings_cuda(document: JsoncDocument, images: Images) -> bool:
    """Whether the feature that installs CUDA is there."""
    features = document.get(("features",))
    return isinstance(features, dict) and images.cuda.id in map(feature_id, features)


def _apply(document: JsoncDocument, edits: Iterable[Edit]) -> JsoncDocument:
    for edit in edits:
        edited = edit.on(document)
        assert isinstance(edited, JsoncDocument)
        document = edited
    return document
