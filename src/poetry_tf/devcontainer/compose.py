"""Whether the compose file of a container gives its service a GPU.

The dev container tools pass hostRequirements and runArgs only to `docker run`: neither reaches a
service.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

from poetry_tf.devcontainer.view import View
from poetry_tf.files.values import as_table, as_text, as_texts

Answer = Literal["yes", "no", "unknown"]
_MAX_EXTENDS: Final = 8
_MAX_FILES: Final = 20
_MAX_NODES: Final = 100_000
"""The values of a compose file. With YAML's aliases a small file can have billions."""
# Their text is enough, and can always be read: not every number, date or the like can be.
_AS_TEXT: Final = ("bool", "int", "float", "timestamp", "binary")


def is_service(view: View) -> bool:
    """Whether the container is a service of a compose file."""
    return view.get("dockerComposeFile") is not None


def compose_files(view: View) -> tuple[str, ...]:
    """The compose files, as written; each overrides those before it."""
    value = view.get("dockerComposeFile")
    return (value,) if isinstance(value, str) else tuple(as_texts(value))


def service_has_gpu(view: View) -> Answer:
    """Whether a compose file requests a GPU for the service; unknown if one can't be read."""
    service, names, answers = as_text(view.get("service")), compose_files(view), []
    if len(names) > _MAX_FILES:
        return "unknown"
    for name in names:
        path = view.path.parent / name
        answers.append(_answer(view, path, service, _MAX_EXTENDS))
    if "yes" in answers:
        return "yes"
    return "unknown" if "unknown" in answers or not answers else "no"


def _answer(view: View, path: Path, service: str, left: int) -> Answer:
    content = _parse(view.workspace.read(path))
    if content is None or "include" in content or not left:
        return "unknown"
    definition = as_table(as_table(content.get("services")).get(service))
    if any(_requests(definition)):
        return "yes"
    if _is_open(definition):
        return "unknown"
    extends = definition.get("extends")
    if extends is None:
        return "no"
    base = {"service": extends} if isinstance(extends, str) else as_table(extends)
    other = path.parent / base["file"] if isinstance(base.get("file"), str) else path
    return _answer(view, other, as_text(base.get("service")), left - 1)


@functools.lru_cache(maxsize=_MAX_FILES)
def _parse(text: str | None) -> dict[str, Any] | None:
    """The content of a compose file. It is shared: the same file may be named more than once."""
    import yaml  # which only these containers need

    class Loader(yaml.SafeLoader):
        def as_text(self, node: Any) -> Any:
            return self.construct_scalar(node)

    for kind in _AS_TEXT:
        Loader.add_constructor(f"tag:yaml.org,2002:{kind}", Loader.as_text)
    if text is None:
        return None
    try:
        loader = Loader(text)
        root = loader.get_single_node()
        if root is None or _size(root, {}) > _MAX_NODES:
            return None
        content = loader.construct_document(root)
    except (yaml.YAMLError, RecursionError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _size(node: Any, known: dict[Any, int]) -> int:
    """The values in a node of YAML, those behind each alias included."""
    if node not in known:
        known[node] = _MAX_NODES  # in itself it has no end
        inner = [] if node.id == "scalar" else node.value
        parts = (part for item in inner for part in (item if node.id == "mapping" else (item,)))
        known[node] = 1 + sum(_size(part, known) for part in parts)
    return known[node]


def _devices(definition: dict[str, Any]) -> list[Any]:
    resources = as_table(as_table(definition.get("deploy")).get("resources"))
    devices = as_table(resources.get("reservations")).get("devices")
    return devices if isinstance(devices, list) else []


def _requests(definition: dict[str, Any]) -> Iterator[bool]:
    yield definition.get("gpus") not in (None, [], "")
    yield definition.get("runtime") == "nvidia"
    for device in map(as_table, _devices(definition)):
        names = as_texts(device.get("device_ids"))
        yield "gpu" in as_texts(device.get("capabilities")) or device.get("driver") == "nvidia"
        yield any(name.startswith("nvidia.com/gpu") for name in names)
    for name in as_texts(definition.get("devices")):
        yield name.startswith(("nvidia.com/gpu", "/dev/nvidia"))


def _is_open(definition: dict[str, Any]) -> bool:
    """Whether a variable decides, whose value each machine sets."""
    values = [as_text(definition.get("runtime")), *as_texts(definition.get("devices"))]
    return any("$" in value for value in values)
