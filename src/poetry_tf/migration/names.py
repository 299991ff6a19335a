"""What a name in a list means: a distribution on PyPI, or something else.

Conda has libraries, compilers and CUDA beside Python packages, and other names for some of them.
`data/names.json` lists them with sources; it is maintained by hand.
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

- `package`: a distribution that is required.
- `main`: TensorFlow itself.
- `tensorflow`: a part of TensorFlow, or a distribution that it requires.
- `container`: CUDA, cuDNN and their parts.
- `system`: a library or a program, not a Python package.
- `builds`: Intel's builds of packages that PyPI has, and their libraries.
- `tools`: Conda's own tools, and installers that Poetry replaces.
- `python`: a backport of something that is part of Python.
- `elsewhere`: support for other GPUs on macOS or Windows, which containers do not have.
- `collection`: a metapackage.
"""

# Conda's build strings name the Python that a package was built for, if any; packages for all
# Pythons have "py", or the hash that means nothing but noarch.
_FOR_PYTHON = re.compile(r"(?:^|_)(?:py|np)\w|py\d|d8ed1ab|d3eb1b0")


@dataclass(frozen=True)
class NameClass:
    """The kind of a name, and the name on PyPI."""

    kind: Kind
    name: str


def classify_name(item: ListEntry) -> NameClass:
    """Classifies the name of an entry; an unknown name is taken for the name on PyPI."""
    kind, names = _classify(item), _name_data()
    if kind != "package":
        return NameClass(kind, item.name)
    table = names["pypi"] if item.manager == "conda" else {}
    return NameClass(kind, str(table.get(item.key) or proper_name(item.key) or item.name))


def is_assumed(item: ListEntry) -> bool:
    """Whether the name on PyPI is assumed to be Conda's, without it being known."""
    known = {*_name_data()["pypi"], *_name_data()["kept"]}
    is_built = _FOR_PYTHON.search(item.build) is not None
    is_known = item.key in known or has_other_versions(item)
    return item.manager == "conda" and not is_known and not is_built


def has_other_versions(item: ListEntry) -> bool:
    """Whether PyPI has the package under another name, with other versions."""
    is_condas = item.manager == "conda" and item.key in _name_data()["pypi"]
    return not is_condas and proper_name(item.key) is not None


def proper_name(name: NormalizedName) -> str | None:
    """The distribution that a name means, if PyPI has it under another name."""
    names = _name_data()
    found: str | None = names["renamed"].get(name) or names["forwarding"].get(name)
    return found


def is_forwarding(name: NormalizedName) -> bool:
    """Whether PyPI has a name only for a distribution that requires the one that is meant."""
    return name in _name_data()["forwarding"]


def marker_of(item: ListEntry) -> str:
    """The marker of a package that is for one system only; empty for others."""
    system = _name_data()["systems"].get(canonicalize_name(item.name.split("-framework-")[0]))
    return f'sys_platform == "{system}"' if system else ""


def is_imported(name: NormalizedName) -> bool:
    """Whether people import it directly, so that it gets a requirement of its own."""
    return name in _name_data()["kept"] or (
        role(name) in {"companion", "other"} and not _comes_with_tensorflow(name)
    )


def is_implied(name: NormalizedName) -> bool:
    """Whether Conda installs it with others, so that exports contain it unrequested."""
    return name in _name_data()["along"]


def version_cap(name: NormalizedName, series: str) -> tuple[str, str] | None:
    """The version that a distribution has to stay below for a TensorFlow series, and why."""
    rule = _name_data()["before"].get(name)
    if rule is None or Version(series) >= Version(rule["tensorflow"]):
        return None
    return rule["below"], rule["why"]


def _classify(item: ListEntry) -> Kind:
    key, names = item.key, _name_data()
    if role(key) in {"main", "retired", "shim", "vendor", "nightly"}:
        return "main"
    if _comes_with_tensorflow(key):
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


def _comes_with_tensorflow(name: NormalizedName) -> bool:
    return name in _name_data()["tensorflow"]


@functools.cache
def _name_data() -> dict[str, Any]:
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
