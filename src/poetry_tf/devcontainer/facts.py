"""The versions that a devcontainer.json names, and how two of them differ."""

from __future__ import annotations

from pathlib import Path

from poetry_tf.devcontainer.image import container_python
from poetry_tf.devcontainer.view import View
from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.releases.images import Images

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
