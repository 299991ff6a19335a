"""What a name in a list means: a distribution of PyPI's, or something that is none.

Conda has libraries, compilers and CUDA beside Python's packages, and some of these under names of
its own. `data/names.json` says which, with its sources, and is kept by hand.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from poetry_tf.migration.entries import ListEntry
from poetry_tf.releases import role
from poetry_tf.releases.resources import read_json

Kind: TypeAlias = Literal[
    "package",
    "main",
    "tensorflow",
    "container",
    "system",
    "builds",
    "tools",
    "python",
    "collection",
    "elsewhere",
]
"""What a name is:

- `package`: a distribution to be required.
- `main`: TensorFlow itself.
- `tensorflow`: what TensorFlow brings along, or a part of it.
- `container`: CUDA, cuDNN and what belongs to them.
- `system`: a library or a program that is no Python package.
- `builds`: Intel's builds of what PyPI has as well, and the libraries for them.
- `tools`: Conda's own tools, and the installers whose work Poetry does.
- `python`: a part of Python since long.
- `elsewhere`: what gives TensorFlow a GPU of another maker's on macOS or Windows, outside of
  containers.
- `collection`: a list of packages rather than a package.
"""

# Conda's build strings name the Python that a package was built for, if any; what is for all is
# called py, or had nothing that a hash could be made of but its having no architecture.
_FOR_PYTHON = re.compile(r"(?:^|_)(?:py|np)\w|py\d|d8ed1ab|d3eb1b0")


@dataclass(frozen=True)
class NameClass:
    """What one name is, and what it is called on PyPI."""

    kind: Kind
    name: str


def classify_name(item: ListEntry) -> NameClass:
    """What a line of a list asks for; a name that isn't known is taken for PyPI's."""
    kind = _kind(item)
    return NameClass(kind, pypi_name(item) if kind == "package" else item.name)


def pypi_name(item: ListEntry) -> str:
    """The name that PyPI has for it, spelt as it was written where that is the same."""
    table = _names()["pypi"] if item.manager == "conda" else {}
    return str({**_names()["renamed"], **table}.get(item.key, item.name))


def is_assumed(item: ListEntry) -> bool:
    """Whether a name of Conda's is taken for PyPI's only because it isn't known to be another."""
    known = {*_names()["pypi"], *_names()["renamed"], *_names()["kept"]}
    is_built = bool(_FOR_PYTHON.search(item.build)) if item.build else False
    return item.manager == "conda" and item.key not in known and not is_built


def has_other_versions(item: ListEntry) -> bool:
    """Whether the name is a stand-in on PyPI for a package with versions of its own."""
    return item.key in _names()["renamed"]


def is_imported(name: NormalizedName) -> bool:
    """Whether people import it by itself, so that it is worth a requirement of its own."""
    return name in _names()["kept"] or (role(name) in {"companion", "other"} and not _brought(name))


def is_implied(name: NormalizedName) -> bool:
    """Whether Conda installs it beside others, so that an export has it though nobody asked."""
    return name in _names()["along"]


def version_cap(name: NormalizedName, series: str) -> tuple[str, str] | None:
    """Below which version a distribution has to stay for a TensorFlow, and why."""
    rule = _names()["before"].get(name)
    if rule is None or Version(series) >= Version(rule["tensorflow"]):
        return None
    return rule["below"], rule["why"]


def _kind(item: ListEntry) -> Kind:
    key, names = item.key, _names()
    if role(key) in {"main", "retired", "shim", "vendor", "nightly"}:
        return "main"
    if _brought(key):
        return "tensorflow"
    if key in names["elsewhere"]:
        return "elsewhere"
    if item.manager == "pip":
        if key.startswith("nvidia-") and re.search(r"-cu\d+$", key):
            return "container"
        return "python" if key in names["python"] else "package"
    for kind in ("container", "builds", "tools", "python"):
        if key in names["conda" if kind == "tools" else kind]:
            return kind
    if key in names["collections"]:
        return "collection"
    if item.name.startswith(names["container_prefixes"]):
        return "container"
    if key in names["pypi"] or key in names["python_with_such_names"]:
        return "package"
    if key in names["system"] or item.name.startswith(names["system_prefixes"]):
        return "system"
    is_built = bool(item.build) and item.build not in {"*", "pypi_0"}
    return "system" if is_built and not _FOR_PYTHON.search(item.build) else "package"


def _brought(name: NormalizedName) -> bool:
    return name in _names()["tensorflow"]


@functools.cache
def _names() -> dict[str, Any]:
    raw = read_json("names.json", __file__)
    found: dict[str, Any] = {}
    for key, value in raw.items():
        if key.endswith("_prefixes"):
            found[key] = tuple(value)
        elif isinstance(value, dict):
            found[key] = {canonicalize_name(name): item for name, item in value.items()}
        else:
            found[key] = frozenset(map(canonicalize_name, value))
    return found
