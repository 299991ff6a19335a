"""The base that a devcontainer.json builds on, and the Python in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.files.values import KeyPath, as_table
from poetry_tf.plan.settings import REGISTRY_VARIABLE

# Keys of a base of the user's own: a Dockerfile, or services.
_OWN_BASE = ("build", "dockerFile", "dockerComposeFile")
OUR_VARIABLE = f"${{localEnv:{REGISTRY_VARIABLE}"
"""The start of an image whose registry each machine may name."""
_HOST = r"(?:[\w-]+(?:\.[\w-]+)+(?::\d+)?|localhost(?::\d+)?|\$\{localEnv:[^}]*\})"
# The registry of the dev container images, a mirror of it, or one in a variable; and their former
# place, vscode/devcontainers.
_REGISTRY = rf"(?P<registry>{_HOST}(?:/(?=[^/]*mcr)[\w.-]+)?)/(?:vscode/)?devcontainers"
# Docker's official image as well.
_PYTHON_IMAGE = re.compile(
    rf"""(?P<repository>{_REGISTRY}/python|
            (?:{_HOST}/(?:[\w.-]+/)?library/|(?:docker\.io/)?(?:library/)?)python)
        (?::(?:dev-)?(?P<tag>[\w.-]*))?
        (?:@sha256:[0-9a-f]+)?""",
    re.VERBOSE,
)
_PYTHON = r"(?P<python>2\.7|3\.(?:[5-9]|\d\d))(?:\.\d+)?(?![\d.])"
_GENERATION = r"(?P<generation>\d+)(?:\.\d+)*"
# An image without Python: the feature installs it, with pipx unless an option says otherwise.
_BASE_IMAGE = re.compile(rf"{_REGISTRY}/base(?::(?!alpine)[\w.-]+)?(?:@sha256:[0-9a-f]+)?")
PYTHON_FEATURE = "ghcr.io/devcontainers/features/python"
# 3-3.11-bookworm, 3.0.7-3.11, 3.11-bookworm, 3.11.4, 3-bookworm. Without a Python ("bookworm",
# "latest") a tag names the newest.
_TAGS = tuple(map(re.compile, (f"{_GENERATION}-{_PYTHON}", _PYTHON, f"{_GENERATION}(?![\\w.])")))


@dataclass(frozen=True)
class PythonImage:
    """A reference to an image for Python."""

    repository: str
    registry: str | None
    """The registry of a dev container image, or its mirror; None for another image."""
    generation: str | None
    """The major version of the image, None where the tag names none."""
    python: str | None
    """The Python minor, None where the tag names none and so changes with time."""

    @property
    def is_by_variable(self) -> bool:
        """Whether a variable of each machine names the registry."""
        return self.repository.startswith("$")

    @property
    def is_devcontainers(self) -> bool:
        """Whether it is one of the dev container images, which have pipx and take features."""
        return self.registry is not None


def with_registry_variable(image: str, registry: str) -> str:
    """The image, with a variable in which each machine may name another registry."""
    return f"{OUR_VARIABLE}:{registry}}}/{image.partition('/')[2]}"


def python_image(reference: Any) -> PythonImage | None:
    """Reads the value of ``image``; None for anything but an image for Python."""
    match = _PYTHON_IMAGE.fullmatch(reference) if isinstance(reference, str) else None
    if match is None:
        return None
    found = next(filter(None, (tag.match(match["tag"] or "") for tag in _TAGS)), None)
    parts = found.groupdict() if found else {}
    return PythonImage(
        match["repository"], match["registry"], parts.get("generation"), parts.get("python")
    )


_DISTRIBUTION = re.compile(r"(?:(?<=[:-])(?!latest|dev)(?P<name>[a-z]+))?(?P<digest>@.*)?\Z")


@dataclass(frozen=True)
class ImageDistribution:
    """The distribution in the reference to an image for Python, or to one that has none."""

    before: str
    name: str | None
    """None where the tag names none and so changes with time."""

    def named(self, name: str) -> str:
        """The image with another distribution; a digest, which is not the other's, goes."""
        separator = "" if self.before.endswith(("-", ":")) else "-"
        return f"{self.before}{separator}{name}"


def image_distribution(reference: Any) -> ImageDistribution | None:
    """Reads the value of ``image``; None where nothing is known of its distribution."""
    parsed = python_image(reference)
    if parsed is None and not (isinstance(reference, str) and _BASE_IMAGE.fullmatch(reference)):
        return None
    match = _DISTRIBUTION.search(reference)
    if match is None or (match["name"] is None and (match["digest"] or not _is_newest(parsed))):
        return None
    return ImageDistribution(reference[: match.start()], match["name"])


def _is_newest(parsed: PythonImage | None) -> bool:
    """Whether an image without a distribution has the newest that there is, and will have others.

    The images of the former place no longer change.
    """
    return parsed is not None and parsed.is_devcontainers and "vscode/" not in parsed.repository


@dataclass(frozen=True)
class StatedPython:
    """A Python that a devcontainer.json names besides its image."""

    written: str
    python: str | None
    """Its minor; None where it changes with time."""
    path: KeyPath


def feature_python(document: JsoncDocument) -> StatedPython | None:
    """The Python of the feature, which overrides that of the image; None if the system's."""
    features = as_table(document.get(("features",)))
    of_python = feature_path(PYTHON_FEATURE)
    key = next((key for key in features if feature_path(key) == of_python), None)
    if key is None:
        return None
    path: KeyPath = ("features", key)
    if isinstance(features[key], dict):
        path = (*path, "version")
    written = document.get(path)
    if not isinstance(written, str) or written in {"os-provided", "none", ""}:
        return None
    match = re.match(_PYTHON, written)
    return StatedPython(written, match["python"] if match else None, path)


def _is_base_with_python(document: JsoncDocument) -> bool:
    image, stated = document.get(("image",)), feature_python(document)
    if stated is None or not isinstance(image, str) or not _BASE_IMAGE.fullmatch(image):
        return False
    return as_table(document.get(stated.path[:2])).get("installTools") is not False


def feature_id(key: str) -> str:
    """A feature's id without version or digest; the colon of a port stays."""
    key = key.partition("@")[0]
    head, colon, tail = key.rpartition(":")
    return head if colon and "/" not in tail else key


def feature_path(key: str) -> str:
    """The part of a feature's id that its registry and every mirror of that have in common.

    Empty for a feature that is from no registry. The container tools ignore the case.
    """
    registry, *path = feature_id(key).lower().rsplit("/", 3)
    is_registry = registry and not registry.startswith(".") and "://" not in registry
    return "/".join(path) if is_registry else ""


def feature_major(key: str) -> str:
    """The major version of a feature's key; "" where it names none."""
    tag = key.removeprefix(feature_id(key))
    return tag[1:].partition(".")[0] if tag.startswith(":") else ""


def from_registry_of(key: str, reference: str) -> str:
    """A feature from the registry, or its mirror, that another one is from."""
    registry, path = feature_id(key).rsplit("/", 3)[0], reference.rsplit("/", 3)[1:]
    return "/".join((registry, *path))


def builds_own_image(document: JsoncDocument) -> bool:
    """Whether a Dockerfile or services are the base, and not ``image``."""
    return any(key in document.data for key in _OWN_BASE)


def has_own_base(document: JsoncDocument) -> bool:
    """Whether the base is the user's: a Dockerfile, services, or an unknown image.

    Its content is unknown as well: it may have CUDA, and may lack pipx.
    """
    if builds_own_image(document):
        return True
    image = document.get(("image",))
    parsed = python_image(image)
    if image is None or (parsed is not None and parsed.is_devcontainers):
        return False
    return not _is_base_with_python(document)


def container_python(document: JsoncDocument) -> str | None:
    """The Python minor of a container; None where the file doesn't say."""
    if (stated := feature_python(document)) is not None:
        return stated.python
    parsed = python_image(document.get(("image",)))
    return None if parsed is None or has_own_base(document) else parsed.python
